"""What happened: the frozen records that an execution's log is made of.

Every event has a time (``at``, ms since the epoch). Position, stream, owner and schema version stand once in the
segment that carries it. Old schema versions are brought up to date by `millrace.store.upcast`; a field may be added
here with a default, never renamed or given another meaning.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millrace.engine.values import Value

SCHEMA_VERSION = 1
SEMANTICS = 1
"""`decide` branches on this number of the start event whenever its behaviour changes."""


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    at: int


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an attempt, a task or an execution failed. ``kind`` is what `retryOn` matches."""

    kind: str
    code: str
    message: str
    retryable: bool = False
    hint: str = ""
    details: dict[str, Any] = {}
    retry_after_ms: int | None = None


class Skip(msgspec.Struct, frozen=True):
    """``reason`` is condition_false, upstream_skipped, upstream_failed or trigger_rule; ``origin`` the task where
    it began, through any number of hops."""

    reason: str
    origin: str


class Manifest(msgspec.Struct, frozen=True):
    """One resolved dependency of the version that runs."""

    kind: str
    ref: str
    name: str
    revision: int
    version: str
    hash: str


class Parent(msgspec.Struct, frozen=True):
    execution: str
    path: str


class Source(msgspec.Struct, frozen=True):
    """The execution and log position that a replay or fork came from."""

    execution: str
    position: int


class ExecutionStarted(Event, frozen=True, kw_only=True):
    tenant: str
    namespace: str
    execution: str
    workflow: str
    revision: int
    version: str
    content_hash: str
    behaviour_hash: str
    input: Value
    variant: str = ""
    routing_reason: str = ""
    manifest: tuple[Manifest, ...] = ()
    semantics: int = SEMANTICS
    principal: str = ""
    trigger: dict[str, Any] = {}
    parent: Parent | None = None
    replay_of: Source | None = None
    fork_of: Source | None = None
    hops: int = 0
    ancestry: tuple[str, ...] = ()
    subject_key: str = ""
    region: str = ""
    labels: dict[str, str] = {}
    owner_team: str = ""
    team: str = ""
    traceparent: str = ""
    idempotency_key: str = ""
    mode: str = "live"
    seed: int = 0
    env: dict[str, Any] = {}


class AttemptStarted(Event, frozen=True, kw_only=True):
    """Recorded before the attempt is performed. ``input`` and ``config`` stand in the first attempt only."""

    path: str
    attempt: int
    input: Value | None = None
    config: Value | None = None
    task_type: str = ""
    task_hash: str = ""
    effect: str = "unknown"
    ready_at: int = 0
    queued_at: int = 0
    queued_why: str = ""
    policy: tuple[str, ...] = ()


class UsageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`millrace.ports.runners.Usage` as stored."""

    provider: str = ""
    host: str = ""
    operation: str = ""
    connector: str = ""
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    tokens_out: int = 0
    tokens_in: int = 0
    model: str = ""
    latency_ms: int = 0
    cost: str = ""
    price_id: str = ""


class ExchangeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`millrace.ports.runners.Exchange` as stored. Bodies are Values of a text, or of ``{"base64": …}``."""

    method: str
    url: str
    status: int = 0
    request_headers: tuple[tuple[str, str], ...] = ()
    response_headers: tuple[tuple[str, str], ...] = ()
    request_body: Value | None = None
    response_body: Value | None = None
    redirects: tuple[str, ...] = ()
    peer: str = ""


class AttemptFinished(Event, frozen=True, kw_only=True):
    """Exactly one of ``output`` and ``failure`` tells the result; an output of null is a Value too."""

    path: str
    attempt: int
    started_at: int = 0
    output: Value | None = None
    failure: Failure | None = None
    usage: UsageRecord | None = None
    exchange: ExchangeRecord | None = None


class AttemptUnknown(Event, frozen=True, kw_only=True):
    """A driver took over and found this attempt started, without a result."""

    path: str
    attempt: int


class RetryScheduled(Event, frozen=True, kw_only=True):
    """The next attempt is due at ``due`` (ms). ``delay_ms`` holds the jitter that was drawn."""

    path: str
    attempt: int
    due: int
    delay_ms: int
    why: str = ""


class TaskFinished(Event, frozen=True, kw_only=True):
    """``output`` is None when the task's output is that of its last attempt."""

    path: str
    status: str
    output: Value | None = None
    failure: Failure | None = None
    skip: Skip | None = None
    input: Value | None = None
    task_type: str = ""
    task_hash: str = ""
    effect: str = ""
    ready_at: int = 0
    degraded: bool = False
    policy: tuple[str, ...] = ()


class SignalReceived(Event, frozen=True, kw_only=True):
    message: str
    signal: str
    payload: Value
    principal: str = ""


class CancelRequested(Event, frozen=True, kw_only=True):
    message: str
    reason: str = ""
    principal: str = ""


class ExecutionFinished(Event, frozen=True, kw_only=True):
    """``status`` is succeeded, failed, cancelled or timedOut."""

    status: str
    output: Value | None = None
    failure: Failure | None = None
    failed_task: str = ""


AnyEvent = (
    ExecutionStarted
    | AttemptStarted
    | AttemptFinished
    | AttemptUnknown
    | RetryScheduled
    | TaskFinished
    | SignalReceived
    | CancelRequested
    | ExecutionFinished
)

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "timedOut"})
