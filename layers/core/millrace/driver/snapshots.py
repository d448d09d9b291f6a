"""Writing snapshots beside the work of a session, so that the next driver need not fold a long log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millrace.driver.journal import Journal
from millrace.driver.loading import snapshot_key
from millrace.driver.world import DriverWorld
from millrace.engine.snapshot import freeze
from millrace.engine.state import State
from millrace.ports.documents import TenantScope


class Snapshots:
    """The snapshots of one session; ``at`` is the position of the latest, ``note`` is told of every new one."""

    def __init__(
        self, world: DriverWorld, scope: TenantScope, execution: str, at: int, note: Callable[[int], None]
    ) -> None:
        self._world = world
        self._scope = scope
        self._execution = execution
        self._at = at
        self._note = note
        self._size = 0
        self.writing: asyncio.Task[None] | None = None

    def consider(self, state: State, journal: Journal) -> None:
        """Begin to write a snapshot if the log has grown enough. Everything in ``state`` has to be durable."""
        if self.writing is not None:
            return
        many = journal.position - self._at >= self._world.snapshot_events
        large = journal.size - self._size >= self._world.snapshot_bytes
        if many or large:
            self._size = journal.size
            self.writing = asyncio.get_running_loop().create_task(self._write(journal.position, freeze(state)))

    async def _write(self, position: int, data: bytes) -> None:
        key = snapshot_key(self._execution, position)
        await self._world.io.call(self._world.blobs.put, self._scope, key, data)
        self._at = position
        self._note(position)
        self.writing = None
