"""Trigger rules: a table of what each rule says about what became of two dependencies, and when it says so."""

from __future__ import annotations

import pytest

from millrace.engine import events as ev
from millrace.engine.rules import EARLY, RULES
from millrace.spec.models import TRIGGER_RULES

from .play import BEGIN, failure, play

S, F, K, U = "succeeded", "failed", "skipped", "skipped because something above failed"
PAIRS = [(S, S), (S, F), (S, K), (S, U), (F, F), (F, K), (K, K), (K, U), (U, U)]
RUNS = {
    "all_success": {(S, S)},
    "all_failed": {(F, F), (U, U)},
    "all_done": set(PAIRS),
    "all_skipped": {(K, K)},
    "always": set(PAIRS),
    "none_failed": {(S, S), (S, K), (K, K)},
    "none_failed_min_one_success": {(S, S), (S, K)},
    "none_skipped": {(S, S), (S, F), (S, U), (F, F), (U, U)},
    "one_done": {(S, S), (S, F), (S, K), (S, U), (F, F), (F, K), (K, U), (U, U)},
    "one_failed": {(S, F), (S, U), (F, F), (F, K), (K, U), (U, U)},
    "one_success": {(S, S), (S, F), (S, K), (S, U)},
}


def _above(name: str, fate: str) -> dict[str, dict[str, object]]:
    if fate == K:
        return {name: {"condition": "false"}}
    if fate == U:
        return {f"{name}0": {}, name: {"needs": [f"{name}0"]}}
    return {name: {}}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("rule", TRIGGER_RULES)
def test_a_rule_lets_a_task_run_exactly_where_the_table_says(rule: str, pair: tuple[str, str]) -> None:
    tasks = {**_above("a", pair[0]), **_above("b", pair[1]), "t": {"needs": ["a", "b"], "rule": rule, "reads": []}}
    answers = {name: [failure(retryable=False)] for name, fate in zip("ab", pair, strict=True) if fate == F}
    answers |= {f"{name}0": [failure(retryable=False)] for name, fate in zip("ab", pair, strict=True) if fate == U}
    done = play(tasks, answers=answers)
    expected = "succeeded" if pair in RUNS[rule] else "skipped"
    assert expected == done.statuses()["t"]


def test_every_rule_is_in_the_table() -> None:
    assert set(TRIGGER_RULES) == set(RUNS) == set(RULES)


@pytest.mark.parametrize("rule", sorted(EARLY))
def test_a_rule_that_asks_for_one_does_not_wait_for_the_others(rule: str) -> None:
    answers = {"a": [failure(retryable=False)]} if rule == "one_failed" else {}
    tasks = {"a": {}, "b": {}, "t": {"needs": ["a", "b"], "rule": rule, "reads": []}}
    done = play(tasks, answers=answers, lasting={"a": 10, "b": 5000})
    assert BEGIN + 10 == done.of(ev.AttemptStarted, "t")[0].at
    assert 1 == len(done.of(ev.AttemptStarted, "t"))


def test_a_rule_that_does_not_hold_says_so_unless_a_failure_or_skip_explains_it() -> None:
    done = play({"a": {}, "t": {"needs": ["a"], "rule": "all_failed", "reads": []}})
    assert {"t": ("trigger_rule", "t")} == done.skips()
    done = play({"a": {"condition": "false"}, "t": {"needs": ["a"], "rule": "one_success", "reads": []}})
    assert ("upstream_skipped", "a") == done.skips()["t"]


def test_a_failure_two_hops_up_does_not_become_an_allowed_skip() -> None:
    tasks = {
        "gate": {},
        "checks": {"needs": ["gate"]},
        "report": {"needs": ["checks"]},
        "merge": {"needs": ["report"], "rule": "none_failed", "reads": []},
    }
    done = play(tasks, answers={"gate": [failure(retryable=False)]})
    assert ("upstream_failed", "gate") == done.skips()["merge"]


@pytest.mark.parametrize("rule", ["none_failed", "none_failed_min_one_success", "one_success"])
def test_a_failure_that_breaks_a_rule_stays_one_below_also_where_the_workflow_goes_on(rule: str) -> None:
    tasks = {
        "gate": {"go_on": True},
        "idle": {"condition": "false"},
        "checks": {"needs": ["idle", "gate"], "rule": rule, "reads": []},
        "report": {"needs": ["checks"]},
        "merge": {"needs": ["report"], "rule": "none_failed", "reads": []},
    }
    skips = play(tasks, answers={"gate": [failure(retryable=False)]}).skips()
    assert [("upstream_failed", "gate")] * 3 == [skips[name] for name in ("checks", "report", "merge")]


@pytest.mark.parametrize("rule", ["all_failed", "all_skipped"])
def test_a_rule_that_asks_for_trouble_is_not_broken_by_a_failure_with_which_the_workflow_goes_on(rule: str) -> None:
    tasks = {
        "gate": {"go_on": True},
        "fine": {},
        "alarm": {"needs": ["gate", "fine"], "rule": rule, "reads": []},
        "end": {"needs": ["alarm"], "rule": "none_failed", "reads": []},
    }
    done = play(tasks, answers={"gate": [failure(retryable=False)]})
    assert {"alarm": ("trigger_rule", "alarm")} == done.skips()


def test_a_dependency_whose_condition_is_false_does_not_count_for_a_rule() -> None:
    tasks = {
        "a": {},
        "b": {},
        "t": {"needs": ["a", "b"], "edges": {"a": "false"}, "rule": "all_success", "reads": []},
        "u": {"needs": ["a"], "edges": {"a": "false"}, "rule": "one_success", "reads": []},
    }
    done = play(tasks, answers={"a": [failure(retryable=False)]})
    assert ("succeeded", "succeeded") == (done.statuses()["t"], done.statuses()["u"])
