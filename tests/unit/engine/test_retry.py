"""Whether and when a failed attempt is tried again: every field of a retry policy, as a table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.engine import events as ev
from millrace.engine.commands import StartAttempt
from millrace.engine.decide import decide
from millrace.engine.plan import NO_RETRY, RetryPolicy
from millrace.engine.retry import PERMANENT, backoff_ms, delay_ms, matches, unit
from millrace.engine.snapshot import equal

from .play import BEGIN, CRASH, Play, failure, graph, play, retry

BAD = failure()


@pytest.mark.parametrize(("most", "attempts"), [(1, 1), (2, 2), (5, 5)])
def test_max_attempts_counts_the_first_try(most: int, attempts: int) -> None:
    done = play({"a": {"retry": retry(max_attempts=most)}}, answers={"a": [BAD]})
    assert (attempts, "failed", "a") == (done.attempts("a"), done.finished().status, done.finished().failed_task)


def test_a_task_without_a_policy_is_tried_once() -> None:
    assert 1 == play({"a": {}}, answers={"a": [BAD]}).attempts("a")


def test_a_retry_that_succeeds_ends_the_task_with_its_output() -> None:
    done = play({"a": {"retry": retry()}}, answers={"a": [BAD, BAD, {"n": 3}]})
    assert (3, {"a": {"n": 3}}) == (done.attempts("a"), done.output())


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        ("constant", [1000, 1000, 1000, 1000, 1000]),
        ("linear", [1000, 2000, 3000, 4000, 5000]),
        ("exponential", [1000, 3000, 9000, 10_000, 10_000]),
    ],
)
def test_each_strategy_has_its_delays_under_the_longest_interval(strategy: str, delays: list[int]) -> None:
    policy = retry(max_attempts=6, strategy=strategy, interval_ms=1000, multiplier=3.0, max_interval_ms=10_000)
    assert delays == play({"a": {"retry": policy}}, answers={"a": [BAD]}).delays("a")


def test_a_retry_is_due_that_long_after_the_decision_and_starts_then() -> None:
    done = play({"a": {"retry": retry(max_attempts=2, interval_ms=1500)}}, answers={"a": [BAD]})
    (scheduled,) = done.of(ev.RetryScheduled)
    assert (2, BEGIN + 10, BEGIN + 1510, "network/reset") == (
        scheduled.attempt,
        scheduled.at,
        scheduled.due,
        scheduled.why,
    )
    assert [BEGIN, BEGIN + 1510] == [event.at for event in done.of(ev.AttemptStarted)]


def test_an_interval_is_capped_however_far_the_power_would_go() -> None:
    policy = retry(strategy="exponential", multiplier=10.0, interval_ms=86_400_000, max_interval_ms=90_000_000)
    assert 90_000_000 == backoff_ms(policy, 10_000)


def test_an_interval_grows_until_the_64th_attempt() -> None:
    policy = retry(strategy="exponential", multiplier=1.1, interval_ms=1_000, max_interval_ms=86_400_000)
    assert [int(1_000 * 1.1**62), int(1_000 * 1.1**63), int(1_000 * 1.1**63)] == [
        backoff_ms(policy, attempt) for attempt in (63, 64, 65)
    ]


@pytest.mark.parametrize(
    ("jitter", "drawn"),
    [("none", lambda _: 1001), ("full", lambda u: int(1001 * u)), ("equal", lambda u: 500 + int(501 * u))],
)
def test_jitter_is_drawn_exactly_from_the_seed(jitter: str, drawn: Any) -> None:
    policy = retry(jitter=jitter, interval_ms=1001)
    for seed in range(20):
        for attempt in (1, 2):
            chance = unit(seed, "a", attempt)
            assert drawn(chance) == delay_ms(policy, attempt=attempt, seed=seed, path="a", failure=BAD)


def test_the_draw_of_a_seed_task_and_attempt_never_changes() -> None:
    assert [0.2655, 0.2618, 0.9212, 0.4815] == [
        round(unit(*of), 4) for of in [(7, "a", 1), (7, "a", 2), (7, "b", 1), (8, "a", 1)]
    ]


def test_draws_spread_over_the_whole_interval() -> None:
    draws = [unit(seed, "a", 1) for seed in range(400)]
    assert all(0 <= draw < 1 for draw in draws)
    assert (True, True) == (min(draws) < 0.05, max(draws) > 0.95)


def test_the_recorded_delay_is_the_one_that_was_drawn() -> None:
    policy = retry(jitter="full", interval_ms=100_000, max_interval_ms=100_000)
    done = play({"a": {"retry": policy}}, answers={"a": [BAD]}, seed=42)
    assert [int(100_000 * unit(42, "a", attempt)) for attempt in (1, 2)] == done.delays("a")


HTTP = {"code": "503", "kind": "http"}
CASES: list[tuple[tuple[str, ...], dict[str, Any], bool]] = [
    ((), {"retryable": True}, True),
    ((), {"retryable": False}, False),
    (("timeout",), {"kind": "timeout", "code": "attempt-timeout"}, True),
    (("timeout",), {"kind": "network"}, False),
    (("network",), {"kind": "network", "retryable": False}, True),
    (("5xx",), HTTP, True),
    (("5xx",), {"kind": "http", "code": "404"}, False),
    (("4xx",), {"kind": "http", "code": "404", "retryable": False}, True),
    (("429",), {"kind": "http", "code": "429"}, True),
    (("429",), HTTP, False),
    (("timeout", "5xx", "429"), HTTP, True),
    (("*",), {"kind": "task", "code": "anything", "retryable": False}, True),
    (("5xx",), {"kind": "task", "code": "5000"}, False),
    (("5xx",), {"kind": "task", "code": "5ab"}, False),
    (("runner-error",), {"kind": "task", "code": "runner-error"}, True),
    *[(("*",), {"kind": kind}, False) for kind in sorted(PERMANENT)],
    *[((), {"kind": kind, "retryable": True}, False) for kind in sorted(PERMANENT)],
]


@pytest.mark.parametrize(("named", "what", "expected"), CASES)
def test_retry_on_names_kinds_codes_classes_or_everything(
    named: tuple[str, ...], what: dict[str, Any], expected: bool
) -> None:
    assert expected is matches(retry(retry_on=named), failure(**what))


def test_a_failure_that_is_not_named_is_permanent_after_one_attempt() -> None:
    done = play({"a": {"retry": retry(retry_on=("timeout",))}}, answers={"a": [BAD]})
    assert (1, []) == (done.attempts("a"), done.delays("a"))


def test_no_retry_is_scheduled_beyond_max_duration() -> None:
    policy = retry(max_attempts=9, interval_ms=1000, max_duration_ms=2100)
    done = play({"a": {"retry": policy}}, answers={"a": [BAD]})
    assert [1000, 1000] == done.delays("a")
    assert (3, False) == (done.attempts("a"), done.failure("a").retryable)
    said = "Not retried: the next try would be due in 1000 ms, after the time allowed."
    assert f"{BAD.message}. {said}" == done.failure("a").message


@pytest.mark.parametrize(("message", "before"), [("", ""), ("down", "down. "), ("It is down.", "It is down. ")])
def test_what_is_not_retried_is_said_in_a_sentence_of_its_own(message: str, before: str) -> None:
    bad = msgspec.structs.replace(BAD, message=message)
    done = play({"a": {"retry": retry(max_attempts=2, interval_ms=9, max_duration_ms=1)}}, answers={"a": [bad]})
    assert (
        f"{before}Not retried: the next try would be due in 9 ms, after the time allowed." == done.failure("a").message
    )


def test_max_duration_is_inclusive_to_the_millisecond() -> None:
    for limit, attempts in ((1009, 1), (1010, 2)):
        policy = retry(max_attempts=2, interval_ms=1000, max_duration_ms=limit)
        assert attempts == play({"a": {"retry": policy}}, answers={"a": [BAD]}).attempts("a")


def test_retry_after_is_honoured_when_it_is_longer_than_the_backoff() -> None:
    asked = failure("http", "429", retry_after_ms=7000)
    assert [7000] == play({"a": {"retry": retry(max_attempts=2)}}, answers={"a": [asked]}).delays("a")


def test_a_short_retry_after_does_not_shorten_the_backoff() -> None:
    asked = failure("http", "429", retry_after_ms=10)
    assert [1000] == play({"a": {"retry": retry(max_attempts=2)}}, answers={"a": [asked]}).delays("a")


def test_retry_after_can_be_ignored() -> None:
    asked = failure("http", "429", retry_after_ms=7000)
    policy = retry(max_attempts=2, respect_retry_after=False)
    assert [1000] == play({"a": {"retry": policy}}, answers={"a": [asked]}).delays("a")


@pytest.mark.parametrize(
    ("task", "workflow"),
    [({"timeout": 5000}, {}), ({"max": 5000}, {}), ({}, {"timeout": 5000})],
    ids=["timeout of the task", "maxDuration", "timeout of the workflow"],
)
def test_a_retry_after_beyond_what_is_left_fails_at_once(task: dict[str, Any], workflow: dict[str, Any]) -> None:
    asked = failure("http", "429", retry_after_ms=60_000, hint="slow down", details={"a": 1})
    policy = retry(max_attempts=9, max_duration_ms=task.pop("max", None))
    done = play({"a": {"retry": policy, **task}}, answers={"a": [asked]}, **workflow)
    assert (BEGIN + 10, 1, "failed") == (done.now, done.attempts("a"), done.finished().status)
    found = done.failure("a")
    assert ("http", "429", "slow down", {"a": 1}, 60_000) == (
        found.kind,
        found.code,
        found.hint,
        found.details,
        found.retry_after_ms,
    )


def test_retries_go_before_fresh_tasks_when_there_is_room_for_one() -> None:
    tasks = {"a": {"retry": retry(interval_ms=5)}, "b": {}, "c": {}}
    done = play(tasks, answers={"a": [BAD, "ok"]}, parallel_limit=1, lasting={"b": 20})
    assert ["a", "b", "a", "c"] == [event.path for event in done.of(ev.AttemptStarted)]


def test_due_retries_wait_for_room() -> None:
    tasks = {"a": {"retry": retry(interval_ms=5)}, "b": {"retry": retry(interval_ms=5)}, "c": {}}
    done = play(tasks, answers={"a": [BAD, "ok"], "b": [BAD, "ok"]}, parallel_limit=1, lasting={"c": 500})
    assert 1 == done.most
    assert ["a", "b", "a", "b", "c"] == [event.path for event in done.of(ev.AttemptStarted)]


# driver crashes


@pytest.mark.parametrize(("policy", "attempts"), [(retry(max_attempts=1), 1), (retry(max_attempts=2), 2)])
def test_an_unknown_attempt_counts_towards_a_declared_max_attempts(policy: RetryPolicy, attempts: int) -> None:
    done = play({"a": {"retry": policy}}, answers={"a": [CRASH]})
    assert (attempts, "driver_crash", "failed") == (
        done.attempts("a"),
        done.failure("a").kind,
        done.finished().status,
    )


def test_without_a_policy_a_task_outlives_two_crashes_and_fails_at_the_third() -> None:
    assert "succeeded" == play({"a": {}}, answers={"a": [CRASH, CRASH, "ok"]}).finished().status
    done = play({"a": {}}, answers={"a": [CRASH]})
    assert (3, "driver_crash") == (done.attempts("a"), done.failure("a").code)


def test_three_crashes_fail_a_task_whatever_its_policy_allows() -> None:
    done = play({"a": {"retry": retry(max_attempts=10)}}, answers={"a": [CRASH]})
    assert 3 == done.attempts("a")


def test_a_crash_repeats_a_task_at_once_without_a_delay() -> None:
    done = play({"a": {"retry": retry()}}, answers={"a": [CRASH, "ok"]})
    assert [BEGIN, BEGIN + 10] == [event.at for event in done.of(ev.AttemptStarted)]


@pytest.mark.parametrize("policy", [NO_RETRY, retry()])
def test_a_task_that_is_neither_keyed_nor_idempotent_is_never_repeated_after_a_crash(policy: RetryPolicy) -> None:
    done = play({"a": {"keyed": False, "retry": policy}}, answers={"a": [CRASH, "ok"]})
    assert (1, "driver_crash") == (done.attempts("a"), done.failure("a").kind)


def test_failures_and_crashes_together_count_towards_max_attempts() -> None:
    done = play({"a": {"retry": retry(max_attempts=3)}}, answers={"a": [BAD, CRASH, BAD, "ok"]})
    assert (3, "network") == (done.attempts("a"), done.failure("a").kind)


def test_restarts_after_a_crash_leave_no_more_room_than_the_parallel_limit() -> None:
    tasks: dict[str, dict[str, Any]] = {name: {} for name in "abcdef"}
    done = play(tasks, answers={name: [CRASH, "ok"] for name in "abc"}, parallel_limit=2)
    assert (2, "succeeded") == (done.most, done.finished().status)


def test_two_retries_of_one_task_at_the_same_moment_are_one_start() -> None:
    """Without a delay a task comes back at the very millisecond, while its old entry lies below another's."""
    policy = retry(max_attempts=4, interval_ms=0)
    tasks = {"a": {"retry": policy}, "b": {"retry": policy}}
    done = play(tasks, answers={"a": [BAD, BAD, "ok"], "b": [BAD, BAD, BAD, "ok"]}, lasting={"a": 0, "b": 0})
    starts = [(event.path, event.attempt) for event in done.of(ev.AttemptStarted)]
    assert sorted(set(starts)) == sorted(starts)
    assert "succeeded" == done.finished().status


@pytest.mark.parametrize("again", [BEGIN + 100, BEGIN + 120])
def test_an_entry_that_a_later_retry_has_outdated_starts_nothing(again: int) -> None:
    """B is due first and held back; A is retried, fails, and is due again, perhaps at the very same moment."""
    held = Play(graph({"a": {"retry": retry()}, "b": {"retry": retry()}, "c": {}}), answers={"a": [BAD], "b": [BAD]})
    held.settle()
    held.land("a", 1)
    held.land("b", 1)
    for path, due in (("b", 50), ("a", 100)):
        held.take(ev.RetryScheduled(at=BEGIN, path=path, attempt=2, due=BEGIN + due, delay_ms=1))
    held.land("c", 1)
    held.take(ev.AttemptStarted(at=BEGIN, path="a", attempt=2))
    held.take(ev.AttemptFinished(at=BEGIN, path="a", attempt=2, failure=BAD))
    held.take(ev.RetryScheduled(at=BEGIN, path="a", attempt=3, due=again, delay_ms=1))
    held.take(ev.TaskFinished(at=BEGIN, path="c", status="succeeded"))
    commands = decide(held.plan, held.state, BEGIN + 130)
    assert [("b", 2), ("a", 3)] == [(c.path, c.attempt) for c in commands if isinstance(c, StartAttempt)]
    assert [] == equal(held.state, held.folded())


@pytest.mark.parametrize(
    ("answer", "policy", "trail"),
    [
        (failure(retryable=False), retry(), "retry: not for this failure"),
        (BAD, retry(max_attempts=2), "retry: 2 of 2 attempts used"),
        (BAD, retry(max_duration_ms=1), "retry: no time left"),
        (CRASH, retry(max_attempts=1), "crash: attempts used up"),
    ],
)
def test_why_a_task_was_given_up_is_recorded(answer: Any, policy: RetryPolicy, trail: str) -> None:
    assert (trail,) == play({"a": {"retry": policy}}, answers={"a": [answer]}).of(ev.TaskFinished)[0].policy


@pytest.mark.parametrize(
    ("answer", "trail"), [(BAD, "retry: attempt 2 of 3"), (CRASH, "crash: the attempt before is unknown")]
)
def test_why_an_attempt_is_made_again_is_recorded(answer: Any, trail: str) -> None:
    starts = play({"a": {"retry": retry()}}, answers={"a": [answer, "ok"]}).of(ev.AttemptStarted)
    assert [(), (trail,)] == [start.policy for start in starts]
