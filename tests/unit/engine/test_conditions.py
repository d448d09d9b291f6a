"""What runs and what does not: conditions, conditional dependencies, causes of skips, and going on after errors."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev

from .play import failure, play, retry

BAD = failure(retryable=False)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("true", "succeeded"),
        ("false", "skipped"),
        ("input.n > 1", "succeeded"),
        ("input.n > 9", "skipped"),
        ("config.deep", "succeeded"),
        ("input.n", "failed"),
        ("input.absent", "failed"),
        ("null", "failed"),
    ],
)
def test_a_condition_decides_whether_a_task_runs(condition: str, status: str) -> None:
    done = play({"a": {"condition": condition}}, value={"n": 2})
    assert {"a": status} == done.statuses()
    assert (1 if status == "succeeded" else 0) == len(done.of(ev.AttemptStarted))


def test_a_condition_that_is_not_boolean_is_a_permanent_failure_that_says_so() -> None:
    found = play({"a": {"condition": "input.n"}}, value={"n": 2}).failure("a")
    assert ("expression", "not-boolean", False) == (found.kind, found.code, found.retryable)
    assert "The condition of task 'a' gave an int, not true or false." == found.message


def test_a_condition_that_cannot_be_evaluated_says_what_was_missing() -> None:
    found = play({"a": {"condition": "input.absent == 1"}}, value={"n": 2}).failure("a")
    assert "expression" == found.kind
    assert found.message.startswith("In the condition: ")
    assert "absent" in found.message


def test_a_condition_reads_what_tasks_above_have_become() -> None:
    tasks = {
        "a": {},
        "b": {"needs": ["a"], "condition": "tasks.a.status == 'succeeded' && tasks.a.attempts == 1"},
        "c": {"needs": ["a"], "condition": "tasks.a.output == 'a' && tasks.a.durationMs == 10"},
    }
    assert {"a": "succeeded", "b": "succeeded", "c": "succeeded"} == play(tasks).statuses()


def test_a_skip_is_told_down_the_graph_with_the_task_where_it_began() -> None:
    chain: dict[str, dict[str, Any]] = {"t0": {"condition": "false"}}
    chain |= {f"t{n}": {"needs": [f"t{n - 1}"]} for n in range(1, 6)}
    done = play(chain)
    assert {"t0": ("condition_false", "t0")} | {
        f"t{n}": ("upstream_skipped", "t0") for n in range(1, 6)
    } == done.skips()
    assert "succeeded" == done.finished().status


def test_a_failure_is_told_down_the_graph_through_any_number_of_hops() -> None:
    chain: dict[str, dict[str, Any]] = {"t0": {}} | {f"t{n}": {"needs": [f"t{n - 1}"]} for n in range(1, 6)}
    done = play(chain, answers={"t0": [BAD]})
    assert {f"t{n}": ("upstream_failed", "t0") for n in range(1, 6)} == done.skips()
    assert ("failed", "t0", "network") == (
        done.finished().status,
        done.finished().failed_task,
        done.failure("t0").kind,
    )


def test_a_failure_upstream_goes_before_a_skip_upstream_in_either_order() -> None:
    for needs in (["no", "bad"], ["bad", "no"]):
        tasks = {"no": {"condition": "false"}, "bad": {}, "c": {"needs": needs}, "d": {"needs": ["no", "c"]}}
        done = play(tasks, answers={"bad": [BAD]})
        assert ("upstream_failed", "bad") == done.skips()["c"]
        assert ("upstream_failed", "bad") == done.skips()["d"]


def test_of_several_skips_upstream_the_first_dependency_names_the_origin() -> None:
    tasks = {"x": {"condition": "false"}, "y": {"condition": "false"}, "c": {"needs": ["y", "x"]}}
    assert ("upstream_skipped", "y") == play(tasks).skips()["c"]


def test_what_continues_on_error_fails_neither_the_execution_nor_what_comes_after() -> None:
    tasks = {"a": {"go_on": True}, "b": {"needs": ["a"], "input": {"why": "{{tasks.a.error.code}}"}}}
    done = play(tasks, answers={"a": [BAD]})
    assert ({"a": "failed", "b": "succeeded"}, "succeeded") == (done.statuses(), done.finished().status)
    value = done.of(ev.AttemptStarted, "b")[0].input
    assert {"why": "reset"} == value.decoded()


def test_the_first_task_that_failed_is_the_one_the_execution_names() -> None:
    done = play({"a": {}, "b": {}}, answers={"a": [BAD], "b": [failure("task", "second")]}, lasting={"a": 50, "b": 5})
    assert ("b", "second") == (done.finished().failed_task, done.finished().failure.code)  # type: ignore[union-attr]


def test_independent_tasks_run_on_after_a_failure() -> None:
    done = play({"a": {}, "b": {}, "c": {"needs": ["b"]}}, answers={"a": [BAD]}, lasting={"a": 1, "b": 100})
    assert {"a": "failed", "b": "succeeded", "c": "succeeded"} == done.statuses()


# conditional dependencies


@pytest.mark.parametrize(
    ("condition", "status"),
    [("input.strict", "skipped"), ("!input.strict", "succeeded"), ("tasks.a.status == 'failed'", "skipped")],
)
def test_a_dependency_counts_only_while_its_condition_is_true(condition: str, status: str) -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "edges": {"a": condition}}}
    done = play(tasks, answers={"a": [BAD]}, value={"strict": True})
    assert status == done.statuses()["b"]


def test_a_conditional_dependency_still_orders() -> None:
    done = play({"a": {}, "b": {"needs": ["a"], "edges": {"a": "false"}}}, lasting={"a": 500})
    assert [0, 500] == [event.at - done.events[0].at for event in done.of(ev.AttemptStarted)]


def test_only_the_edge_that_names_it_frees_a_dependency() -> None:
    tasks = {"a": {}, "b": {}, "c": {"needs": ["a", "b"], "edges": {"a": "false", "b": "true"}}}
    assert "succeeded" == play(tasks, answers={"a": [BAD]}).statuses()["c"]
    assert ("upstream_failed", "b") == play(tasks, answers={"b": [BAD]}).skips()["c"]


@pytest.mark.parametrize(("condition", "code"), [("input.n", "not-boolean"), ("input.nope", "missing")])
def test_a_broken_edge_condition_is_a_permanent_failure_of_the_task(condition: str, code: str) -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "edges": {"a": condition}}}
    done = play(tasks, value={"n": 1})
    found = done.failure("b")
    assert ("expression", 0, "dependsOn condition" in found.message) == (found.kind, done.attempts("b"), True)
    assert code in found.code or code == "missing"


# expressions


@pytest.mark.parametrize("place", ["input", "config"])
def test_an_input_or_config_that_cannot_be_rendered_fails_without_an_attempt(place: str) -> None:
    done = play({"a": {place: {"x": "{{input.nothing.here}}"}}}, value={})
    found = done.failure("a")
    assert ("failed", 0, "expression", False) == (
        done.finished().status,
        done.attempts("a"),
        found.kind,
        found.retryable,
    )
    assert f"In the {place} of task 'a': " in found.message


def test_an_output_mapping_that_cannot_be_rendered_fails_after_exactly_one_attempt() -> None:
    done = play({"a": {"output": {"x": "{{output.nope}}"}, "retry": retry(max_attempts=5, retry_on=("*",))}})
    assert (1, "expression") == (done.attempts("a"), done.failure("a").kind)
    assert "In the output of task 'a': " in done.failure("a").message


def test_a_failed_expression_is_not_retried_whatever_the_policy_names() -> None:
    done = play({"a": {"input": "{{input.x.y}}", "retry": retry(retry_on=("*", "expression"))}}, value={})
    assert (0, []) == (done.attempts("a"), done.of(ev.RetryScheduled))
