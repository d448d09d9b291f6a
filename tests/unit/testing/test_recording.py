"""An execution that has ended becomes a test that passes at once, whatever happened in it."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.errors import Conflict, NotFound, TooLarge
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.decide_approval import decide_approval
from millrace.services.execution_test import execution_test
from millrace.services.run_workflow_tests import Order, run_workflow_tests
from millrace.services.signal_execution import signal_execution
from millrace.wiring.rehearsing import rehearse
from tests.unit.driver.runs import CALLER, NEVER, Local, Script, call, workflow

RETRY = {"maxAttempts": 3, "interval": "700ms", "jitter": "full"}


def recorded(local: Local, execution: str, name: str | None = None) -> dict[str, Any]:
    return execution_test(local.platform, CALLER, execution, name=name, rehearse=rehearse)


def rerun(local: Local, *tests: dict[str, Any]) -> dict[str, Any]:
    """The report of these tests on the active version."""
    return run_workflow_tests(local.platform, CALLER, "flow", Order(tests=tests), rehearse)


def passes(local: Local, execution: str) -> dict[str, Any]:
    """The test of an execution, which passes as it is, and again when it is sent."""
    found = recorded(local, execution)
    assert (True, []) == (found["passes"], found["differences"])
    report = rerun(local, found["test"])
    assert (1, 0, 0) == (report["passed"], report["failed"], report["errors"]), report
    return dict(found["test"])


def http(body: Any) -> dict[str, Any]:
    return {"status": 200, "headers": {}, "body": body, "durationMs": 3}


def test_results_failures_and_their_times_are_taken_from_the_log() -> None:
    busy = Failure("http", "503", "the server answered 503", True, retry_after_ms=900)
    script = Script({"a": [busy, http({"n": 1})], "b": [http(2)]}, lasting={"a": 0.25, "b": 1.5})
    local = Local(script)
    tasks = [call("a", retry=RETRY), call("b"), call("c", "a", condition="input.go")]
    execution = local.begin(tasks, {"go": False}, input={"properties": {"go": {"type": "boolean"}}})
    local.finish(execution)
    test = passes(local, execution)
    assert (f"execution {execution}", {"go": False}) == (test["name"], test["input"])
    first, second = test["tasks"]["a"]
    assert ("http", "503", "900ms") == (
        first["failure"]["kind"],
        first["failure"]["code"],
        first["failure"]["retryAfter"],
    )
    assert http({"n": 1}) == second["output"]
    assert test["tasks"]["b"]["delay"].startswith("1s5")
    expect = test["expect"]
    assert ("succeeded", ["a", "b"]) == (expect["status"], expect["order"])
    assert {
        "a": {"status": "succeeded", "attempts": 2},
        "b": "succeeded",
        "c": {"status": "skipped", "skip": {"reason": "condition_false", "origin": "c"}},
    } == expect["tasks"]
    assert {"seed"} == test.keys() - {"name", "input", "now", "tasks", "expect"}


def test_a_failed_execution_is_expected_to_fail_in_the_same_way() -> None:
    local = Local(Script({"a": [Failure("task", "broken", "it broke", False)]}))
    execution = local.begin([call("a"), call("b", "a")])
    local.finish(execution)
    expect = passes(local, execution)["expect"]
    assert ("failed", "a", {"kind": "task", "code": "broken"}) == (
        expect["status"], expect["failedTask"], expect["error"],
    )  # fmt: skip
    assert {"status": "skipped", "skip": {"reason": "upstream_failed", "origin": "a"}} == expect["tasks"]["b"]


def test_signals_decisions_and_waits_come_again_at_their_times() -> None:
    local = Local()
    sign = {"id": "sign", "type": "approval", "approvers": ["user:ann"], "timeout": "1h"}
    sign["form"] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    paid = {"id": "paid", "event": {"type": "paid", "match": "event.data.n == 2", "timeout": "1h"}}
    tasks = [sign, paid, {"id": "cool", "dependsOn": ["sign", "paid"], "wait": {"for": "3s"}}]
    execution = local.begin(tasks)
    local.drive(execution)
    for number in (1, 2):
        body: dict[str, Any] = {"payload": {"n": number}, "message_id": f"s{number}"}
        signal_execution(local.platform, CALLER, execution, "paid", **body)
    decide_approval(
        local.platform, CALLER, execution, "sign",
        decision="approved", comment="well", form={"n": 1}, message_id="d1",
    )  # fmt: skip
    local.finish(execution)
    test = passes(local, execution)
    assert [1, 2] == [signal["payload"]["n"] for signal in test["signals"]]
    assert ([None, "s2"]) == [signal.get("id") for signal in test["signals"]]
    (decision,) = test["decisions"]
    assert ("sign", "approved", "ann", "well", {"n": 1}) == tuple(
        decision[key] for key in ("task", "decision", "principal", "comment", "form")
    )


def test_a_cancelled_execution_is_cancelled_again() -> None:
    local = Local(Script({"a": [NEVER]}))
    execution = local.begin([call("a"), call("b", "a")], timeout="1h")
    local.start("flow")
    cancel_execution(local.platform, CALLER, execution, reason="enough", message_id="m")
    local.finish(execution)
    test = passes(local, execution)
    assert ("enough", {"a": "cancelled", "b": "cancelled"}) == (test["cancel"]["reason"], test["expect"]["tasks"])


def test_an_attempt_whose_driver_was_lost_is_lost_again() -> None:
    local = Local(Script(lasting={"a": 5.0}))
    execution = local.begin([call("a")])
    local.crash(execution, 1.0)
    local.finish(execution)
    test = passes(local, execution)
    assert {"kind": "driver_crash"} == test["tasks"]["a"][0]["failure"]
    assert {"status": "succeeded", "attempts": 2} == test["expect"]["tasks"]["a"]


def test_what_a_breaker_refused_is_refused_again() -> None:
    local = Local(Script({"a": [Failure("network", "connect", "no answer", True)]}))
    breaker = {"failureThreshold": 1, "breakDuration": "1h"}
    execution = local.begin([call("a", retry={**RETRY, "retryOn": ["*"]}, circuitBreaker=breaker)], timeout="1d")
    local.finish(execution)
    test = passes(local, execution)
    kinds = [mock["failure"]["kind"] for mock in test["tasks"]["a"]]
    assert ["network", "circuit_open"] == list(dict.fromkeys(kinds))


def test_a_spent_budget_is_spent_again() -> None:
    local = Local(Script({"a": [Failure("network", "connect", "no answer", True)]}), retry_budget=20)
    many = {"maxAttempts": 100, "interval": "10ms", "jitter": "none", "strategy": "constant"}
    execution = local.begin([call("a", retry=many)])
    local.finish(execution)
    last = passes(local, execution)["tasks"]["a"][-1]
    assert "budget of api.example:443 spent" == last["failure"].get("noRetry")


def test_timeouts_come_again() -> None:
    local = Local(Script({"a": [NEVER], "b": [NEVER], "c": [NEVER]}))
    tasks = [
        call("a", attemptTimeout="2s", continueOnError=True),
        call("b", timeout="3s", continueOnError=True),
        call("c", "a", "b", triggerRule="all_done"),
    ]
    execution = local.begin(tasks, timeout="20s")
    local.finish(execution)
    expect = passes(local, execution)["expect"]
    codes = {path: task["error"]["code"] for path, task in expect["tasks"].items() if isinstance(task, dict)}
    assert ("timedOut", {"a": "attempt-timeout", "b": "task-timeout"}) == (expect["status"], codes)


def test_what_the_documents_read_of_their_surroundings_is_in_the_test() -> None:
    local = Local()
    text = "{{env.STAGE}} {{execution.id}} {{execution.mode}} {{trigger.kind}}"
    execution = local.begin([{"id": "c", "type": "transform", "input": {"items": [text]}, "transform": [{"limit": 1}]}])
    local.finish(execution)
    test = passes(local, execution)
    assert ({"STAGE": "test"}, {"kind": "api"}) == (test["env"], test["trigger"])
    assert {"c": [f"test {execution} live api"]} == test["expect"]["output"]


def test_a_large_output_is_in_the_test_while_it_fits_a_document() -> None:
    local = Local(Script({"a": [http("x" * 70_000)]}))
    execution = local.begin([call("a")], output="{{size(tasks.a.output.body)}}")
    local.finish(execution)
    assert 70_000 == passes(local, execution)["expect"]["output"]
    local.script.answers["a"] = [http("x" * 300_000)]
    second = local.start("flow")
    local.finish(second)
    with pytest.raises(TooLarge, match="a document may have 262,144"):
        recorded(local, second)


def test_a_name_is_given() -> None:
    local = Local()
    execution = local.begin([call("a")])
    local.finish(execution)
    assert "mine" == recorded(local, execution, "mine")["test"]["name"]


def test_an_execution_that_has_not_ended_is_no_test_yet() -> None:
    local = Local()
    execution = local.begin([call("a")])
    with pytest.raises(Conflict, match="has not ended"):
        recorded(local, execution)
    with pytest.raises(NotFound):
        recorded(local, "0" * 26)


def test_the_version_that_ran_is_the_one_that_is_tested() -> None:
    local = Local()
    execution = local.begin([call("a")])
    local.finish(execution)
    local.publish(workflow("flow", [call("a"), call("other")]))
    found = recorded(local, execution)
    assert (True, "1.0.0") == (found["passes"], found["version"])
    assert 1 == rerun(local, found["test"])["errors"]


def test_what_was_a_few_milliseconds_later_is_left_out_and_said() -> None:
    local = Local()
    execution = local.begin([{"id": "w", "wait": {"for": "3s"}}, call("z")])
    local.run(asyncio.sleep(0.005))
    local.finish(execution)
    found = recorded(local, execution)
    assert found["passes"]
    assert ["output at w.until: "] == [line[:19] for line in found["differences"]]
    assert {"z": "z"} == found["test"]["expect"]["outputContains"]
    report = rerun(local, found["test"])
    assert 1 == report["passed"]


IDS = ("t0", "t1", "t2", "t3", "t4", "t5")
RULES = ("all_success", "all_done", "one_success", "none_failed", "one_failed", "all_failed")
ANSWER = st.one_of(
    st.integers(0, 9).map(http),
    st.sampled_from([("network", True), ("task", False), ("http", True)]).map(
        lambda one: Failure(one[0], one[0], "it failed", one[1])
    ),
)


@st.composite
def executions(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, list[Any]], dict[str, float], dict[str, Any]]:
    """A random graph of calls, transforms and waits, what its attempts bring, and how long they take."""
    tasks: list[dict[str, Any]] = []
    answers: dict[str, list[Any]] = {}
    lasting: dict[str, float] = {}
    for number, name in enumerate(IDS[: draw(st.integers(1, 6))]):
        needs = draw(st.lists(st.sampled_from(IDS[:number]), unique=True, max_size=3)) if number else []
        task: dict[str, Any] = call(name, *needs)
        kind = draw(st.sampled_from(("call", "call", "call", "wait", "event", "transform")))
        if kind != "call":
            order = {"dependsOn": needs} if needs else {}
            blocks: dict[str, dict[str, Any]] = {
                "wait": {"wait": {"for": draw(st.sampled_from(("1s", "15s", "2h")))}},
                "event": {"event": {"type": "go", "timeout": "4s"}},
                "transform": {"type": "transform", "input": {"items": [1, 2]}, "transform": [{"limit": 1}]},
            }
            task = {"id": name, **order, **blocks[kind]}
        elif draw(st.booleans()):
            task["retry"] = {"maxAttempts": 3, "interval": "700ms", "jitter": draw(st.sampled_from(("none", "full")))}
        if needs and draw(st.booleans()):
            task["triggerRule"] = draw(st.sampled_from(RULES))
        if draw(st.integers(0, 3)) == 0:
            task["condition"] = draw(st.sampled_from(("input.go", "!input.go")))
        if draw(st.integers(0, 2)) == 0:
            task["continueOnError"] = True
        answers[name] = draw(st.lists(ANSWER, min_size=1, max_size=3))
        lasting[name] = draw(st.sampled_from((0.01, 0.5, 0.503, 2.0, 30.0)))
        tasks.append(task)
    spec = {"timeout": "20s"} if draw(st.integers(0, 4)) == 0 else {}
    if draw(st.integers(0, 3)) == 0:
        spec["parallelLimit"] = 2
    return tasks, answers, lasting, spec


def ran(made: tuple[list[dict[str, Any]], dict[str, list[Any]], dict[str, float], dict[str, Any]]) -> tuple[Local, str]:
    tasks, answers, lasting, spec = made
    local = Local(Script(answers, lasting=lasting))
    execution = local.begin(tasks, {"go": True}, input={"properties": {"go": {"type": "boolean"}}}, **spec)
    local.finish(execution)
    return local, execution


@pytest.mark.repeats
@settings(max_examples=120, deadline=None)
@given(made=executions())
def test_every_execution_becomes_a_test_that_passes(made: Any) -> None:
    local, execution = ran(made)
    found = recorded(local, execution)
    assert found["passes"], found
    assert (1, 0, 0) == tuple(rerun(local, found["test"])[key] for key in ("passed", "failed", "errors"))
    body = local.read(execution)
    expect = found["test"]["expect"]
    assert body["status"] == expect["status"]
    statuses = {path: task if isinstance(task, str) else task["status"] for path, task in expect["tasks"].items()}
    assert {path: task["status"] for path, task in body["tasks"].items()} == statuses


def mutated(test: dict[str, Any], pick: int) -> dict[str, Any]:
    """The test with one expectation changed."""
    changed = copy.deepcopy(test)
    expect = changed["expect"]
    paths = sorted(expect["tasks"])
    path = paths[pick % len(paths)]
    task = expect["tasks"][path]
    status = task if isinstance(task, str) else task["status"]
    expect["tasks"][path] = "failed" if status != "failed" else "succeeded"
    return changed


@settings(max_examples=60, deadline=None)
@given(made=executions(), pick=st.integers(0, 9))
def test_a_changed_expectation_makes_it_fail(made: Any, pick: int) -> None:
    local, execution = ran(made)
    report = rerun(local, mutated(recorded(local, execution)["test"], pick))
    assert (0, 1, 0) == tuple(report[key] for key in ("passed", "failed", "errors"))
    assert ["status"] == [one["path"].rpartition(".")[2] for one in report["tests"][0]["failures"]]
