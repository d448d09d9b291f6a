"""The loop hands every record over at least once, in order, and forgets nothing over a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from millrace.adapters.feed_loop import BATCH, FeedLoop
from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.sqlite import SqliteDocuments, SqliteFeed
from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import Documents, Item, Key, Put, Table, TenantScope
from millrace.ports.feed import Feed, FeedRecord
from millrace.services.project_statistics import StatisticsProjector
from millrace.store.statistics import read_checkpoint
from tests.unit.statistics.histories import append, attempt, ended, finished, started, stored

MINE = TenantScope("acme")


def item(number: int) -> Item:
    return Item(Key(Table.HISTORY, ("x",), f"{number:09d}"), {"n": number}, feed=True)


@pytest.fixture(params=["memory", "sqlite"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Documents, Feed]]:
    if request.param == "memory":
        documents = MemoryDocuments()
        yield documents, documents.feed
    else:
        store = SqliteDocuments(tmp_path, synchronous="NORMAL")
        yield store, SqliteFeed(store)
        store.close()


class Noting:
    """Notes the numbers it is given; fails as often as it is told to, after noting."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.numbers: list[object] = []
        self.enough = threading.Event()
        self.wanted = 0

    def __call__(self, records: Sequence[FeedRecord]) -> None:
        self.numbers += [record.item.attrs["n"] for record in records]
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        if len(self.numbers) >= self.wanted:
            self.enough.set()


def test_a_look_hands_over_and_remembers_and_the_next_one_goes_on(pair) -> None:
    documents, feed = pair
    seen = Noting()
    loop = FeedLoop(feed, documents, seen, name="c")
    documents.write(MINE, [Put(item(1)), Put(item(2))])
    assert (False, False) == (loop.look(), loop.look())
    documents.write(MINE, [Put(item(3))])
    FeedLoop(feed, documents, seen, name="c").look()
    assert [1, 2, 3] == seen.numbers
    assert 3 == read_checkpoint(documents, "c")
    assert [] == list(feed.read(after=0))


def test_a_full_batch_says_that_there_may_be_more(pair) -> None:
    documents, feed = pair
    documents.batch_put(MINE, [item(number) for number in range(BATCH + 1)])
    loop = FeedLoop(feed, documents, Noting(), name="c")
    assert [True, False] == [loop.look(), loop.look()]


def test_a_consumer_that_fails_gets_the_same_records_again(pair) -> None:
    documents, feed = pair
    documents.write(MINE, [Put(item(1))])
    seen = Noting(failures=1)
    loop = FeedLoop(feed, documents, seen, name="c")
    with pytest.raises(StoreUnavailable):
        loop.look()
    assert 0 == read_checkpoint(documents, "c")
    loop.look()
    assert [1, 1] == seen.numbers


def test_the_thread_goes_on_after_a_failure_and_ends_when_told(pair, caplog: pytest.LogCaptureFixture) -> None:
    documents, feed = pair
    caplog.set_level("CRITICAL", logger="millrace.feed")
    seen = Noting(failures=2)
    seen.wanted = 3
    loop = FeedLoop(feed, documents, seen, name="c", interval=0.001)
    loop.start()
    documents.write(MINE, [Put(item(7))])
    assert seen.enough.wait(30)
    loop.stop()
    assert {7} == set(seen.numbers)
    assert "millrace-feed-c" not in {thread.name for thread in threading.enumerate()}


def test_a_loop_that_never_ran_stops_at_once() -> None:
    documents = MemoryDocuments()
    FeedLoop(documents.feed, documents, Noting(), name="c").stop()
    assert 0 == read_checkpoint(documents, "c")


def test_statistics_come_out_of_the_loop_on_either_store(pair) -> None:
    documents, feed = pair
    loop = FeedLoop(feed, documents, StatisticsProjector(documents), name="statistics")
    append(documents, [[started(1), attempt("a", 1)], [ended("a", 3), finished(4)]])
    loop.look()
    assert {"": 1, "a": 1} == {cell.task: tally.count for cell, tally in stored(documents).items()}
