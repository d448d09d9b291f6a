"""Places under concurrency keys and of pools, as a driver needs them: taken for executions and tasks, and passed on.

Who takes a place reads, and writes what must not have changed since. Threads of one process that ask for the same
key at once would only make each other read again, so they stand in line here; the store judges between processes.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from millrace.engine.commands import AcquireSlot, ReleaseSlot
from millrace.engine.events import ExecutionStarted, Slot, SlotPool
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform
from millrace.store import pools
from millrace.store.executions import read_actor
from millrace.store.pool_items import Bid, Pool
from millrace.store.slots import Answer, Holder, Place, leave, take

LOCKS: Final = 64
"""How many keys of a process can be asked for at once without one waiting for another by chance."""


class SlotLeases:
    """What a driver needs of concurrency keys (`millrace.driver.world.Slots`)."""

    def __init__(self, platform: Callable[[], Platform]) -> None:
        """``platform`` is asked when it is needed first: a platform may be made after its driver."""
        self._platform = platform
        self._locks = tuple(Lock() for _ in range(LOCKS))

    def _lock(self, scope: TenantScope, place: Place | Pool) -> Lock:
        return self._locks[hash((scope.tenant, place)) % LOCKS]

    def acquire(self, scope: TenantScope, started: ExecutionStarted, order: AcquireSlot) -> Answer:
        """Take a place, or stand in line for one. Raises StoreUnavailable."""
        slot = order.slot
        holder = Holder(started.execution, order.path, slot.at)
        platform = self._platform()
        wait, now = slot.on_limit == "queue", platform.clock.now()
        if slot.pool is not None:
            pool = Pool(started.namespace, slot.pool.name)
            with self._lock(scope, pool):
                return pools.take(platform.documents, scope, pool, _bid(slot, slot.pool, holder), wait=wait, now=now)
        place = Place(started.namespace, slot.key)
        with self._lock(scope, place):
            return take(platform.documents, scope, place, holder, limit=slot.limit, wait=wait, now=now)

    def release(self, scope: TenantScope, started: ExecutionStarted, order: ReleaseSlot) -> None:
        """Give a place up, and wake whoever has it now. Raises StoreUnavailable."""
        platform = self._platform()
        for execution in self._leave(platform, scope, started, order):
            actor = read_actor(platform.documents, scope, execution)
            platform.orchestrator.wake(scope, execution, "" if actor is None else actor.token)

    def _leave(
        self, platform: Platform, scope: TenantScope, started: ExecutionStarted, order: ReleaseSlot
    ) -> list[str]:
        slot = order.slot
        holder, now = Holder(started.execution, order.path, slot.at), platform.clock.now()
        if slot.pool is not None:
            pool = Pool(started.namespace, slot.pool.name)
            with self._lock(scope, pool):
                return pools.leave(platform.documents, scope, pool, _bid(slot, slot.pool, holder), now=now)
        place = Place(started.namespace, slot.key)
        with self._lock(scope, place):
            return leave(platform.documents, scope, place, holder, now=now)


def _bid(slot: Slot, pool: SlotPool, holder: Holder) -> Bid:
    return Bid(slot.key, holder, slot.limit, size=pool.limit, min=pool.min, weight=pool.weight)
