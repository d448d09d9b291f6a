"""In which order tasks start, and never more of them at once than allowed."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.errors import TransformError
from millrace.engine import events as ev
from millrace.engine.decide import decide
from millrace.engine.heap import ascending
from millrace.engine.state import State, next_due

from .play import BEGIN, NEVER, Play, failure, graph, play, retry


def started(done: Play) -> list[str]:
    return [event.path for event in done.of(ev.AttemptStarted)]


def test_ready_tasks_start_by_priority_then_in_document_order() -> None:
    tasks = {"a": {}, "b": {"priority": 5}, "c": {"priority": -1}, "d": {"priority": 5}, "e": {}}
    assert ["b", "d", "a", "e", "c"] == started(play(tasks))
    assert ["b", "d", "a", "e", "c"] == started(play(tasks, parallel_limit=1))


def test_a_task_of_high_priority_that_becomes_ready_goes_before_those_that_wait() -> None:
    tasks: dict[str, dict[str, Any]] = {"a": {}, "b": {}, "c": {"needs": ["a"], "priority": 9}, "d": {}}
    assert ["a", "c", "b", "d"] == started(play(tasks, parallel_limit=1))


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_there_are_never_more_running_than_the_limit_and_the_room_is_used(limit: int) -> None:
    tasks: dict[str, dict[str, Any]] = {f"t{n}": {} for n in range(20)}
    done = play(tasks, parallel_limit=limit, lasting=lambda path, _: 5 + 7 * int(path[1:]) % 11)
    assert (limit, "succeeded") == (done.most, done.finished().status)


def test_what_had_to_wait_records_since_when_and_why() -> None:
    done = play({"a": {}, "b": {}, "c": {"needs": ["a"]}}, parallel_limit=1, lasting={"b": 100})
    a, b, c = done.of(ev.AttemptStarted)
    assert [("a", BEGIN, BEGIN, 0, ""), ("b", BEGIN, BEGIN + 10, BEGIN, "parallelLimit")] == [
        (e.path, e.ready_at, e.at, e.queued_at, e.queued_why) for e in (a, b)
    ]
    assert ("c", BEGIN + 10, BEGIN + 110, BEGIN + 10, "parallelLimit") == (
        c.path,
        c.ready_at,
        c.at,
        c.queued_at,
        c.queued_why,
    )


def test_what_finds_room_at_once_is_not_queued() -> None:
    tasks: dict[str, dict[str, Any]] = {"a": {}, "b": {}, "c": {"needs": ["a"]}, "d": {"needs": ["b"]}}
    done = play(tasks, parallel_limit=2, lasting={"a": 10, "b": 20, "c": 30})
    assert {"a": "", "b": "", "c": "", "d": ""} == {e.path: e.queued_why for e in done.of(ev.AttemptStarted)}


def test_without_a_limit_nothing_is_queued() -> None:
    done = play({"a": {}, "b": {"needs": ["a"]}})
    assert ["", ""] == [event.queued_why for event in done.of(ev.AttemptStarted)]


def test_pure_tasks_take_no_room() -> None:
    tasks: dict[str, dict[str, Any]] = {f"p{n}": {"compute": lambda _: 1} for n in range(5)} | {"w": {}}
    done = play(tasks, parallel_limit=1)
    assert [BEGIN] == [event.at for event in done.of(ev.AttemptStarted)]


def test_a_task_starts_the_moment_its_own_dependencies_are_done() -> None:
    tasks: dict[str, dict[str, Any]] = {"slow": {}, "fast": {}, "after": {"needs": ["fast"]}}
    done = play(tasks, lasting={"slow": 1000, "fast": 10})
    assert BEGIN + 10 == done.of(ev.AttemptStarted, "after")[0].at


def test_every_attempt_records_type_hash_effect_and_input_once() -> None:
    tasks = {"a": {"input": {"n": 1}, "config": {"url": "u{{input}}"}, "retry": retry()}}
    first, second = play(tasks, answers={"a": [failure(), "ok"]}, value=5).of(ev.AttemptStarted)
    assert ("work", "hash-a", "write", {"n": 1}, {"url": "u5"}) == (
        first.task_type,
        first.task_hash,
        first.effect,
        first.input.decoded(),
        first.config.decoded(),
    )
    assert (2, None, None) == (second.attempt, second.input, second.config)


def test_a_reusable_task_sees_its_own_input_in_its_config() -> None:
    tasks = {"a": {"input": {"id": 9}, "config": {"url": "/{{input.id}}"}, "own_scope": True}}
    assert {"url": "/9"} == play(tasks, value={"id": 1}).of(ev.AttemptStarted)[0].config.decoded()


# pure tasks


def test_a_pure_task_is_history_in_one_event_with_input_output_and_identity() -> None:
    done = play({"a": {"compute": lambda value: value["n"] * 2, "input": {"n": 21}}})
    (event,) = done.of(ev.TaskFinished)
    assert (42, {"n": 21}, "pure", "hash-a", "pure", BEGIN) == (
        event.output.decoded(),
        event.input.decoded(),
        event.task_type,
        event.task_hash,
        event.effect,
        event.ready_at,
    )
    assert ([], {"a": 42}) == (done.of(ev.AttemptStarted), done.output())


def test_a_pure_task_may_map_its_output() -> None:
    done = play({"a": {"compute": lambda _: [1, 2, 3], "output": {"count": "{{size(output)}}"}}})
    assert {"a": {"count": 3}} == done.output()


def test_a_pure_task_that_cannot_be_computed_fails_for_good_with_its_input_kept() -> None:
    def broken(_value: Any) -> Any:
        raise TransformError("step 2 does not fit", facts={"step": 2, "op": "map"})

    done = play({"a": {"compute": broken, "input": {"n": 1}, "retry": retry(retry_on=("*",))}})
    (event,) = done.of(ev.TaskFinished)
    assert ("failed", "expression", "transform-error", {"step": 2, "op": "map"}, {"n": 1}) == (
        event.status,
        event.failure.kind,
        event.failure.code,
        event.failure.details,
        event.input.decoded(),
    )


# cancel


def test_a_cancel_ends_every_open_task_and_the_execution() -> None:
    running = Play(graph({"a": {}, "b": {"needs": ["a"]}, "c": {}}), answers={"a": [NEVER]})
    running.run()
    running.cancel("enough")
    running.settle()
    assert {"a": "cancelled", "b": "cancelled", "c": "succeeded"} == running.statuses()
    assert ("cancelled", "enough", "cancelled") == (
        running.finished().status,
        running.finished().failure.message,  # type: ignore[union-attr]
        running.failure("a").kind,
    )


def test_a_cancel_without_a_reason_says_that_it_was_asked_for() -> None:
    running = Play(graph({"a": {}}))
    running.cancel()
    running.settle()
    assert "cancelled on request" == running.failure("a").message


def test_a_cancel_before_the_first_task_starts_nothing() -> None:
    running = Play(graph({"a": {}}))
    running.cancel()
    running.run()
    assert ([], "cancelled") == (running.of(ev.AttemptStarted), running.finished().status)


def test_nothing_follows_a_finished_execution_or_one_that_has_not_begun() -> None:
    done = play({"a": {}})
    assert ([], None) == (decide(done.plan, done.state, done.now + 10**9), next_due(done.state))
    empty = State(done.plan)
    assert ([], None) == (decide(done.plan, empty, BEGIN), next_due(empty))


def test_an_empty_plan_ends_at_once_with_nothing() -> None:
    done = play({})
    assert ("succeeded", {}) == (done.finished().status, done.output())


def test_a_heap_is_read_in_order_without_being_changed() -> None:
    assert [] == list(ascending([]))
    heap = [1, 4, 2, 9, 5, 3]
    assert [1, 2, 3, 4, 5, 9] == list(ascending(heap))
    assert [1, 4, 2, 9, 5, 3] == heap
