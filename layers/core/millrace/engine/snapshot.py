"""Snapshots: State as bytes, so that a long log need not be folded from its beginning.

A snapshot is a cache of the fold. It names the build that made it; any other build folds in full. It begins with the
SHA-256 of the rest, so that damage is never taken for state.
"""

from __future__ import annotations

import hashlib
from functools import cache
from heapq import heapify
from importlib.resources import files
from typing import Any, Final

import msgspec

from millrace.engine.events import (
    CancelRequested,
    ExecutionFinished,
    ExecutionStarted,
    Failure,
    OutcomeDecided,
    ScopeOpened,
    Slot,
)
from millrace.engine.frames import Frame, LaneState, Opened, Result
from millrace.engine.plan import Plan
from millrace.engine.state import (
    DONE,
    ENDED,
    GONE,
    INDEX_MASK,
    ITEMS,
    QUEUED,
    READY,
    RETRYING,
    WAITING,
    Signal,
    State,
    TaskState,
    ready_key,
)
from millrace.engine.unfolding import expose, handler_frame, new_frame, place, scope_from, set_scope

_DIGEST_BYTES: Final = 32


class _Scope(msgspec.Struct, omit_defaults=True):
    """A scope, but for its frames; ``event`` is what it was opened by, without the items' content."""

    index: int
    event: ScopeOpened
    next: int
    results: dict[int, Result]
    failures: int
    closing: bool = False
    stopped: bool = False
    lanes: list[LaneState] = []
    begun: bool = False
    told: str = "run"


class _Frame(msgspec.Struct, omit_defaults=True):
    """A frame with its tasks. ``owner`` is -1 for the handlers; then ``name`` says which."""

    owner: int
    slot: int
    base: int
    tasks: list[TaskState]
    failed: int | None = None
    name: str = ""


class _Snapshot(msgspec.Struct):
    build: str
    position: int
    started: ExecutionStarted
    finished: ExecutionFinished | None
    cancel: CancelRequested | None
    outcome: OutcomeDecided | None
    abort: bool
    notified: bool
    handled: bool
    mishap: tuple[str, Failure | None] | None
    tasks: list[TaskState]
    size: int
    scopes: list[_Scope]
    frames: list[_Frame]
    running: int
    filled: int
    failed: int | None
    seen: list[str]
    signals: dict[str, list[Signal]]
    paused: bool
    tally: dict[str, int]
    slot: Slot | None
    releases: dict[str, Slot]
    streams: int
    reported: int


@cache
def build_hash() -> str:
    """A hash of the engine's own source: two builds that differ never share snapshots."""
    digest = hashlib.sha256()
    package = files("millrace.engine")
    for entry in sorted(package.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".py"):
            digest.update(entry.read_bytes())
    return digest.hexdigest()[:16]


def freeze(state: State) -> bytes:
    """The snapshot of a started execution."""
    assert state.started is not None  # nobody snapshots an empty log
    data = msgspec.json.encode(
        _Snapshot(
            build=build_hash(),
            position=state.position,
            started=state.started,
            finished=state.finished,
            cancel=state.cancel,
            outcome=state.outcome,
            abort=state.abort,
            notified=state.notified,
            handled=state.handled,
            mishap=state.mishap,
            tasks=state.tasks[: len(state.plan.nodes)],
            size=len(state.tasks),
            scopes=[_scope(index, opened) for index, opened in state.opened.items()],
            frames=[_frame(state, frame) for frame in state.inner_frames()],
            running=state.running,
            filled=state.filled,
            failed=state.failed,
            seen=sorted(state.seen),
            signals=state.signals,
            paused=state.paused,
            tally=state.tally,
            slot=state.slot,
            releases=state.releases,
            streams=state.streams,
            reported=state.reported,
        )
    )
    return hashlib.sha256(data).digest() + data


def _scope(index: int, opened: Opened) -> _Scope:
    event = ScopeOpened(
        at=0,
        path=opened.path,
        kind=opened.kind,
        branch=opened.branch,
        count=opened.count,
        items=opened.items,
        tasks=opened.tasks,
        failure=opened.failure,
        lanes=len(opened.lanes),
        window=opened.window if opened.lanes else 0,
        stream=opened.stream,
        outer=opened.outer,
    )
    return _Scope(
        index,
        event,
        opened.next,
        opened.results,
        opened.failures,
        opened.closing,
        opened.stopped,
        opened.lanes,
        opened.begun,
        opened.told,
    )


def _frame(state: State, frame: Frame) -> _Frame:
    tasks = state.tasks[frame.base : frame.base + len(frame.body.nodes)]
    return _Frame(frame.owner, frame.slot, frame.base, tasks, frame.failed, frame.body.name)


def thaw(plan: Plan, data: bytes) -> State | None:
    """The state that a snapshot holds, or None when another build or plan made it or it is damaged."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        held = msgspec.json.decode(body, type=_Snapshot)
    except msgspec.MsgspecError:  # a build whose records had another shape
        return None
    if held.build != build_hash() or len(held.tasks) != len(plan.nodes):
        return None
    state = State(plan)
    state.position = held.position
    state.started = held.started
    state.finished = held.finished
    state.cancel = held.cancel
    state.outcome = held.outcome
    state.abort = held.abort
    state.notified = held.notified
    state.handled = held.handled
    state.mishap = held.mishap
    state.tasks = held.tasks
    state.running = held.running
    state.filled = held.filled
    state.seen = set(held.seen)
    state.signals = held.signals
    state.paused = held.paused
    state.tally = held.tally
    state.slot = held.slot
    state.releases = held.releases
    if state.slot is not None and state.slot.status == "wanted" and "" not in state.releases:
        state.wanted[""] = state.slot
    state.root.failed = held.failed
    state.streams = held.streams
    state.reported = held.reported
    set_scope(state, held.started)
    _rebuild(state, state.root)
    _unfold(state, held)
    heapify(state.ready)
    for heap in (state.retries, state.deadlines, state.waits):
        heapify(heap)
    return state


def _unfold(state: State, held: _Snapshot) -> None:
    """Open scopes and frames again, in the order of their indexes: what stands around a frame comes before it."""
    scopes = {scope.index: scope for scope in held.scopes}
    for frame in sorted(held.frames, key=lambda one: one.base):
        _pad(state, frame.base)
        if frame.owner < 0:
            bodies = (state.plan.on_failure, state.plan.at_end)
            body = next(one for one in bodies if one is not None and one.name == frame.name)
            made = state.handlers = handler_frame(state, body, frame.base)
        else:
            opened = _opened(state, scopes, frame.owner)
            made = opened.frames[frame.slot] = new_frame(state, frame.owner, opened, frame.slot, frame.base)
        made.failed = frame.failed
        place(state, made, frame.tasks)
        _rebuild(state, made)
    for index in sorted(scopes):
        _opened(state, scopes, index)  # one whose frames are over waits for its task to be judged
    _pad(state, held.size)


def _opened(state: State, scopes: dict[int, _Scope], index: int) -> Opened:
    if index in state.opened:
        return state.opened[index]
    held = scopes[index]
    opened = state.opened[index] = scope_from(state, index, held.event)
    opened.next, opened.results = held.next, held.results
    opened.failures, opened.closing, opened.stopped = held.failures, held.closing, held.stopped
    if held.lanes:
        opened.lanes, opened.begun, opened.told = held.lanes, held.begun, held.told
        state.spread[index] = None
        return opened
    state.promised += opened.ahead
    if held.event.items is not None:
        opened.content = state.content(opened.path + ITEMS, held.event.items)
    return opened


def _pad(state: State, size: int) -> None:
    """Room for tasks that are gone."""
    missing = size - len(state.tasks)
    state.tasks += [GONE] * missing
    state.nodes += [state.plan.nodes[0]] * missing
    state.frames += [state.root] * missing


def _rebuild(state: State, frame: Frame) -> None:
    """Everything that follows from the tasks of a frame: heaps, counters, the view of expressions."""
    assert state.started is not None  # nobody snapshots an empty log
    semantics = state.started.semantics
    frame.open = 0
    for node in frame.body.nodes:
        index = frame.base + node.index
        task = state.tasks[index]
        if task.status in DONE:
            expose(state, index)
            continue
        frame.open += 1
        if task.status == READY:
            state.ready.append(ready_key(semantics, node.priority, task.ready_at, index))
        elif task.status == QUEUED and task.slot is not None:
            state.wanted[frame.prefix + node.label] = task.slot
        elif task.status == ENDED:
            state.ended[index] = None
        elif task.status == RETRYING:
            state.retries.append((task.due, index))
        elif task.status == WAITING and task.wait is not None:
            if task.wait.due is not None:
                state.waits.append((task.wait.due, index))
            if task.wait.kind == "child":
                if not (task.wait.started or task.wait.cancelled):
                    state.children[index] = None
            elif task.wait.kind != "time":
                state.waiting[index] = None
        timed = task.wait is None or task.wait.kind == "time"
        if task.started_at and node.timeout_ms is not None and timed and not task.fallen:
            state.deadlines.append((task.started_at + node.timeout_ms, index))


def equal(one: State, other: State) -> list[str]:
    """The names of what differs between two states, for tests and for `millrace` developers; empty when equal."""

    def shape(state: State) -> dict[str, Any]:
        return {
            "position": state.position,
            "tasks": msgspec.json.decode(msgspec.json.encode(state.tasks)),
            "index": state.index,
            "opened": {at: _shape(one) for at, one in state.opened.items()},
            "children": sorted(state.children),
            "ends": (state.outcome, state.abort, state.notified, state.handled, state.mishap),
            "tally": (state.tally, state.promised),
            "slots": (state.slot, state.wanted, state.releases),
            "lanes": (sorted(state.spread), state.streams, state.reported),
            "ready": sorted(key & INDEX_MASK for key in state.ready if _still(state, key & INDEX_MASK, READY)),
            "ended": sorted(state.ended),
            "retries": sorted({(due, i) for due, i in state.retries if state.tasks[i].due == due}),
            "running": state.running,
            "filled": state.filled,
            "open": state.open,
            "failed": state.failed,
            "paused": state.paused,
            "deadlines": sorted({(at, i) for at, i in state.deadlines if _timed(state.tasks[i])}),
            "waiting": sorted(state.waiting),
            "waits": sorted((due, index) for due, index in state.waits if _still(state, index, WAITING)),
            "signals": msgspec.json.decode(msgspec.json.encode({k: v for k, v in state.signals.items() if v})),
            "seen": state.seen,
            "views": {frame.prefix: frame.view for frame in (state.root, *state.inner_frames())},
            "unresolved": set(state.unresolved),
            "envs": {
                frame.prefix: {key: value for key, value in frame.env.items() if key != "tasks"}
                for frame in (state.root, *state.inner_frames())
            },
        }

    left, right = shape(one), shape(other)
    return [name for name, value in left.items() if value != right[name]]


def _shape(opened: Opened) -> tuple[Any, ...]:
    lanes = (opened.lanes, opened.begun, opened.told, opened.first, opened.step)
    return (opened.next, sorted(opened.frames), opened.results, opened.failures, opened.closing, opened.stopped, lanes)


def _timed(task: TaskState) -> bool:
    return task.status not in DONE and not task.fallen


def _still(state: State, index: int, status: str) -> bool:
    return state.tasks[index].status == status
