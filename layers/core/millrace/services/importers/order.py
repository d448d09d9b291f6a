"""Order and choice of a foreign graph as dependencies and conditions.

Where control stands is a *frontier*: one edge, or several of which all must arrive (branches that run together) or any
(branches of a decision). A task placed behind it waits for the tasks its edges come from, and runs on the condition
that control has arrived. Everything stays flat, so that a task may read any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from millrace.services.importers.spelling import quoted

Outcome = Literal["succeeded", "failed", "ended"]


class Edge(Struct, frozen=True):
    """Control comes from a task (None: the beginning) that ended with ``outcome``, where ``condition`` holds.
    ``handled`` says that a failure of the task is dealt with elsewhere."""

    source: str | None = None
    condition: str | None = None
    outcome: Outcome = "succeeded"
    handled: bool = False


class All(Struct, frozen=True):
    """Everything has to arrive, and ``condition`` to hold."""

    parts: tuple[Frontier, ...]
    condition: str | None = None


class OneOf(Struct, frozen=True):
    """Something has to arrive, and ``condition`` to hold; with no parts, nothing ever does."""

    parts: tuple[Frontier, ...]
    condition: str | None = None


Frontier = Edge | All | OneOf
START = Edge()
NOWHERE = OneOf(())


def both(left: str | None, right: str | None) -> str | None:
    """The conjunction of two conditions."""
    if left is None or left == "true":
        return right
    if right is None or right == "true":
        return left
    return f"{closed(left)} && {closed(right)}"


def closed(condition: str) -> str:
    """A condition in brackets, unless nothing in it binds less tightly than a comparison."""
    return f"({condition})" if any(word in condition for word in (" && ", " || ", " ? ", "??")) else condition


def opposite(condition: str) -> str:
    """The negation of a condition."""
    return {"false": "true", "true": "false"}.get(condition, f"!({condition})")


def none_of(value: str | None, cases: Iterable[str]) -> str | None:
    """The condition that a value is none of some texts; None if there are none, or the value is not known."""
    texts = list(map(quoted, cases))
    if value is None or not texts:
        return None
    return f"string({value}) != {texts[0]}" if len(texts) == 1 else f"!(string({value}) in [{', '.join(texts)}])"


def narrowed(frontier: Frontier, condition: str | None) -> Frontier:
    """The frontier where a condition holds as well."""
    if condition in (None, "true"):
        return frontier
    return replace(frontier, condition=both(frontier.condition, condition))


def joined(frontiers: Iterable[Frontier]) -> Frontier:
    """All of several frontiers."""
    parts = tuple(dict.fromkeys(frontiers))
    return parts[0] if len(parts) == 1 else All(parts)


def merged(frontiers: Iterable[Frontier]) -> Frontier:
    """Any of several frontiers."""
    parts = tuple(dict.fromkeys(one for one in frontiers if one != NOWHERE))
    return parts[0] if len(parts) == 1 else OneOf(parts)


def place(task: dict[str, Any], frontier: Frontier) -> dict[str, Any]:
    """The task with what it waits for and the condition it runs on."""
    edges = list(_edges(frontier))
    sources = list(dict.fromkeys(edge.source for edge in edges if edge.source is not None))
    made = dict(task)
    if sources:
        made["dependsOn"] = sources
    if _simple(frontier):
        condition = _conditions(frontier)
    else:
        condition = _arrived(frontier)
        if sources:
            late = any(edge.handled or edge.outcome != "succeeded" for edge in edges)
            made["triggerRule"] = "all_done" if late else "none_failed"
    if condition is not None:
        made["condition"] = condition
    return made


def _edges(frontier: Frontier) -> Iterator[Edge]:
    if isinstance(frontier, Edge):
        yield frontier
    else:
        for part in frontier.parts:
            yield from _edges(part)


def _simple(frontier: Frontier) -> bool:
    """Whether waiting for the success of every source says it all."""
    if isinstance(frontier, Edge):
        return frontier.outcome != "failed" and not frontier.handled
    return isinstance(frontier, All) and all(map(_simple, frontier.parts))


def _conditions(frontier: Frontier) -> str | None:
    found = frontier.condition
    if isinstance(frontier, All):
        for part in frontier.parts:
            found = both(_conditions(part), found)
    return found


def _arrived(frontier: Frontier) -> str | None:
    """The condition that control has arrived; None if it always does."""
    if isinstance(frontier, Edge):
        return _fired(frontier)
    parts = [_arrived(part) for part in frontier.parts]
    texts = list(dict.fromkeys(one for one in parts if one is not None))
    if isinstance(frontier, All):
        arrived = " && ".join(map(closed, texts)) or None
    elif not parts:
        arrived = "false"
    else:
        arrived = None if None in parts else " || ".join(map(closed, texts))
    return both(arrived, frontier.condition)


def _fired(edge: Edge) -> str | None:
    if edge.source is None:
        return edge.condition
    ended = edge.outcome == "ended"
    status = f"tasks.{edge.source}.status {'!=' if ended else '=='} '{'skipped' if ended else edge.outcome}'"
    return both(status, edge.condition)


def weight(frontier: Frontier) -> int:
    """How long the condition of a frontier is, roughly, in characters."""
    own = len(frontier.condition or "")
    return own + (40 if isinstance(frontier, Edge) else sum(map(weight, frontier.parts)))
