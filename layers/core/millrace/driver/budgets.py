"""Retry budgets: how much of the calls to a host may be retries, over all executions of this process and the others.

A bucket of tokens, as the standard retry mode of the AWS SDKs has it (botocore's RetryQuotaChecker: 500 tokens, a retry
takes 5 or 10 after a timeout, its success gives them back, any other success gives 1) and gRPC under the name of
retry throttling (proposal A6). Theirs is one per process; this one is shared: every process writes what it took and
gave back at most once a second, and reads when it wants to take. A host that answers costs nothing at all: a full
bucket takes no tokens in, so nothing is read or written. Since all executions share it, ours holds ten times as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable, Throttled
from millrace.driver.telling import Held, Telling
from millrace.ports.documents import TenantScope
from millrace.store.retry_budgets import Used, read_used, used_write

if TYPE_CHECKING:
    from millrace.driver.world import DriverWorld

RETRY: Final = 5
TIMEOUT_RETRY: Final = 10
SUCCESS: Final = 1
IDLE_MS: Final = 10 * 60 * 1000
"""A bucket that nobody has touched for so long is full again."""
TRIES: Final = 8


class BudgetKey(Struct, frozen=True):
    scope: TenantScope
    namespace: str
    host: str


class _Held(Held):
    """``taken`` is what this process has taken (or, below zero, given back) and not written yet."""

    used: Used = field(default_factory=Used)
    taken: int = 0


class RetryBudgets(Telling[BudgetKey, _Held]):
    """The budgets of one process."""

    async def take(self, world: DriverWorld, key: BudgetKey, *, tokens: int) -> bool:
        """Whether a retry may be made. Where the store does not answer, as far as this process knows."""
        held = self._of(key)
        async with held.lock:
            now = world.clock.now()
            if held.is_stale(now):
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

    def _new(self) -> _Held:
        return _Held()

    def _is_due(self, held: _Held) -> bool:
        return held.taken != 0

    def _is_urgent(self, held: _Held) -> bool:
        return held.taken > 0


def _used(held: _Held, now: int) -> int:
    """Tokens used as far as this process knows; never below zero, so that a success saves nothing up."""
    stored = 0 if now - held.used.at >= IDLE_MS else held.used.tokens
    return max(stored + held.taken, 0)
