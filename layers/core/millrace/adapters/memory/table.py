"""Sorted partitions of items, and of index entries: the data structure under `MemoryDocuments`.

A partition is a dict by sort text with a sorted list beside it. Items in it are never changed in place, so a copy
of the structure shares them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from millrace.adapters.guard import index_texts
from millrace.adapters.keys import Address, Listing
from millrace.ports.documents import Index, Item, Table, TenantScope

Position = tuple[str, ...]
"""(sort,) in a table; (index sort, partition, sort) in an index."""


class Partition:
    __slots__ = ("items", "order")

    def __init__(self) -> None:
        self.items: dict[Position, tuple[Address, Item]] = {}
        self.order: list[Position] = []

    def copy(self) -> Partition:
        out = Partition()
        out.items = dict(self.items)
        out.order = list(self.order)
        return out

    def put(self, position: Position, place: Address, item: Item) -> None:
        if position not in self.items:
            insort(self.order, position)
        self.items[position] = (place, item)

    def remove(self, position: Position) -> None:
        del self.items[position]
        del self.order[bisect_left(self.order, position)]

    def walk(self, listing: Listing) -> Iterator[Position]:
        """Positions of a listing in its order, lazily."""
        within, order = listing.within, self.order
        low, high = 0, len(order)
        floor = within.prefix or within.first
        if floor is not None:
            low = bisect_left(order, (floor,))
        if within.last is not None:
            high = bisect_right(order, within.last, key=lambda position: position[0])
        if within.prefix is not None:
            width = len(within.prefix)
            high = bisect_right(order, within.prefix, key=lambda position: position[0][:width])
        if listing.after is not None and within.reverse:
            high = min(high, bisect_left(order, listing.after))
        elif listing.after is not None:
            low = max(low, bisect_right(order, listing.after))
        steps = range(high - 1, low - 1, -1) if within.reverse else range(low, high)
        for step in steps:
            yield order[step]


class Tables:
    """Items by table and partition."""

    __slots__ = ("partitions",)

    def __init__(self) -> None:
        self.partitions: dict[tuple[Table, str], Partition] = {}

    def copy(self) -> Tables:
        out = Tables()
        out.partitions = {name: partition.copy() for name, partition in self.partitions.items()}
        return out

    def get(self, place: Address) -> Item | None:
        partition = self.partitions.get((place.table, place.partition))
        found = None if partition is None else partition.items.get((place.sort,))
        return None if found is None else found[1]

    def set(self, place: Address, item: Item | None) -> None:
        name = (place.table, place.partition)
        partition = self.partitions.get(name)
        if item is not None:
            if partition is None:
                partition = self.partitions[name] = Partition()
            partition.put((place.sort,), place, item)
        elif partition is not None and (place.sort,) in partition.items:
            partition.remove((place.sort,))
            if not partition.order:
                del self.partitions[name]


class Indexes:
    """Index entries by table, index and partition, with the item as it was when the index learnt of it."""

    __slots__ = ("known", "partitions")

    def __init__(self) -> None:
        self.partitions: dict[tuple[Table, Index, str], Partition] = {}
        self.known: dict[Address, Item] = {}

    def copy(self) -> Indexes:
        out = Indexes()
        out.partitions = {name: partition.copy() for name, partition in self.partitions.items()}
        out.known = dict(self.known)
        return out

    def learn(self, place: Address, item: Item | None) -> None:
        scope = TenantScope(place.tenant)
        before = self.known.pop(place, None)
        if before is not None:
            for index, key in before.indexes.items():
                partition, sort = index_texts(scope, index, key)
                self.partitions[place.table, index, partition].remove((sort, place.partition, place.sort))
        if item is None or not item.indexes:
            return
        self.known[place] = item
        for index, key in item.indexes.items():
            partition, sort = index_texts(scope, index, key)
            held = self.partitions.setdefault((place.table, index, partition), Partition())
            held.put((sort, place.partition, place.sort), place, item)
