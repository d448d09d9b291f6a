"""Fallbacks: a value, a task or a workflow that stands in for what failed, and is known as degraded."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev

from .nested import bare, child, choose, each, flow, played, shape, sound, work
from .play import CRASH, NEVER, Play, failure

BAD = failure("http", "503", retryable=False)
FLAT: dict[str, Any] = {"value": {"said": "{{error.kind}}/{{error.code}}", "of": "{{error.task}}"}}


def ends(done: Any, path: str) -> tuple[str, bool]:
    (event,) = done.of(ev.TaskFinished, path)
    return event.status, event.degraded


def test_a_value_stands_in_and_sees_the_failure() -> None:
    done = played(
        work("a", fallback=FLAT), shape("b", ["{{tasks.a.output}}", "{{tasks.a.error.code}}"]), answers={"a": [BAD]}
    )
    assert [{"said": "http/503", "of": "a"}, "503"] == done.output()["b"]
    assert ("succeeded", True) == ends(done, "a")
    assert "fallback: value after http/503" in done.of(ev.TaskFinished, "a")[0].policy


def test_nothing_stands_in_for_a_success() -> None:
    done = played(work("a", fallback=FLAT), each("l", [1], work("x"), fallback={"task": bare()}))
    assert {"a": "a", "l": [{"status": "succeeded", "output": {"x": "l[0]/x"}}]} == done.output()
    assert not any(event.degraded for event in done.of(ev.TaskFinished))


def test_a_value_that_cannot_be_rendered_fails_the_task() -> None:
    done = played(work("a", fallback={"value": "{{error.kind}}{{input.absent}}"}), answers={"a": [BAD]}, value={})
    assert "expression" == done.failure("a").kind
    assert "fallback of task 'a'" in done.failure("a").message


def test_a_value_may_need_a_large_output_of_another_task() -> None:
    done = played(
        work("big"), work("a", "big", fallback={"value": "{{size(tasks.big.output)}}"}),
        answers={"big": ["x" * 70_000], "a": [BAD]},
    )  # fmt: skip
    assert 70_000 == done.output()["a"]


def test_a_value_that_reads_a_broken_entry_of_the_state_leaves_the_failure() -> None:
    done = played(
        work("a", fallback={"value": "{{state.x}}"}), state={"x": "{{input.absent}}"}, answers={"a": [BAD]}, value={}
    )
    assert "expression" == done.failure("a").kind or "http" == done.failure("a").kind
    assert "failed" == done.finished().status


def test_a_task_stands_in_with_its_own_attempts_and_sees_the_failure() -> None:
    stand_in = bare(reads="{{error.kind}} of {{error.task}}", retry={"maxAttempts": 2, "jitter": "none"})
    done = played(work("a", fallback={"task": stand_in}), answers={"a": [BAD], "a/fallback": [failure(), {"n": 1}]})
    assert ({"n": 1}, ("succeeded", True)) == (done.output()["a"], ends(done, "a"))
    assert "http of a" == done.of(ev.AttemptStarted, "a/fallback")[0].config.decoded()["body"]["read"]
    assert ("fallback: a/fallback",) == done.of(ev.TaskFinished, "a")[0].policy


def test_a_task_that_stands_in_reads_another_one_that_has_its_name() -> None:
    done = played(
        work("fallback"), work("b", "fallback", fallback={"task": bare(reads="{{tasks.fallback.output}}")}),
        answers={"fallback": ["x" * 70_000], "b": [BAD]},
    )  # fmt: skip
    assert 70_000 < done.of(ev.AttemptStarted, "b/fallback")[0].config.size


def test_when_what_stands_in_fails_too_the_task_fails_with_that() -> None:
    done = played(
        work("a", fallback={"task": bare()}),
        answers={"a": [BAD], "a/fallback": [failure("http", "418", retryable=False)]},
    )
    assert ("http", "418") == (done.failure("a").kind, done.failure("a").code)
    assert "Task 'a/fallback' failed: http 418" == done.failure("a").message
    assert ("failed", False) == ends(done, "a")


def test_a_task_that_stands_in_may_be_skipped_and_gives_nothing_then() -> None:
    done = played(work("a", fallback={"task": bare(condition=False)}), answers={"a": [BAD]})
    assert {"a": None} == done.output()


def test_a_task_that_stands_in_may_have_one_of_its_own() -> None:
    done = played(work("a", fallback={"task": bare(fallback={"value": 3})}), answers={"a": [BAD], "a/fallback": [BAD]})
    assert {"a": 3} == done.output()


@pytest.mark.parametrize("kind", ["task", "value"])
def test_something_stands_in_for_a_loop_and_for_a_switch(kind: str) -> None:
    fallback: Any = {"task": bare()} if kind == "task" else {"value": "flat"}
    done = played(
        each("l", [1, 2], work("x"), fallback=fallback), choose("s", 1, [(1, [work("x")])], fallback=fallback),
        answers={"l[1]/x": [BAD], "s/0/x": [BAD]},
    )  # fmt: skip
    expected = {"l": "l/fallback", "s": "s/fallback"} if kind == "task" else {"l": "flat", "s": "flat"}
    assert expected == done.output()


def test_something_stands_in_for_each_iteration_by_itself() -> None:
    stand_in = bare(reads="{{item}}{{index}}")
    done = played(each("l", ["p", "q"], work("x", fallback={"task": stand_in})), answers={"l[1]/x": [BAD]})
    assert [{"x": "l[0]/x"}, {"x": "l[1]/x/fallback"}] == [entry["output"] for entry in done.output()["l"]]
    assert "q1" == done.of(ev.AttemptStarted, "l[1]/x/fallback")[0].config.decoded()["body"]["read"]


@pytest.mark.parametrize("fallback", [{"task": bare()}, {"workflow": "other"}], ids=["task", "workflow"])
def test_something_stands_in_after_a_timeout_and_has_all_the_time_it_needs(fallback: dict[str, Any]) -> None:
    done = played(
        work("a", timeout="1s", fallback=fallback),
        each("l", [1, 2], work("x"), timeout="1s", parallel=1, fallback=fallback),
        answers={"a": [NEVER], "l[0]/x": [NEVER]}, lasting={"a/fallback": 5000, "l/fallback": 5000},
    )  # fmt: skip
    assert {"a": "a/fallback", "l": "l/fallback"} == done.output()
    assert {"cancelled"} == {event.status for event in done.of(ev.TaskFinished, "l[0]/x")}
    assert 0 == done.state.running


def test_a_workflow_stands_in_for_another_that_failed() -> None:
    done = played(
        child("c", fallback={"workflow": "plan-b", "input": {"why": "{{error.code}}"}}),
        children={"c": failure("http", "500"), "c/fallback": {"ok": True}},
    )  # fmt: skip
    assert {"c": {"ok": True}} == done.output()
    assert {"why": "503"} | {"why": "500"} == done.of(ev.WaitStarted, "c/fallback")[0].input.decoded()


def test_something_stands_in_after_crashes_are_used_up() -> None:
    done = played(work("a", fallback={"value": "flat"}), answers={"a": [CRASH]})
    assert {"a": "flat"} == done.output()


def test_nothing_stands_in_for_a_condition_that_cannot_be_judged_or_for_a_skip_or_a_cancel() -> None:
    done = played(work("a", condition="input.absent", fallback={"value": 1}), value={})
    assert ("failed", "expression") == (done.finished().status, done.failure("a").kind)
    done = played(work("a", condition=False, fallback={"value": 1}), work("b", "a"))
    assert {"a": "skipped", "b": "skipped"} == done.statuses()
    held = Play(flow(work("a", fallback={"value": 1})), answers={"a": [NEVER]})
    held.settle()
    held.cancel()
    assert {"a": "cancelled"} == sound(held.run()).statuses()


def test_a_fallback_of_a_wait_stands_in_when_its_time_is_over() -> None:
    done = played({"id": "e", "event": {"type": "paid", "timeout": "1s"}, "fallback": {"task": bare()}})
    assert {"e": "e/fallback"} == done.output()
    assert [] == done.state.waits


def test_two_deadlines_at_one_moment_end_the_outer_task_and_forget_the_inner_ones_fallback() -> None:
    inner = each(
        "in", [1, 2, 3], work("x"), parallel=1, timeout="1s", fallback={"task": bare()}, named="v", counted="k"
    )
    done = played(each("out", [1], inner, timeout="1s", continueOnError=True), answers={"out[0]/in[0]/x": [NEVER]})
    assert "task-timeout" == done.failure("out").code
    assert [] == done.of(ev.AttemptStarted, "out[0]/in/fallback")


PEOPLE = {"type": "approval", "approvers": ["user:ann"], "timeout": "1h"}


def asked(on_timeout: str = "task") -> Play:
    """An approval that another task stands in for, and a task that follows it."""
    other = {key: value for key, value in work("x").items() if key != "id"}
    task = {"id": "sign", **PEOPLE, "onTimeout": on_timeout, "fallback": {"task": other}}
    held = Play(flow(task, work("after", "sign")), answers={"sign/fallback": [{"by": "rule"}]})
    held.settle()
    return held


def test_an_approval_that_nobody_decides_in_time_has_the_outcome_of_its_task() -> None:
    done = sound(asked().run())
    assert {"by": "rule"} == done.state.tasks[0].output.decoded()  # type: ignore[union-attr]
    assert ("succeeded", True) == (done.finished().status, done.state.tasks[0].degraded)
    (opened,) = done.of(ev.ScopeOpened)
    assert ("fallback", "approval-timeout", 3_600_000) == (
        opened.kind,
        opened.failure.code,
        opened.at - done.events[0].at,
    )


@pytest.mark.parametrize(("on_timeout", "status"), [("task", "failed"), ("fail", "succeeded")])
def test_a_rejection_stays_one_where_a_task_is_only_to_follow_the_timeout(on_timeout: str, status: str) -> None:
    held = asked(on_timeout)
    held.decide("sign", "rejected", by="user:ann")
    done = sound(held.run())
    assert status == done.finished().status


def test_a_decision_that_comes_after_the_time_changes_nothing() -> None:
    held = asked()
    held.run()
    held.decide("sign", "rejected", by="user:ann")
    assert "succeeded" == held.finished().status


def test_an_approval_that_is_given_in_time_needs_no_task() -> None:
    held = asked()
    held.decide("sign", "approved", by="user:ann")
    done = sound(held.run())
    assert ("approved", False) == (
        done.state.tasks[0].output.decoded()["decision"],  # type: ignore[union-attr]
        done.state.tasks[0].degraded,
    )
