"""A dry run: what an execution would do now, as far as that is known, and no effect at all.

The engine decides as it always does; whatever it would have performed is written down instead, and what depends on the
outcome is shown with the arguments that are known by now. Nothing is stored, called or waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.driver.values import ValueCodec
from millrace.engine.commands import StartAttempt
from millrace.engine.evolve import evolve
from millrace.engine.plan import Node, Plan
from millrace.engine.settle import settle
from millrace.engine.state import FAILED, SKIPPED, SUCCEEDED, WAITING, State
from millrace.expr import Expression, Template, compile_template
from millrace.services.caller import Caller
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.resolve_version import resolve_version
from millrace.services.shown import shown
from millrace.services.start_execution import Start, checked_input, start_event

_BLOCKS: Final = {"http": "request"}


def dry_run(platform: Platform, caller: Caller, start: Start) -> dict[str, Any]:
    """``{status: planned, id: null, workflow, version, input, tasks}``, the tasks in document order.

    A task's ``status`` is ``would-run`` (its arguments are complete), ``computed`` (a transform, done), ``would-wait``,
    ``skipped``, ``failed`` (it would fail before any attempt) or ``depends`` (on the outcome of ``after``; arguments in
    ``{{ }}`` are not known yet). Raises NotFound and InvalidInput as a start does.
    """
    resolved = resolve_version(
        platform, caller, start.workflow, version=start.version, subject_key=start.subject_key or None
    )
    value = checked_input(resolved, start.input)
    codec = ValueCodec("dry-run")
    started = start_event(platform, caller, start, resolved, "dry-run", codec.encode(value), mode="dry")
    plan = PlanSource(platform.documents)(caller.scope, started)
    state = State(plan)
    state.contents[started.input.sha256] = value
    evolve(state, started)
    settled = settle(plan, state, started.at, encode=codec.encode)
    starts = {command.path: command for command in settled.starts}
    return {
        "id": None,
        "status": "planned",
        "mode": "dry",
        "workflow": resolved.name,
        "version": resolved.version,
        "revision": resolved.revision,
        "input": value,
        "tasks": [_task(plan, state, node, starts.get(node.id)) for node in plan.nodes],
    }


def _task(plan: Plan, state: State, node: Node, start: StartAttempt | None) -> dict[str, Any]:
    task = state.tasks[node.index]
    body: dict[str, Any] = {"id": node.id, "type": node.type, "effect": node.effect}
    if start is not None:
        return {**body, "status": "would-run", **_arguments(node, start.input, start.config)}
    if task.status == SUCCEEDED:
        return {**body, "status": "computed", "output": state.view[node.id]["output"]}
    if task.status == SKIPPED and task.skip is not None:
        return {**body, "status": "skipped", "skip": {"reason": task.skip.reason, "origin": task.skip.origin}}
    if task.status == FAILED and task.failure is not None:
        failure = task.failure
        return {**body, "status": "failed", "error": {"kind": failure.kind, "message": failure.message}}
    if task.status == WAITING and task.wait is not None:
        return {**body, "status": "would-wait", "waiting": {"kind": task.wait.kind, "signal": task.wait.signal or None}}
    after = [plan.nodes[need].id for need in node.needs if not _known(state, need)]
    known = _arguments(
        node, _partly(node.input, state.env), None if node.own_scope else _partly(node.config, state.env)
    )
    return {**body, "status": "depends", "after": after, **_condition(node.condition, state.env), **known}


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
