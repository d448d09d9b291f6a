"""The compiled graph that `decide` walks: made once per version, frozen, shared by all its executions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from millrace.base.limits import DEFAULT_ATTEMPT_TIMEOUT_MS
from millrace.expr import Expression, Template
from millrace.spec import WorkflowTask

Compute = Callable[[Any, Mapping[str, Any]], Any]
"""A pure task: rendered input and scope in, output out. Raises UserError."""


class RetryPolicy(Struct, frozen=True):
    """``declared`` is False for the policy of a task that names none: then only a driver crash repeats it."""

    max_attempts: int = 1
    strategy: str = "exponential"
    interval_ms: int = 1000
    multiplier: float = 2.0
    max_interval_ms: int = 60_000
    jitter: str = "full"
    retry_on: tuple[str, ...] = ()
    max_duration_ms: int | None = None
    respect_retry_after: bool = True
    declared: bool = False


NO_RETRY = RetryPolicy()


class BreakerPolicy(Struct, frozen=True):
    """When the circuit breaker ``name`` opens and how it closes again; an empty name is that of the host called.

    It opens at ``threshold`` failures or, where that is 0, at a share of ``rate``, among at least ``minimum`` attempts
    of the last ``sampling_ms``. Times in ms."""

    name: str = ""
    threshold: int = 5
    rate: Decimal = Decimal(0)
    minimum: int = 1
    sampling_ms: int = 60_000
    break_ms: int = 30_000
    probes: int = 1
    ramp_ms: int = 10_000


class EdgeCondition(Struct, frozen=True):
    """A dependency that counts only while ``condition`` is true."""

    need: int
    condition: Expression


class WaitPlan(Struct, frozen=True):
    """What a task waits for. ``kind`` is ``time`` (``config`` renders to ``{for: ms}`` or ``{until: text}``), ``event``
    (``config`` renders to ``{type}``; ``match`` judges what arrives), ``approval`` (``required`` different people of
    ``approvers``) or ``child`` (the end of the workflow ``ref``, or, ``detached``, its start). ``timeout_ms`` bounds
    all but the first; ``on_timeout`` is fail, approve, reject or task (a fallback follows
    the timeout, and nothing else)."""

    kind: str
    config: Template | None = None
    match: Expression | None = None
    approvers: tuple[str, ...] = ()
    required: int = 1
    timeout_ms: int | None = None
    on_timeout: str = "fail"
    form: Mapping[str, Any] | None = None
    ref: str = ""
    detached: bool = False


class PoolPlan(Struct, frozen=True):
    """The pool that a place is taken from; what its key may claim of it, as numbers or templates of them."""

    name: str
    limit: int
    min: int | Template = 0
    weight: int | Template = 1


class SlotPlan(Struct, frozen=True):
    """The place that has to be held: under ``key``, of ``limit``. ``on_limit`` is queue, cancel or fail."""

    key: Template
    limit: int
    on_limit: str = "queue"
    pool: PoolPlan | None = None


class Case(Struct, frozen=True):
    """One case of a switch: it holds when the value equals ``match``, or when ``when`` is true."""

    match: Any = None
    when: Expression | None = None


class ScopePlan(Struct, frozen=True):
    """What a task holds instead of an attempt. ``kind`` is ``switch`` (``cases`` choose one of ``bodies``, of which the
    last may be the default), ``forEach`` (its one body runs per item, ``max_parallel`` at a time; it fails with more
    than ``failures`` or ``share`` of all items failed; with more
    than ``spread`` items it runs in lanes) or ``generate`` (at most ``most`` tasks, which may name the
    reusable tasks ``refs``, whose hashes are ``hashes``)."""

    kind: str
    bodies: tuple[Body, ...] = ()
    cases: tuple[Case, ...] = ()
    item: str = "item"
    position: str = "index"
    max_parallel: int = 1
    failures: int = 0
    share: Decimal | None = None
    spread: int | None = None
    most: int = 0
    refs: Mapping[str, WorkflowTask] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    workflow: str = ""


class FallbackPlan(Struct, frozen=True):
    """What stands in for a failed task: a ``value`` to render, or a ``body`` of one task."""

    value: Template | None = None
    body: Body | None = None


class Node(Struct, frozen=True):
    """One task. ``needs`` and ``dependents`` are indexes into the plan's nodes; ``reads`` are the ids of tasks whose
    output its expressions read. ``config`` is rendered in the workflow's scope, or, for a reusable task, in the
    task's own scope where ``input`` is the rendered task input (``own_scope``), which ``accepts``, a JSON Schema,
    completes and judges. ``output`` maps what the task produced, which it sees as ``output``. ``label`` is what its
    path ends with, below the path of its body; ``state`` are the entries of the workflow's state that it reads,
    each after those that it reads itself."""

    index: int
    id: str
    type: str
    label: str = ""
    effect: str = "unknown"
    needs: tuple[int, ...] = ()
    dependents: tuple[int, ...] = ()
    reads: tuple[str, ...] = ()
    priority: int = 0
    condition: Expression | None = None
    edges: tuple[EdgeCondition, ...] = ()
    input: Template | None = None
    config: Template | None = None
    own_scope: bool = False
    accepts: Mapping[str, Any] | None = None
    compute: Compute | None = None
    wait: WaitPlan | None = None
    trigger_rule: str = "all_success"
    output: Template | None = None
    retry: RetryPolicy = NO_RETRY
    breaker: BreakerPolicy | None = None
    timeout_ms: int | None = None
    attempt_timeout_ms: int = DEFAULT_ATTEMPT_TIMEOUT_MS
    continue_on_error: bool = False
    keyed: bool = True
    task_hash: str = ""
    scope: ScopePlan | None = None
    fallback: FallbackPlan | None = None
    slot: SlotPlan | None = None
    state: tuple[str, ...] = ()


class Body(Struct, frozen=True):
    """Tasks that run together. ``outer`` are the ids of tasks around it that are read inside; ``leaves`` those of its
    tasks that no other waits for; ``name`` tells the bodies of one task apart."""

    nodes: tuple[Node, ...]
    index: Mapping[str, int]
    leaves: tuple[str, ...] = ()
    outer: tuple[str, ...] = ()
    name: str = ""


class Plan(Body, frozen=True):
    """A workflow: its own tasks, and those that run at its end. ``state`` holds the computed entries; ``slots`` says
    whether it, or a task anywhere in it, has to hold a place."""

    workflow: str = ""
    parallel_limit: int | None = None
    timeout_ms: int | None = None
    output: Template | None = None
    output_reads: tuple[str, ...] = ()
    output_state: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Template] = field(default_factory=dict)
    slot: SlotPlan | None = None
    slots: bool = False
    on_failure: Body | None = None
    at_end: Body | None = None
