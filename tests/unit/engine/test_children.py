"""Executions that tasks start: what is ordered when, what comes back, and what comes twice, late or never."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.limits import HOPS
from millrace.engine import events as ev
from millrace.engine.commands import CancelChild, NotifyParent, StartChild
from millrace.engine.evolve import evolve

from .nested import child, each, flow, played, shape, sound, work
from .play import CRASH, NEVER, Play, failure

NO_WORKFLOW = failure("workflow", "not-found", retryable=False)


def kinds(done: Play) -> list[str]:
    return [type(effect).__name__ for effect in done.effects]


def test_the_output_of_another_execution_is_that_of_the_task() -> None:
    done = played(
        child("c", "other@^2", input={"n": "{{input.n}}"}), work("d", "c"), children={"c": {"v": 1}}, value={"n": 4}
    )
    assert {"v": 1} == done.state.tasks[0].output.decoded()  # type: ignore[union-attr]
    (order,) = [effect for effect in done.effects if isinstance(effect, StartChild)]
    assert ("other@^2", {"n": 4}, False) == (order.ref, order.input.decoded(), order.detached)  # type: ignore[union-attr]
    assert 26 == len(order.child)


def test_an_output_mapping_applies_to_what_another_execution_gave_and_may_be_large() -> None:
    done = played(
        child("c", output={"n": "{{size(output)}}"}),
        child("d", output={"n": "{{size(output.executionId)}}"}, detached=True),
        child("e"), shape("f", ["{{tasks.e.output}}"]), children={"c": "x" * 70_000, "e": "y" * 70_000},
    )  # fmt: skip
    assert {"n": 70_000} == done.output()["c"]
    assert {"n": 26} == done.output()["d"]
    assert ["y" * 70_000] == done.output()["f"]


@pytest.mark.parametrize("why", [failure("http", "503"), NO_WORKFLOW], ids=["failed", "never began"])
def test_what_made_another_execution_fail_is_the_failure_of_the_task(why: Any) -> None:
    done = played(child("c"), work("d", "c"), children={"c": why})
    assert (why.kind, why.code) == (done.failure("c").kind, done.failure("c").code)
    assert {"d": ("upstream_failed", "c")} == done.skips()


def test_a_detached_execution_is_over_for_the_task_once_it_has_begun() -> None:
    done = played(child("c", detached=True), children={"c": NEVER})
    (started,) = done.of(ev.ChildStarted)
    assert {"c": {"executionId": started.child}} == done.output()


def test_a_detached_execution_that_cannot_begin_fails_the_task() -> None:
    done = played(child("c", detached=True), children={"c": NO_WORKFLOW})
    assert "not-found" == done.failure("c").code


@pytest.mark.parametrize("answer", [NEVER, CRASH], ids=["runs", "not begun"])
def test_at_its_timeout_a_task_tells_the_other_execution_to_stop_before_it_fails(answer: Any) -> None:
    done = played(child("c", timeout="1s"), children={"c": answer})
    assert "child-timeout" == done.failure("c").code
    assert "No end of 'other' came within 1000 ms." == done.failure("c").message
    assert "CancelChild" == kinds(done)[-1]
    assert 1 == kinds(done).count("CancelChild")
    assert ({}, []) == (done.state.children, done.state.waits)


@pytest.mark.parametrize("answer", [NEVER, CRASH], ids=["runs", "not begun"])
def test_a_cancel_tells_every_execution_to_stop_before_the_tasks_are_over(answer: Any) -> None:
    held = Play(
        flow(each("l", [1, 2, 3], child("c"), parallel=2), child("d"), work("e")),
        children={f"l[{n}]/c": answer for n in range(3)} | {"d": answer},
        answers={"e": [NEVER]},
    )
    held.settle()
    held.cancel()
    done = sound(held.run())
    told = {effect.path for effect in done.effects if isinstance(effect, CancelChild)}
    assert ({"l[0]/c", "l[1]/c", "d"}, "cancelled") == (told, done.finished().status)
    names = [type(event).__name__ for event in done.events]
    assert names.index("ChildCancelled") < names.index("TaskFinished")


@pytest.mark.parametrize("what", ["task", "workflow"])
def test_a_deadline_around_it_stops_another_execution_first(what: str) -> None:
    loop = each("l", [1, 2], child("c"), continueOnError=True, **({"timeout": "1s"} if what == "task" else {}))
    done = played(
        loop, **({"timeout": "1s"} if what == "workflow" else {}), children={"l[0]/c": NEVER, "l[1]/c": NEVER}
    )
    assert ["ChildCancelled", "ChildCancelled", "TaskFinished"] == [type(e).__name__ for e in done.events][-6:][:3]
    assert ("succeeded" if what == "task" else "timedOut") == done.finished().status


def test_a_cancel_of_handlers_stops_the_executions_they_started() -> None:
    held = Play(flow(work("a"), **{"finally": [child("c")]}), children={"finally/c": NEVER}).run()
    held.cancel()
    done = sound(held.run())
    assert ["StartChild", "CancelChild"] == kinds(done)
    assert "succeeded" == done.finished().status


def test_executions_may_not_stand_above_each_other_without_end() -> None:
    plan = flow(child("c"), child("d", detached=True))
    held = Play(plan, begun=False)
    first = Play(plan).events[0]
    held.take(ev.ExecutionStarted(**{**{name: getattr(first, name) for name in first.__struct_fields__}, "hops": HOPS}))
    done = sound(held.run())
    assert ["too-many-hops", "too-many-hops"] == [done.failure("c").code, done.failure("d").code]
    assert [] == done.effects


def test_ids_follow_from_the_execution_and_the_task_alone() -> None:
    one = played(each("l", [1, 2], child("c")), child("d"))
    again = played(each("l", [1, 2], child("c")), child("d"))
    ids = [event.child for event in one.of(ev.WaitStarted)]
    assert (3, ids) == (len(set(ids)), [event.child for event in again.of(ev.WaitStarted)])


def test_messages_of_other_executions_that_come_twice_or_late_change_nothing() -> None:
    held = Play(
        flow(child("c"), child("d", timeout="1s", continueOnError=True), work("e", "c", "d", triggerRule="all_done")),
        children={"d": NEVER},
    ).run()
    status = held.finished().status
    (ended,) = held.of(ev.ChildFinished, "c")
    (started,) = held.of(ev.ChildStarted, "d")
    before = {path: held.state.tasks[index] for path, index in held.state.index.items()}
    for event in (
        ended,
        ev.ChildFinished(at=1, path="c", child="another", status="failed", message="m9", failure=failure()),
        ev.ChildFinished(at=1, path="d", child=started.child, status="succeeded", message="m8"),
        ev.ChildFinished(at=1, path="d", child=started.child, status="succeeded"),
        ev.ChildFinished(at=1, path="e", child="x", status="succeeded", message="m7"),
        started,
        ev.ChildStarted(at=1, path="e", child="x"),
        ev.ChildCancelled(at=1, path="d", child=started.child),
        ev.ChildCancelled(at=1, path="e", child="x"),
        ev.ParentNotified(at=1, status="succeeded"),
    ):
        evolve(held.state, event)
    assert before == {path: held.state.tasks[index] for path, index in held.state.index.items()}
    assert (status, {}, {}) == (held.finished().status, held.state.ended, held.state.children)


def test_an_end_that_comes_before_the_news_of_the_start_counts() -> None:
    held = Play(flow(child("c"), work("d", "c")), children={"c": CRASH})
    held.settle()
    (waiting,) = held.of(ev.WaitStarted)
    held.take(
        ev.ChildFinished(
            at=held.now, path="c", child=waiting.child, status="succeeded", message="m", output=held.codec.encode(5)
        )
    )
    done = sound(held.run())
    assert {"d": "d"} == done.output()


def test_the_order_to_start_is_repeated_until_something_comes_of_it() -> None:
    held = Play(flow(child("c")), children={"c": CRASH}).run()
    held.settle()
    assert {"StartChild"} == set(kinds(held))
    assert 1 == len({effect.child for effect in held.effects if isinstance(effect, StartChild)})
    held.children = {}
    assert {"c": "c"} == sound(held.run()).output()


def test_the_parent_is_told_until_that_is_recorded() -> None:
    held = Play(flow(work("a")), parent=ev.Parent("x0", "call"))
    noted: list[Any] = []

    def silent(effect: Any) -> bool:
        noted.append(effect)
        return False

    act, held.act = held.act, silent  # type: ignore[method-assign]
    held.run()
    held.settle()
    assert {NotifyParent} == {type(effect) for effect in noted}
    assert 2 <= len(noted)
    assert held.state.finished is None
    held.act = act  # type: ignore[method-assign]
    held.settle()
    assert "succeeded" == held.finished().status


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_loop_starts_no_more_executions_than_may_run_at_once(parallel: int) -> None:
    done = played(each("l", list(range(7)), child("c"), parallel=parallel))
    open_now = most = 0
    for event in done.events:
        open_now += {"ChildStarted": 1, "ChildFinished": -1}.get(type(event).__name__, 0)
        most = max(most, open_now)
    assert (parallel, 7) == (most, len(done.of(ev.ChildStarted)))


RETRY = {"maxAttempts": 3, "interval": "1s", "maxInterval": "10s", "jitter": "none"}
BROKEN = failure("http", "503")


def tries(done: Play, path: str = "c") -> list[tuple[int, str]]:
    return [(event.attempt, event.child) for event in done.of(ev.WaitStarted, path)]


def test_an_execution_that_failed_is_started_again_under_another_id_after_the_backoff() -> None:
    done = played(
        child("c", retry=RETRY, input={"n": "{{input.n}}"}), children={"c": [BROKEN, BROKEN, {"v": 1}]}, value={"n": 4}
    )
    assert {"c": {"v": 1}} == done.output()
    assert [1, 2, 3] == [attempt for attempt, _ in tries(done)]
    assert 3 == len({name for _, name in tries(done)})
    assert [1_000, 2_000] == done.delays("c")
    orders = [effect for effect in done.effects if isinstance(effect, StartChild)]
    assert [name for _, name in tries(done)] == [order.child for order in orders]
    assert [(n, {"n": 4}) for n in (1, 2, 3)] == [(order.attempt, order.input.decoded()) for order in orders]  # type: ignore[union-attr]
    assert (3, "succeeded") == (done.attempts("c"), done.statuses()["c"])


def test_the_last_failure_of_an_execution_is_that_of_the_task() -> None:
    done = played(child("c", retry=RETRY), children={"c": [BROKEN, BROKEN, failure("http", "500")]})
    assert ("500", 3) == (done.failure("c").code, len(tries(done)))
    (over,) = done.of(ev.TaskFinished, "c")
    assert ("retry: 3 of 3 attempts used",) == over.policy


@pytest.mark.parametrize(
    ("why", "retry"),
    [
        (failure("cancelled", "cancelled"), {**RETRY, "retryOn": ["*"]}),
        (failure("http", "404", retryable=False), RETRY),
        (BROKEN, {**RETRY, "retryOn": ["timeout"]}),
        (BROKEN, None),
    ],
    ids=["cancelled", "not worth it", "not named", "no retry"],
)
def test_an_execution_is_not_started_again(why: Any, retry: Any) -> None:
    done = played(child("c", **({} if retry is None else {"retry": retry})), children={"c": [why, {"v": 1}]})
    assert (why.code, 1) == (done.failure("c").code, len(tries(done)))


def test_an_execution_that_could_not_be_started_is_tried_again_where_that_is_named() -> None:
    done = played(child("c", retry={**RETRY, "retryOn": ["*"]}), children={"c": [NO_WORKFLOW, {"v": 1}]})
    assert {"c": {"v": 1}} == done.output()


def test_a_detached_execution_is_not_started_again() -> None:
    task = child("c", detached=True, retry={**RETRY, "retryOn": ["*"]})
    done = played(task, children={"c": [NO_WORKFLOW, {"v": 1}]})
    assert "not-found" == done.failure("c").code


def test_the_time_of_a_task_covers_all_its_executions_and_stops_the_one_that_runs() -> None:
    done = played(child("c", timeout="3s", retry=RETRY), children={"c": [BROKEN, NEVER]})
    assert "child-timeout" == done.failure("c").code
    (told,) = [effect for effect in done.effects if isinstance(effect, CancelChild)]
    assert tries(done)[1] == (2, told.child)
    waits = done.of(ev.WaitStarted, "c")
    assert waits[0].due == waits[1].due == waits[0].at + 3_000


def test_an_execution_that_would_begin_after_the_time_of_the_task_is_not_started() -> None:
    done = played(child("c", timeout="900ms", retry=RETRY), children={"c": [BROKEN, {"v": 1}]})
    assert "503" == done.failure("c").code
    (over,) = done.of(ev.TaskFinished, "c")
    assert ("retry: no time left",) == over.policy


def test_what_an_earlier_execution_still_says_changes_nothing() -> None:
    held = Play(flow(child("c", retry=RETRY)), children={"c": [BROKEN, NEVER]})
    held.settle()
    held.run()
    (first, second) = held.of(ev.WaitStarted, "c")
    held.take(ev.ChildFinished(at=held.now, path="c", child=first.child, status="succeeded", message="late"))
    held.take(ev.WaitStarted(at=held.now, path="c", kind="child", due=None, child=first.child, attempt=1))
    assert ("waiting", second.child) == (held.state.tasks[0].status, held.state.tasks[0].wait.child)  # type: ignore[union-attr]


def test_a_cancel_between_two_executions_stops_none_and_ends_the_task() -> None:
    held = Play(flow(child("c", retry={**RETRY, "interval": "10s"})), children={"c": [BROKEN, {"v": 1}]})
    held.settle()
    held.return_child("c")
    held.settle()
    assert "retrying" == held.state.tasks[0].status
    held.cancel()
    done = sound(held.run())
    assert ("cancelled", 1) == (done.finished().status, len(tries(done)))
    assert "CancelChild" not in kinds(done)


def test_a_retry_of_an_execution_takes_no_room_from_attempts() -> None:
    done = played(
        child("c", retry=RETRY), work("w"), children={"c": [BROKEN, {"v": 1}]}, parallelLimit=1, lasting={"w": 900}
    )
    assert "succeeded" == done.finished().status


def test_a_fallback_follows_the_last_execution() -> None:
    done = played(child("c", retry=RETRY, fallback={"value": {"v": 0}}), children={"c": [BROKEN]})
    assert ({"c": {"v": 0}}, 3) == (done.output(), len(tries(done)))


def test_a_history_of_an_earlier_engine_starts_nothing_again() -> None:
    held = Play(flow(child("c", retry=RETRY)), children={"c": [BROKEN, {"v": 1}]}, semantics=2)
    done = sound(held.run())
    assert ("503", [0]) == (done.failure("c").code, [attempt for attempt, _ in tries(done)])


def test_a_start_at_the_moment_at_which_another_execution_is_told_to_stop_ends_the_turn() -> None:
    """The loop's time is over, and what is inside is only told to stop, while a task beside it begins."""
    loop = each("l", [1], child("c"), timeout="1s", continueOnError=True)
    done = played(
        loop, {"id": "t", "wait": {"for": "1s"}}, work("z", "t"), children={"l[0]/c": NEVER}, lasting={"z": 5}
    )
    assert ("succeeded", "task-timeout") == (done.finished().status, done.failure("l").code)
