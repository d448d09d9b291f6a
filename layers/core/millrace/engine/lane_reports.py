"""How State takes in what lanes and their execution tell each other. Part of `evolve`."""

from __future__ import annotations

from millrace.engine.events import CloseRequested, FailuresReported, LaneReported, LanesStarted, LanesTold
from millrace.engine.frames import LaneState, Opened
from millrace.engine.state import ENDED, State


def _of(state: State, path: str) -> tuple[int, Opened] | None:
    """The open loop at ``path`` that runs in lanes."""
    index = state.at(path)
    if index is None or index not in state.spread:
        return None
    return index, state.opened[index]


def lanes_started(state: State, event: LanesStarted) -> None:
    found = _of(state, event.path)
    if found is not None:
        found[1].begun = True


def lanes_told(state: State, event: LanesTold) -> None:
    """What they were told; those that never begin are over."""
    found = _of(state, event.path)
    if found is None:
        return
    index, opened = found
    opened.told = event.stance
    for stream in event.void:
        opened.lanes[stream - opened.stream] = LaneState(status="cancelled")
    _judged(state, index, opened)


def lane_reported(state: State, event: LaneReported) -> None:
    if event.message in state.seen:
        return
    state.seen.add(event.message)
    found = _of(state, event.path)
    if found is None:
        return
    index, opened = found
    before = opened.lanes[event.lane]
    if before.status != "running" or event.report.failures < before.report.failures:
        return
    opened.lanes[event.lane] = LaneState(event.status, event.report, event.output, event.failure)
    opened.failures = sum(lane.report.failures for lane in opened.lanes)
    opened.closing = opened.closing or opened.failures > opened.allowed or event.status in ("failed", "cancelled")
    for name, count in event.report.tally.items():
        state.tally[name] = state.tally.get(name, 0) + count
    _judged(state, index, opened)


def _judged(state: State, index: int, opened: Opened) -> None:
    if opened.over:
        state.tasks[index].status = ENDED
        state.ended[index] = None


def failures_reported(state: State, event: FailuresReported) -> None:
    state.reported = max(state.reported, event.failures)


def close_requested(state: State, event: CloseRequested) -> None:
    if event.message in state.seen:
        return
    state.seen.add(event.message)
    if state.outcome is None:
        state.opened[0].closing = True
