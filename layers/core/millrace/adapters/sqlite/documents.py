"""Documents in one SQLite file. `kill -9` at any moment loses nothing that was acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

from millrace.adapters import guard
from millrace.adapters.keys import Address
from millrace.adapters.sqlite import rows
from millrace.adapters.sqlite.committer import QUEUE_JOBS, Committer
from millrace.adapters.sqlite.database import Database, Synchronous
from millrace.adapters.sqlite.readers import Readers
from millrace.base.errors import MillraceError
from millrace.ports.documents import (
    Condition,
    Index,
    Item,
    Key,
    Op,
    Page,
    Put,
    Range,
    Scope,
    Table,
    TenantScope,
    Update,
)

FILE_NAME: Final = "millrace.db"
BATCH_ITEMS: Final = 100
SWEEP_ITEMS: Final = 1000


class SqliteDocuments:
    """The store in ``folder``. Index reads never lag here.

    ``synchronous`` is FULL (survives a power cut) or NORMAL (survives the end of the process). At most ``queue_jobs``
    writes wait; `submit` blocks above that. Raises Corrupt when the file is damaged, StoreUnavailable when it cannot
    be opened. Take a `FolderLock` on the folder first: the class does not.
    """

    def __init__(
        self,
        folder: Path,
        *,
        synchronous: Synchronous = "FULL",
        queue_jobs: int = QUEUE_JOBS,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self.database = Database(Path(folder) / FILE_NAME, synchronous, factory)
        self.committer = Committer(self.database, queue_jobs=queue_jobs)
        self.readers = Readers(self.database)

    @property
    def commits(self) -> int:
        """COMMITs that have returned since this object was made."""
        return self.committer.commits

    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None:
        del consistent  # every read is
        place = guard.address(scope, key)
        with self.readers.connection() as connection:
            return rows.find(connection, place)

    def batch_get(self, scope: TenantScope, keys: Sequence[Key]) -> list[Item | None]:
        places = [guard.address(scope, key) for key in keys]
        with self.readers.connection() as connection:
            return [rows.find(connection, place) for place in places]

    def query(
        self,
        scope: TenantScope,
        table: Table,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
        consistent: bool = True,
    ) -> Page:
        del consistent  # every read is
        return self.readers.page(guard.listing(scope, table, None, partition, within, cursor))

    def query_index(
        self,
        scope: Scope,
        table: Table,
        index: Index,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
    ) -> Page:
        return self.readers.page(guard.listing(scope, table, index, partition, within, cursor))

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        try:
            checked = guard.checked_ops(scope, ops)
        except MillraceError as error:
            future: Future[None] = Future()
            future.set_exception(error)
            return future
        return self.committer.submit(partial(_write, scope=scope, ops=checked), undo=len(checked) > 1)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self.submit(scope, ops).result()

    def batch_put(self, scope: TenantScope, items: Sequence[Item]) -> None:
        puts = [(place, Put(item)) for place, item, _ in (guard.checked_item(scope, item) for item in items)]
        futures = [
            self.committer.submit(partial(_write, scope=scope, ops=puts[start : start + BATCH_ITEMS]))
            for start in range(0, len(puts), BATCH_ITEMS)
        ]
        for future in futures:
            future.result()

    def add(
        self, scope: TenantScope, key: Key, counters: Mapping[str, int], *, when: tuple[Condition, ...] = ()
    ) -> dict[str, int]:
        ops = guard.checked_ops(scope, [Update(key, add=counters, when=when)])
        now = self.committer.submit(partial(rows.apply, scope=scope, ops=ops)).result()[0]
        return {name: value for name in counters if now is not None and isinstance(value := now.attrs[name], int)}

    def sweep(self, now: int) -> int:
        """Removes items whose ``expires_at`` is at or before ``now`` (epoch seconds), at most `SWEEP_ITEMS` of them in
        one commit; answers how many. Where none is there, nothing is committed."""
        with self.readers.connection() as connection:
            if not rows.any_late(connection, now):
                return 0
        return self.committer.submit(partial(rows.sweep, now=now, limit=SWEEP_ITEMS)).result()

    def close(self) -> None:
        """Commits what is queued and closes the file."""
        self.committer.close()
        self.readers.close()


def _write(connection: sqlite3.Connection, scope: TenantScope, ops: Sequence[tuple[Address, Op]]) -> None:
    rows.apply(connection, scope, ops)
