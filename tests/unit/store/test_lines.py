"""Lines of those who wait for a place: who should not stand there any more, and what changes while it is read."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.engine.breaker import Breaker
from millrace.ports.documents import Index, IndexKey, Item, Key, Page, Put, Range, Table, TenantScope, Update
from millrace.store import pools, slots
from millrace.store.breakers import Stored, breaker_write, read_breaker
from millrace.store.executions import actor_key, live_executions, new_actor
from millrace.store.pool_items import Bid, Head, Pool, PoolState, joined, read_entry, read_head, read_pool
from millrace.store.slots import Holder, Place

SCOPE = TenantScope("acme")
PLACE = Place("default", "k")
POOL = Pool("default", "gpu")


class Stale(MemoryDocuments):
    """Shows nobody in a line when it is read for the first time, as if it had just been empty, and notes what is
    asked for."""

    hidden = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def query(self, scope: TenantScope, table: Table, partition: Any, *, within: Range = Range(), **more: Any) -> Page:
        self.asked.append(partition[0])
        if self.hidden and partition[0] == "pool-line":
            self.hidden = False
            return Page(())
        return super().query(scope, table, partition, within=within, **more)


@pytest.fixture()
def documents() -> Stale:
    made = Stale()
    made.write(SCOPE, [new_actor(f"x{number}", 1) for number in range(6)])
    return made


def holder(number: int) -> Holder:
    return Holder(f"x{number}", "", number)


def bid(number: int, limit: int = 2) -> Bid:
    return Bid("k", Holder(f"x{number}", "task", number), limit, limit)


def stand(documents: MemoryDocuments, number: int) -> None:
    """Have somebody stand in both lines, whoever it is."""
    one = holder(number)
    attrs: dict[str, Any] = {"execution": one.execution, "path": one.path, "at": one.at, "limit": 2}
    documents.write(SCOPE, [Put(Item(Key(Table.HISTORY, PLACE.line, one.sort), attrs))])
    documents.write(
        SCOPE, joined(POOL, read_pool(documents, SCOPE, POOL, read_head(documents, SCOPE, POOL)), bid(number))
    )


def in_line(documents: MemoryDocuments) -> tuple[int, int]:
    """How many stand in the line of the key, and in that of the pool."""
    lines = (PLACE.line, POOL.line(bid(0).key_id))
    first, second = (len(documents.query(SCOPE, Table.HISTORY, line).rows) for line in lines)
    return first, second


def test_who_has_a_place_and_still_stands_in_line_makes_way_for_the_next(documents: Stale) -> None:
    assert "granted" == slots.take(documents, SCOPE, PLACE, holder(0), limit=2, wait=True, now=1)
    assert "granted" == pools.take(documents, SCOPE, POOL, bid(0), wait=True, now=1)
    for number in (0, 1):
        stand(documents, number)
    assert (2, 2) == in_line(documents)
    assert ["x1"] == slots.give(documents, SCOPE, PLACE, now=2) == pools.give(documents, SCOPE, POOL, now=2)
    assert (0, 0) == in_line(documents)
    assert {bid(0).holder.id, bid(1).holder.id} == set(read_head(documents, SCOPE, POOL).holders)


@pytest.mark.parametrize("state", ["done", "closing", "gone"])
def test_who_is_over_makes_way_for_the_next(documents: Stale, state: str) -> None:
    for number in (9 if state == "gone" else 0, 1):
        stand(documents, number)
    if state != "gone":
        documents.write(SCOPE, [Update(actor_key("x0"), set={state: True})])
    assert ["x1"] == slots.give(documents, SCOPE, PLACE, now=2) == pools.give(documents, SCOPE, POOL, now=2)
    assert (0, 0) == in_line(documents)


def test_who_has_left_gets_no_place_and_stands_in_no_line(documents: Stale) -> None:
    for number in (0, 1):
        assert "granted" == slots.take(documents, SCOPE, PLACE, holder(number), limit=2, wait=True, now=1)
        assert "granted" == pools.take(documents, SCOPE, POOL, bid(number), wait=True, now=1)
    assert (
        []
        == slots.leave(documents, SCOPE, PLACE, holder(2), now=2)
        == pools.leave(documents, SCOPE, POOL, bid(2), now=2)
    )
    assert "full" == slots.take(documents, SCOPE, PLACE, holder(2), limit=2, wait=True, now=3)
    assert "full" == pools.take(documents, SCOPE, POOL, bid(2), wait=True, now=3)
    assert (0, 0) == in_line(documents)


def test_a_line_that_has_changed_since_is_read_again_by_who_leaves_it_and_by_who_gives(documents: Stale) -> None:
    assert "granted" == pools.take(documents, SCOPE, POOL, bid(0, 1), wait=True, now=1)
    for number in (1, 2):
        assert "queued" == pools.take(documents, SCOPE, POOL, bid(number, 1), wait=True, now=1)
    documents.hidden = True
    assert [] == pools.leave(documents, SCOPE, POOL, bid(1, 1), now=2)
    entry = read_entry(documents, SCOPE, POOL, bid(2).key_id)
    assert entry is not None
    assert (False, 1, bid(2, 1).holder.sort) == (documents.hidden, entry.waiters, entry.first)
    documents.hidden = True
    assert ["x2"] == pools.leave(documents, SCOPE, POOL, bid(0, 1), now=3)
    assert (False, (0, 0)) == (documents.hidden, in_line(documents))


def test_whoever_gives_the_last_free_place_looks_no_further(documents: Stale) -> None:
    for number in (0, 1):
        assert "granted" == pools.take(documents, SCOPE, POOL, bid(number), wait=True, now=1)
    for number in (2, 3):
        assert "queued" == pools.take(documents, SCOPE, POOL, bid(number), wait=True, now=1)
    documents.asked.clear()
    assert ["x2"] == pools.leave(documents, SCOPE, POOL, bid(0), now=2)
    assert ["pool-keys", "pool-line"] == documents.asked


def test_keys_that_wait_are_all_known_however_many_there_are(documents: Stale) -> None:
    state = PoolState(Head(), {})
    for number in range(1_001):
        documents.write(SCOPE, joined(POOL, state, Bid(f"key {number}", holder(number), 1, 1)))
    assert 1_001 == len(read_pool(documents, SCOPE, POOL, Head()).waiting)


def test_live_executions_of_one_shard_are_all_found_however_many_there_are() -> None:
    documents = MemoryDocuments()
    for number in range(101):
        live = {Index.LIVE: IndexKey(("3",), f"{number:015d}#x{number}")}
        documents.write(SCOPE, [Update(actor_key(f"x{number}"), set={"generation": 1}, indexes=live)])
    assert [f"x{number}" for number in range(101)] == [name for _, name, _ in live_executions(documents, until=500)]


# every write over what was read counts by one, so that a version says how many there were


def head(documents: MemoryDocuments, key: Key) -> Any:
    item = documents.get(SCOPE, key)
    assert item is not None
    return item.attrs["version"], len(item.attrs["holders"])  # type: ignore[arg-type]


def test_those_who_hold_a_place_of_a_key_are_written_once_for_each_that_comes_or_goes(
    documents: MemoryDocuments,
) -> None:
    seen = []
    for number in range(3):
        assert "granted" == slots.take(documents, SCOPE, PLACE, holder(number), limit=3, wait=False, now=1)
        seen.append(head(documents, PLACE.head))
    assert "full" == slots.take(documents, SCOPE, PLACE, holder(3), limit=3, wait=False, now=1)
    for number in range(3):
        assert [] == slots.leave(documents, SCOPE, PLACE, holder(number), now=2)
        seen.append(head(documents, PLACE.head))
    assert [(1, 1), (2, 2), (3, 3), (4, 2), (5, 1), (6, 0)] == seen


def test_those_who_hold_a_place_of_a_pool_are_written_once_for_each_that_comes_or_goes(
    documents: MemoryDocuments,
) -> None:
    seen = []
    for number in range(2):
        assert "granted" == pools.take(documents, SCOPE, POOL, bid(number, 2), wait=False, now=1)
        seen.append(head(documents, POOL.head))
    for number in range(2):
        assert [] == pools.leave(documents, SCOPE, POOL, bid(number, 2), now=2)
        seen.append(head(documents, POOL.head))
    assert [(1, 1), (2, 2), (3, 1), (4, 0)] == seen


def test_a_key_that_waits_is_written_once_for_each_who_joins_or_leaves_its_line(documents: MemoryDocuments) -> None:
    def line() -> Any:
        found = read_entry(documents, SCOPE, POOL, bid(0, 1).key_id)
        return None if found is None else (found.version, found.waiters, found.first)

    assert "granted" == pools.take(documents, SCOPE, POOL, bid(0, 1), wait=True, now=1)
    seen = [line()]
    for number in (2, 3, 1):
        assert "queued" == pools.take(documents, SCOPE, POOL, bid(number, 1), wait=True, now=1)
        seen.append(line())
    for number in (3, 1, 2):
        assert [] == pools.leave(documents, SCOPE, POOL, bid(number, 1), now=2)
        seen.append(line())
    first, second = bid(2).holder.sort, bid(1).holder.sort
    assert [None, (1, 1, first), (2, 2, first), (3, 3, second), (4, 2, second), (5, 1, first), None] == seen


def test_a_breaker_is_written_over_what_was_read_from_its_first_version_on(documents: MemoryDocuments) -> None:
    before = Stored()
    for version in (1, 2, 3):
        documents.write(SCOPE, [breaker_write("default", "b", before, Breaker(version=version))])
        before = read_breaker(documents, SCOPE, "default", "b")
        assert version == before.breaker.version


def test_who_stands_in_line_and_takes_a_place_stands_there_no_more(documents: MemoryDocuments) -> None:
    assert "granted" == slots.take(documents, SCOPE, PLACE, holder(0), limit=1, wait=True, now=1)
    assert "queued" == slots.take(documents, SCOPE, PLACE, holder(1), limit=1, wait=True, now=1)
    assert 1 == len(documents.query(SCOPE, Table.HISTORY, PLACE.line).rows)
    assert "granted" == slots.take(documents, SCOPE, PLACE, holder(1), limit=2, wait=True, now=2)
    assert ((), (2, 2)) == (documents.query(SCOPE, Table.HISTORY, PLACE.line).rows, head(documents, PLACE.head))
