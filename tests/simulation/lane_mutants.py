"""The production code of lanes, broken on purpose in one place each: what the simulator must be able to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from millrace.engine import decide, evolve, halts, lanes, snapshot
from millrace.engine import events as ev
from millrace.engine.frames import Opened
from millrace.engine.state import State
from millrace.services import loop_lanes

from .nested_mutants import Mutant, told_before_it_is_sent


@contextmanager
def nobody_waits_for_lanes() -> Iterator[None]:
    """An execution that is stopped ends when its lanes have been told."""
    with (
        mock.patch.object(halts, "stopping", lambda *_: False),
        mock.patch.object(decide, "stopping", lambda *_: False),
    ):
        yield


@contextmanager
def every_lane_takes_the_whole_window() -> Iterator[None]:
    """As many items as may run at once do so in each of two lanes."""
    with mock.patch.object(lanes, "arrangement", lambda most, count: (min(2, count), most)):
        yield


@contextmanager
def a_snapshot_forgets_which_items_a_lane_has() -> Iterator[None]:
    """After a snapshot the items of a lane stand at the places of the first ones."""
    real = snapshot.scope_from

    def scope_from(*given: Any) -> Opened:
        opened = real(*given)
        opened.first, opened.step = 0, 1
        return opened

    with mock.patch.object(snapshot, "scope_from", scope_from):
        yield


@contextmanager
def lanes_that_are_not_there_are_not_barred() -> Iterator[None]:
    """A lane that does not exist yet when it is told to stop begins afterwards."""
    with mock.patch.object(loop_lanes, "stop_or_forestall", lambda _platform, _scope, _name, send: send()):
        yield


@contextmanager
def a_closed_lane_is_over_with_its_items_left() -> Iterator[None]:
    """A lane counts as over for its execution when it first tells of failures."""
    real = evolve._HANDLERS[ev.LaneReported]

    def reported(state: State, event: ev.LaneReported) -> None:
        if event.status == "running":
            event = ev.LaneReported(
                at=event.at,
                path=event.path,
                lane=event.lane,
                stream=event.stream,
                message=event.message,
                status="succeeded",
                report=event.report,
            )
        real(state, event)

    with mock.patch.dict(evolve._HANDLERS, {ev.LaneReported: reported}):
        yield


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        nobody_waits_for_lanes,
        every_lane_takes_the_whole_window,
        a_snapshot_forgets_which_items_a_lane_has,
        lanes_that_are_not_there_are_not_barred,
        a_closed_lane_is_over_with_its_items_left,
        told_before_it_is_sent,
    )
}
