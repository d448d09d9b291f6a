"""What must hold beside `places_invariants` where keys share pools of places.

P1 a pool never has more holders than places, nor a key of it more than its limit;
P2 as there, with any place of the pool around the call;
P3 nobody is given a place before somebody of the same key who came earlier; a key that has its min none while another
   waits below its own; a key that has its share none while another waits below its own;
P4 in the end no place is held, no key waits and nobody stands in line;
P5 nobody is told to wait, or that there is no room, while there is a place and nobody waits;
P7 after every write, the item of each key that waits counts its line, and names the first in it;
P8 once somebody has given up a place, none is free that somebody in line may have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from millrace.engine.commands import AcquireSlot, ReleaseSlot
from millrace.ports.documents import Op, Range, Require, Table, Update
from millrace.store.pool_items import Bid, Pool
from millrace.store.slots import Holder

from .invariants import SCOPE
from .places_invariants import Ledger

POOLS = ("g2", "g3", "h2", "h3")


def size_of(pool: str) -> int:
    return int(pool[-1])


class PoolLedger(Ledger):
    """What the places of pools were seen to be, too."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._pools: dict[str, dict[str, Any]] = {pool: {} for pool in POOLS}

    def rows(self, partition: tuple[str, ...]) -> list[Any]:
        page = self.world.store.query(SCOPE, Table.HISTORY, partition, within=Range(limit=100))
        return [row.item for row in page.rows]

    def queues(self, pool: str) -> dict[str, list[Any]]:
        """By key, those in line whose execution is not over, as stored, the first one first."""
        found = {item.key.sort: self.rows(("pool-line", "default", pool, item.key.sort)) for item in self.keys(pool)}
        alive = {key: [one for one in line if self.is_live(one.attrs["execution"])] for key, line in found.items()}
        return {key: line for key, line in alive.items() if line}

    def keys(self, pool: str) -> list[Any]:
        return self.rows(("pool-keys", "default", pool))

    def written(self, ops: Sequence[Op]) -> None:
        """P1, P3 and P7 at every write of a pool."""
        super().written(ops)
        for op in ops:
            if isinstance(op, Update) and op.key.partition[0] == "pool":
                self._headed(op.key.partition[2], dict(op.set["holders"]))  # type: ignore[arg-type]
        pools = {_key(op).partition[2] for op in ops if not isinstance(op, Require) and _key(op).partition[0] in LINES}
        for pool in pools:
            self._counted(pool)

    def _headed(self, pool: str, now: dict[str, Any]) -> None:
        before, self._pools[pool] = self._pools[pool], now
        held = Counter(one["key"] for one in now.values())
        if len(now) > size_of(pool) or max(held.values(), default=0) >= size_of(pool):
            self.violated(f"P1 {pool} has {len(now)} holders, of one key {max(held.values())}")
        queues = self.queues(pool)
        for name in now.keys() - before.keys():
            self.granted += 1
            self._given(pool, now[name], queues)

    def _given(self, pool: str, given: Any, queues: dict[str, list[Any]]) -> None:
        """P3 of one that was just given a place."""
        own, held = given["key"], Counter(one["key"] for one in self._pools[pool].values())
        if any(
            (one.attrs["at"], one.attrs["execution"]) < (given["at"], given["execution"]) for one in queues.get(own, ())
        ):
            self.violated(f"P3 {pool} went to {given['execution'][-4:]} before another one of its key")
        weights = {one["key"]: one["weight"] for one in self._pools[pool].values()}
        weights |= {key: line[0].attrs["weight"] for key, line in queues.items()}
        share = {key: size_of(pool) * weight / sum(weights.values()) for key, weight in weights.items()}
        had = held[own] - 1
        for key, line in queues.items():
            first = line[0].attrs
            if key == own or held[key] >= first["limit"]:
                continue
            least = 1 if given["weight"] == 1 and not self._is_child(given["execution"]) else 0  # of tenant t1
            if held[key] < first["min"] and had >= least:
                self.violated(f"P3 {pool} went to {given['execution'][-4:]} while a key is below its min")
            elif held[key] < share[key] and had >= share[own] and had >= least:
                self.violated(f"P3 {pool} went to {given['execution'][-4:]} while a key is below its share")

    def _is_child(self, execution: str) -> bool:
        """Whether somebody else has started it, so that it belongs to no tenant."""
        return execution not in self.world.record.started

    def _counted(self, pool: str) -> None:
        """P7 of one pool."""
        for item in self.keys(pool):
            line = self.rows(("pool-line", "default", pool, item.key.sort))
            if item.attrs["waiters"] != len(line) or not line or item.attrs["first"] != line[0].key.sort:
                self.violated(f"P7 {pool} counts {item.attrs['waiters']} in a line of {len(line)}")

    def is_held(self, key: str, execution: str, path: str) -> bool:
        if key not in self._pools:
            return super().is_held(key, execution, path)
        ends = [0, *(at for at, char in enumerate(path) if char in "/["), len(path)]
        return any(Holder(execution, path[:end], 0).id in self._pools[key] for end in ends)

    def asked(self, order: AcquireSlot, execution: str, answer: str) -> None:
        pool = order.slot.pool
        if pool is None:
            super().asked(order, execution, answer)
            return
        self.queued += answer == "queued"
        if answer == "granted":
            return
        lines = [one.attrs for line in self.queues(pool.name).values() for one in line]
        others = [one for one in lines if (one["execution"], one["path"]) != (execution, order.path)]
        live = [one for one in self._pools[pool.name].values() if self.is_live(one["execution"])]
        own = Bid(order.slot.key, Holder(execution, "", 0), 1, 1).key_id
        room = sum(one["key"] == own for one in live) < order.slot.limit and len(live) < pool.limit
        if room and not others:
            self.violated(f"P5 {execution[-4:]}:{order.path} was told {answer} though {pool.name} has room")

    def has_left(self, order: AcquireSlot, execution: str) -> bool:
        pool, slot = order.slot.pool, order.slot
        if pool is None:
            return super().has_left(order, execution)
        bid = Bid(slot.key, Holder(execution, order.path, slot.at), slot.limit, pool.limit)
        return self.world.store.get(SCOPE, Pool("default", pool.name).left(bid)) is not None

    def released(self, order: ReleaseSlot) -> None:
        """P8."""
        if order.slot.pool is None:
            return
        name = order.slot.pool.name
        held = Counter(one["key"] for one in self._pools[name].values())
        for key, line in self.queues(name).items():
            if len(self._pools[name]) < size_of(name) and held[key] < line[0].attrs["limit"]:
                self.violated(f"P8 {name} has room for {line[0].attrs['execution'][-4:]}, who waits")

    def left_over(self) -> Iterator[str]:
        yield from super().left_over()
        for pool, holders in self._pools.items():
            for name in holders:
                yield f"P4 {pool} is still held by {name[-20:]}"
            for item in self.keys(pool):
                yield f"P4 {item.attrs['key']} still waits for {pool}"


LINES = ("pool-line", "pool-keys")


def _key(op: Any) -> Any:
    return op.item.key if hasattr(op, "item") else op.key
