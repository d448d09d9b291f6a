"""onFailure and finally: what runs when the tasks are over, what it sees, and what it may change."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev

from .nested import bare, each, flow, played, sound, work
from .play import NEVER, Play, failure

BAD = failure("http", "503", retryable=False)
SEES = "{{execution.status}} {{error?.code ?? 'fine'}} {{error?.task ?? 'none'}}"


def read(done: Play, path: str) -> Any:
    return done.of(ev.AttemptStarted, path)[0].config.decoded()["body"]["read"]


def test_a_single_handler_runs_when_a_task_failed_and_sees_the_error_and_the_tasks() -> None:
    handler = bare(reads="{{error.kind}} {{error.task}} {{tasks.a.output}} {{execution.status}}")
    done = played(work("a"), work("b", "a"), onFailure=handler, answers={"b": [BAD]})
    assert "http b a failed" == read(done, "onFailure")
    assert ("failed", "b") == (done.finished().status, done.finished().failed_task)


def test_handlers_written_as_a_list_wait_for_each_other_and_read_large_outputs() -> None:
    handlers = [work("x"), work("y", reads="{{tasks.x.output}}"), work("z", "y")]
    done = played(work("a"), onFailure={"tasks": handlers}, answers={"a": [BAD], "onFailure/x": ["x" * 70_000]})
    assert ["a", "onFailure/x", "onFailure/y", "onFailure/z"] == [event.path for event in done.of(ev.AttemptStarted)]
    assert 70_000 < done.of(ev.AttemptStarted, "onFailure/y")[0].config.size


def test_after_a_success_only_what_runs_in_any_case_runs() -> None:
    done = played(work("a"), onFailure=bare(), **{"finally": [work("c", reads=SEES + "{{tasks.a.output}}")]})
    assert "succeeded fine nonea" == read(done, "finally/c")
    assert {"a": "a"} == done.output()
    assert [] == done.of(ev.AttemptStarted, "onFailure")


def test_what_runs_in_any_case_comes_after_the_handler_of_the_failure() -> None:
    done = played(work("a"), onFailure=bare(), **{"finally": [work("c", reads=SEES)]}, answers={"a": [BAD]})
    order = [
        (type(event).__name__, getattr(event, "path", ""))
        for event in done.events
        if type(event) in (ev.OutcomeDecided, ev.AttemptStarted)
    ]
    assert [
        ("AttemptStarted", "a"),
        ("OutcomeDecided", ""),
        ("AttemptStarted", "onFailure"),
        ("AttemptStarted", "finally/c"),
    ] == order
    assert "failed 503 a" == read(done, "finally/c")


def test_a_failure_at_the_end_fails_what_had_succeeded() -> None:
    done = played(
        work("a"),
        **{"finally": [work("c"), work("d", "c"), work("e")]},
        answers={"finally/c": [BAD], "finally/e": [BAD]},
    )
    assert ("failed", "finally/c", "503") == (
        done.finished().status,
        done.finished().failed_task,
        done.finished().failure.code,
    )
    assert done.finished().output is None


def test_a_failure_at_the_end_does_not_hide_the_one_before() -> None:
    done = played(
        work("a"), onFailure=bare(), **{"finally": [work("c")]},
        answers={"a": [BAD], "onFailure": [failure("http", "1")], "finally/c": [failure("http", "2")]},
    )  # fmt: skip
    assert ("failed", "a", "503") == (done.finished().status, done.finished().failed_task, done.finished().failure.code)


def test_a_failure_at_the_end_that_may_happen_changes_nothing() -> None:
    done = played(work("a"), **{"finally": [work("c", continueOnError=True)]}, answers={"finally/c": [BAD]})
    assert ("succeeded", {"a": "a"}) == (done.finished().status, done.output())


def test_handlers_may_hold_loops_and_large_outputs_of_the_workflow() -> None:
    loop = each("l", "{{tasks.list.output}}", work("x", reads="{{item}}"))
    done = played(work("list"), **{"finally": [loop]}, answers={"list": [["x" * 70_000, "y"]]})
    assert ["finally/l[0]/x", "finally/l[1]/x"] == [event.path for event in done.of(ev.AttemptStarted)][1:]


def test_running_out_of_time_runs_both_and_their_own_time_is_not_that_of_the_workflow() -> None:
    done = played(
        work("a"), timeout="1s", onFailure=bare(reads=SEES),
        **{"finally": [work("c", reads=SEES, retry={"maxAttempts": 2, "jitter": "none"})]},
        answers={"a": [NEVER], "finally/c": [failure(), "ok"]}, lasting={"onFailure": 5000},
    )  # fmt: skip
    assert "timedOut" == done.finished().status
    assert "timedOut workflow-timeout " == read(done, "onFailure") == read(done, "finally/c")
    assert 2 == len(done.of(ev.AttemptStarted, "finally/c"))


def test_a_cancel_runs_only_what_runs_in_any_case() -> None:
    held = Play(flow(work("a"), onFailure=bare(), **{"finally": [work("c", reads=SEES)]}), answers={"a": [NEVER]})
    held.settle()
    held.cancel("enough")
    done = sound(held.run())
    assert ("cancelled", "cancelled cancelled ") == (done.finished().status, read(done, "finally/c"))
    assert [] == done.of(ev.AttemptStarted, "onFailure")


@pytest.mark.parametrize("answer", ["ok", "bad"])
@pytest.mark.parametrize("where", ["onFailure", "finally/c"])
def test_a_cancel_while_handlers_run_ends_them_and_leaves_the_outcome(where: str, answer: str) -> None:
    plan = flow(work("a"), onFailure=bare(), **{"finally": [work("c"), work("d", "c")]})
    held = Play(plan, answers={"a": [BAD if answer == "bad" else "a"], where: [NEVER]}).run()
    if where == "onFailure" and answer == "ok":
        assert "succeeded" == held.finished().status
        return
    assert held.state.finished is None
    held.cancel("now")
    done = sound(held.run())
    assert ("failed" if answer == "bad" else "succeeded") == done.finished().status
    assert {"cancelled"} <= {event.status for event in done.of(ev.TaskFinished, where)}
    assert where == done.of(ev.AttemptStarted)[-1].path


def test_a_second_cancel_ends_what_the_first_one_left() -> None:
    loop = each("l", [1, 2], work("x"))
    held = Play(flow(work("a"), **{"finally": [loop]}), answers={"a": [NEVER], "finally/l[0]/x": [NEVER]})
    held.settle()
    held.cancel("one")
    held.run()
    assert held.state.finished is None
    held.cancel("two")
    done = sound(held.run())
    assert "cancelled" == done.finished().status
    assert ["finally/l[0]/x", "finally/l"] == [
        e.path for e in done.of(ev.TaskFinished) if e.path.startswith("finally") and e.status == "cancelled"
    ]


def test_a_pause_does_not_hold_up_what_runs_at_the_end() -> None:
    held = Play(flow(work("a"), work("b", "a"), **{"finally": [work("c")]}))
    held.settle()
    held.take(ev.PauseRequested(at=held.now, message="p1"))
    held.run()
    assert {"a": "succeeded", "b": "ready"} == held.statuses()
    held.cancel()
    assert "cancelled" == sound(held.run()).finished().status
    assert 1 == len(held.of(ev.AttemptStarted, "finally/c"))


def test_the_parent_is_told_before_the_end_and_after_the_handlers() -> None:
    held = Play(flow(work("a"), **{"finally": [work("c")]}), parent=ev.Parent("x0", "call"))
    done = sound(held.run())
    names = [type(event).__name__ for event in done.events]
    assert ["TaskFinished", "ParentNotified", "ExecutionFinished"] == names[-3:]
    assert ["succeeded"] == [event.status for event in done.of(ev.ParentNotified)]


def test_a_parent_is_told_of_a_failure_of_the_handlers() -> None:
    held = Play(
        flow(work("a"), **{"finally": [work("c")]}), parent=ev.Parent("x0", "call"), answers={"finally/c": [BAD]}
    )
    done = held.run()
    assert ["failed"] == [event.status for event in done.of(ev.ParentNotified)]


def test_a_parent_that_does_not_wait_is_told_nothing() -> None:
    done = Play(flow(work("a")), parent=ev.Parent("x0", "call", waits=False)).run()
    assert ([], "succeeded") == (done.of(ev.ParentNotified), done.finished().status)


def test_without_handlers_a_child_decides_tells_and_ends() -> None:
    done = sound(Play(flow(work("a")), parent=ev.Parent("x0", "call")).run())
    names = [type(event).__name__ for event in done.events]
    assert ["OutcomeDecided", "ParentNotified", "ExecutionFinished"] == names[-3:]
    assert {"a": "a"} == done.output()


def test_an_output_that_is_too_large_to_keep_fails_the_outcome() -> None:
    big = "x" * (9 * 1024 * 1024)
    held = Play(flow(work("a"), work("b"), **{"finally": [work("c")]}), answers={"a": [big], "b": [big]})
    done = held.run()
    assert ("failed", "too-large") == (done.finished().status, done.finished().failure.kind)  # type: ignore[union-attr]
