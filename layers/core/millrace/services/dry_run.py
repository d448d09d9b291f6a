"""A dry run: what an execution would do now, as far as that is known, and no effect at all.

The engine decides as it always does; whatever it would have performed is written down instead, and what depends on the
outcome is shown with the arguments that are known by now. Nothing is stored, called or waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.driver.values import ValueCodec
from millrace.engine.commands import AcquireSlot, StartAttempt
from millrace.engine.events import SlotGranted
from millrace.engine.evolve import evolve
from millrace.engine.plan import Node, Plan
from millrace.engine.settle import settle
from millrace.engine.state import FAILED, OPEN, SKIPPED, SUCCEEDED, WAITING, State, TaskState
from millrace.expr import Expression, Template, compile_template
from millrace.services.caller import Caller
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.shown import shown
from millrace.services.start_execution import Start, checked_input, resolved_start, start_event

_BLOCKS: Final = {"http": "request"}


def dry_run(platform: Platform, caller: Caller, start: Start) -> dict[str, Any]:
    """``{status: planned, id: null, workflow, version, input, tasks}``, the tasks in document order, those inside
    others after them, by path.

    A task's ``status`` is ``would-run`` (its arguments are complete; of a loop or switch: what it would run inside
    follows), ``computed`` (a transform, done), ``would-wait``, ``skipped``, ``failed`` (it would fail before any
    attempt) or ``depends`` (on the outcome of ``after``; arguments in ``{{ }}`` are not known yet). Places under
    concurrency keys count as free. Raises NotFound, PreconditionFailed and InvalidInput as a start does.
    """
    resolved = resolved_start(platform, caller, start)
    value = checked_input(resolved, start.input)
    codec = ValueCodec("dry-run")
    started = start_event(platform, caller, start, resolved, "dry-run", codec.encode(value), mode="dry")
    plan = PlanSource(platform.documents)(caller.scope, started)
    state = State(plan)
    state.contents[started.input.sha256] = value
    evolve(state, started)
    starts = {command.path: command for command in _settled(plan, state, started.at, codec)}
    return {
        "id": None,
        "status": "planned",
        "mode": "dry",
        "workflow": resolved.name,
        "version": resolved.version,
        "revision": resolved.revision,
        "input": value,
        "tasks": [_task(state, path, index, starts.get(path)) for path, index in _in_order(state)],
    }


def _settled(plan: Plan, state: State, now: int, codec: ValueCodec) -> list[StartAttempt]:
    """Everything that would start at once, as if nobody else held a place."""
    starts: list[StartAttempt] = []
    while True:
        settled = settle(plan, state, now, encode=codec.encode)
        starts += settled.starts
        wanted = [effect for effect in settled.effects if isinstance(effect, AcquireSlot)]
        for effect in wanted:
            evolve(state, SlotGranted(at=now, path=effect.path, key=effect.slot.key))
        if not wanted:
            return starts


def _in_order(state: State) -> list[tuple[str, int]]:
    """The paths of all tasks there are, those inside a task after it."""
    inner: dict[int, list[tuple[str, int]]] = {}
    for path, index in state.index.items():
        inner.setdefault(state.frames[index].owner, []).append((path, index))
    found: list[tuple[str, int]] = []
    stack = [*reversed(inner.get(-1, []))]
    while stack:
        path, index = stack.pop()
        found.append((path, index))
        stack += reversed(inner.get(index, []))
    return found


def _task(state: State, path: str, index: int, start: StartAttempt | None) -> dict[str, Any]:
    node, task, frame = state.nodes[index], state.tasks[index], state.frames[index]
    body: dict[str, Any] = {"id": path, "type": node.type, "effect": node.effect}
    if start is not None:
        return {**body, "status": "would-run", **_arguments(node, start.input, start.config)}
    if task.status == SUCCEEDED:
        return {**body, "status": "computed", "output": frame.view[node.id]["output"]}
    if task.status == SKIPPED and task.skip is not None:
        return {**body, "status": "skipped", "skip": {"reason": task.skip.reason, "origin": task.skip.origin}}
    if task.status == FAILED and task.failure is not None:
        failure = task.failure
        return {**body, "status": "failed", "error": {"kind": failure.kind, "message": failure.message}}
    if task.status == OPEN:
        opened = state.opened[index]
        more = {"case": opened.branch} if opened.kind == "switch" else {"iterations": opened.count}
        return {**body, "status": "would-run", **more}
    if task.status == WAITING and task.wait is not None:
        return {**body, **_waiting(node, task)}
    env = frame.env
    after = [one.id for one in _above(state, index) if not _known(state, frame.base + one.index)]
    known = _arguments(node, _partly(node.input, env), None if node.own_scope else _partly(node.config, env))
    return {**body, "status": "depends", "after": after, **_condition(node.condition, env), **known}


def _waiting(node: Node, task: TaskState) -> dict[str, Any]:
    wait = task.wait
    assert wait is not None  # asked by the caller
    if node.wait is not None and node.wait.kind == "child":
        value = None if task.input is None or task.input.blob else task.input.decoded()
        return {"status": "would-run", "workflow": node.wait.ref, **({} if value is None else {"input": value})}
    return {"status": "would-wait", "waiting": {"kind": wait.kind, "signal": wait.signal or None}}


def _above(state: State, index: int) -> list[Node]:
    """The tasks that one waits for."""
    body = state.frames[index].body
    return [body.nodes[need] for need in state.nodes[index].needs]


def _known(state: State, index: int) -> bool:
    return state.tasks[index].status in (SUCCEEDED, SKIPPED, FAILED)


def _arguments(node: Node, value: Any, config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if value is not None:
        found["input"] = shown(value)
    if config is not None:
        found[_BLOCKS.get(node.type, "config")] = shown(config)
    return found


def _condition(condition: Expression | None, env: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the condition holds, or its source while that is not known."""
    if condition is None:
        return {}
    try:
        return {"condition": condition.evaluate(env)}
    except ExpressionError:
        return {"condition": condition.source}


def _partly(template: Template | None, env: Mapping[str, Any]) -> Any:
    """A template's value in which every text that cannot be rendered yet stands as it is written."""
    return None if template is None else _rendered(template.value, env)


def _rendered(value: Any, env: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _rendered(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item, env) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    try:
        return compile_template(value).render(env)
    except ExpressionError:
        return value
