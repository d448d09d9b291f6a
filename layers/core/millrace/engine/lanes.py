"""Large loops: their items run in lanes, each with a log, a fence and a driver of its own.

The execution says how many lanes there are, counts what failed in all of them and puts their entries together. A lane
goes through every nth item by the same rules as any loop, tells when more of its iterations have failed than its share
of those that may, and stops when it is told to. So as many items run at once as `maxParallel` says, however often a
driver dies: nobody hands out items, and nothing has to be counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millrace.base.limits import VALUE_BYTES
from millrace.engine.commands import Command, DecideOutcome, Fetch, OpenScope, StartLanes, TellFailures, TellLanes
from millrace.engine.events import (
    ExecutionStarted,
    Failure,
    LaneReport,
    ScopeOpened,
)
from millrace.engine.frames import Opened
from millrace.engine.plan import Body, ScopePlan
from millrace.engine.rendering import unresolved
from millrace.engine.slots import held_within
from millrace.engine.spreading import arrangement, bodies_of
from millrace.engine.state import OPEN, State, held
from millrace.engine.unfolding import open_scope

SHOWN: Final = 10
"""How many failed iterations a failure names."""
RUN, PAUSE, CLOSE, CANCEL = "run", "pause", "close", "cancel"
_SINCE: Final = 3
"""The semantics from which on loops run in lanes."""


def spread(state: State, plan: ScopePlan, path: str, items: list[Any]) -> OpenScope | Fetch | None:
    """How a loop over ``items`` begins if it runs in lanes; None if it does not. A lane's own loops never do."""
    started = state.started
    assert started is not None  # a log begins with it
    if started.semantics < _SINCE or started.lane is not None or started.mode in ("dry", "test"):
        return None
    if plan.spread is None or len(items) <= plan.spread:
        return None
    frame = state.frames[state.index[path]]
    body = plan.bodies[0]
    missing = unresolved((*body.outer, *_through_state(body)), state, frame)
    if missing is not None:
        return missing
    most = plan.max_parallel
    if state.plan.parallel_limit is not None:
        most = min(most, state.plan.parallel_limit)
    lanes, window = arrangement(most, len(items))
    root = state.root
    tasks = {name: root.view[name] for name in _through_state(body) if name in root.view}
    tasks |= {name: frame.view[name] for name in body.outer if name in frame.view}
    names = {key: value for key, value in frame.env.items() if key != "tasks" and root.env.get(key) is not value}
    outer = {"tasks": tasks, "names": {"execution": root.env["execution"], **names}}
    return OpenScope(path=path, kind="forEach", count=len(items), items=items, lanes=lanes, window=window, outer=outer)


def _through_state(body: Body) -> tuple[str, ...]:
    """The tasks that expressions inside read by way of the workflow's state."""
    found: set[str] = set()
    for node in body.nodes:
        found.update(node.reads if node.state else ())
        for inner in bodies_of(node):
            found.update(_through_state(inner))
    return tuple(sorted(found))


def begin_lane(state: State, event: ExecutionStarted) -> None:
    """A lane begins with its loop open."""
    lane = event.lane
    assert lane is not None  # asked before
    task = state.tasks[0]
    task.status = OPEN
    task.started_at = event.at
    open_scope(state, 0, ScopeOpened(at=event.at, path=lane.path, kind="forEach", count=lane.count, items=lane.items))


def in_lane(state: State) -> bool:
    """Whether this is a part of a loop: its own loop is task 0, and the execution tells what came of that."""
    return state.started is not None and state.started.lane is not None


def lane_effects(state: State) -> Iterator[Command]:
    """What the lanes of open loops have to be told, and a lane the execution."""
    for index in state.spread:
        opened = state.opened[index]
        if opened.over:
            continue
        if not opened.begun and opened.told == RUN:
            if not held(state):
                yield _start(state, index, opened)
        elif (stance := _stance(state, opened)) != opened.told:
            yield _tell(opened, stance)
    lane = None if state.started is None else state.started.lane
    if lane is not None and state.outcome is None:
        opened = state.opened[0]
        if opened.failures > max(lane.spare, state.reported):
            yield TellFailures(LaneReport(failures=opened.failures))


def _start(state: State, index: int, opened: Opened) -> StartLanes:
    assert opened.items is not None  # a loop has items
    return StartLanes(
        path=opened.path,
        lanes=len(opened.lanes),
        window=opened.window,
        stream=opened.stream,
        items=opened.items,
        outer=opened.outer,
        allowed=opened.allowed,
        slots=held_within(state, index),
    )


def _stance(state: State, opened: Opened) -> str:
    if opened.told in (CANCEL, CLOSE):
        return opened.told
    if opened.closing:
        return CLOSE
    return PAUSE if held(state) else RUN


def _tell(opened: Opened, stance: str, failure: Failure | None = None) -> TellLanes:
    left = tuple(opened.stream + at for at, lane in enumerate(opened.lanes) if lane.status == "running")
    return TellLanes(path=opened.path, stance=stance, streams=left, failure=failure)


def stop_lanes(state: State, index: int, failure: Failure | None) -> TellLanes | None:
    """The command that tells the lanes of a loop to stop because of ``failure``, unless that has been done."""
    opened = state.opened.get(index)
    if opened is None or not opened.lanes or opened.over or opened.told == CANCEL:
        return None
    return _tell(opened, CANCEL, failure)


def stopping(state: State, indexes: list[int]) -> bool:
    """Whether the end of a lane has to be waited for, of those that were told to stop."""
    return any(index in state.spread and not state.opened[index].over for index in indexes)


def lane_outcome(found: tuple[Any, Failure | None] | list[Fetch]) -> list[Fetch] | list[DecideOutcome]:
    """The end of a lane, from its entries; one that was closed before its last item has none."""
    if isinstance(found, list):
        return found
    output, failure = found
    return [DecideOutcome(status="succeeded" if failure is None else "failed", output=output, failure=failure)]


def lane_report(state: State) -> LaneReport | None:
    """How far a lane has come when it is over; None for what is no lane."""
    if state.started is None or state.started.lane is None:
        return None
    opened = state.opened[0]
    failed = sorted((opened.first + slot * opened.step, one) for slot, one in opened.results.items() if one.path)
    return LaneReport(
        failures=opened.failures,
        failed=tuple(at for at, _ in failed[:SHOWN]),
        path=failed[0][1].path if failed else "",
        failure=failed[0][1].failure if failed else None,
        tally=dict(state.tally),
    )


def joined(state: State, opened: Opened) -> tuple[Any, Failure | None] | list[Fetch]:
    """The output of a loop whose lanes are over, or its failure; or what has to be fetched to tell."""
    broken = next((lane for lane in opened.lanes if lane.status != "succeeded"), None)
    if broken is not None:
        return None, broken.failure or Failure(kind="cancelled", code="cancelled", message="A part was cancelled.")
    if opened.failures > opened.allowed:
        return None, too_many_failed(opened, *_first(opened))
    values = [lane.output for lane in opened.lanes if lane.output is not None]
    if sum(value.size for value in values) > VALUE_BYTES:  # told before they are fetched into memory
        return None, too_large(opened.path)
    missing = [Fetch(value) for value in values if value.blob and value.sha256 not in state.contents]
    if missing:
        return missing
    output: list[Any] = [None] * opened.count
    for at, value in enumerate(values):
        content = state.contents[value.sha256] if value.sha256 in state.contents else value.decoded()
        output[at :: len(opened.lanes)] = content
    return output, None


def _first(opened: Opened) -> tuple[list[int], str, Failure]:
    """The failed iterations, and the first failure of the first of them."""
    reports = [lane.report for lane in opened.lanes if lane.report.failed]
    first = min(reports, key=lambda one: one.failed[0])
    assert first.failure is not None  # what failed says why
    return sorted(at for one in reports for at in one.failed)[:SHOWN], first.path, first.failure


def too_large(path: str) -> Failure:
    """Why the output of a task that holds others cannot be stored."""
    return Failure(
        kind="too-large",
        code="too-large",
        message=f"The outputs inside task {path!r} have more than the {VALUE_BYTES:,} bytes one value may have.",
        hint="Give the tasks inside it an output mapping that keeps less.",
    )


def too_many_failed(opened: Opened, failed: list[int], path: str, cause: Failure) -> Failure:
    """Why a loop failed: how many iterations did, and the first of them."""
    said = f"Task {path!r} failed: {cause.message}"
    return Failure(
        kind=cause.kind,
        code=cause.code,
        message=f"{opened.failures} of {opened.count} iterations failed, {opened.allowed} may. "
        f"The first, {failed[0]}: {said}",
        hint=cause.hint,
        details={
            "task": path,
            "failed": failed[:SHOWN],
            "iterations": opened.count,
            "tolerated": opened.allowed,
        },
    )
