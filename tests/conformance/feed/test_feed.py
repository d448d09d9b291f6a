"""One suite over every adapter of Feed that can be read in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.sqlite import SqliteDocuments, SqliteFeed
from millrace.base.errors import ConditionRefused
from millrace.ports.documents import ABSENT, Delete, Documents, Put, TenantScope, Update
from millrace.ports.feed import Feed
from tests.conformance.documents.builders import item, key

MINE, THEIRS = TenantScope("mine"), TenantScope("theirs")


@pytest.fixture(params=["memory", "sqlite"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Documents, Feed]]:
    if request.param == "memory":
        documents = MemoryDocuments()
        yield documents, documents.feed
    else:
        store = SqliteDocuments(tmp_path, synchronous="NORMAL")
        yield store, SqliteFeed(store)
        store.close()


def seen(feed: Feed, after: int = 0, limit: int = 100) -> list[tuple[str, str, object]]:
    return [(one.tenant, one.item.key.sort, one.item.attrs.get("n")) for one in feed.read(after=after, limit=limit)]


def test_marked_items_come_in_the_order_they_were_committed(pair) -> None:
    documents, feed = pair
    for number in range(5):
        documents.write(MINE, [Put(item(f"{9 - number}", {"n": number}, feed=True))])
    documents.write(THEIRS, [Put(item("a", {"n": 5}, feed=True)), Put(item("b", {"n": 6}, feed=True))])
    documents.batch_put(MINE, [item("c", {"n": 7}, feed=True)])
    assert [0, 1, 2, 3, 4, 5, 6, 7] == [number for _, _, number in seen(feed)]
    assert ["mine"] * 5 + ["theirs"] * 2 + ["mine"] == [tenant for tenant, _, _ in seen(feed)]


def test_a_record_holds_the_item_as_it_was_at_that_write(pair) -> None:
    documents, feed = pair
    whole = item("a", {"n": 1, "body": b"\0\xff", "l": [1]}, feed=True, expires_at=7)
    documents.write(MINE, [Put(whole)])
    documents.write(MINE, [Update(key("a"), add={"n": 1})])
    documents.write(MINE, [Delete(key("a"))])
    assert [("mine", "a", 1), ("mine", "a", 2)] == seen(feed)
    assert whole == feed.read(after=0)[0].item


def test_unmarked_items_refused_writes_and_requirements_leave_no_record(pair) -> None:
    documents, feed = pair
    documents.write(MINE, [Put(item("plain", {"n": 1}))])
    documents.write(MINE, [Put(item("a", {"n": 1}, feed=True))])
    for _ in range(2):
        with pytest.raises(ConditionRefused):
            documents.write(MINE, [Put(item("b", {}, feed=True)), Put(item("a", {}, feed=True), ABSENT)])
    assert [("mine", "a", 1)] == seen(feed)


def test_reading_goes_on_after_a_checkpoint_and_repeats_without_one(pair) -> None:
    documents, feed = pair
    for number in range(7):
        documents.write(MINE, [Put(item("a", {"n": number}, feed=True))])
    first = feed.read(after=0, limit=3)
    assert [0, 1, 2] == [one.item.attrs["n"] for one in first]
    assert seen(feed, limit=3) == seen(feed, limit=3)
    assert [3, 4, 5, 6] == [number for _, _, number in seen(feed, after=first[-1].sequence)]


def test_a_trimmed_record_is_gone_and_sequences_never_start_again(pair) -> None:
    documents, feed = pair
    for number in range(3):
        documents.write(MINE, [Put(item("a", {"n": number}, feed=True))])
    records = feed.read(after=0)
    feed.trim(through=records[1].sequence)
    assert [2] == [number for _, _, number in seen(feed)]
    feed.trim(through=records[2].sequence)
    documents.write(MINE, [Put(item("a", {"n": 3}, feed=True))])
    assert [3] == [number for _, _, number in seen(feed, after=records[2].sequence)]


def test_what_a_reader_changes_does_not_change_the_record(pair) -> None:
    documents, feed = pair
    documents.write(MINE, [Put(item("a", {"l": [1]}, feed=True))])
    feed.read(after=0)[0].item.attrs["l"].append(2)
    assert [1] == feed.read(after=0)[0].item.attrs["l"]
