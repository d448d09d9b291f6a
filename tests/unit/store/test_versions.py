"""What is written over what was read: every write counts by one, so that a version says how many there were."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.engine.breaker import Breaker
from millrace.ports.documents import Key, Table, TenantScope
from millrace.store.breakers import Stored, breaker_write, read_breaker
from millrace.store.executions import new_actor
from millrace.store.pool_items import Bid, Pool, read_entry
from millrace.store.pools import leave as leave_pool
from millrace.store.pools import take as take_pool
from millrace.store.slots import Holder, Place, leave, take

SCOPE = TenantScope("acme")
PLACE = Place("default", "k")
POOL = Pool("default", "gpu")


@pytest.fixture()
def documents() -> MemoryDocuments:
    made = MemoryDocuments()
    made.write(SCOPE, [new_actor(f"x{number}", 1) for number in range(6)])
    return made


def holder(number: int) -> Holder:
    return Holder(f"x{number}", "", number)


def bid(number: int, *, limit: int = 1) -> Bid:
    return Bid("k", holder(number), limit, limit)


def head(documents: MemoryDocuments, key: Key) -> Any:
    item = documents.get(SCOPE, key)
    assert item is not None
    return item.attrs["version"], len(item.attrs["holders"])  # type: ignore[arg-type]


def test_those_who_hold_a_place_of_a_key_are_written_once_for_each_that_comes_or_goes(
    documents: MemoryDocuments,
) -> None:
    seen = []
    for number in range(3):
        assert "granted" == take(documents, SCOPE, PLACE, holder(number), limit=3, wait=False, now=1)
        seen.append(head(documents, PLACE.head))
    assert "full" == take(documents, SCOPE, PLACE, holder(3), limit=3, wait=False, now=1)
    for number in range(3):
        assert [] == leave(documents, SCOPE, PLACE, holder(number), now=2)
        seen.append(head(documents, PLACE.head))
    assert [(1, 1), (2, 2), (3, 3), (4, 2), (5, 1), (6, 0)] == seen


def test_those_who_hold_a_place_of_a_pool_are_written_once_for_each_that_comes_or_goes(
    documents: MemoryDocuments,
) -> None:
    seen = []
    for number in range(2):
        assert "granted" == take_pool(documents, SCOPE, POOL, bid(number, limit=2), wait=False, now=1)
        seen.append(head(documents, POOL.head))
    for number in range(2):
        assert [] == leave_pool(documents, SCOPE, POOL, bid(number, limit=2), now=2)
        seen.append(head(documents, POOL.head))
    assert [(1, 1), (2, 2), (3, 1), (4, 0)] == seen


def test_a_key_that_waits_is_written_once_for_each_who_joins_or_leaves_its_line(documents: MemoryDocuments) -> None:
    def line() -> Any:
        found = read_entry(documents, SCOPE, POOL, bid(0).key_id)
        return None if found is None else (found.version, found.waiters, found.first)

    assert "granted" == take_pool(documents, SCOPE, POOL, bid(0), wait=True, now=1)
    seen = [line()]
    for number in (2, 3, 1):
        assert "queued" == take_pool(documents, SCOPE, POOL, bid(number), wait=True, now=1)
        seen.append(line())
    for number in (3, 1, 2):
        assert [] == leave_pool(documents, SCOPE, POOL, bid(number), now=2)
        seen.append(line())
    first, second = holder(2).sort, holder(1).sort
    assert [None, (1, 1, first), (2, 2, first), (3, 3, second), (4, 2, second), (5, 1, first), None] == seen


def test_a_breaker_is_written_over_what_was_read_from_its_first_version_on(documents: MemoryDocuments) -> None:
    before = Stored()
    for version in (1, 2, 3):
        documents.write(SCOPE, [breaker_write("default", "b", before, Breaker(version=version))])
        before = read_breaker(documents, SCOPE, "default", "b")
        assert version == before.breaker.version


def test_who_stands_in_line_and_takes_a_place_stands_there_no_more(documents: MemoryDocuments) -> None:
    assert "granted" == take(documents, SCOPE, PLACE, holder(0), limit=1, wait=True, now=1)
    assert "queued" == take(documents, SCOPE, PLACE, holder(1), limit=1, wait=True, now=1)
    assert 1 == len(documents.query(SCOPE, Table.HISTORY, PLACE.line).rows)
    assert "granted" == take(documents, SCOPE, PLACE, holder(1), limit=2, wait=True, now=2)
    assert ((), (2, 2)) == (documents.query(SCOPE, Table.HISTORY, PLACE.line).rows, head(documents, PLACE.head))
