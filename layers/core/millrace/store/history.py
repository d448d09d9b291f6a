"""The whole history of an execution: its own log, and those of the lanes of its loops.

The log of a lane stands just before the event by which the execution learned that the lane is over. So the order is the
same whenever it is read, and no task is over later than what waited for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from millrace.base.errors import InvalidRequest
from millrace.base.ids import lane_name
from millrace.engine import events as ev
from millrace.ports.documents import Documents, TenantScope
from millrace.store.runlog import Segment, read_events, read_segments

_PLACE: Final = re.compile(r"(-1|[0-9]{1,12})(?:\.([0-9]{1,6})\.([0-9]{1,12}))?")
_OF_THE_LANE: Final = (
    ev.ExecutionStarted,
    ev.OutcomeDecided,
    ev.ParentNotified,
    ev.ExecutionFinished,
    ev.CancelRequested,
    ev.PauseRequested,
    ev.ResumeRequested,
    ev.CloseRequested,
    ev.FailuresReported,
)
"""What a lane records of itself and not of the tasks in it."""


class Place(Struct, frozen=True):
    """How far a history has been read: to a position of the execution's log, and from there to one of a lane's."""

    position: int
    stream: int = 0
    inner: int = -1

    def text(self) -> str:
        """What `place_of` takes."""
        return f"{self.position}.{self.stream}.{self.inner}" if self.stream else str(self.position)


def place_of(text: str) -> Place:
    """The place that a text names: a position, or ``position.stream.position``. Raises InvalidRequest."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"{text[:80]!r} is no place in a history.", hint="Use `next` of the page before, or -1.")
    position, stream, inner = found.groups()
    return Place(int(position)) if stream is None else Place(int(position), int(stream), int(inner))


class Entry(Struct, frozen=True):
    """One event: ``place`` is where to go on after it, ``position`` that in its own log."""

    place: Place
    position: int
    segment: Segment
    event: ev.Event


def whole_history(documents: Documents, scope: TenantScope, execution: str) -> Iterator[ev.Event]:
    """Every event, those of lanes that are not over yet at the end. Raises Corrupt."""
    running: dict[int, None] = {}
    for segment in read_segments(documents, scope, execution):
        for event in segment.events:
            if isinstance(event, ev.ScopeOpened):
                running |= dict.fromkeys(range(event.stream, event.stream + event.lanes))
            elif isinstance(event, ev.LaneReported) and event.status != "running" and event.stream in running:
                del running[event.stream]
                yield from _lane(documents, scope, execution, event.stream)
            yield event
    for stream in running:
        yield from _lane(documents, scope, execution, stream)


def _lane(documents: Documents, scope: TenantScope, execution: str, stream: int) -> Iterator[ev.Event]:
    for segment in read_segments(documents, scope, lane_name(execution, stream)):
        yield from (event for event in segment.events if not isinstance(event, _OF_THE_LANE))


def history_page(documents: Documents, scope: TenantScope, execution: str, *, after: Place, limit: int) -> list[Entry]:
    """Up to ``limit`` events after a place. Lanes are read once their execution has heard of their end."""
    found: list[Entry] = []
    place = after
    while len(found) < limit:
        if place.stream:
            name = lane_name(execution, place.stream)
            rows = read_events(documents, scope, name, after=place.inner, limit=limit)
            for position, segment, event in rows:
                place = Place(place.position, place.stream, position)
                if not isinstance(event, _OF_THE_LANE):
                    found.append(Entry(place, position, segment, event))
                    if len(found) == limit:
                        return found
            if rows:
                continue
        over = place.stream
        rows = read_events(documents, scope, execution, after=place.position, limit=limit - len(found))
        if not rows:
            return found
        for position, segment, event in rows:
            if isinstance(event, ev.LaneReported) and event.status != "running" and event.stream != over:
                place = Place(position - 1, event.stream)
                break
            place = Place(position)
            found.append(Entry(place, position, segment, event))
    return found
