"""What a ready task does: start, finish at once, or be skipped.

Every reason not to run is recorded with its cause and with the task where it began, so that rules further down can
read causes through any number of hops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.base.errors import ExpressionError, UserError
from millrace.engine.commands import Command, FinishTask, StartAttempt
from millrace.engine.events import Failure, Skip
from millrace.engine.frames import Frame
from millrace.engine.given import accepted
from millrace.engine.plan import Node
from millrace.engine.rendering import failure_of, rendered, scope_for, truth, unresolved
from millrace.engine.rules import BROKEN_BY_FAILURE, holds
from millrace.engine.scopes import open_command
from millrace.engine.slots import place_for
from millrace.engine.state import FAILED, SKIPPED, SUCCEEDED, State, TaskState
from millrace.engine.waits import begin_wait


def prepare(state: State, index: int, now: int) -> Command:
    """The command for a task whose dependencies are done, as far as its trigger rule asks."""
    node, frame = state.nodes[index], state.frames[index]
    if state.unresolved:
        missing = unresolved(node.reads, state, frame)
        if missing is not None:
            return missing
    path = frame.prefix + node.label
    env = scope_for(state, frame, node.state) if node.state else frame.env
    if isinstance(env, Failure):
        return FinishTask(path=path, status=FAILED, failure=env)
    if node.needs:
        skip = _upstream(state, frame, node, env)
        if isinstance(skip, Failure):
            return FinishTask(path=path, status=FAILED, failure=skip, replaceable=False)
        if skip is not None:
            return FinishTask(path=path, status=SKIPPED, skip=skip)
    if node.condition is not None:
        holds = truth(node.condition, env, f"condition of task {path!r}", "condition")
        if isinstance(holds, Failure):
            return FinishTask(path=path, status=FAILED, failure=holds, replaceable=False)
        if not holds:
            return FinishTask(path=path, status=SKIPPED, skip=Skip("condition_false", path))
    if node.slot is not None:
        place = place_for(state, index, path, env)
        if place is not None:
            return place
    return _start(state, index, path, env, now)


def _start(state: State, index: int, path: str, env: dict[str, Any], now: int) -> Command:
    node, task = state.nodes[index], state.tasks[index]
    scope: Mapping[str, Any] = env
    value: Any = None
    if node.input is not None:
        result = rendered(node.input, scope, path, "input")
        if isinstance(result, Failure):
            return FinishTask(path=path, status=FAILED, failure=result)
        value = result.value
    if node.accepts is not None:
        result = accepted(state, node.accepts, value, path)
        if isinstance(result, Failure):
            return FinishTask(path=path, status=FAILED, failure=result)
        value = result.value
    if node.own_scope:
        scope = {**scope, "input": value}
    if node.compute is not None:
        return _compute(node, path, value, scope, env)
    config: Any = None
    if node.config is not None:
        result = rendered(node.config, scope, path, "config")
        if isinstance(result, Failure):
            return FinishTask(path=path, status=FAILED, failure=result)
        config = result.value
    if node.scope is not None:
        return open_command(state, node.scope, path, config, env)
    if node.wait is not None:
        return begin_wait(state, path, node.wait, config, value, now)
    queued = task.queued or state.filled > task.ready_position
    return StartAttempt(
        path=path,
        attempt=1,
        input=value,
        config=config,
        queued_at=task.ready_at if queued else 0,
        queued_why="parallelLimit" if queued else "",
    )


def _compute(node: Node, path: str, value: Any, scope: Mapping[str, Any], env: Mapping[str, Any]) -> Command:
    assert node.compute is not None  # only called for pure tasks
    try:
        output = node.compute(value, scope)
        if node.output is not None:
            output = node.output.render({**env, "output": output})
    except UserError as error:
        return FinishTask(path=path, status=FAILED, failure=failure_of(error, _step(error)), input=value)
    return FinishTask(path=path, status=SUCCEEDED, output=output, own_output=True, input=value)


def _step(error: UserError) -> str:
    """Where in a transform, as far as the error's own words do not say it."""
    facts = error.facts
    step = f", step {facts['step']} ({facts['op']})" if isinstance(error, ExpressionError) and "step" in facts else ""
    return f"transform{step}" + (f", item {facts['item']}" if "item" in facts else "")


def _upstream(state: State, frame: Frame, node: Node, env: Mapping[str, Any]) -> Skip | Failure | None:
    """Why the trigger rule does not let this task run, or None if it does."""
    tasks, base = state.tasks, frame.base
    if not node.edges and node.trigger_rule == "all_success":
        for need in node.needs:
            if tasks[base + need].status != SUCCEEDED:
                break
        else:
            return None
    ignored = set()
    for edge in node.edges:
        counts = truth(edge.condition, env, f"dependsOn condition of task {node.id!r}", "dependsOn condition")
        if isinstance(counts, Failure):
            return counts
        if not counts:
            ignored.add(edge.need)
    nodes = frame.body.nodes
    above = [
        (frame.prefix + nodes[need].label, nodes[need], tasks[base + need])
        for need in node.needs
        if need not in ignored
    ]
    if node.trigger_rule == "all_success":
        return _explained(above)
    if not above or holds(node.trigger_rule, [task for _, _, task in above]):
        return None
    explained = _explained(above, tolerant=node.trigger_rule not in BROKEN_BY_FAILURE)
    return explained or Skip("trigger_rule", frame.prefix + node.label)


def _explained(above: list[tuple[str, Node, TaskState]], *, tolerant: bool = True) -> Skip | None:
    """A failed or skipped dependency skips this task; failure goes before skipping. ``tolerant``: a failure with which
    the workflow goes on explains nothing."""
    skipped: Skip | None = None
    for path, upper, task in above:
        if task.status == FAILED:
            if not (tolerant and upper.continue_on_error):
                return Skip("upstream_failed", path)
        elif task.skip is not None:
            if task.skip.reason == "upstream_failed":
                return task.skip
            skipped = skipped or Skip("upstream_skipped", task.skip.origin)
    return skipped
