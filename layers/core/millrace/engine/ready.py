"""What a ready task does: start, finish at once, or be skipped.

Every reason not to run is recorded with its cause and with the task where it began, so that rules further down can
read causes through any number of hops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.base.errors import ExpressionError, MillraceError, UserError
from millrace.engine.commands import Command, Fetch, FinishTask, StartAttempt
from millrace.engine.events import Failure, Skip
from millrace.engine.plan import Node, Plan
from millrace.engine.rules import holds
from millrace.engine.state import FAILED, INPUT, SKIPPED, SUCCEEDED, State, TaskState
from millrace.engine.waits import begin_wait
from millrace.expr import Template


@dataclass(frozen=True, slots=True)
class Rendered:
    value: Any


def prepare(plan: Plan, node: Node, task: TaskState, state: State, now: int) -> Command:
    """The command for a task whose dependencies are done, as far as its trigger rule asks."""
    missing = _unresolved(node.reads, state)
    if missing is not None:
        return missing
    skip = _upstream(plan, node, state)
    if isinstance(skip, Failure):
        return FinishTask(path=node.id, status=FAILED, failure=skip)
    if skip is not None:
        return FinishTask(path=node.id, status=SKIPPED, skip=skip)
    if node.condition is not None:
        holds = _holds(node, state)
        if isinstance(holds, Failure):
            return FinishTask(path=node.id, status=FAILED, failure=holds)
        if not holds:
            return FinishTask(path=node.id, status=SKIPPED, skip=Skip("condition_false", node.id))
    return _start(node, task, state, now)


def _start(node: Node, task: TaskState, state: State, now: int) -> Command:
    scope: Mapping[str, Any] = state.env
    value: Any = None
    if node.input is not None:
        result = rendered(node.input, state, scope, node.id, "input")
        if not isinstance(result, Rendered):
            return refused(node, result)
        value = result.value
    if node.own_scope:
        scope = {**scope, "input": value}
    if node.compute is not None:
        return _compute(node, value, scope, state)
    config: Any = None
    if node.config is not None:
        result = rendered(node.config, state, scope, node.id, "config")
        if not isinstance(result, Rendered):
            return refused(node, result)
        config = result.value
    if node.wait is not None:
        return begin_wait(node, node.wait, config, value, now)
    queued = task.queued or state.filled > task.ready_position
    return StartAttempt(
        path=node.id,
        attempt=1,
        input=value,
        config=config,
        queued_at=task.ready_at if queued else 0,
        queued_why="parallelLimit" if queued else "",
    )


def refused(node: Node, result: Failure | Fetch) -> Command:
    """What follows when a template gave no value."""
    return result if isinstance(result, Fetch) else FinishTask(path=node.id, status=FAILED, failure=result)


def _compute(node: Node, value: Any, scope: Mapping[str, Any], state: State) -> Command:
    assert node.compute is not None  # only called for pure tasks
    try:
        output = node.compute(value, scope)
        if node.output is not None:
            output = node.output.render({**state.env, "output": output})
    except UserError as error:
        return FinishTask(path=node.id, status=FAILED, failure=failure_of(error, "transform"), input=value)
    return FinishTask(path=node.id, status=SUCCEEDED, output=output, own_output=True, input=value)


def _upstream(plan: Plan, node: Node, state: State) -> Skip | Failure | None:
    """Why the trigger rule does not let this task run, or None if it does."""
    ignored = set()
    for edge in node.edges:
        try:
            counts = edge.condition.evaluate(state.env)
        except ExpressionError as error:
            return failure_of(error, "dependsOn condition")
        if not isinstance(counts, bool):
            return _not_boolean(node, "dependsOn condition", counts)
        if not counts:
            ignored.add(edge.need)
    above = [(plan.nodes[need], state.tasks[need]) for need in node.needs if need not in ignored]
    if node.trigger_rule == "all_success":
        return _all_success(above)
    if not above or holds(node.trigger_rule, [task for _, task in above]):
        return None
    return _all_success(above) or Skip("trigger_rule", node.id)


def _all_success(above: list[tuple[Node, TaskState]]) -> Skip | None:
    """A failed or skipped dependency skips this task; failure goes before skipping."""
    skipped: Skip | None = None
    for upper, task in above:
        if task.status == FAILED:
            if not upper.continue_on_error:
                return Skip("upstream_failed", upper.id)
        elif task.skip is not None:
            if task.skip.reason == "upstream_failed":
                return task.skip
            skipped = skipped or Skip("upstream_skipped", task.skip.origin)
    return skipped


def _holds(node: Node, state: State) -> bool | Failure:
    assert node.condition is not None  # asked by the caller
    try:
        value = node.condition.evaluate(state.env)
    except ExpressionError as error:
        return failure_of(error, "condition")
    return value if isinstance(value, bool) else _not_boolean(node, "condition", value)


def _not_boolean(node: Node, place: str, value: Any) -> Failure:
    return Failure(
        kind="expression",
        code="not-boolean",
        message=f"The {place} of task {node.id!r} gave {type(value).__name__}, not true or false.",
        hint="Compare the value, for example with == or with size(x) > 0.",
    )


def _unresolved(reads: tuple[str, ...], state: State) -> Fetch | None:
    if state.unresolved:
        for owner in (INPUT, *reads):
            if owner in state.unresolved:
                return Fetch(state.unresolved[owner])
    return None


def rendered(
    template: Template, state: State, scope: Mapping[str, Any], path: str, place: str, *, reads: tuple[str, ...] = ()
) -> Rendered | Failure | Fetch:
    """A template's value, or why there is none, or what has to be fetched first."""
    missing = _unresolved(reads, state)
    if missing is not None:
        return missing
    try:
        return Rendered(template.render(scope))
    except ExpressionError as error:
        where = f"{place} of task {path!r}" if path else f"workflow {place}"
        return failure_of(error, where)


def failure_of(error: MillraceError, where: str) -> Failure:
    """A permanent failure from an error in an expression or transform."""
    return Failure(
        kind="expression",
        code=str(error.facts.get("reason", error.code)),
        message=f"In the {where}: {error.message}",
        hint=error.hint,
        details=error.facts,
    )
