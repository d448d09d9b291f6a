"""Tasks that hold tasks: which of them they open, and what becomes of the task when those are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.base.errors import ExpressionError
from millrace.base.limits import ITERATIONS, TASK_INSTANCES
from millrace.engine.commands import Command, Fetch, FinishTask, OpenScope
from millrace.engine.events import Failure
from millrace.engine.frames import Ended, Opened, Result
from millrace.engine.generated import judged
from millrace.engine.plan import ScopePlan
from millrace.engine.state import FAILED, SUCCEEDED, State
from millrace.engine.values import Value
from millrace.expr import Scope, compile_expression

SHOWN = 10
"""How many failed iterations a failure names."""
_SAME = compile_expression("a == b", scope=Scope(frozenset({"a", "b"})))


def open_command(state: State, plan: ScopePlan, path: str, config: Any, env: Mapping[str, Any]) -> Command:
    """What a task that holds tasks does when its turn has come; ``config`` is its rendered block."""
    if plan.kind == "switch":
        return _switch(state, plan, path, config["value"], env)
    if plan.kind == "forEach":
        return _for_each(state, plan, path, config["forEach"]["items"])
    return _generate(state, plan, path, config["from"])


def _switch(state: State, plan: ScopePlan, path: str, value: Any, env: Mapping[str, Any]) -> Command:
    scope = {**env, "value": value}
    branch = "default"
    for at, case in enumerate(plan.cases):
        if case.when is None:
            held: Any = _SAME.evaluate({"a": value, "b": case.match})
        else:
            try:
                held = case.when.evaluate(scope)
            except ExpressionError as error:
                return _failed(path, str(error.facts.get("reason", error.code)), f"In case {at}: {error.message}")
            if not isinstance(held, bool):
                message = f"The when of case {at} of task {path!r} gave {type(held).__name__}, not true or false."
                return _failed(path, "not-boolean", message)
        if held:
            branch = str(at)
            break
    body = next((body for body in plan.bodies if body.name == branch), None)
    if body is None:
        return FinishTask(path=path, status=SUCCEEDED, output={}, own_output=True)
    return _within(state, path, len(body.nodes)) or OpenScope(path=path, kind="switch", branch=branch)


def _for_each(state: State, plan: ScopePlan, path: str, items: Any) -> Command:
    if not isinstance(items, list):
        return _failed(path, "not-an-array", f"forEach was given {type(items).__name__}, not an array.")
    if not items:
        return FinishTask(path=path, status=SUCCEEDED, output=[], own_output=True)
    if len(items) > ITERATIONS:
        return _too_many(path, f"{len(items)} items, and a forEach takes {ITERATIONS}")
    opened = OpenScope(path=path, kind="forEach", count=len(items), items=items)
    return _within(state, path, len(items) * len(plan.bodies[0].nodes)) or opened


def _generate(state: State, plan: ScopePlan, path: str, documents: Any) -> Command:
    found = judged(plan, documents)
    if isinstance(found, Failure):
        return FinishTask(path=path, status=FAILED, failure=found)
    if not found:
        return FinishTask(path=path, status=SUCCEEDED, output=[], own_output=True)
    return _within(state, path, len(found)) or OpenScope(path=path, kind="generate", tasks=found)


def _within(state: State, path: str, more: int) -> FinishTask | None:
    """The refusal of more tasks than an execution may have."""
    if len(state.tasks) + more <= TASK_INSTANCES:
        return None
    return _too_many(path, f"{len(state.tasks) + more} tasks in one execution, and it may have {TASK_INSTANCES}")


def _too_many(path: str, what: str) -> FinishTask:
    failure = Failure(
        kind="too-large",
        code="too-many-tasks",
        message=f"Task {path!r} would lead to {what}.",
        hint="Go through the items in several executions, by a workflowRef per part.",
    )
    return FinishTask(path=path, status=FAILED, failure=failure)


def _failed(path: str, code: str, message: str) -> FinishTask:
    failure = Failure(kind="expression", code=code, message=message, hint="Look at what the expression reads.")
    return FinishTask(path=path, status=FAILED, failure=failure)


def closed(state: State, opened: Opened) -> tuple[Any, Failure | None] | Fetch:
    """The output of a task whose scope is over, or its failure; or what has to be fetched to tell."""
    if opened.failures > opened.allowed:
        return None, _why(opened)
    if opened.kind == "forEach":
        return _each(state, opened)
    result = opened.results[0]
    if opened.kind == "generate":
        return _all(state, opened, result)
    outputs = _outputs(state, result)
    if isinstance(outputs, Fetch):
        return outputs
    return (next(iter(outputs.values()), None) if opened.kind == "fallback" else outputs), None


def _why(opened: Opened) -> Failure:
    """The first failure, told as that of the task around; of a loop, how many there were."""
    slot, first = next((slot, one) for slot, one in sorted(opened.results.items()) if one.path)
    cause = first.failure
    assert cause is not None  # a task that failed says why
    said = f"Task {first.path!r} failed: {cause.message}"
    details: dict[str, Any] = {"task": first.path}
    if opened.kind == "forEach":
        failed = [at for at, one in sorted(opened.results.items()) if one.path]
        said = f"{len(failed)} of {opened.count} iterations failed, {opened.allowed} may. The first, {slot}: {said}"
        details |= {"failed": failed[:SHOWN], "iterations": opened.count, "tolerated": opened.allowed}
    return Failure(kind=cause.kind, code=cause.code, message=said, hint=cause.hint, details=details)


def _each(state: State, opened: Opened) -> tuple[Any, Failure | None] | Fetch:
    output: list[Any] = []
    for slot in range(opened.count):
        result = opened.results[slot]
        found = _outputs(state, result)
        if isinstance(found, Fetch):
            return found
        entry: dict[str, Any] = {"status": FAILED if result.path else SUCCEEDED, "output": found}
        if result.failure is not None:
            entry["error"] = {**_said(result.failure), "task": result.path}
        output.append(entry)
    return output, None


def _all(state: State, opened: Opened, result: Result) -> tuple[Any, Failure | None] | Fetch:
    output: list[Any] = []
    for name in opened.body.index:
        ended = result.tasks[name]
        entry: dict[str, Any] = {"id": name, "status": ended.status}
        if ended.status == SUCCEEDED:
            content = _content(state, ended)
            if isinstance(content, Fetch):
                return content
            entry["output"] = content
        if ended.failure is not None:
            entry["error"] = _said(ended.failure)
        output.append(entry)
    return output, None


def _outputs(state: State, result: Result) -> dict[str, Any] | Fetch:
    """The outputs of the leaves that succeeded, by id."""
    found: dict[str, Any] = {}
    for name, ended in result.tasks.items():
        if ended.status == SUCCEEDED:
            content = _content(state, ended)
            if isinstance(content, Fetch):
                return content
            found[name] = content
    return found


def _content(state: State, ended: Ended) -> Any:
    value: Value | None = ended.output
    if value is None:
        return None
    if value.sha256 in state.contents:
        return state.contents[value.sha256]
    return Fetch(value) if value.blob else value.decoded()


def _said(failure: Failure) -> dict[str, str]:
    return {"kind": failure.kind, "code": failure.code, "message": failure.message}
