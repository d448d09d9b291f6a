"""Retry budgets: how much of the calls to a host may be retries, over all executions of this process and the others.

A bucket of tokens, as the standard retry mode of the AWS SDKs has it (botocore's RetryQuotaChecker: 500 tokens, a retry
takes 5 or 10 after a timeout, its success gives them back, any other success gives 1) and gRPC under the name of
retry throttling (proposal A6). Theirs is one per process; this one is shared: every process writes what it took and
gave back at most once a second, and reads when it wants to take. A host that answers costs nothing at all: a full
bucket takes no tokens in, so nothing is read or written.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable, Throttled
from millrace.ports.documents import TenantScope
from millrace.store.retry_budgets import Used, read_used, used_write

if TYPE_CHECKING:
    from millrace.driver.world import DriverWorld

RETRY: Final = 5
TIMEOUT_RETRY: Final = 10
SUCCESS: Final = 1
FRESH_MS: Final = 1_000
IDLE_MS: Final = 10 * 60 * 1000
"""A bucket that nobody has touched for so long is full again."""
TRIES: Final = 8
KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class BudgetKey:
    scope: TenantScope
    namespace: str
    host: str


@dataclass(slots=True)
class _Held:
    """``taken`` is what this process has taken (or, below zero, given back) and not written yet."""

    used: Used = field(default_factory=Used)
    read_at: int | None = None
    taken: int = 0
    told: int = 0
    timer: asyncio.TimerHandle | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RetryBudgets:
    """The budgets of one process; one event loop."""

    def __init__(self) -> None:
        self._held: OrderedDict[BudgetKey, _Held] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    async def take(self, world: DriverWorld, key: BudgetKey, *, tokens: int) -> bool:
        """Whether a retry may be made. Where the store does not answer, as far as this process knows."""
        held = self._of(key)
        async with held.lock:
            now = world.clock.now()
            if held.read_at is None or not 0 <= now - held.read_at < FRESH_MS:
                await self._read(world, key, held)
            if _used(held, world.clock.now()) + tokens > world.retry_budget:
                return False
            held.taken += tokens
        self._tell_later(world, key, held)
        return True

    def give(self, world: DriverWorld, key: BudgetKey, *, tokens: int) -> None:
        """A call succeeded: so many tokens come back, as far as any are missing."""
        held = self._held.get(key)
        if held is None:
            return
        back = min(tokens, _used(held, world.clock.now()))
        if back:
            held.taken -= back
            self._tell_later(world, key, held)

    async def _read(self, world: DriverWorld, key: BudgetKey, held: _Held) -> bool:
        try:
            held.used = await world.io.call(read_used, world.documents, key.scope, key.namespace, key.host)
        except (StoreUnavailable, OutcomeUnknown, Throttled):
            return False
        held.read_at = world.clock.now()
        return True

    def _tell_later(self, world: DriverWorld, key: BudgetKey, held: _Held) -> None:
        if held.timer is None and held.taken:
            wait_ms = min(max(held.told + FRESH_MS - world.clock.now(), 0), FRESH_MS)
            held.timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._begin_telling, world, key, held)

    def _begin_telling(self, world: DriverWorld, key: BudgetKey, held: _Held) -> None:
        held.timer = None
        task = asyncio.get_running_loop().create_task(self._tell(world, key, held))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, world: DriverWorld, key: BudgetKey, held: _Held) -> None:
        async with held.lock:
            for _ in range(TRIES):
                held.told = now = world.clock.now()
                taken = held.taken
                after = Used(_used(held, now), now, held.used.version + 1)
                try:
                    await world.io.commit(key.scope, [used_write(key.namespace, key.host, held.used, after)])
                except ConditionRefused:
                    if not await self._read(world, key, held):
                        break
                except (StoreUnavailable, Throttled):
                    break
                except OutcomeUnknown:
                    held.taken -= taken  # it may have been written: rather too many retries than none
                    await self._read(world, key, held)
                    break
                else:
                    held.taken -= taken
                    held.used = after
                    break
        self._tell_later(world, key, held)

    async def settle(self, world: DriverWorld) -> None:
        """Write what was taken and nobody was told of, for a process that may be frozen from now on."""
        for key, held in list(self._held.items()):
            if held.taken > 0:
                if held.timer is not None:
                    held.timer.cancel()
                    held.timer = None
                await self._tell(world, key, held)

    def _of(self, key: BudgetKey) -> _Held:
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held()
            if len(self._held) > KEPT:
                idle = (one for one, other in self._held.items() if not other.taken and not other.lock.locked())
                del self._held[next(idle)]
        else:
            self._held.move_to_end(key)
        return held


def _used(held: _Held, now: int) -> int:
    """Tokens used as far as this process knows; never below zero, so that a success saves nothing up."""
    stored = 0 if now - held.used.at >= IDLE_MS else held.used.tokens
    return max(stored + held.taken, 0)
