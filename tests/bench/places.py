"""What a place under a concurrency key, or of a pool, costs a task: taking it and giving it up alone, passed on to the
next, and around whole executions.

The floor of the first is the least that two exclusive writes can be: two conditional updates of one item in the same
store, each awaited. The floor of the second is the same execution without keys.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.sqlite import SqliteDocuments
from millrace.engine.plan import Plan, SlotPlan
from millrace.expr import Scope, compile_template
from millrace.ports.documents import Check, Documents, Item, Key, Put, Table, TenantScope, Update
from millrace.store import pools
from millrace.store.executions import new_actor
from millrace.store.pool_items import Bid, Pool
from millrace.store.slots import Holder, Place, leave, take

from .graphs import fan_out, make_plan
from .local import Bench

SCOPE = TenantScope("bench")
COUNT = 100
_NUMBERS = count()
FLOOR = Key(Table.HISTORY, ("floor",), "one")


def rows() -> list[dict[str, Any]]:
    memory = MemoryDocuments()
    out = [_alone("memory", memory), _of_pool("memory", memory)]
    with tempfile.TemporaryDirectory() as name:
        documents = SqliteDocuments(Path(name), synchronous="NORMAL")
        try:
            out += [_alone("SQLite, NORMAL", documents), _of_pool("SQLite, NORMAL", documents), _passed_on(documents)]
        finally:
            documents.close()
    return [*out, _around()]


def _alone(store: str, documents: Documents) -> dict[str, Any]:
    documents.write(SCOPE, [Put(Item(FLOOR, {"held": 0}))])
    floor, found = _best(lambda: _two_writes(documents)), _best(lambda: _lease(documents))
    return {
        "name": f"take and leave a free place ({store})",
        "us": found * 1e6,
        "floor": "two conditional updates of one item",
        "floor_us": floor * 1e6,
        "ratio": found / floor,
    }


def _best(act: Callable[[], None]) -> float:
    """Seconds of one call, in the best of five rounds."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(COUNT):
            act()
        found.append((time.perf_counter() - began) / COUNT)
    return min(found)


def _lease(documents: Documents) -> None:
    place, holder = Place("default", "db"), Holder("e", f"task-{next(_NUMBERS)}", 1)  # who has left never comes back
    assert take(documents, SCOPE, place, holder, limit=1, wait=True, now=1) == "granted"
    leave(documents, SCOPE, place, holder, now=2)


def _of_pool(store: str, documents: Documents) -> dict[str, Any]:
    floor, found = _best(lambda: _lease(documents)), _best(lambda: _pool_lease(documents))
    return {
        "name": f"take and leave a free place of a pool ({store})",
        "us": found * 1e6,
        "floor": "the same under a key alone",
        "floor_us": floor * 1e6,
        "ratio": found / floor,
    }


def _pool_lease(documents: Documents) -> None:
    bid = Bid("acme", Holder("e", f"task-{next(_NUMBERS)}", 1), limit=1, size=1)
    assert pools.take(documents, SCOPE, Pool("default", "gpu"), bid, wait=True, now=1) == "granted"
    pools.leave(documents, SCOPE, Pool("default", "gpu"), bid, now=2)


def _passed_on(documents: Documents) -> dict[str, Any]:
    """Passing a place on from one to the next among twenty keys, one of which has enqueued a thousand."""
    floor, found = _chain(documents, "few", 6), _chain(documents, "many", 1000)
    return {
        "name": "pass a place on among 20 keys, one with 1,000 in line (SQLite, NORMAL)",
        "us": found * 1e6,
        "floor": "the same, none with more than six",
        "floor_us": floor * 1e6,
        "ratio": found / floor,
    }


def _chain(documents: Documents, name: str, most: int) -> float:
    """Seconds of each of twenty places given after one another, in the best of five rounds."""
    pool = Pool("default", name)
    bids: dict[str, Bid] = {}
    for number in range(20 * 6 + most - 6):
        key = f"k{number % 20}" if number < 20 * 6 else "k0"
        bids[f"{name}-{number}"] = Bid(key, Holder(f"{name}-{number}", "", number), limit=9, size=1)
    for execution, bid in bids.items():
        documents.write(SCOPE, [new_actor(execution, 1)])
        pools.take(documents, SCOPE, pool, bid, wait=True, now=1)
    held, found = f"{name}-0", []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(20):
            (held,) = pools.leave(documents, SCOPE, pool, bids[held], now=2)
        found.append((time.perf_counter() - began) / 20)
    return min(found)


def _two_writes(documents: Documents) -> None:
    for before, after in ((0, 1), (1, 0)):
        documents.write(SCOPE, [Update(FLOOR, set={"held": after}, when=(Check("eq", "held", before),))])


def _around() -> dict[str, Any]:
    plain = make_plan(fan_out(COUNT))
    slot = SlotPlan(compile_template("db", scope=Scope(frozenset())), limit=COUNT)
    keyed = replace(plain, nodes=tuple(replace(node, slot=slot) for node in plain.nodes), slots=True)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), synchronous="NORMAL")
        try:
            floor, found = _run(bench, plain, "plain"), _run(bench, keyed, "keyed")
        finally:
            bench.close()
    return {
        "name": f"fan-out {COUNT}, each task with a place under one key",
        "us": found * 1e6,
        "floor": "the same without",
        "floor_us": floor * 1e6,
        "ratio": found / floor,
    }


def _run(bench: Bench, plan: Plan, name: str) -> float:
    """Seconds per task, the best of three executions after one to warm up."""
    bench.run(plan, f"{name} warm")
    return min(bench.run(plan, f"{name} {number}") for number in range(3)) / len(plan.nodes)


if __name__ == "__main__":
    for row in rows():
        print(row)
