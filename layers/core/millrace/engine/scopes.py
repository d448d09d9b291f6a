"""Tasks that hold tasks: which of them they open, and what becomes of the task when those are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.base.errors import ExpressionError
from millrace.base.limits import ITERATIONS, TASK_INSTANCES, VALUE_BYTES
from millrace.engine.commands import Command, Fetch, FinishTask, OpenScope
from millrace.engine.events import Failure
from millrace.engine.frames import Ended, Opened, Result
from millrace.engine.generated import judged
from millrace.engine.lanes import joined, spread, too_large, too_many_failed
from millrace.engine.plan import ScopePlan
from millrace.engine.state import FAILED, SUCCEEDED, State
from millrace.engine.unfolding import error_of
from millrace.engine.values import Value
from millrace.expr import Scope, compile_expression
from millrace.expr.values import described

_SAME = compile_expression("a == b", scope=Scope(frozenset({"a", "b"})))


def open_command(state: State, plan: ScopePlan, path: str, config: Any, env: Mapping[str, Any]) -> Command:
    """What a task that holds tasks does when its turn has come; ``config`` is its rendered block."""
    if plan.kind == "switch":
        command = _switch(plan, path, config["value"], env)
    elif plan.kind == "forEach":
        command = _for_each(state, plan, path, config["forEach"]["items"])
    else:
        command = _generate(plan, path, config["from"])
    if isinstance(command, OpenScope) and not fits(state, command):
        return _too_many(path, f"{_total(state, command)} tasks in one execution, and it may have {TASK_INSTANCES}")
    return command


def fits(state: State, command: OpenScope) -> bool:
    """Whether an execution may have as many tasks as it would have then. A fallback may always stand in: there is one
    per task at most. What runs in lanes is counted by each of them."""
    return command.kind == "fallback" or bool(command.lanes) or _total(state, command) <= TASK_INSTANCES


def _total(state: State, command: OpenScope) -> int:
    """How many tasks there were so far, will be in what is open, and would be in this."""
    plan = state.nodes[state.index[command.path]].scope
    assert plan is not None  # only a task that holds tasks opens them
    if command.tasks is not None:
        more = len(command.tasks)
    elif command.kind == "forEach":
        more = command.count * len(plan.bodies[0].nodes)
    else:
        more = next(len(body.nodes) for body in plan.bodies if body.name == command.branch)
    return len(state.tasks) + state.promised + more


def _switch(plan: ScopePlan, path: str, value: Any, env: Mapping[str, Any]) -> Command:
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
                message = f"The when of case {at} of task {path!r} gave {described(held)}, not true or false."
                return _failed(path, "not-boolean", message)
        if held:
            branch = str(at)
            break
    if all(body.name != branch for body in plan.bodies):
        return FinishTask(path=path, status=SUCCEEDED, output={}, own_output=True)
    return OpenScope(path=path, kind="switch", branch=branch)


def _for_each(state: State, plan: ScopePlan, path: str, items: Any) -> Command:
    if not isinstance(items, list):
        return _failed(path, "not-an-array", f"forEach was given {described(items)}, not an array.")
    if not items:
        return FinishTask(path=path, status=SUCCEEDED, output=[], own_output=True)
    if len(items) > ITERATIONS:
        return _too_many(path, f"{len(items)} items, and a forEach takes {ITERATIONS}")
    return spread(state, plan, path, items) or OpenScope(path=path, kind="forEach", count=len(items), items=items)


def _generate(plan: ScopePlan, path: str, documents: Any) -> Command:
    found = judged(plan, documents)
    if isinstance(found, Failure):
        return FinishTask(path=path, status=FAILED, failure=found)
    if not found:
        return FinishTask(path=path, status=SUCCEEDED, output=[], own_output=True)
    return OpenScope(path=path, kind="generate", tasks=found)


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


def closed(state: State, opened: Opened) -> tuple[Any, Failure | None] | list[Fetch]:
    """The output of a task whose scope is over, or its failure; or everything that has to be fetched to tell."""
    if opened.lanes:
        return joined(state, opened)
    if opened.failures > opened.allowed:
        return None, _why(opened)
    values = [
        ended.output
        for result in opened.results.values()
        for ended in result.tasks.values()
        if ended.status == SUCCEEDED and ended.output is not None
    ]
    if sum(value.size for value in values) > VALUE_BYTES:  # told before they are fetched into memory
        return None, too_large(opened.path)
    missing = [Fetch(value) for value in values if value.blob and value.sha256 not in state.contents]
    if missing:
        return missing
    if opened.kind == "forEach":
        return _each(state, opened), None
    result = opened.results[0]
    if opened.kind == "generate":
        return _all(state, opened, result), None
    outputs = _outputs(state, result)
    return (next(iter(outputs.values()), None) if opened.kind == "fallback" else outputs), None


def _why(opened: Opened) -> Failure:
    """The first failure, told as that of the task around; of a loop, how many there were."""
    first = next(one for _, one in sorted(opened.results.items()) if one.path)
    cause = first.failure
    assert cause is not None  # a task that failed says why
    if opened.kind == "forEach":
        failed = [at for at, one in sorted(opened.results.items()) if one.path]
        return too_many_failed(opened, failed, first.path, cause)
    said = f"Task {first.path!r} failed: {cause.message}"
    return Failure(kind=cause.kind, code=cause.code, message=said, hint=cause.hint, details={"task": first.path})


def _each(state: State, opened: Opened) -> list[dict[str, Any]]:
    output = []
    for slot in range(opened.count):
        result = opened.results[slot]
        entry: dict[str, Any] = {"status": FAILED if result.path else SUCCEEDED, "output": _outputs(state, result)}
        if result.failure is not None:
            entry["error"] = {**error_of(result.failure), "task": result.path}
        output.append(entry)
    return output


def _all(state: State, opened: Opened, result: Result) -> list[dict[str, Any]]:
    output = []
    for name in opened.body.index:
        ended = result.tasks[name]
        entry: dict[str, Any] = {"id": name, "status": ended.status}
        if ended.status == SUCCEEDED:
            entry["output"] = _content(state, ended)
        if ended.failure is not None:
            entry["error"] = error_of(ended.failure)
        output.append(entry)
    return output


def _outputs(state: State, result: Result) -> dict[str, Any]:
    """The outputs of the leaves that succeeded, by id."""
    return {name: _content(state, ended) for name, ended in result.tasks.items() if ended.status == SUCCEEDED}


def _content(state: State, ended: Ended) -> Any:
    value: Value | None = ended.output
    if value is None:
        return None
    return state.contents[value.sha256] if value.sha256 in state.contents else value.decoded()
