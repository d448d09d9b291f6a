"""The run log: segments within their size, every prefix a history, and damage that is told apart from emptiness."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused, Corrupt
from millrace.base.limits import SEGMENT_BYTES
from millrace.engine import events as ev
from millrace.engine.values import inline_value
from millrace.ports.documents import Delete, Item, TenantScope
from millrace.store.runlog import (
    Stamp,
    decode_segment,
    read_events,
    read_segments,
    segment_key,
    segment_puts,
    wrote,
)
from millrace.store.upcast import upcast

SCOPE = TenantScope("acme")
STAMP = Stamp("d1", "w1")


def event(number: int, size: int = 0, letter: str = "x") -> ev.Event:
    return ev.SignalReceived(at=number, message=f"m{number}", signal="s", payload=inline_value(letter * size))


def stored(*batches: list[ev.Event]) -> MemoryDocuments:
    documents = MemoryDocuments()
    position = 0
    for batch in batches:
        documents.write(SCOPE, segment_puts("x", position, batch, STAMP))
        position += len(batch)
    return documents


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=30), st.sampled_from(["x", "é", "😀", "\n"]))
def test_a_batch_of_any_sizes_becomes_segments_within_the_limit(sizes: list[int], letter: str) -> None:
    width = len(msgspec.json.encode(letter)) - 2
    events = [event(n, size // width, letter) for n, size in enumerate(sizes)]
    puts = segment_puts("x", 7, events, STAMP)
    assert max(len(put.item.attrs["body"]) for put in puts) <= SEGMENT_BYTES  # type: ignore[arg-type]
    segments = [decode_segment(put.item) for put in puts]
    assert events == [found for segment in segments for found in segment.events]
    firsts = [segment.first for segment in segments]
    assert [7 + sum(len(s.events) for s in segments[:n]) for n in range(len(segments))] == firsts
    assert [put.item.attrs["count"] for put in puts] == [len(segment.events) for segment in segments]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_two_events_share_a_segment_up_to_the_last_byte(extra: int) -> None:
    room = SEGMENT_BYTES - 512
    one = len(msgspec.json.encode(event(1, 1000))) + 1
    base = len(msgspec.json.encode(event(2, 100_000))) + 1 - 100_000
    fill = room - one - base + extra
    puts = segment_puts("x", 0, [event(1, 1000), event(2, fill)], STAMP)
    assert (1 if extra <= 0 else 2) == len(puts)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_segment_after_the_first_is_filled_to_the_last_byte_too(extra: int) -> None:
    room = SEGMENT_BYTES - 512
    one = len(msgspec.json.encode(event(1, 1000))) + 1
    base = len(msgspec.json.encode(event(2, 100_000))) + 1 - 100_000
    puts = segment_puts("x", 0, [event(3, 261_000), event(1, 1000), event(2, room - one - base + extra)], STAMP)
    assert ([1, 2], [1, 1, 1])[extra] == [put.item.attrs["count"] for put in puts]


def test_no_events_are_no_segment() -> None:
    assert [] == segment_puts("x", 0, [], STAMP)


def test_a_position_is_written_once_and_its_writer_is_known() -> None:
    documents = stored([event(0)])
    with pytest.raises(ConditionRefused):
        documents.write(SCOPE, segment_puts("x", 0, [event(1)], Stamp("d2", "w2")))
    key = segment_key("x", 0)
    assert [True, False, False, None] == [
        wrote(documents, SCOPE, key, STAMP),
        wrote(documents, SCOPE, key, Stamp("d1", "w2")),
        wrote(documents, SCOPE, key, Stamp("d2", "w1")),
        wrote(documents, SCOPE, segment_key("x", 1), STAMP),
    ]


def test_streams_and_tenants_and_executions_have_logs_of_their_own() -> None:
    documents = stored([event(0)])
    documents.write(SCOPE, segment_puts("x", 0, [event(5)], STAMP, stream="b1"))
    assert [5] == [e.at for s in read_segments(documents, SCOPE, "x", stream="b1") for e in s.events]
    assert [] == list(read_segments(documents, SCOPE, "y"))
    assert [] == list(read_segments(documents, TenantScope("other"), "x"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(-1, 60), st.integers(1, 20))
def test_events_are_read_from_any_position_in_order(batches: list[int], after: int, limit: int) -> None:
    total = sum(batches)
    numbers = iter(range(total))
    documents = stored(*[[event(next(numbers)) for _ in range(size)] for size in batches])
    found = read_events(documents, SCOPE, "x", after=after, limit=limit)
    assert list(range(after + 1, total))[:limit] == [position for position, _, _ in found]
    assert [position for position, _, _ in found] == [event.at for _, _, event in found]


def test_a_log_of_many_segments_is_read_to_its_end() -> None:
    documents = stored(*[[event(n)] for n in range(200)])
    assert list(range(200)) == [s.first for s in read_segments(documents, SCOPE, "x")]
    assert list(range(150, 200)) == [s.first for s in read_segments(documents, SCOPE, "x", first=150)]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_missing_segment_is_damage_that_names_the_position(gone: int) -> None:
    documents = stored([event(0)], [event(1)], [event(2)], [event(3)])
    documents.write(SCOPE, [Delete(segment_key("x", gone))])
    with pytest.raises(Corrupt, match=f"position {gone} is missing"):
        list(read_segments(documents, SCOPE, "x"))
    with pytest.raises(Corrupt, match=f"position {gone} is missing"):
        read_events(documents, SCOPE, "x", after=-1, limit=9)


GHOST = b'{"v":1,"stream":"0","first":0,"owner":"","write":"","events":[{"type":"Ghost"}]}'


@pytest.mark.parametrize("body", [None, b"", b"{}", b"not json", GHOST])
def test_a_segment_that_cannot_be_read_is_damage(body: bytes | None) -> None:
    with pytest.raises(Corrupt):
        decode_segment(Item(segment_key("x", 0), {} if body is None else {"body": body}))


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(ANY)
def test_values_survive_being_brought_up_to_date(value: object) -> None:
    (put,) = segment_puts(
        "x", 0, [ev.SignalReceived(at=1, message="m", signal="s", payload=inline_value(value))], STAMP
    )
    body = put.item.attrs["body"]
    assert isinstance(body, bytes)
    old = Item(put.item.key, {"body": body.replace(b'"v":1', b'"v":0')})
    assert decode_segment(put.item).events == decode_segment(old).events


@pytest.mark.parametrize("kind", ["AttemptFinished", "TaskFinished", "ExecutionFinished"])
def test_the_first_format_called_a_failure_an_error(kind: str) -> None:
    failure = {"kind": "task", "code": "odd", "message": "m"}
    assert [{"type": kind, "failure": failure}] == upcast([{"type": kind, "error": failure}], 0)


def test_what_had_no_error_or_is_up_to_date_stays_as_it_is() -> None:
    events = [{"type": "TaskFinished"}, {"type": "AttemptStarted", "error": 1}]
    assert events == upcast(events, 0) == upcast(events, 1)
    with pytest.raises(Corrupt, match="reads up to 1"):
        upcast(events, 2)
