"""Everything a driver touches, as one record of arguments: nothing is reached for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct, field

from millrace.base.limits import RETRY_TOKENS, SLEEP_IN_DRIVER_MS, SNAPSHOT_BYTES, SNAPSHOT_EVENTS
from millrace.driver.guards import Guards
from millrace.engine.commands import (
    AcquireSlot,
    CancelChild,
    NotifyParent,
    ReleaseSlot,
    StartChild,
    StartLanes,
    TellFailures,
    TellLanes,
)
from millrace.engine.events import ChildFinished, ChildStarted, ExecutionStarted
from millrace.engine.plan import Plan
from millrace.ports.blobs import Blobs
from millrace.ports.documents import Documents, Op, TenantScope
from millrace.ports.runners import Runner
from millrace.ports.world import Clock, Ids

T = TypeVar("T")


class DriverIO(Protocol):
    """How the driver calls sync ports from its event loop: it never calls one on the loop itself."""

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """A blocking call in a bounded pool."""
        ...

    def commit(self, scope: TenantScope, ops: Sequence[Op]) -> Awaitable[None]:
        """`Documents.submit`, awaited: ends when the write is durable, or with its error."""
        ...


class Children(Protocol):
    """The executions that an execution starts, and the one that started it. Blocking; every call may be repeated."""

    def start(
        self, scope: TenantScope, started: ExecutionStarted, order: StartChild, value: Any
    ) -> ChildStarted | ChildFinished:
        """Make an execution exist; what cannot be started has failed. Raises Unavailable."""
        ...

    def cancel(self, scope: TenantScope, started: ExecutionStarted, order: CancelChild) -> None:
        """Tell an execution to stop, if it is not over. Raises Unavailable."""
        ...

    def notify(self, scope: TenantScope, started: ExecutionStarted, told: NotifyParent, output: Any) -> None:
        """Tell the execution above what came of this one, if it is not over. Raises Unavailable."""
        ...


class Slots(Protocol):
    """Places under concurrency keys, which executions share. Blocking; every call may be repeated."""

    def acquire(
        self, scope: TenantScope, started: ExecutionStarted, order: AcquireSlot
    ) -> Literal["granted", "queued", "full"]:
        """Take a place, or stand in line for one, of which a message tells. Raises Unavailable."""
        ...

    def release(self, scope: TenantScope, started: ExecutionStarted, order: ReleaseSlot) -> None:
        """Give a place up, or leave the line, and wake whoever is next. Raises Unavailable."""
        ...


class Lanes(Protocol):
    """The parts of large loops, each with a log of its own. Blocking; every call may be repeated."""

    def start(self, scope: TenantScope, started: ExecutionStarted, order: StartLanes, items: list[Any]) -> None:
        """Make the lanes exist, and have them run. Raises Unavailable."""
        ...

    def tell(self, scope: TenantScope, started: ExecutionStarted, order: TellLanes) -> tuple[int, ...]:
        """Tell lanes how to go on; answers which were not there yet when told to cancel, and never begin. Raises
        Unavailable."""
        ...

    def report(self, scope: TenantScope, started: ExecutionStarted, told: NotifyParent | TellFailures) -> None:
        """Tell the execution of a lane how far that has come, if it is not over. Raises Unavailable."""
        ...


class PlanSource(Protocol):
    def __call__(self, scope: TenantScope, started: ExecutionStarted) -> Plan:
        """The plan of the version that an execution is pinned to. Blocking; cached by the implementation."""
        ...


class DriverWorld(Struct, frozen=True):
    """``exclusive`` says that the store belongs to this process alone (its folder is locked), so that leases of
    other owners are void. ``owner`` names this driver in leases and segments; ``lease_ms`` and ``poll_ms`` are how
    long a lease lasts and how often the inbox is looked at while attempts run; a wait of up to ``sleep_ms`` is slept
    here, a longer one parks; what others end by themselves is waited for here for ``linger_ms`` before it parks, where
    parking costs more than that; a snapshot is written after ``snapshot_events`` events or ``snapshot_bytes`` bytes.
    ``room`` bounds the attempts under way in all executions of this world; the time of an attempt begins when it has
    room. None, as on Lambda, where the driver's own time is bounded too, means no bound. ``guards``
    are the circuit breakers and retry budgets as this process knows them; ``retry_budget`` is how many tokens a full
    budget holds, 0 for retries without one."""

    documents: Documents
    blobs: Blobs
    clock: Clock
    ids: Ids
    io: DriverIO
    plans: PlanSource
    runners: Mapping[str, Runner]
    owner: str
    exclusive: bool = False
    lease_ms: int = 30_000
    poll_ms: int = 2_000
    sleep_ms: int = SLEEP_IN_DRIVER_MS
    linger_ms: int = 0
    snapshot_events: int = SNAPSHOT_EVENTS
    snapshot_bytes: int = SNAPSHOT_BYTES
    room: asyncio.Semaphore | None = None
    children: Children | None = None
    slots: Slots | None = None
    lanes: Lanes | None = None
    guards: Guards = field(default_factory=Guards)
    retry_budget: int = RETRY_TOKENS


class Poke:
    """Tells a running driver that its inbox has something new. `set` belongs on the driver's loop."""

    __slots__ = ("is_set", "listener")

    def __init__(self) -> None:
        self.is_set = False
        self.listener: Callable[[], None] | None = None

    def set(self) -> None:
        self.is_set = True
        if self.listener is not None:
            self.listener()


class Done(Struct, frozen=True):
    status: str


class Again(Struct, frozen=True):
    """Call `advance` again, not before ``not_before`` (ms, 0 for at once)."""

    not_before: int = 0
    why: str = ""


class Wait(Struct, frozen=True):
    """Nothing runs. Park until ``wake_at`` (ms; None: only a message can help) unless ``seen_seq`` is outdated, or the
    log has grown beyond ``position``."""

    wake_at: int | None
    seen_seq: int
    position: int


Advanced = Done | Again | Wait
