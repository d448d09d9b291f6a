"""State: what the events so far amount to. One mutable accumulator, owned by one fold.

Everything `decide` needs in constant time per task stands here ready: dependency counters, a heap of ready tasks,
ended attempts, due retries, deadlines. Tops of heaps are always valid; entries below may be stale and are judged by
the task's status.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from millrace.engine.events import CancelRequested, ExecutionFinished, ExecutionStarted, Failure, Skip
from millrace.engine.plan import Plan
from millrace.engine.values import Value

PENDING: Final = "pending"
READY: Final = "ready"
RUNNING: Final = "running"
ENDED: Final = "ended"  # the attempt has a result that `decide` has not judged yet
RETRYING: Final = "retrying"
WAITING: Final = "waiting"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"
CANCELLED: Final = "cancelled"
DONE: Final = frozenset({SUCCEEDED, FAILED, SKIPPED, CANCELLED})

INDEX_BITS: Final = 20
INDEX_MASK: Final = (1 << INDEX_BITS) - 1
INPUT: Final = "$input"
"""The key of the execution input among unresolved values; no task id begins with a dollar sign."""


class Signal(msgspec.Struct, frozen=True):
    """A signal that no wait has taken yet; ``at`` in ms."""

    id: str
    payload: Value
    at: int


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one person decided about an approval; ``at`` in ms."""

    principal: str
    decision: str
    at: int
    comment: str = ""
    form: Value | None = None


class Waiting(msgspec.Struct, omit_defaults=True):
    """What a task waits for; ``decisions`` are the latest of each person, in order."""

    kind: str
    due: int | None = None
    signal: str = ""
    decisions: list[Decision] = []


class TaskState(msgspec.Struct, omit_defaults=True):
    """Times are ms; ``queued`` says that no room was left when the task became ready, ``ready_position`` where in the
    log that was; ``remaining`` counts dependencies not done yet; ``unknowns`` how often a started attempt was
    found without a result; ``started_at`` is the first attempt's start;
    ``no_retry`` why the last attempt may not be followed by another."""

    remaining: int = 0
    status: str = PENDING
    attempt: int = 0
    unknowns: int = 0
    unknown: bool = False
    queued: bool = False
    ready_at: int = 0
    started_at: int = 0
    attempt_started_at: int = 0
    finished_at: int = 0
    due: int = 0
    input: Value | None = None
    config: Value | None = None
    output: Value | None = None
    failure: Failure | None = None
    skip: Skip | None = None
    degraded: bool = False
    ready_position: int = 0
    no_retry: str = ""
    wait: Waiting | None = None


class State:
    """``filled`` is the position of the latest start that took the last room; ``view`` is what expressions see under
    ``tasks``; ``waiting`` are the tasks that a message can wake, ``waits`` a heap of (due, task); ``unresolved`` holds
    values whose content lies in the blob store, by task id; ``contents`` hands over content that is at hand already,
    by hash."""

    __slots__ = (
        "cancel",
        "contents",
        "deadlines",
        "ended",
        "env",
        "failed",
        "filled",
        "finished",
        "open",
        "paused",
        "plan",
        "position",
        "ready",
        "retries",
        "running",
        "seen",
        "signals",
        "started",
        "tasks",
        "unresolved",
        "view",
        "waiting",
        "waits",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.position = 0
        self.started: ExecutionStarted | None = None
        self.finished: ExecutionFinished | None = None
        self.cancel: CancelRequested | None = None
        self.tasks = [TaskState(remaining=len(node.needs)) for node in plan.nodes]
        self.ready: list[int] = []
        self.ended: dict[int, None] = {}
        self.retries: list[tuple[int, int]] = []
        self.deadlines: list[tuple[int, int]] = []
        self.running = 0
        self.filled = -1
        self.open = len(plan.nodes)
        self.failed: int | None = None
        self.seen: set[str] = set()
        self.signals: dict[str, list[Signal]] = {}
        self.waiting: dict[int, None] = {}
        self.waits: list[tuple[int, int]] = []
        self.paused = False
        self.view: dict[str, dict[str, Any]] = {}
        self.unresolved: dict[str, Value] = {}
        self.contents: dict[str, Any] = {}
        self.env: dict[str, Any] = {}

    def content(self, owner: str, value: Value) -> Any:
        """The value's content if it is at hand; otherwise None, and the value is noted as unresolved."""
        if value.sha256 in self.contents:
            return self.contents.pop(value.sha256)
        if value.blob:
            self.unresolved[owner] = value
            return None
        return value.decoded()

    def resolve(self, value: Value, content: Any) -> None:
        """Give the content of a fetched value to everything that waits for it."""
        owners = [owner for owner, held in self.unresolved.items() if held.sha256 == value.sha256]
        if not owners:
            self.contents[value.sha256] = content
        for owner in owners:
            del self.unresolved[owner]
            if owner == INPUT:
                self.env["input"] = content
            else:
                self.view[owner]["output"] = content


def ready_key(priority: int, index: int) -> int:
    """One integer that sorts by descending priority, then by document order."""
    return (-priority << INDEX_BITS) | index


def next_due(state: State) -> int | None:
    """The earliest time (ms) at which `decide` will have something to say without a new event, or None."""
    if state.finished is not None or state.started is None:
        return None
    times = []
    limit = state.plan.parallel_limit
    if state.retries and not state.paused and (limit is None or state.running < limit):
        times.append(state.retries[0][0])
    if state.deadlines:
        times.append(state.deadlines[0][0])
    if state.waits:
        times.append(state.waits[0][0])
    if state.plan.timeout_ms is not None:
        times.append(state.started.at + state.plan.timeout_ms)
    return min(times, default=None)
