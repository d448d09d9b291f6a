"""What expressions see and give: scopes of frames, templates, conditions, and the failures that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from millrace.base.errors import ExpressionError, MillraceError
from millrace.engine.commands import Fetch
from millrace.engine.events import Failure
from millrace.engine.frames import Frame
from millrace.engine.state import INPUT, ITEMS, OUTER, State
from millrace.expr import Expression, Template
from millrace.expr.values import described
from millrace.spec.models import FALLBACK


class Rendered(Struct, frozen=True):
    value: Any


def scope_for(state: State, frame: Frame, entries: tuple[str, ...]) -> dict[str, Any] | Failure:
    """What expressions of a frame see, with the entries of the workflow's state that they read, as of now."""
    if not entries:
        return frame.env
    computed: dict[str, Any] = {}
    root = {**state.root.env, "state": computed}
    for name in entries:
        try:
            computed[name] = state.plan.state[name].render(root)
        except ExpressionError as error:
            return failure_of(error, f"state {name!r}")
    return {**frame.env, "state": computed}


def truth(condition: Expression, env: Mapping[str, Any], place: str, where: str) -> bool | Failure:
    """Whether a condition holds, or why nobody can say."""
    try:
        value = condition.evaluate(env)
    except ExpressionError as error:
        return failure_of(error, where)
    if isinstance(value, bool):
        return value
    return Failure(
        kind="expression",
        code="not-boolean",
        message=f"The {place} gave {described(value)}, not true or false.",
        hint="Compare the value, for example with == or with size(x) > 0.",
    )


def unresolved(reads: tuple[str, ...], state: State, frame: Frame) -> Fetch | None:
    """What has to be fetched before expressions that read these tasks can be computed."""
    held = state.unresolved
    if not held:
        return None
    for key in (INPUT, OUTER):
        if key in held:
            return Fetch(held[key])
    for name in reads:
        found = _owner(frame, name)
        if found in held:
            return Fetch(held[found])
    at: Frame | None = frame
    while at is not None:
        items = at.prefix[: at.prefix.rfind("[")] + ITEMS
        if at.owner >= 0 and items in held:
            return Fetch(held[items])
        at = at.parent
    return None


def _owner(frame: Frame, name: str) -> str:
    """The path of the task that ``name`` means in a frame."""
    at: Frame | None = frame
    while at is not None:
        label = at.body.nodes[at.body.index[name]].label if name in at.body.index else ""
        if label and at.body.name != FALLBACK:  # a task without an id of its own is read by nobody
            return at.prefix + label
        at = at.parent
    return ""


def rendered(template: Template, scope: Mapping[str, Any], path: str, place: str) -> Rendered | Failure:
    """A template's value, or why there is none. Everything that it reads is at hand."""
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
