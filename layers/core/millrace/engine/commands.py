"""What to do next: the frozen records that `decide` answers.

Commands hold plain values; whoever carries them out turns them into events (`millrace.engine.record`) and performs
an attempt only after its event is durable.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millrace.engine.events import Failure, LaneReport, Skip, Slot, SlotPool
from millrace.engine.values import Value


class StartAttempt(msgspec.Struct, frozen=True):
    """``input`` and ``config`` are rendered for the first attempt; later attempts use what was recorded then.
    ``policy`` is the trail of what policies decided."""

    path: str
    attempt: int
    input: Any = None
    config: Any = None
    queued_at: int = 0
    queued_why: str = ""
    policy: tuple[str, ...] = ()


class BeginWait(msgspec.Struct, frozen=True):
    """A task waits from now on: until ``due`` (ms; None without end) or for a message. ``signal`` is the name of the
    signal that an event task waits for; ``attempt`` the number of the try, of a task that may start its execution
    again."""

    path: str
    kind: str
    due: int | None
    signal: str = ""
    input: Any = None
    child: str = ""
    ref: str = ""
    attempt: int = 0


class OpenScope(msgspec.Struct, frozen=True):
    """A task begins to run tasks of its own. ``items`` is what a forEach goes through, ``tasks`` the documents that
    were generated, ``failure`` what a fallback stands in for. A large loop runs in ``lanes``, ``window`` items at once
    in each, which see ``outer`` of what is around it."""

    path: str
    kind: str
    branch: str = ""
    count: int = 1
    items: Any = None
    tasks: Any = None
    failure: Failure | None = None
    input: Any = None
    lanes: int = 0
    window: int = 0
    outer: Any = None


class RequestSlot(msgspec.Struct, frozen=True):
    """A place is wanted; ``shared`` says that what stands around holds it already."""

    path: str
    key: str
    limit: int
    on_limit: str = "queue"
    shared: bool = False
    pool: SlotPool | None = None


class RetryLater(msgspec.Struct, frozen=True):
    path: str
    attempt: int
    due: int
    delay_ms: int
    why: str


class FinishTask(msgspec.Struct, frozen=True):
    """``own_output`` says that ``output`` is to be recorded; otherwise the last attempt's output stands.
    ``consumed`` is the id of the signal that an event task took."""

    path: str
    status: str
    output: Any = None
    own_output: bool = False
    failure: Failure | None = None
    skip: Skip | None = None
    input: Any = None
    policy: tuple[str, ...] = ()
    consumed: str = ""
    degraded: bool = False
    replaceable: bool = True
    """Whether a fallback may stand in for the failure."""


class DecideOutcome(msgspec.Struct, frozen=True):
    """The tasks are over, and something follows before the execution has finished."""

    status: str
    output: Any = None
    failure: Failure | None = None
    failed_task: str = ""


class FinishExecution(msgspec.Struct, frozen=True):
    """``decided`` says that the output is that of the outcome that was decided before."""

    status: str
    output: Any = None
    failure: Failure | None = None
    failed_task: str = ""
    decided: bool = False


class StartChild(msgspec.Struct, frozen=True):
    """An execution has to be started, once what is decided is durable: ``child`` is its id, whoever starts it, and
    ``attempt`` says which try of the task it is."""

    path: str
    child: str
    ref: str
    input: Value | None = None
    detached: bool = False
    slots: tuple[str, ...] = ()
    attempt: int = 1


class CancelChild(msgspec.Struct, frozen=True):
    """An execution that a task started has to be told to stop."""

    path: str
    child: str


class NotifyParent(msgspec.Struct, frozen=True):
    """The execution above has to be told what came of this one; by a lane, also how far it has come."""

    status: str
    output: Value | None = None
    failure: Failure | None = None
    report: LaneReport | None = None


class StartLanes(msgspec.Struct, frozen=True):
    """The parts of a large loop have to be there and run: as many as there are ``lanes``, each with ``window`` items at
    once, with logs from ``stream`` on. ``allowed`` is how many iterations may fail, ``slots`` the keys under which
    something around them holds a place."""

    path: str
    lanes: int
    window: int
    stream: int
    items: Value
    outer: Value | None = None
    allowed: int = 0
    slots: tuple[str, ...] = ()


class TellLanes(msgspec.Struct, frozen=True):
    """The parts whose logs are ``streams`` have to be told how to go on: run, pause, close, or cancel because of
    ``failure``."""

    path: str
    stance: str
    streams: tuple[int, ...]
    failure: Failure | None = None


class TellFailures(msgspec.Struct, frozen=True):
    """The execution has to be told how many iterations of this lane have failed."""

    report: LaneReport


class AcquireSlot(msgspec.Struct, frozen=True):
    """A place has to be taken, or waited for, or refused."""

    path: str
    slot: Slot


class ReleaseSlot(msgspec.Struct, frozen=True):
    """A place has to be given up, or no longer waited for."""

    path: str
    slot: Slot


class Fetch(msgspec.Struct, frozen=True):
    """A value that lies in the blob store is needed: call `State.resolve` with its content, then decide again."""

    value: Value


Effect = StartChild | CancelChild | NotifyParent | AcquireSlot | ReleaseSlot | StartLanes | TellLanes | TellFailures
"""What is done outside, after what is decided is durable, and then recorded as an event of its own."""
Recordable = (
    StartAttempt | BeginWait | OpenScope | RequestSlot | RetryLater | FinishTask | DecideOutcome | FinishExecution
)
"""What becomes an event as it is."""
Command = Recordable | Fetch | Effect
