"""What happened: the frozen records that an execution's log is made of.

Every event has a time (``at``, ms since the epoch). Position, stream, owner and schema version stand once in the
segment that carries it. Old schema versions are brought up to date by `millrace.store.upcast`; a field may be added
here with a default, never renamed or given another meaning.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millrace.engine.compositions import ChildCancelled as ChildCancelled
from millrace.engine.compositions import ChildFinished as ChildFinished
from millrace.engine.compositions import ChildStarted as ChildStarted
from millrace.engine.compositions import CloseRequested as CloseRequested
from millrace.engine.compositions import FailuresReported as FailuresReported
from millrace.engine.compositions import Lane as Lane
from millrace.engine.compositions import LaneReport as LaneReport
from millrace.engine.compositions import LaneReported as LaneReported
from millrace.engine.compositions import LanesStarted as LanesStarted
from millrace.engine.compositions import LanesTold as LanesTold
from millrace.engine.compositions import OutcomeDecided as OutcomeDecided
from millrace.engine.compositions import ParentNotified as ParentNotified
from millrace.engine.compositions import ScopeOpened as ScopeOpened
from millrace.engine.compositions import SlotDenied as SlotDenied
from millrace.engine.compositions import SlotGranted as SlotGranted
from millrace.engine.compositions import SlotReleased as SlotReleased
from millrace.engine.compositions import SlotRequested as SlotRequested
from millrace.engine.facts import Event as Event
from millrace.engine.facts import Failure as Failure
from millrace.engine.facts import Manifest as Manifest
from millrace.engine.facts import Parent as Parent
from millrace.engine.facts import Skip as Skip
from millrace.engine.facts import Slot as Slot
from millrace.engine.facts import SlotPool as SlotPool
from millrace.engine.facts import Source as Source
from millrace.engine.measures import ExchangeRecord, UsageRecord
from millrace.engine.values import Value

SCHEMA_VERSION = 1
SEMANTICS = 4
"""`decide` branches on this number of the start event whenever its behaviour changes: since 2, ready tasks age; since
3, a task starts another execution again after one that failed, as its `retry` says, and large loops run in lanes; since
4, what a reusable task is given is completed and judged by its schema."""
UNWRITTEN_SEMANTICS = 2
"""What a log means that does not hold the number: the first release did not write it."""


class ExecutionStarted(Event, frozen=True, kw_only=True):
    tenant: str
    """Whose execution it is."""
    namespace: str
    """The namespace of the workflow."""
    execution: str
    """The id of the execution."""
    workflow: str
    """The name of the workflow."""
    revision: int
    """The revision that runs, to the end."""
    version: str
    """The label of that revision."""
    content_hash: str
    """The hash of what the document says."""
    behaviour_hash: str
    """The hash of what it does."""
    input: Value
    """The input, defaults filled in."""
    variant: str = ""
    """Which variant of a split was chosen; empty without one."""
    routing_reason: str = ""
    """Why this version: asked for, or the active one."""
    manifest: tuple[Manifest, ...] = ()
    """Every reusable task the workflow refers to, as resolved at the start."""
    semantics: int = UNWRITTEN_SEMANTICS
    """The version of the engine's behaviour that this history is read with."""
    principal: str = ""
    """Who started it."""
    trigger: dict[str, Any] = msgspec.field(default_factory=dict)
    """What started it: kind, id, slot and delivery as far as known."""
    parent: Parent | None = None
    """The execution and task that started it."""
    replay_of: Source | None = None
    """What it replays."""
    fork_of: Source | None = None
    """What it was forked from."""
    slots: tuple[str, ...] = ()
    """The concurrency keys under which what started it holds a place, and the pools, marked by a NUL."""
    hops: int = 0
    """How many executions stand above it."""
    ancestry: tuple[str, ...] = ()
    """Their ids, the oldest first."""
    subject_key: str = ""
    """Whom its data is about."""
    region: str = ""
    """The home region: only there is the log written."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of the workflow and of the start."""
    owner_team: str = ""
    """Who answers for the workflow."""
    team: str = ""
    """The label `team` of the workflow."""
    traceparent: str = ""
    """The trace it belongs to (W3C Trace Context)."""
    idempotency_key: str = ""
    """The key of the request that started it."""
    mode: str = "live"
    """live, dry, replay, shadow or test."""
    seed: int = 0
    """Where jitter is drawn from."""
    env: dict[str, Any] = msgspec.field(default_factory=dict)
    """The values of `env` as they were at the start."""
    lane: Lane | None = None
    """The part of a large loop that this log is about; None for an execution."""


class AttemptStarted(Event, frozen=True, kw_only=True):
    """Recorded before the attempt is performed. ``input`` and ``config`` stand in the first attempt only."""

    path: str
    """The task."""
    attempt: int
    """Its number, from 1."""
    input: Value | None = None
    """The rendered input."""
    config: Value | None = None
    """The rendered configuration, such as the request."""
    task_type: str = ""
    """The type of the task."""
    task_hash: str = ""
    """The hash of the task as resolved."""
    effect: str = "unknown"
    """pure, read, write or unknown."""
    ready_at: int = 0
    """When its dependencies were done (ms)."""
    queued_at: int = 0
    """Since when it waited for a free place (ms); 0 if it did not."""
    queued_why: str = ""
    """What it waited for."""
    policy: tuple[str, ...] = ()
    """What policies decided."""


class AttemptFinished(Event, frozen=True, kw_only=True):
    """Exactly one of ``output`` and ``failure`` tells the result; an output of null is a Value too."""

    path: str
    """The task."""
    attempt: int
    """The number of the attempt."""
    started_at: int = 0
    """When the attempt was performed (ms)."""
    output: Value | None = None
    """What it produced."""
    failure: Failure | None = None
    """Why it failed."""
    usage: UsageRecord | None = None
    """What it used."""
    exchange: ExchangeRecord | None = None
    """What went over the wire."""
    policy: tuple[str, ...] = ()
    """What the policies around the attempt decided, in their order."""
    no_retry: str = ""
    """Why nothing may be tried again after it, whatever the task's retry says."""


class WaitStarted(Event, frozen=True, kw_only=True):
    """A task waits: for a time, an event, or a decision of people."""

    path: str
    """The task."""
    kind: str
    """time, event or approval."""
    due: int | None = None
    """When the wait ends by itself (ms)."""
    signal: str = ""
    """The name of the signal that an event task waits for."""
    approvers: tuple[str, ...] = ()
    """Who may decide: role:…, group:… or user:…."""
    required: int = 0
    """How many of them have to approve."""
    form: dict[str, Any] | None = None
    """The JSON Schema of what they fill in."""
    input: Value | None = None
    """The rendered input."""
    task_type: str = ""
    """The type of the task."""
    task_hash: str = ""
    """The hash of the task as resolved."""
    effect: str = ""
    """pure: a wait does nothing to the world."""
    ready_at: int = 0
    """When its dependencies were done (ms)."""
    child: str = ""
    """The id of the execution that a workflowRef task starts."""
    ref: str = ""
    """The workflow that it starts, as the document names it."""
    attempt: int = 0
    """The number of the try, from 1, of a task that may start its execution again; 0 for every other."""


class DecisionReceived(Event, frozen=True, kw_only=True):
    """What a person decided about an approval. A second decision of the same person replaces the first."""

    message: str
    """The id of the message; a repeated one changes nothing."""
    path: str
    """The approval task."""
    decision: str
    """approved or rejected."""
    comment: str = ""
    """Why, in the words of who decided."""
    form: Value | None = None
    """What was filled in."""
    principal: str = ""
    """Who decided."""


class PauseRequested(Event, frozen=True, kw_only=True):
    """Nothing new starts until the execution is resumed; what runs goes on."""

    message: str
    """The id of the message."""
    principal: str = ""
    """Who asked."""


class ResumeRequested(Event, frozen=True, kw_only=True):
    """A paused execution goes on."""

    message: str
    """The id of the message."""
    principal: str = ""
    """Who asked."""


class AttemptUnknown(Event, frozen=True, kw_only=True):
    """A driver took over and found this attempt started, without a result."""

    path: str
    """The task."""
    attempt: int
    """The number of the attempt."""


class RetryScheduled(Event, frozen=True, kw_only=True):
    """The next attempt is due at ``due`` (ms). ``delay_ms`` holds the jitter that was drawn."""

    path: str
    """The task."""
    attempt: int
    """The number of the next attempt."""
    due: int
    """When it may start (ms)."""
    delay_ms: int
    """The wait, jitter included."""
    why: str = ""
    """The failure that it follows."""


class TaskFinished(Event, frozen=True, kw_only=True):
    """``output`` is None when the task's output is that of its last attempt."""

    path: str
    """The task."""
    status: str
    """succeeded, failed, skipped or cancelled."""
    output: Value | None = None
    """The output, where it is not that of the last attempt."""
    failure: Failure | None = None
    """Why it failed."""
    skip: Skip | None = None
    """Why it was skipped."""
    input: Value | None = None
    """The input of a task that needs no attempt."""
    task_type: str = ""
    """The type of a task that needs no attempt."""
    task_hash: str = ""
    """The hash of a task that needs no attempt."""
    effect: str = ""
    """The effect class of a task that needs no attempt."""
    ready_at: int = 0
    """When its dependencies were done (ms)."""
    degraded: bool = False
    """Whether a fallback stands in for the result."""
    consumed: str = ""
    """The id of the signal that an event task took."""
    policy: tuple[str, ...] = ()
    """What policies decided."""


class SignalReceived(Event, frozen=True, kw_only=True):
    message: str
    """The id of the message; a repeated one changes nothing."""
    signal: str
    """The name of the signal."""
    payload: Value
    """What was sent."""
    principal: str = ""
    """Who sent it."""


class CancelRequested(Event, frozen=True, kw_only=True):
    message: str
    """The id of the message."""
    reason: str = ""
    """Why, in the words of who asked."""
    principal: str = ""
    """Who asked."""
    failure: Failure | None = None
    """Of a lane: what ended its loop, and ends the tasks inside."""


class ExecutionFinished(Event, frozen=True, kw_only=True):
    """``status`` is succeeded, failed, cancelled or timedOut."""

    status: str
    """succeeded, failed, cancelled or timedOut."""
    output: Value | None = None
    """The output of the workflow."""
    failure: Failure | None = None
    """Why it did not succeed."""
    failed_task: str = ""
    """The task that decided it."""


AnyEvent = (
    ExecutionStarted
    | AttemptStarted
    | AttemptFinished
    | AttemptUnknown
    | RetryScheduled
    | WaitStarted
    | ScopeOpened
    | LanesStarted
    | LanesTold
    | LaneReported
    | FailuresReported
    | CloseRequested
    | ChildStarted
    | ChildFinished
    | ChildCancelled
    | OutcomeDecided
    | ParentNotified
    | SlotRequested
    | SlotGranted
    | SlotDenied
    | SlotReleased
    | DecisionReceived
    | PauseRequested
    | ResumeRequested
    | TaskFinished
    | SignalReceived
    | CancelRequested
    | ExecutionFinished
)

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "timedOut"})
