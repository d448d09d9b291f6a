"""What a test expects is compared with what came of it, and every difference is said by its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.services.workflow_tests.differences import ABSENT, MOST, Difference, differences, short
from tests.unit.testing.builders import cut, http, outcome, said

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert [] == differences(value, value) == differences(value, value, part=True)


@given(one=JSON, other=JSON)
def test_values_differ_exactly_if_their_json_differs(one: Any, other: Any) -> None:
    import json

    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert same == (not differences(one, other))


@given(value=st.dictionaries(st.text(max_size=3), JSON, max_size=3), more=JSON)
def test_part_of_a_value_is_found_in_it(value: dict[str, Any], more: Any) -> None:
    whole = {**value, "another": more}
    assert [] == differences(value, whole, part=True)
    assert (["another"] if "another" not in value else []) == [one.path for one in differences(value, whole)]


LINES = [
    ({"a": 1}, {"a": 2}, ["a: expected 1, got 2"]),
    ({"a": 1}, {}, ["a: missing, expected 1"]),
    ({}, {"a": 1}, ["a: not expected: 1"]),
    ([1, 2], [1], ["[1]: missing, expected 2"]),
    ({"a": [{"b-c": 1}]}, {"a": [{"b-c": 2}, 3]}, ["a[0].b-c: expected 1, got 2", "a[1]: not expected: 3"]),
    ({"a b": 1}, {"a b": 2}, ['["a b"]: expected 1, got 2']),
    (1, True, ["expected 1, got true"]),
    (1, 1.0, []),
    (1, "1", ['expected 1, got "1"']),
    (None, False, ["expected null, got false"]),
    (1, ABSENT, ["missing, expected 1"]),
]


@pytest.mark.parametrize(("expected", "actual", "lines"), LINES, ids=range(len(LINES)))
def test_a_difference_is_one_line(expected: Any, actual: Any, lines: list[str]) -> None:
    assert lines == [one.line() for one in differences(expected, actual)]


def test_many_differences_are_cut_and_so_are_long_values() -> None:
    assert MOST == len(differences([0] * 100, [1] * 100))
    assert 'a: expected 1, got "' + "x" * 399 + "… (5002 characters)" == Difference("a", 1, "x" * 5000).line()
    assert "nothing" == short(ABSENT)


TASKS = [
    http("a", retry={"maxAttempts": 2, "interval": "1s"}),
    cut("c", "{{tasks.a.output.body}}"),
    http("b", "c", condition="tasks.a.output.status == 200", request={"body": {"n": "{{tasks.c.output[0]}}"}}),
    http("x", "c", condition="tasks.a.output.status == 500"),
    http("y", "x"),
]
MOCKS = {"a": [{"status": 503}, {"body": [1, 2]}], "b": {"body": "ok", "delay": "5s"}, "x": {}, "y": {}}
HOLDS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "output": {"outputContains": {"b": {"body": "ok"}}},
    "task status": {"tasks": {"a": "succeeded", "x": "skipped", "y": {"skip": {"reason": "upstream_skipped"}}}},
    "origin": {"tasks": {"y": {"skip": {"origin": "x"}}, "x": {"skip": {"reason": "condition_false", "origin": "x"}}}},
    "attempts": {"tasks": {"a": {"attempts": 2}, "x": {"attempts": 0}}},
    "task output": {"tasks": {"c": {"output": [1]}, "b": {"outputContains": {"status": 200}}}},
    "order": {"order": ["a", "c", "y", "b"]},
    "calls": {"calls": {"a": {"count": 2}, "x": {"count": 0}, "b": {"request": {"body": {"n": 1}}}}},
    "not called": {"notCalled": ["x", "y", "c"]},
    "asserts": {
        "asserts": ["tasks.b.output.body == 'ok'", "output.b.status == 200", "status == 'succeeded'", "error == null"]
    },
}


@pytest.mark.parametrize("case", HOLDS)
def test_an_expectation_that_holds_is_passed(case: str) -> None:
    assert [] == said(outcome(TASKS, tasks=MOCKS, expect=HOLDS[case]))


BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "status": ({"status": "failed"}, "status", "status: expected failed, got succeeded"),
    "output": ({"output": 1}, "output", "output: expected 1, got {"),
    "part": (
        {"outputContains": {"b": {"body": "no"}}},
        "outputContains",
        'outputContains at b.body: expected "no", got "ok"',
    ),
    "error": ({"status": "failed", "error": {"kind": "x"}}, "error", 'error: missing, expected {"kind": "x"}'),
    "failed task": ({"status": "failed", "failedTask": "a"}, "failedTask", 'failedTask: expected "a", got null'),
    "task status": (
        {"tasks": {"y": "succeeded"}},
        "tasks.y.status",
        "tasks.y: expected succeeded, got skipped (upstream_skipped, from x)",
    ),
    "skip": (
        {"tasks": {"y": {"skip": {"origin": "y"}}}},
        "tasks.y.skip",
        'tasks.y.skip at origin: expected "y", got "x"',
    ),
    "no skip": ({"tasks": {"a": {"skip": {}}}}, "tasks.a.skip", "tasks.a.skip: missing, expected {}"),
    "attempts": ({"tasks": {"a": {"attempts": 1}}}, "tasks.a.attempts", "tasks.a.attempts: expected 1, got 2"),
    "task output": ({"tasks": {"c": {"output": [2]}}}, "tasks.c.output", "tasks.c.output at [0]: expected 2, got 1"),
    "part of it": (
        {"tasks": {"b": {"outputContains": {"status": 1}}}},
        "tasks.b.outputContains",
        "tasks.b.outputContains at status: expected 1, got 200",
    ),
    "task error": (
        {"tasks": {"a": {"error": {"kind": "x"}}}},
        "tasks.a.error",
        'tasks.a.error: missing, expected {"kind": "x"}',
    ),
    "order": ({"order": ["b", "y"]}, "order", "order: expected b before y, and y finished first"),
    "count": ({"calls": {"a": {"count": 1}}}, "calls.a", "calls.a: expected 1 calls, got 2"),
    "no call": ({"calls": {"x": {}}}, "calls.x", "calls.x: expected a call, and there was none"),
    "request": (
        {"calls": {"b": {"request": {"method": "GET", "body": {"n": 2}}}}},
        "calls.b.request",
        'calls.b.request at method: expected "GET", got "POST" (and 1 more)',
    ),
    "input": ({"calls": {"b": {"input": {"n": 2}}}}, "calls.b.input", 'calls.b.input: expected {"n": 2}, got null'),
    "called": ({"notCalled": ["a"]}, "notCalled.a", "notCalled: a was called 2 times"),
    "assert": (
        {"asserts": ["1 == 1", "size(tasks) == 2"]},
        "asserts[1]",
        "asserts[1]: size(tasks) == 2 is false, not true",
    ),
    "no boolean": ({"asserts": ["size(tasks)"]}, "asserts[0]", "asserts[0]: size(tasks) is 5, not true"),
    "cannot tell": (
        {"asserts": ["output.nope == 1"]},
        "asserts[0]",
        "asserts[0]: output.nope == 1 cannot be evaluated: ",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_expectation_that_does_not_hold_is_said_by_its_path(case: str) -> None:
    expect, path, message = BROKEN[case]
    result = outcome(TASKS, tasks=MOCKS, expect=expect)
    found = {mismatch.path: mismatch.message for mismatch in result.mismatches}
    assert "failed" == result.status
    assert found[path].startswith(message)


def test_a_failure_is_expected_with_its_cause() -> None:
    expect = {
        "status": "failed",
        "failedTask": "a",
        "error": {"kind": "http", "code": "404"},
        "tasks": {"a": {"status": "failed", "error": {"code": "404"}}, "b": {"skip": {"reason": "upstream_failed"}}},
        "asserts": ["error.code == '404'", "tasks.a.error.kind == 'http'"],
    }
    assert [] == said(outcome([http("a"), http("b", "a")], tasks={"a": {"status": 404}, "b": {}}, expect=expect))
    said_so = said(outcome([http("a")], tasks={"a": {"status": 404}}, expect={"tasks": {"a": "succeeded"}}))
    assert [
        "status: expected succeeded, got failed (the server answered 404)",
        "tasks.a: expected succeeded, got failed (the server answered 404)",
    ] == said_so


def test_what_never_finished_is_pending_and_in_no_order() -> None:
    tasks = [{"id": "e", "event": {"type": "never"}}, http("a", "e")]
    expect = {"status": "waiting", "tasks": {"a": "pending"}, "order": ["e", "a"]}
    assert ["order: e never finished", "order: a never finished"] == said(
        outcome(tasks, tasks={"a": {}}, expect=expect)
    )


def test_a_long_value_is_cut_in_the_report() -> None:
    result = outcome([http("a")], tasks={"a": {"output": "x" * 9_000}}, expect={"output": {"a": "y"}})
    failure = result.to_json()["failures"][0]
    assert ({"a": "y"}, str) == (failure["expected"], type(failure["actual"]))
    assert 500 > len(failure["actual"])


def test_the_best_call_is_compared() -> None:
    ship = {"maxAttempts": 2, "interval": "1s"}
    tasks = [http("a", retry=ship, request={"body": {"n": 1, "m": 2}})]
    expect = {"calls": {"a": {"request": {"body": {"n": 1, "m": 3}}}}}
    result = outcome(tasks, tasks={"a": [{"status": 503}, {}]}, expect=expect)
    assert ("body.m: expected 3, got 2",) == result.mismatches[0].lines
    assert 2 == len(result.mismatches[0].actual)
