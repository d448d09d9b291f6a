"""Documents in memory: deterministic, single process, and cheap to copy.

It has no thread, no clock and no chance, so a simulator may wrap it and replay a run from a seed. `submit` is done when
it returns. Index reads may be told to lag: they then see the state without the last ``index_lag`` committed writes,
which is what an eventually consistent index may show.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from operator import attrgetter
from typing import Final

from millrace.adapters import guard, rules
from millrace.adapters.keys import Address, Listing
from millrace.adapters.memory.table import Indexes, Partition, Tables
from millrace.base.errors import Conflict, MillraceError
from millrace.ports.documents import (
    Condition,
    Index,
    Item,
    Key,
    Op,
    Page,
    Put,
    Range,
    Row,
    Scope,
    Table,
    TenantScope,
    Update,
)
from millrace.ports.feed import FeedRecord

LAG_WRITES: Final = 1000
"""An index never lags by more, so that a store whose indexes nobody reads does not remember every write."""

Change = tuple[Address, Item | None]


class MemoryDocuments:
    """``index_lag`` is a number of writes, or a function asked at every index read.

    ``writes`` counts committed write lists, ``operations`` the operations in them, ``refusals`` refused lists.
    """

    def __init__(self, *, index_lag: int | Callable[[], int] = 0) -> None:
        self.index_lag = index_lag
        self.writes = 0
        self.operations = 0
        self.refusals = 0
        self.feed = MemoryFeed(self)
        self._lock = threading.RLock()
        self._tables = Tables()
        self._indexes = Indexes()
        self._unindexed: deque[tuple[Change, ...]] = deque()
        self._records: list[FeedRecord] = []
        self._sequence = 0

    def clone(self) -> MemoryDocuments:
        """An independent copy of everything stored. Items are shared, since they are never changed in place."""
        out = MemoryDocuments(index_lag=self.index_lag)
        out.restore(self)
        return out

    def restore(self, other: MemoryDocuments) -> None:
        """Becomes a copy of ``other``; counts of writes are copied too, the lag setting is not."""
        with self._lock, other._lock:
            self._tables = other._tables.copy()
            self._indexes = other._indexes.copy()
            self._unindexed = deque(other._unindexed)
            self._records = list(other._records)
            self._sequence = other._sequence
            self.writes, self.operations, self.refusals = other.writes, other.operations, other.refusals

    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None:
        del consistent  # every read of items is
        with self._lock:
            found = self._tables.get(guard.address(scope, key))
        return None if found is None else rules.handed_out(found)

    def batch_get(self, scope: TenantScope, keys: Sequence[Key]) -> list[Item | None]:
        with self._lock:
            return [self.get(scope, key) for key in keys]

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
        del consistent  # every read of items is
        listing = guard.listing(scope, table, None, partition, within, cursor)
        with self._lock:
            return self._page(listing, self._tables.partitions.get((table, listing.partition)))

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
        listing = guard.listing(scope, table, index, partition, within, cursor)
        with self._lock:
            lag = self.index_lag() if callable(self.index_lag) else self.index_lag
            self._index_but(lag)
            return self._page(listing, self._indexes.partitions.get((table, index, listing.partition)))

    def _index_but(self, writes: int) -> None:
        """Lets the indexes learn of everything but the last ``writes`` writes."""
        while len(self._unindexed) > writes:
            for place, item in self._unindexed.popleft():
                self._indexes.learn(place, item)

    @staticmethod
    def _page(listing: Listing, partition: Partition | None) -> Page:
        if partition is None or listing.empty:
            return Page(())
        limit = listing.within.limit
        positions = list(islice(partition.walk(listing), limit + 1))
        found = [partition.items[position] for position in positions[:limit]]
        rows = tuple([Row(place.tenant, rules.handed_out(item)) for place, item in found])
        return Page(rows, listing.cursor(positions[limit - 1]) if len(positions) > limit else None)

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        future: Future[None] = Future()
        try:
            self.write(scope, ops)
        except MillraceError as error:
            future.set_exception(error)
        else:
            future.set_result(None)
        return future

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self._commit(scope, guard.checked_ops(scope, ops))

    def _commit(self, scope: TenantScope, ops: Sequence[tuple[Address, Op]]) -> None:
        with self._lock:
            try:
                changes = tuple(
                    [
                        (place, rules.after(scope, self._tables.get(place), op, index))
                        for index, (place, op) in enumerate(ops)
                    ]
                )
            except Conflict:
                self.refusals += 1
                raise
            for (place, item), (_, op) in zip(changes, ops, strict=True):
                self._tables.set(place, item)
                if item is not None and item.feed and isinstance(op, Put | Update):
                    self._sequence += 1
                    self._records.append(FeedRecord(self._sequence, place.tenant, item))
            self._unindexed.append(changes)
            if len(self._unindexed) > LAG_WRITES:
                self._index_but(LAG_WRITES)
            self.writes += 1
            self.operations += len(ops)

    def batch_put(self, scope: TenantScope, items: Sequence[Item]) -> None:
        checked = [guard.checked_item(scope, item) for item in items]
        for place, item, _ in checked:
            self._commit(scope, [(place, Put(item))])

    def add(
        self, scope: TenantScope, key: Key, counters: Mapping[str, int], *, when: tuple[Condition, ...] = ()
    ) -> dict[str, int]:
        with self._lock:
            self.write(scope, [Update(key, add=counters, when=when)])
            now = self._tables.get(guard.address(scope, key))
        return {name: value for name in counters if now is not None and isinstance(value := now.attrs[name], int)}

    def sweep(self, now: int) -> int:
        """Removes items whose ``expires_at`` is at or before ``now`` (epoch seconds); answers how many."""
        with self._lock:
            late = [
                place
                for _, partition in sorted(self._tables.partitions.items())
                for place, item in partition.items.values()
                if item.expires_at is not None and item.expires_at <= now
            ]
            for place in late:
                self._tables.set(place, None)
            if late:
                self._unindexed.append(tuple([(place, None) for place in late]))
        return len(late)

    def close(self) -> None:
        """Nothing to give back; what was stored stays readable."""

    def records(self, after: int, limit: int) -> list[FeedRecord]:
        """Feed records above ``after``; `MemoryFeed` reads through this."""
        with self._lock:
            start = bisect_right(self._records, after, key=attrgetter("sequence"))
            found = self._records[start : start + limit]
        return [FeedRecord(record.sequence, record.tenant, rules.handed_out(record.item)) for record in found]

    def forget(self, through: int) -> None:
        """Drops feed records up to and including ``through``."""
        with self._lock:
            self._records = [record for record in self._records if record.sequence > through]


class MemoryFeed:
    """The Feed over what a `MemoryDocuments` has committed."""

    def __init__(self, documents: MemoryDocuments) -> None:
        self._documents = documents

    def read(self, *, after: int, limit: int = 100) -> Sequence[FeedRecord]:
        return self._documents.records(after, limit)

    def trim(self, *, through: int) -> None:
        self._documents.forget(through)
