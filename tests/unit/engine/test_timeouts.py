"""Time that runs out: for a task with all its attempts, for the workflow, and with clocks that jump."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev
from millrace.engine.decide import decide
from millrace.engine.state import next_due

from .play import BEGIN, NEVER, Play, failure, graph, play, retry


def test_a_task_timeout_covers_all_attempts_together() -> None:
    policy = retry(max_attempts=9, interval_ms=1000)
    done = play({"a": {"retry": policy, "timeout": 2500}}, answers={"a": [failure()]}, lasting={"a": 600})
    assert (BEGIN + 2200, 2, "network") == (done.now, done.attempts("a"), done.failure("a").kind)


def test_a_task_that_is_still_running_at_its_timeout_fails_then() -> None:
    done = play({"a": {"timeout": 2500}, "b": {"needs": ["a"]}}, answers={"a": [NEVER]})
    found = done.failure("a")
    assert (BEGIN + 2500, "timeout", "task-timeout") == (done.now, found.kind, found.code)
    assert ("upstream_failed", "a") == done.skips()["b"]
    assert "Task 'a' took longer than its timeout of 2500 ms, all attempts together." == found.message


def test_a_task_that_waits_for_its_retry_at_its_timeout_starts_no_more() -> None:
    policy = retry(max_attempts=9, interval_ms=1000)
    held = Play(graph({"a": {"retry": policy, "timeout": 1500}}), answers={"a": [failure()]})
    held.settle()
    held.now += 100
    held.land("a", 1)
    held.settle()
    held.now += 5000  # the driver slept through both the retry and the timeout
    held.settle()
    assert (1, "task-timeout") == (held.attempts("a"), held.failure("a").code)


@pytest.mark.parametrize(("timeout", "planned", "attempts"), [(1109, 0, 1), (1110, 1, 1), (1111, 1, 2)])
def test_a_retry_that_is_due_at_the_very_end_of_the_time_is_not_made(timeout: int, planned: int, attempts: int) -> None:
    """The first attempt ends after 110 ms and the second would begin 1,000 ms later."""
    held = Play(
        graph({"a": {"retry": retry(max_attempts=2, interval_ms=1000), "timeout": timeout}}),
        answers={"a": [failure()]},
    )
    held.settle()
    held.now += 110
    held.land("a", 1)
    held.settle()
    held.now += 1000
    held.settle()
    assert (planned, attempts) == (len(held.of(ev.RetryScheduled)), held.attempts("a"))


def test_a_retry_that_is_due_waits_for_room_beside_what_runs() -> None:
    held = Play(
        graph({"a": {"retry": retry(interval_ms=300)}, "b": {}}, parallel_limit=1),
        answers={"a": [failure()], "b": [NEVER]},
    )
    held.settle()
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.now += 1_000
    held.settle()
    assert ({"a": "retrying", "b": "running"}, 1) == (held.statuses(), held.most)


def test_what_an_attempt_was_given_is_kept_for_the_next_one() -> None:
    held = Play(
        graph({"a": {"config": {"n": 1}, "input": {"m": 2}, "retry": retry(interval_ms=1)}}), answers={"a": [failure()]}
    )
    held.settle()
    config, given = held.state.tasks[0].config, held.state.tasks[0].input
    assert ({"n": 1}, {"m": 2}) == (config.decoded(), given.decoded())
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.now += 10
    held.settle()
    assert (2, config, given) == (held.attempts("a"), held.state.tasks[0].config, held.state.tasks[0].input)


def test_a_timeout_frees_the_room_that_its_task_took() -> None:
    done = play({"a": {"timeout": 50}, "b": {}}, answers={"a": [NEVER]}, parallel_limit=1)
    assert ("succeeded", BEGIN + 50) == (done.statuses()["b"], done.of(ev.AttemptStarted, "b")[0].at)


def test_a_result_that_was_recorded_before_the_timeout_was_judged_stands() -> None:
    held = Play(graph({"a": {"timeout": 50}}))
    held.settle()
    held.now += 50
    held.land("a", 1)
    held.settle()
    assert "succeeded" == held.finished().status


def test_a_late_result_after_the_timeout_changes_nothing() -> None:
    held = Play(graph({"a": {"timeout": 50}, "b": {}}), answers={"b": [NEVER]})
    held.settle()
    held.now += 50
    held.settle()
    before = held.statuses()
    held.take(ev.AttemptFinished(at=held.now, path="a", attempt=1, output=held.codec.encode("late")))
    held.settle()
    assert before == held.statuses() == {"a": "failed", "b": "running"}


def test_several_deadlines_pass_at_once_and_in_order() -> None:
    tasks: dict[str, Any] = {f"t{n}": {"timeout": 100 + n} for n in range(5)} | {"ok": {"timeout": 500}}
    held = Play(graph(tasks), answers={f"t{n}": [NEVER] for n in range(5)} | {"ok": [NEVER]})
    held.settle()
    held.now += 103
    held.settle()
    assert ["t0", "t1", "t2", "t3"] == [event.path for event in held.of(ev.TaskFinished)]
    assert BEGIN + 104 == next_due(held.state)


def test_a_workflow_timeout_ends_everything_that_is_open() -> None:
    done = play({"a": {}, "b": {"needs": ["a"]}, "c": {}}, answers={"a": [NEVER]}, timeout=700)
    assert {"a": "cancelled", "b": "cancelled", "c": "succeeded"} == done.statuses()
    assert ("timedOut", BEGIN + 700, "workflow-timeout") == (
        done.finished().status,
        done.now,
        done.finished().failure.code,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(("lasts", "status"), [(699, "succeeded"), (700, "succeeded"), (701, "timedOut")])
def test_work_that_ends_by_the_workflow_timeout_counts(lasts: int, status: str) -> None:
    """At the very moment it is the result that is recorded first."""
    done = play({"a": {}, "b": {"needs": ["a"], "compute": lambda _: 1}}, lasting={"a": lasts}, timeout=700)
    assert status == done.finished().status or (lasts == 700 and done.finished().status == "timedOut")
    assert lasts != 701 or done.now == BEGIN + 700


def test_the_next_moment_is_the_earliest_of_retry_deadline_and_workflow_timeout() -> None:
    tasks = {"a": {"retry": retry(interval_ms=300)}, "b": {"timeout": 200}}
    held = Play(graph(tasks, timeout=10_000), answers={"a": [failure()], "b": [NEVER]})
    assert BEGIN + 10_000 == next_due(held.state)
    held.settle()
    assert BEGIN + 200 == next_due(held.state)
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.now += 200
    held.settle()
    assert BEGIN + 310 == next_due(held.state)


def test_a_retry_that_has_no_room_is_nothing_to_wake_for() -> None:
    held = Play(
        graph({"a": {"retry": retry(interval_ms=300)}, "b": {}}, parallel_limit=1),
        answers={"a": [failure()], "b": [NEVER]},
    )
    held.settle()
    held.now += 10
    held.land("a", 1)
    held.settle()
    assert ({"a": "retrying", "b": "running"}, None) == (held.statuses(), next_due(held.state))


# clocks that jump


def test_a_clock_that_jumps_back_delays_and_never_repeats() -> None:
    held = Play(graph({"a": {"retry": retry(interval_ms=1000)}}), answers={"a": [failure(), "ok"]})
    held.settle()
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.now -= 600_000
    assert [] == decide(held.plan, held.state, held.now)
    held.run()
    assert [BEGIN, BEGIN + 1010] == [event.at for event in held.of(ev.AttemptStarted)]
    assert "succeeded" == held.finished().status


def test_a_clock_that_jumps_forward_starts_a_retry_once() -> None:
    held = Play(graph({"a": {"retry": retry(interval_ms=1000)}}), answers={"a": [failure(), "ok"]})
    held.settle()
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.now += 600_000
    held.settle()
    held.settle()
    assert 2 == len(held.of(ev.AttemptStarted))


def test_a_task_that_ended_before_it_began_has_a_negative_duration_and_no_other_harm() -> None:
    held = Play(graph({"a": {}, "b": {"needs": ["a"], "input": "{{tasks.a.durationMs}}"}}))
    held.settle()
    held.now -= 600_000
    held.land("a", 1)
    held.run()
    assert -600_000 == held.of(ev.AttemptStarted, "b")[0].input.decoded()
    assert "succeeded" == held.finished().status


@pytest.mark.parametrize("jump", [-600_000, 600_000])
def test_a_jump_of_ten_minutes_leaves_outputs_as_they_are(jump: int) -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "input": {"x": "{{tasks.a.output}}"}}}
    held = Play(graph(tasks))
    held.settle()
    held.now += jump
    held.land("a", 1)
    held.run()
    assert play(tasks).output() == held.output() == {"b": "b"}


def test_a_timeout_whose_end_was_not_recorded_is_still_a_timeout() -> None:
    """Ten thousand cancelled tasks fill several segments; a driver may die between any two of them."""
    done = play({"a": {}, "b": {}, "c": {"needs": ["a"]}}, answers={"a": [NEVER], "b": [NEVER]}, timeout=700)
    for cut in range(len(done.events)):
        held = Play(done.plan, begun=False, answers={"a": [NEVER], "b": [NEVER]})
        for event in done.events[:cut]:
            held.take(event)
        held.now = done.now if cut < len(done.events) - 1 else BEGIN  # at the end even for a clock that jumped back
        held.settle()
        assert cut == 0 or held.finished().status == "timedOut"
        assert cut == 0 or held.finished().failure == done.finished().failure
