"""Places under concurrency keys, as a driver needs them: taken for an execution or task, and given to the next.

Who takes a place reads, and writes what must not have changed since. Threads of one process that ask for the same
key at once would only make each other read again, so they stand in line here; the store judges between processes.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from millrace.engine.commands import AcquireSlot, ReleaseSlot
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform
from millrace.store.executions import read_actor
from millrace.store.slots import Answer, Holder, Place, leave, take

LOCKS: Final = 64
"""How many keys of a process can be asked for at once without one waiting for another by chance."""


class SlotLeases:
    """What a driver needs of concurrency keys (`millrace.driver.world.Slots`)."""

    def __init__(self, platform: Callable[[], Platform]) -> None:
        """``platform`` is asked when it is needed first: a platform may be made after its driver."""
        self._platform = platform
        self._locks = tuple(Lock() for _ in range(LOCKS))

    def _lock(self, scope: TenantScope, place: Place) -> Lock:
        return self._locks[hash((scope.tenant, place)) % LOCKS]

    def acquire(self, scope: TenantScope, started: ExecutionStarted, order: AcquireSlot) -> Answer:
        """Take a place, or stand in line for one. Raises StoreUnavailable."""
        slot = order.slot
        place = Place(started.namespace, slot.key)
        holder = Holder(started.execution, order.path, slot.at)
        platform = self._platform()
        wait, now = slot.on_limit == "queue", platform.clock.now()
        with self._lock(scope, place):
            return take(platform.documents, scope, place, holder, limit=slot.limit, wait=wait, now=now)

    def release(self, scope: TenantScope, started: ExecutionStarted, order: ReleaseSlot) -> None:
        """Give a place up, and wake whoever has it now. Raises StoreUnavailable."""
        platform = self._platform()
        place = Place(started.namespace, order.slot.key)
        holder = Holder(started.execution, order.path, order.slot.at)
        with self._lock(scope, place):
            given = leave(platform.documents, scope, place, holder, now=platform.clock.now())
        for execution in given:
            actor = read_actor(platform.documents, scope, execution)
            platform.orchestrator.wake(scope, execution, "" if actor is None else actor.token)
