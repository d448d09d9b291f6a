"""Snapshots are a cache of the fold: equal to it, or not used at all."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine import events as ev
from millrace.engine.evolve import evolve, fold
from millrace.engine.settle import settle
from millrace.engine.snapshot import build_hash, equal, freeze, thaw
from millrace.engine.state import next_due

from .play import NEVER, Play, graph
from .test_late_events import busy


def sealed(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + body


def test_a_snapshot_after_every_event_is_the_fold_up_to_it() -> None:
    done = busy()
    for length in range(1, len(done.events) + 1):
        state = fold(done.plan, done.events[:length])
        thawed = thaw(done.plan, freeze(state))
        assert thawed is not None
        assert [] == equal(state, thawed), length
        assert next_due(state) == next_due(thawed)


def test_a_run_goes_on_from_a_snapshot_as_it_would_have_without() -> None:
    done = busy()
    for length in range(1, len(done.events)):
        thawed = thaw(done.plan, freeze(fold(done.plan, done.events[:length])))
        assert thawed is not None
        for event in done.events[length:]:
            evolve(thawed, event)
        assert [] == equal(done.folded(), thawed), length


def test_signals_and_a_cancel_are_in_a_snapshot() -> None:
    held = Play(graph({"a": {}}), answers={"a": [NEVER]})
    held.take(ev.SignalReceived(at=held.now, message="s", signal="go", payload=held.codec.encode([1])))
    held.cancel("why")
    thawed = thaw(held.plan, freeze(held.state))
    assert thawed is not None
    assert ({"s", "m1"}, "why", [[1]]) == (
        thawed.seen,
        thawed.cancel and thawed.cancel.reason,
        [signal.payload.decoded() for signal in thawed.signals["go"]],
    )
    settled = settle(held.plan, thawed, held.now, encode=held.codec.encode)
    assert ["TaskFinished", "ExecutionFinished"] == [type(event).__name__ for event in settled.events]


def test_a_snapshot_of_another_build_or_plan_is_not_used() -> None:
    done = busy()
    data = freeze(done.state)
    assert thaw(graph({"a": {}}), data) is None
    assert thaw(done.plan, sealed(data[32:].replace(build_hash().encode(), b"0123456789abcdef"))) is None
    assert thaw(done.plan, sealed(data[32:])) is not None


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b'{"build": 1}', b"[1, 2]"])
def test_what_is_no_snapshot_is_not_used(data: bytes) -> None:
    plan = busy().plan
    assert [None, None] == [thaw(plan, data), thaw(plan, sealed(data))]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_snapshot_is_not_used(data: st.DataObject) -> None:
    done = busy()
    frozen = freeze(done.folded())
    at = data.draw(st.integers(0, len(frozen) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = frozen[:at] + bytes([frozen[at] ^ (1 << bit)]) + frozen[at + 1 :]
    assert thaw(done.plan, damaged) is None
    assert thaw(done.plan, frozen[:at]) is None


def test_two_states_that_differ_are_told_apart_by_name() -> None:
    done = busy()
    assert {"position", "tasks", "open"} <= set(equal(done.state, fold(done.plan, done.events[:3])))


def test_a_build_is_known_by_its_source() -> None:
    assert 16 == len(build_hash())
    assert build_hash() in msgspec.json.decode(freeze(busy().state)[32:])["build"]
