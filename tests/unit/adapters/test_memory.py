"""What only the memory adapters do: lagging indexes, copies for crash tests, counts."""

from __future__ import annotations

from millrace.adapters.memory import ManualClock, MemoryBlobs, MemoryDocuments, SeededRandom
from millrace.base.errors import ConditionRefused
from millrace.ports.documents import ABSENT, Delete, Index, IndexKey, Range, Table, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put, sorts

SCOPE = TenantScope("t")
LISTED = {Index.LIST: IndexKey(("p",), "s")}


def listed(documents: MemoryDocuments) -> list[str]:
    return sorts(documents.query_index(SCOPE, Table.HISTORY, Index.LIST, ("p",)))


def test_an_index_that_lags_by_two_writes_shows_the_state_before_them() -> None:
    documents = MemoryDocuments(index_lag=2)
    for sort in "abc":
        documents.batch_put(SCOPE, [item(sort, {"n": 1}, indexes=LISTED)])
    assert ["a"] == listed(documents)
    assert ["a", "b", "c"] == sorts(documents.query(SCOPE, Table.HISTORY, ("thing",)))
    documents.write(SCOPE, [Update(key("a"), add={"n": 1})])
    assert ["a", "b"] == listed(documents)
    page = documents.query_index(SCOPE, Table.HISTORY, Index.LIST, ("p",))
    assert 1 == page.rows[0].item.attrs["n"]
    documents.index_lag = 0
    assert ["a", "b", "c"] == listed(documents)
    assert {"n": 2} == attrs(documents, SCOPE, key("a"))


def test_a_lag_may_be_asked_of_a_function_at_every_read() -> None:
    lags = iter([1, 0])
    documents = MemoryDocuments(index_lag=lambda: next(lags))
    documents.batch_put(SCOPE, [item("a", indexes=LISTED)])
    assert [] == listed(documents)
    assert ["a"] == listed(documents)


def test_an_index_lags_by_a_thousand_writes_at_most() -> None:
    documents = MemoryDocuments(index_lag=5000)
    documents.batch_put(SCOPE, [item(f"{number:04}", indexes=LISTED) for number in range(1003)])
    assert ["0000", "0001", "0002"] == listed(documents)


def test_an_index_once_seen_never_goes_back() -> None:
    documents = MemoryDocuments()
    documents.batch_put(SCOPE, [item("a", indexes=LISTED)])
    assert ["a"] == listed(documents)
    documents.index_lag = 5
    assert ["a"] == listed(documents)
    documents.write(SCOPE, [Delete(key("a"))])
    assert ["a"] == listed(documents)


def test_a_clone_and_its_origin_go_separate_ways() -> None:
    documents = MemoryDocuments()
    documents.batch_put(SCOPE, [item("a", {"n": 1}, indexes=LISTED, feed=True)])
    copy = documents.clone()
    documents.write(SCOPE, [Update(key("a"), add={"n": 1})])
    copy.batch_put(SCOPE, [item("b", indexes=LISTED)])
    assert ({"n": 2}, {"n": 1}) == (attrs(documents, SCOPE, key("a")), attrs(copy, SCOPE, key("a")))
    assert (["a"], ["a", "b"]) == (listed(documents), listed(copy))
    assert (2, 1) == (len(documents.feed.read(after=0)), len(copy.feed.read(after=0)))


def test_restoring_a_clone_undoes_everything_since() -> None:
    documents = MemoryDocuments(index_lag=1)
    documents.batch_put(SCOPE, [item("a", {"n": 1}, indexes=LISTED, feed=True)])
    before = documents.clone()
    documents.write(SCOPE, [Delete(key("a")), put("b")])
    assert ["a"] == listed(documents)
    documents.restore(before)
    assert {"n": 1} == attrs(documents, SCOPE, key("a"))
    assert documents.get(SCOPE, key("b")) is None
    assert [] == listed(documents)
    documents.index_lag = 0
    assert ["a"] == listed(documents)
    assert 1 == documents.writes


def test_writes_operations_and_refusals_are_counted() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [put("a"), put("b")])
    documents.add(SCOPE, key("c"), {"n": 1})
    assert isinstance(documents.submit(SCOPE, [put("a", {}, *ABSENT)]).exception(), ConditionRefused)
    assert (2, 3, 1) == (documents.writes, documents.operations, documents.refusals)


def test_sweeping_removes_expired_items_and_their_entries_and_closing_keeps_the_rest() -> None:
    documents = MemoryDocuments()
    documents.batch_put(SCOPE, [item(f"{n}", indexes=LISTED, expires_at=n) for n in range(4)] + [item("x")])
    assert 3 == documents.sweep(2)
    assert 0 == documents.sweep(2)
    documents.close()
    assert ["3", "x"] == sorts(documents.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=9)))
    assert ["3"] == listed(documents)


def test_blobs_are_cloned_and_restored_too() -> None:
    blobs = MemoryBlobs()
    blobs.put(SCOPE, ("a",), b"1")
    before = blobs.clone()
    blobs.put(SCOPE, ("a",), b"2")
    assert (b"2", b"1", 2, 1) == (blobs.get(SCOPE, ("a",)), before.get(SCOPE, ("a",)), blobs.puts, before.puts)
    blobs.restore(before)
    assert (b"1", 1) == (blobs.get(SCOPE, ("a",)), blobs.puts)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(1000)
    clock.advance(5)
    assert (1005, 1005) == (clock.now(), clock.now())
    clock.set(3)
    assert 3 == clock.now()


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, two, other = SeededRandom(7), SeededRandom(7), SeededRandom(8)
    drawn = [(one.uniform(), one.bits(70)) for _ in range(5)]
    assert drawn == [(two.uniform(), two.bits(70)) for _ in range(5)]
    assert drawn != [(other.uniform(), other.bits(70)) for _ in range(5)]
    assert all(0 <= number < 1 for number, _ in drawn)
