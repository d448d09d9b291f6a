"""What is counted is the log, once: however the feed delivers it and wherever the consumer stops."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable
from millrace.base.limits import TRANSACTION_OPS
from millrace.engine import events as ev
from millrace.ports.documents import Item, Key, Op, Put, Table, TenantScope
from millrace.services.project_statistics import REMEMBERED, TRIES, StatisticsProjector, task_of
from millrace.store.histogram import bucket
from millrace.store.runlog import Stamp, segment_key, segment_puts
from millrace.store.statistics import UPDATES, Cell, Mark, Tally, mark_key, mark_of, step
from tests.unit.statistics.histories import (
    MINUTE,
    START,
    TENANT,
    append,
    attempt,
    ended,
    execution_of,
    finished,
    started,
    stored,
)

Log = list[list[ev.Event]]


def cell(task: str, minute: int = MINUTE, *, version: str = "1.0.0") -> Cell:
    return Cell("default", "shop", minute, version, task)


def once(duration: int, **more: int) -> Tally:
    return Tally(count=1, sum_ms=duration, durations=Counter([bucket(duration)]), **more)


def counted(documents: MemoryDocuments, *logs: Log) -> dict[Cell, Tally]:
    for log in logs:
        append(documents, log)
    StatisticsProjector(documents)(documents.feed.read(after=0, limit=10_000))
    return stored(documents)


class Died(BaseException):
    """The process ended here."""


class Failing(MemoryDocuments):
    """Does to the writes submitted what ``faults`` says, one fault a write, then works."""

    def __init__(self, faults: Sequence[str] = ()) -> None:
        super().__init__()
        self.faults = list(faults)

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        fault = self.faults.pop(0) if self.faults else "none"
        failed: Future[None] = Future()
        if fault == "die before":
            raise Died
        if fault == "away":
            failed.set_exception(StoreUnavailable("away"))
            return failed
        if fault == "unknown before":
            failed.set_exception(OutcomeUnknown("perhaps"))
            return failed
        done = super().submit(scope, ops)
        if fault == "die after":
            raise Died
        if fault == "unknown after":
            failed.set_exception(OutcomeUnknown("perhaps"))
            return failed
        return done


def test_a_task_lasts_from_its_first_attempt_to_its_end() -> None:
    log: Log = [
        [started(1), attempt("pay", 5)],
        [attempt("pay", 400, 2)],
        [ended("pay", 905, "failed"), finished(1000, "failed")],
    ]
    assert {
        cell("pay"): once(900, failures=1, attempts=2),
        cell(""): once(1000, failures=1),
    } == counted(MemoryDocuments(), log)


def test_a_pure_task_lasts_from_when_it_was_ready() -> None:
    assert once(30) == counted(MemoryDocuments(), [[started(1), ended("shape", 40, ready_at=10)]])[cell("shape")]


def test_skips_and_cancellations_have_their_own_counts() -> None:
    log: Log = [
        [started(1), ended("a", 1, "skipped"), ended("b", 2, "cancelled", ready_at=1), finished(9, "timedOut")],
    ]
    assert {cell("a"): Tally(skipped=1), cell("b"): once(1, cancelled=1), cell(""): once(9, failures=1)} == counted(
        MemoryDocuments(), log
    )


def test_ends_count_in_their_own_minute_and_version() -> None:
    late = [[started(1), attempt("pay", 59_000)], [ended("pay", 61_000)]]
    other = [[started(2, version="2.0.0"), ended("pay", 0)]]
    assert {
        cell("pay"): Tally(attempts=1),
        cell("pay", MINUTE + 1): once(2_000),
        cell("pay", version="2.0.0"): once(0),
    } == counted(MemoryDocuments(), late, other)


def test_instances_of_a_task_are_counted_together() -> None:
    log: Log = [[started(1), ended("loop[0]/ship", 1), ended("loop[17]/ship", 1)]]
    assert 2 == counted(MemoryDocuments(), log)[cell("loop[]/ship")].count
    assert "gen[]/x[]/y" == task_of("gen[2]/x[10]/y")


def test_what_follows_an_end_in_the_log_changes_nothing() -> None:
    log: Log = [
        [started(1), ended("a", 1), finished(2)],
        [attempt("a", 3), ended("a", 4, "failed"), finished(5, "failed")],
    ]
    assert {cell("a"): once(0), cell(""): once(2)} == counted(MemoryDocuments(), log)


def test_executions_that_are_not_live_do_not_count() -> None:
    assert {} == counted(MemoryDocuments(), [[started(1, mode="replay"), ended("a", 1), finished(2)]])


def test_a_second_look_counts_only_what_is_new_with_durations_over_both() -> None:
    documents = MemoryDocuments()
    project = StatisticsProjector(documents)
    log: Log = [[started(1), attempt("a", 10)], [ended("a", 30)]]
    append(documents, log)
    first, second = documents.feed.read(after=0)
    project([first])
    project([second])
    assert {cell("a"): once(20, attempts=1)} == stored(documents)


def test_definition_writes_and_items_of_other_kinds_are_left_alone() -> None:
    documents = MemoryDocuments()
    for table, partition in ((Table.DEFINITIONS, ("log", "x", "0")), (Table.HISTORY, ("execution", "x"))):
        documents.write(TENANT, [Put(Item(Key(table, partition, "r1"), {"body": b"?"}, feed=True))])
    before = documents.writes
    StatisticsProjector(documents)(documents.feed.read(after=0))
    assert before == documents.writes


def test_a_log_that_cannot_be_read_is_left_and_the_others_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    documents = MemoryDocuments()
    for execution, body in (("broken", b"{"), ("headless", None)):
        item = Item(segment_key(execution, 0), {"body": body} if body else {}, feed=True)
        documents.write(TENANT, [Put(item)])
    for execution, first in (("gap", 7), ("no-start", 0)):
        for put in segment_puts(execution, first, [ended("a", 1)], Stamp("me", "w")):
            documents.write(TENANT, [put])
    with caplog.at_level(logging.CRITICAL, logger="millrace.statistics"):
        assert {cell("a"): once(0)} == counted(documents, [[started(1), ended("a", 1)]])


def test_a_log_that_was_erased_meanwhile_is_left() -> None:
    documents = MemoryDocuments()
    append(documents, [[started(1)], [ended("a", 1)]])
    records = documents.feed.read(after=0)
    gone = MemoryDocuments()
    StatisticsProjector(gone)(records[1:])
    assert {} == stored(gone)


def test_a_stream_of_its_own_is_counted_for_the_workflow_of_the_root() -> None:
    documents = MemoryDocuments()
    log: Log = [[started(1), attempt("each", 0)]]
    append(documents, log)
    for put in segment_puts(
        execution_of(log), 0, [ended("each[3]/ship", 5, ready_at=1)], Stamp("me", "w"), stream="b1"
    ):
        documents.write(TENANT, [put])
    assert {cell("each"): Tally(attempts=1), cell("each[]/ship"): once(4)} == counted(documents)


@pytest.mark.parametrize("tasks", [UPDATES, UPDATES + 1, 3 * UPDATES, 200])
def test_a_segment_of_any_size_is_counted(tasks: int) -> None:
    paths = [f"t{number}" for number in range(tasks)]
    log: Log = [
        [started(1)],
        [attempt("first", 0)],
        [ended(path, 7, ready_at=1) for path in paths],
        [ended("first", 8), finished(9)],
    ]
    found = counted(MemoryDocuments(), log)
    assert {cell(path): once(6) for path in paths} == {key: value for key, value in found.items() if key[4][:1] == "t"}
    assert (once(8, attempts=1), once(9)) == (found[cell("first")], found[cell("")])


def test_more_streams_than_are_remembered_are_counted_over_two_looks() -> None:
    documents = MemoryDocuments()
    project = StatisticsProjector(documents)
    logs: list[Log] = [[[started(n), attempt("a", 1)], [ended("a", 3)]] for n in range(REMEMBERED + 3)]
    for log in logs:
        append(documents, log)
    records = documents.feed.read(after=0, limit=10_000)
    project(records[::2])
    project(records[1::2])
    durations = Counter({bucket(2): len(logs)})
    assert {cell("a"): Tally(len(logs), attempts=len(logs), sum_ms=2 * len(logs), durations=durations)} == stored(
        documents
    )


def test_tenants_are_counted_apart() -> None:
    documents = MemoryDocuments()
    append(documents, [[started(1), ended("a", 1)]])
    append(documents, [[started(1), ended("b", 1)]], scope=TenantScope("other"))
    assert [cell("a")] == list(counted(documents))
    assert [cell("b")] == list(stored(documents, scope=TenantScope("other")))


class Rival(MemoryDocuments):
    """Lets another consumer count the first ``ahead`` records just before the first write."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        self._ahead = ahead

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        ahead, self._ahead = self._ahead, 0
        if ahead:
            StatisticsProjector(self)(self.feed.read(after=0, limit=ahead))
        return super().submit(scope, ops)


def test_a_mark_that_somebody_else_moved_is_read_again() -> None:
    assert {cell("a"): once(0)} == counted(Rival(100), [[started(1), ended("a", 1)]])


def test_executions_that_grow_the_same_cells_share_a_transaction() -> None:
    class Noting(MemoryDocuments):
        def __init__(self) -> None:
            super().__init__()
            self.lists: list[int] = []

        def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
            self.lists.append(len(ops))
            return super().submit(scope, ops)

    documents = Noting()
    count = 2 * (TRANSACTION_OPS - 2) + 1
    logs: list[Log] = [[[started(n), ended("a", 2), finished(3)]] for n in range(count)]
    found = counted(documents, *logs)
    assert {
        cell("a"): Tally(count, durations=Counter({bucket(0): count})),
        cell(""): Tally(count, sum_ms=3 * count, durations=Counter({bucket(3): count})),
    } == found
    assert [TRANSACTION_OPS, TRANSACTION_OPS, 3] == documents.lists


def test_one_mark_that_was_moved_does_not_keep_others_from_being_counted() -> None:
    logs: list[Log] = [[[started(n), ended("a", 1)]] for n in range(5)]
    assert {cell("a"): Tally(5, durations=Counter({bucket(0): 5}))} == counted(Rival(1), *logs)


def test_a_store_that_never_says_what_it_did_is_given_up_after_some_tries() -> None:
    documents = Failing(["unknown before"] * TRIES)
    append(documents, [[started(1), ended("a", 1)]])
    documents.faults = ["unknown before"] * TRIES
    with pytest.raises(OutcomeUnknown):
        StatisticsProjector(documents)(documents.feed.read(after=0))
    assert [] == documents.faults


def test_a_step_is_refused_when_the_mark_is_elsewhere() -> None:
    documents = MemoryDocuments()
    documents.write(TENANT, step("x", "0", Mark(), Mark(3, 2), []))
    assert Mark(3, 2) == mark_of(documents.get(TENANT, mark_key("x", "0")))
    for wrong in (Mark(), Mark(3, 1), Mark(2, 2)):
        with pytest.raises(ConditionRefused):
            documents.write(TENANT, step("x", "0", wrong, Mark(9), []))


PATHS = st.sampled_from([f"t{number}" for number in range(4)])
EVENT = st.one_of(
    st.builds(attempt, PATHS, st.integers(0, 200_000), st.integers(1, 3)),
    st.builds(ended, PATHS, st.integers(0, 200_000), st.sampled_from(["succeeded", "failed", "skipped", "cancelled"])),
)
WIDE = st.integers(UPDATES - 2, 2 * UPDATES + 3).map(lambda width: [ended(f"w{n}", n) for n in range(width)])
SEGMENT = st.one_of(st.lists(EVENT, min_size=1, max_size=4), WIDE)
FAULTS = st.lists(
    st.sampled_from(["none", "none", "away", "unknown before", "unknown after", "die before", "die after"]), max_size=12
)


def naive(logs: Sequence[Log]) -> dict[Cell, Tally]:
    """The counts by the plainest reading of the logs."""
    out: dict[Cell, Tally] = {}
    for log in logs:
        begun: dict[str, int] = {}
        done: set[str] = set()
        for event in [event for segment in log for event in segment]:
            path: Any = getattr(event, "path", None)
            if path is None or path in done:
                continue
            tally = out.setdefault(cell(path, event.at // 60_000), Tally())
            if isinstance(event, ev.AttemptStarted):
                begun.setdefault(path, event.at)
                tally.attempts += 1
            elif isinstance(event, ev.TaskFinished):
                done.add(path)
                if event.status == "skipped":
                    tally.skipped += 1
                    continue
                duration = event.at - begun.get(path, event.at)
                tally.count += 1
                tally.failures += event.status == "failed"
                tally.cancelled += event.status == "cancelled"
                tally.sum_ms += max(duration, 0)
                tally.durations[bucket(duration)] += 1
    return out


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SEGMENT, min_size=1, max_size=5), min_size=1, max_size=3), FAULTS, st.data())
def test_no_repetition_reordering_or_crash_changes_what_is_counted(
    drawn: list[list[list[ev.Event]]], faults: list[str], data: st.DataObject
) -> None:
    logs: list[Log] = [[[started(number)], *segments] for number, segments in enumerate(drawn)]
    documents = Failing()
    for log in logs:
        append(documents, log)
    records = list(documents.feed.read(after=0, limit=10_000))
    documents.faults = faults
    project = StatisticsProjector(documents)
    for batch in data.draw(st.lists(st.lists(st.sampled_from(records), max_size=6), max_size=6)):
        try:
            project(batch)
        except (StoreUnavailable, OutcomeUnknown):
            continue
        except Died:
            project = StatisticsProjector(documents)
    documents.faults = []
    project(data.draw(st.permutations(records)))
    assert naive(logs) == stored(documents)


def test_a_record_older_than_the_log_is_enough_to_count_to_its_own_end_only() -> None:
    documents = MemoryDocuments()
    append(documents, [[started(1), attempt("a", 1)], [ended("a", 2)], [ended("b", 3)]])
    records = documents.feed.read(after=0)
    project = StatisticsProjector(documents)
    project([replace(records[1], sequence=99)])
    assert {cell("a"): once(1, attempts=1)} == stored(documents)
    assert START // 60_000 == MINUTE


def test_a_mark_within_a_segment_counts_the_rest_of_it_even_if_the_whole_would_fit_today() -> None:
    documents = MemoryDocuments()
    log: Log = [[started(1), ended("a", 1), ended("b", 1), ended("c", 1)], [ended("d", 1)]]
    append(documents, log)
    documents.write(TENANT, step(execution_of(log), "0", Mark(), Mark(0, 2), []))
    assert {cell("c"): once(0), cell("d"): once(0)} == counted(documents)
