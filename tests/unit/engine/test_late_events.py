"""Events that come twice, late or too early: the state never moves back."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine import events as ev
from millrace.engine.evolve import evolve, fold
from millrace.engine.snapshot import equal
from millrace.engine.state import State

from .play import BEGIN, CRASH, NEVER, Play, failure, graph, play, retry

RANK = {"pending": 0, "ready": 1, "running": 2, "ended": 2, "retrying": 2}


def busy() -> Play:
    """A history with a retry, a crash, a skip, a failure, a timeout and a large value."""
    tasks = {
        "a": {"retry": retry(interval_ms=5)},
        "b": {"needs": ["a"]},
        "c": {"needs": ["a"], "condition": "false"},
        "d": {"needs": ["c"]},
        "e": {"timeout": 40, "go_on": True},
        "f": {"needs": ["b", "e"], "retry": retry(max_attempts=2)},
    }
    answers = {"a": [failure(), "a"], "b": [CRASH, "x" * 70_000], "e": [NEVER], "f": [failure(), "f"]}
    return play(tasks, answers=answers, parallel_limit=2)


@pytest.mark.parametrize("times", [1, 4])
def test_every_event_repeated_at_once_changes_nothing(times: int) -> None:
    done = busy()
    state = State(done.plan)
    for event in done.events:
        for _ in range(times + 1):
            evolve(state, event)
    state.position = done.state.position
    differ = set(equal(state, done.folded()))
    assert differ <= {"tasks", "filled"}  # positions count repeated events, nothing else differs
    assert [_bare(task) for task in done.folded().tasks] == [_bare(task) for task in state.tasks]


def _bare(task: object) -> dict[str, object]:
    shown = msgspec.to_builtins(task, builtin_types=(bytes,), enc_hook=bytes)
    shown.pop("ready_position", None)
    return shown  # type: ignore[no-any-return]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_late_repeats_never_move_a_task_back(seed: int, count: int) -> None:
    done = busy()
    rng = random.Random(seed)
    state = State(done.plan)
    seen: list[ev.Event] = []
    best = [(0, 0)] * len(done.plan.nodes)
    for event in done.events:
        evolve(state, event)
        seen.append(event)
        snapshot = [_bare(task) for task in state.tasks]
        running, still_open = state.running, state.open
        for late in rng.choices(seen, k=count):
            evolve(state, late)
        assert snapshot == [_bare(task) for task in state.tasks]
        assert (running, still_open) == (state.running, state.open)
        ranks = [(RANK.get(task.status, 9), task.attempt) for task in state.tasks]
        assert all(before <= after for before, after in zip(best, ranks, strict=True))
        best = ranks
    assert [_bare(task) for task in done.state.tasks] == [_bare(task) for task in state.tasks]
    assert done.state.finished == state.finished


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_of_events_is_survived_and_what_is_done_stays_done(rng: random.Random) -> None:
    done = busy()
    events = list(done.events)
    rng.shuffle(events)
    state = State(done.plan)
    finished: dict[int, str] = {}
    for event in events:
        evolve(state, event)
        for index, task in enumerate(state.tasks):
            if index in finished:
                assert finished[index] == task.status
            elif RANK.get(task.status, 9) == 9:
                finished[index] = task.status
        assert state.running == sum(task.status == "running" for task in state.tasks)
        assert state.open == sum(task.status in RANK for task in state.tasks)


def test_a_result_before_its_start_is_nothing() -> None:
    held = Play(graph({"a": {}}))
    for event in (
        ev.AttemptFinished(at=BEGIN, path="a", attempt=1, output=held.codec.encode(1)),
        ev.AttemptUnknown(at=BEGIN, path="a", attempt=1),
        ev.RetryScheduled(at=BEGIN, path="a", attempt=2, due=BEGIN + 1, delay_ms=1),
    ):
        held.take(event)
        assert {"a": "ready"} == held.statuses()


def test_the_result_of_an_earlier_attempt_is_not_that_of_the_present_one() -> None:
    held = Play(graph({"a": {"retry": retry(interval_ms=0)}}), answers={"a": [failure(), NEVER]})
    held.run()
    assert ({"a": "running"}, 2) == (held.statuses(), held.attempts("a"))
    held.take(ev.AttemptFinished(at=held.now, path="a", attempt=1, output=held.codec.encode("late")))
    held.take(ev.AttemptUnknown(at=held.now, path="a", attempt=1))
    assert {"a": "running"} == held.statuses()


def test_the_wait_of_an_earlier_try_is_not_that_of_the_next_one() -> None:
    held = Play(graph({"a": {"retry": retry(interval_ms=50)}}), answers={"a": [failure()]})
    while {"a": "retrying"} != held.statuses():
        held.settle()
        at, path, attempt = held.flying.pop(0)
        held.now = at
        held.land(path, attempt)
        held.settle()
    for attempt, status in ((1, "retrying"), (2, "waiting")):
        held.take(ev.WaitStarted(at=held.now, path="a", kind="child", attempt=attempt, child="c"))
        assert {"a": status} == held.statuses()


def test_a_message_counts_once_however_often_it_comes() -> None:
    held = Play(graph({"a": {}}))
    for _ in range(5):
        held.take(ev.SignalReceived(at=BEGIN, message="s", signal="go", payload=held.codec.encode({"n": 1})))
    assert [{"n": 1}] == [signal.payload.decoded() for signal in held.state.signals["go"]]
    for message in ("c1", "c1", "c2"):
        held.take(ev.CancelRequested(at=BEGIN, message=message, reason=message))
    assert held.state.cancel is not None
    assert "c1" == held.state.cancel.reason


def test_a_task_that_was_started_early_is_not_made_ready_again() -> None:
    held = Play(graph({"a": {}, "b": {"needs": ["a"]}}))
    held.take(ev.AttemptStarted(at=BEGIN, path="b", attempt=1))
    held.take(ev.TaskFinished(at=BEGIN, path="a", status="succeeded"))
    assert {"a": "succeeded", "b": "running"} == held.statuses()


def test_an_event_that_this_build_does_not_know_is_refused() -> None:
    held = Play(graph({"a": {}}))
    with pytest.raises(KeyError):
        held.take(ev.Event(at=BEGIN))
    with pytest.raises(KeyError):
        held.take(ev.AttemptStarted(at=BEGIN, path="elsewhere", attempt=1))


def test_the_fold_of_nothing_is_an_execution_that_has_not_begun() -> None:
    state = fold(graph({"a": {}}), [])
    assert (0, None, None) == (state.position, state.started, state.finished)
