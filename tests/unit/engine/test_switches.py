"""switch: which case is chosen, what its leaves give, and values that no case can be judged by."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev

from .nested import choose, played, shape, work
from .play import failure

CASES: list[tuple[Any, list[dict[str, Any]]]] = [
    ("gold", [work("a")]),
    ({"when": "value.startsWith('s')"}, [work("b")]),
    (None, [work("c")]),
    (7, [work("d")]),
]


@pytest.mark.parametrize(
    ("value", "branch", "leaf"),
    [("gold", "0", "a"), ("silver", "1", "b"), ("tin", "default", "z")],
)
def test_the_first_case_that_holds_runs_and_nothing_else(value: Any, branch: str, leaf: str) -> None:
    done = played(choose("route", "{{input}}", CASES[:2], default=[work("z")]), value=value)
    assert {"route": {leaf: f"route/{branch}/{leaf}"}} == done.output()
    assert [f"route/{branch}/{leaf}"] == [event.path for event in done.of(ev.AttemptStarted)]


@pytest.mark.parametrize(("value", "branch"), [(7, "1"), (7.0, "1"), (None, "0"), ("7", None)], ids=str)
def test_a_literal_is_compared_as_expressions_compare(value: Any, branch: str | None) -> None:
    done = played(choose("route", "{{input}}", CASES[2:]), value=value)
    assert ([] if branch is None else [branch]) == [event.branch for event in done.of(ev.ScopeOpened)]


def test_without_a_default_a_value_that_no_case_holds_for_gives_an_empty_output() -> None:
    more = choose("n", "tin", CASES[:1], output={"n": "{{size(output)}}"})
    done = played(choose("route", "tin", CASES[:1]), work("next", "route"), more)
    assert {"next": "next", "n": {"n": 0}} == done.output()
    assert "succeeded" == done.statuses()["route"]


@pytest.mark.parametrize(
    ("when", "code"),
    [("value", "not-boolean"), ("value.nothing", "type"), ("input.size() / 0 == 1", "division-by-zero")],
)
def test_a_case_that_cannot_be_judged_fails_the_switch_and_says_which(when: str, code: str) -> None:
    done = played(choose("route", "{{input}}", [("gold", [work("a")]), ({"when": when}, [work("b")])]), value="tin")
    why = done.failure("route")
    assert ("failed", "expression", code) == (done.finished().status, why.kind, why.code)
    assert "case 1" in why.message


def test_the_output_holds_the_leaves_that_succeeded() -> None:
    tasks = [work("a"), work("b", "a"), work("c", "a", condition=False), work("d", continueOnError=True)]
    done = played(choose("route", 1, [(1, tasks)]), answers={"route/0/d": [failure(retryable=False)]})
    assert {"b": "route/0/b"} == done.output()["route"]


def test_a_failure_inside_is_that_of_the_switch_and_is_not_told_twice() -> None:
    done = played(
        choose("route", 1, [(1, [work("a"), work("b")])]), work("next", "route"),
        answers={"route/0/b": [failure("http", "503", retryable=False)]},
    )  # fmt: skip
    why = done.failure("route")
    assert ("http", "503", {"task": "route/0/b"}) == (why.kind, why.code, why.details)
    assert "Task 'route/0/b' failed: http 503" == why.message
    assert {"next": ("upstream_failed", "route")} == done.skips()


def test_tasks_of_a_case_read_those_around_the_switch_and_beside_it() -> None:
    inner = choose(
        "deep", "{{tasks.a.output}}", [({"when": "true"}, [shape("s", ["{{tasks.top.output}}", "{{tasks.a.output}}"])])]
    )
    done = played(work("top"), choose("route", 1, [(1, [work("a"), inner])]))
    assert {"deep": {"s": ["top", "route/0/a"]}} == done.output()["route"]


def test_large_outputs_of_a_case_become_part_of_its_output() -> None:
    done = played(choose("route", 1, [(1, [work("a"), work("b")])]), answers={"route/0/a": ["x" * 70_000]})
    assert {"a": "x" * 70_000, "b": "route/0/b"} == done.output()["route"]
