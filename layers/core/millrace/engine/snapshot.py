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

from millrace.engine.events import CancelRequested, ExecutionFinished, ExecutionStarted
from millrace.engine.evolve import expose, scope_of
from millrace.engine.plan import Plan
from millrace.engine.state import DONE, ENDED, INDEX_MASK, READY, RETRYING, WAITING, Signal, State, TaskState, ready_key

_DIGEST_BYTES: Final = 32


class _Snapshot(msgspec.Struct):
    build: str
    position: int
    started: ExecutionStarted
    finished: ExecutionFinished | None
    cancel: CancelRequested | None
    tasks: list[TaskState]
    running: int
    filled: int
    failed: int | None
    seen: list[str]
    signals: dict[str, list[Signal]]
    paused: bool


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
            tasks=state.tasks,
            running=state.running,
            filled=state.filled,
            failed=state.failed,
            seen=sorted(state.seen),
            signals=state.signals,
            paused=state.paused,
        )
    )
    return hashlib.sha256(data).digest() + data


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
    state.tasks = held.tasks
    state.running = held.running
    state.filled = held.filled
    state.failed = held.failed
    state.seen = set(held.seen)
    state.signals = held.signals
    state.paused = held.paused
    state.env = scope_of(state, held.started)
    _rebuild(state)
    return state


def _rebuild(state: State) -> None:
    """Everything that follows from the tasks: heaps, counters, the view of expressions."""
    state.open = 0
    for node, task in zip(state.plan.nodes, state.tasks, strict=True):
        if task.status in DONE:
            expose(state, node, task)
            continue
        state.open += 1
        if task.status == READY:
            state.ready.append(ready_key(node.priority, node.index))
        elif task.status == ENDED:
            state.ended[node.index] = None
        elif task.status == RETRYING:
            state.retries.append((task.due, node.index))
        elif task.wait is not None:
            if task.wait.due is not None:
                state.waits.append((task.wait.due, node.index))
            if task.wait.kind != "time":
                state.waiting[node.index] = None
        if task.started_at and node.timeout_ms is not None and (task.wait is None or task.wait.kind == "time"):
            state.deadlines.append((task.started_at + node.timeout_ms, node.index))
    heapify(state.ready)
    heapify(state.retries)
    heapify(state.deadlines)
    heapify(state.waits)


def equal(one: State, other: State) -> list[str]:
    """The names of what differs between two states, for tests and for `millrace` developers; empty when equal."""

    def shape(state: State) -> dict[str, Any]:
        return {
            "position": state.position,
            "tasks": msgspec.json.decode(msgspec.json.encode(state.tasks)),
            "ready": sorted(key & INDEX_MASK for key in state.ready if _still(state, key & INDEX_MASK, READY)),
            "ended": sorted(state.ended),
            "retries": sorted({(due, i) for due, i in state.retries if state.tasks[i].due == due}),
            "running": state.running,
            "filled": state.filled,
            "open": state.open,
            "failed": state.failed,
            "paused": state.paused,
            "waiting": sorted(state.waiting),
            "waits": sorted((due, index) for due, index in state.waits if _still(state, index, WAITING)),
            "signals": msgspec.json.decode(msgspec.json.encode({k: v for k, v in state.signals.items() if v})),
            "seen": state.seen,
            "view": state.view,
            "unresolved": set(state.unresolved),
            "env": {key: value for key, value in state.env.items() if key != "tasks"},
        }

    left, right = shape(one), shape(other)
    return [name for name, value in left.items() if value != right[name]]


def _still(state: State, index: int, status: str) -> bool:
    return state.tasks[index].status == status
