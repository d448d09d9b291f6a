"""The committer of one execution: appends to its run log behind the fence, one write in flight.

A write whose acknowledgement is lost is judged by reading the segment back: ours means success, another's means that
the log belongs to somebody else, nothing means that it may be submitted again with the same write id, which is
harmless because both would claim the same position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from millrace.base.errors import ConditionRefused, FenceLost, OutcomeUnknown, StoreUnavailable, Throttled
from millrace.base.limits import TRANSACTION_BYTES, TRANSACTION_OPS
from millrace.driver.world import DriverWorld
from millrace.engine.events import Event
from millrace.ports.documents import Op, Put, TenantScope
from millrace.store.runlog import Stamp, segment_puts, wrote

T = TypeVar("T")
RETRY_DELAYS_S = (0.05, 0.2, 0.8, 2.0, 5.0)
"""Pauses between submissions of a write that the store did not take; after the last the error is raised."""


class ExtraRefused(FenceLost):
    """The log is still ours to write, but an operation beside the segment was refused."""


class Unheard(FenceLost):
    """An execution may not end yet, since a message came in after the last look at the inbox."""


class Journal:
    """``position`` is the number of events that are durable; ``size`` how many bytes this journal has written."""

    def __init__(self, world: DriverWorld, scope: TenantScope, execution: str) -> None:
        self._world = world
        self._scope = scope
        self._execution = execution
        self._name = world.ids.new()
        self._writes = 0
        self.position = 0
        self.size = 0

    async def append(
        self, events: Sequence[Event], *, blobs: dict[tuple[str, ...], bytes], extra: Sequence[Op]
    ) -> None:
        """Make ``events`` durable at the present position, together with ``extra`` operations in the last write.

        ``blobs`` are written first. Raises FenceLost when somebody else has written here or holds the lease, and
        StoreUnavailable when the store stays away.
        """
        world = self._world
        for key, data in blobs.items():
            await patiently(partial(world.io.call, world.blobs.put, self._scope, key, data))
        self._writes += 1
        stamp = Stamp(world.owner, f"{self._name}-{self._writes}")
        puts = segment_puts(self._execution, self.position, events, stamp)
        for group in grouped(puts, len(extra)):
            last = group[-1] is puts[-1]
            await self._submit(group, [*group, *extra] if last else group, stamp)
        self.position += len(events)

    async def _submit(self, puts: Sequence[Put], ops: Sequence[Op], stamp: Stamp) -> None:
        world = self._world
        for pause in (*RETRY_DELAYS_S, None):
            try:
                await world.io.commit(self._scope, ops)
            except (StoreUnavailable, Throttled):
                if pause is None:
                    raise
            except (ConditionRefused, OutcomeUnknown) as error:
                if await self._is_ours(puts, stamp):
                    break
                if isinstance(error, ConditionRefused) and error.index >= len(puts):
                    raise ExtraRefused(f"A write beside the log of {self._execution} was refused.") from error
                if isinstance(error, ConditionRefused):
                    raise FenceLost(f"The log of {self._execution} belongs to another driver now.") from error
                if pause is None:
                    raise StoreUnavailable("The store does not acknowledge writes.") from error
            else:
                break
            await asyncio.sleep(pause)
        self.size += sum(map(_length, puts))

    async def _is_ours(self, puts: Sequence[Put], stamp: Stamp) -> bool:
        """Whether the first segment of the write stands in the log as ours. Raises FenceLost if it is another's."""
        world = self._world
        ours = await patiently(partial(world.io.call, wrote, world.documents, self._scope, puts[0].item.key, stamp))
        if ours is False:
            raise FenceLost(f"The log of {self._execution} belongs to another driver now.")
        return ours is True


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What a call gives that may be made again; while the store stays away, after each of `RETRY_DELAYS_S`."""
    for pause in RETRY_DELAYS_S:
        try:
            return await call()
        except (StoreUnavailable, OutcomeUnknown, Throttled):
            await asyncio.sleep(pause)
    return await call()


def grouped(puts: list[Put], extras: int) -> list[list[Put]]:
    """Segments, of which there is one at least, in atomic groups within the limits of one transaction; the last leaves
    room for ``extras``."""
    groups: list[list[Put]] = []
    group: list[Put] = []
    size = 0
    for put in puts:
        length = _length(put)
        if group and (len(group) >= TRANSACTION_OPS - extras or size + length > TRANSACTION_BYTES // 2):
            groups.append(group)
            group, size = [], 0
        group.append(put)
        size += length
    return [*groups, group]


def _length(put: Put) -> int:
    body = put.item.attrs["body"]
    assert isinstance(body, bytes)  # as `segment_puts` makes it
    return len(body)
