"""Each mistake of the list has tests that exist; and those that stand nowhere else."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import Corrupt
from millrace.driver.world import Wait
from millrace.engine import events as ev
from millrace.services.decide_approval import decide_approval
from millrace.services.signal_execution import signal_execution
from tests.regressions.pitfalls import PITFALLS
from tests.unit.driver.families import Family
from tests.unit.driver.runs import CALLER, Local, call, workflow
from tests.unit.engine.nested import bare, each, played, work
from tests.unit.engine.play import failure

ROOT = Path(__file__).resolve().parents[2]
SIGN = {"id": "sign", "type": "approval", "approvers": ["user:ann"], "timeout": "1h"}


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("number", PITFALLS)
def test_every_pitfall_has_tests_that_exist(number: int) -> None:
    _, tests = PITFALLS[number]
    assert tests
    assert [] == [test for test in tests if test.partition("::")[2] not in functions_of(test.partition("::")[0])]


def test_what_waits_for_an_empty_loop_and_for_another_task_waits_for_both() -> None:
    done = played(each("none", [], work("a")), work("slow"), work("last", "none", "slow"), lasting={"slow": 500})
    started = {event.path: event.at for event in done.of(ev.AttemptStarted)}
    ended = {event.path: event.at for event in done.of(ev.TaskFinished)}
    assert ended["none"] < ended["slow"] <= started["last"]


def test_a_decision_and_an_event_reach_only_the_execution_that_they_are_for() -> None:
    local = Local()
    local.publish(workflow("flow", [SIGN, {"id": "paid", "event": {"type": "paid", "timeout": "1h"}}]))
    one, other = local.start("flow"), local.start("flow")
    for execution in (one, other):
        assert isinstance(local.drive(execution), Wait)
    _approve(local, one)
    signal_execution(local.platform, CALLER, one, "paid", payload={"n": 1}, message_id="m")
    assert "succeeded" == local.finish(one)["status"]
    assert isinstance(local.drive(other), Wait)
    assert {"sign": "waiting", "paid": "waiting"} == {
        name: task["status"] for name, task in local.read(other)["tasks"].items()
    }


def _approve(local: Local, execution: str, decision: str = "approved") -> None:
    decide_approval(
        local.platform, CALLER, execution, "sign", decision=decision, comment="", form=None, message_id=f"d-{execution}"
    )


def test_an_execution_that_is_run_again_asks_people_again() -> None:
    family = Family()
    retry = {"maxAttempts": 2, "interval": "1s", "jitter": "none", "retryOn": ["*"]}
    parent = family.family([{"id": "c", "workflowRef": "child", "retry": retry}], [SIGN])
    family.drive(parent)
    (_, first) = family.members()
    family.drive(first)
    _approve(family, first, "rejected")
    family.drive(first)
    family.drive(parent)
    (_, _, second) = family.members()
    assert isinstance(family.drive(second), Wait)
    assert "waiting" == family.read(second)["tasks"]["sign"]["status"]
    _approve(family, second)
    family.settle()
    assert "succeeded" == family.read(parent)["status"]


def test_a_run_says_which_definition_it_is_of_and_never_sees_a_later_one() -> None:
    local = Local()
    local.publish(workflow("flow", [{"id": "rest", "wait": {"for": "1m"}}, call("old", "rest")]))
    before = local.start("flow")
    assert isinstance(local.drive(before), Wait)
    local.publish(workflow("flow", [call("new")]))
    after = local.start("flow")
    assert [{"rest", "old"}, {"new"}] == [set(local.finish(one)["tasks"]) for one in (before, after)]
    hashes = [local.events(one, ev.ExecutionStarted)[0].content_hash for one in (before, after)]
    assert [local.read(one)["contentHash"] for one in (before, after)] == hashes
    assert 2 == len(set(hashes))


def test_a_run_that_cannot_go_on_after_an_upgrade_is_shown_as_stalled_and_goes_on_when_it_can() -> None:
    local = Local()
    execution = local.begin([call("a")])
    plans = local.world.plans

    def unreadable(*_given: Any) -> Any:
        raise Corrupt("The definition cannot be read by this release.", hint="Restore it.")

    local.world = replace(local.world, plans=unreadable)
    found = local.finish(execution)
    assert ("stalled", "The definition cannot be read by this release.") == (found["status"], found["errorMessage"])
    local.world = replace(local.world, plans=plans)
    assert "succeeded" == local.finish(execution)["status"]


def test_a_handler_that_fails_is_not_handled_again() -> None:
    broken = failure("http", "500", retryable=False)
    done = played(work("a"), onFailure=bare(), answers={"a": [broken], "onFailure": [broken]})
    assert ["a", "onFailure"] == [event.path for event in done.of(ev.AttemptStarted)]
    assert ("failed", "a") == (done.finished().status, done.finished().failed_task)


@pytest.mark.parametrize(("items", "most"), [(3, 3), (10, 10), (25, 10)])
def test_a_loop_that_says_nothing_runs_ten_iterations_at_once_or_all_if_there_are_fewer(items: int, most: int) -> None:
    done = played({"id": "l", "forEach": {"items": list(range(items))}, "tasks": [work("a")]})
    assert most == done.most
    assert "`maxParallel` (10)" in (ROOT / "docs" / "reference" / "control-flow.md").read_text()
