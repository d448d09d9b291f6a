"""Deadlines, timeouts, cancels and limits around and inside tasks that hold tasks."""

from __future__ import annotations

import pytest

from millrace.base.limits import TASK_INSTANCES
from millrace.engine import events as ev
from millrace.engine import scopes
from millrace.engine.decide import decide
from millrace.engine.evolve import fold
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.state import GONE, State

from .nested import bare, choose, each, flow, played, sound, work
from .play import NEVER, Play, failure, start_event


def order(done: Play) -> list[tuple[str, str]]:
    return [(event.path, event.status) for event in done.of(ev.TaskFinished)]


def test_at_the_deadline_of_a_loop_its_tasks_are_cancelled_from_the_inside_and_it_fails() -> None:
    inner = each("in", [1, 2], work("x"), named="v", counted="k", parallel=1)
    done = played(
        each("out", [1, 2, 3], inner, work("y", "in"), timeout="1s", parallel=2),
        lasting={f"out[{n}]/in[0]/x": 5000 for n in range(3)},
    )
    assert [
        ("out[0]/in[0]/x", "cancelled"),
        ("out[0]/y", "cancelled"),
        ("out[1]/in[0]/x", "cancelled"),
        ("out[1]/y", "cancelled"),
        ("out[0]/in", "cancelled"),
        ("out[1]/in", "cancelled"),
        ("out", "failed"),
    ] == order(done)
    assert "task-timeout" == done.failure("out").code
    assert 1_001_000 == done.now


def test_the_deadline_of_an_inner_task_fails_only_its_iteration() -> None:
    done = played(each("l", [1, 2], work("x", timeout="1s"), tolerate=1), answers={"l[0]/x": [NEVER]})
    assert ["failed", "succeeded"] == [entry["status"] for entry in done.output()["l"]]
    assert ("l[0]/x", "failed") == order(done)[1]


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_an_iteration_that_ends_at_the_very_deadline_begins_no_other_that_outlives_the_loop(slots: int) -> None:
    loop = each("l", [1, 2, 3, 4], work("x"), parallel=slots, timeout="1s", continueOnError=True)
    done = played(loop, work("z", "l", triggerRule="all_done"), lasting={f"l[{n}]/x": 1000 for n in range(4)})
    assert (0, {"l", "z"}) == (done.state.running, set(done.state.index))
    assert 1_001_010 == done.now


def test_a_wait_that_ends_at_the_very_deadline_begins_nothing_that_outlives_the_loop() -> None:
    loop = each("l", [1, 2, 3], {"id": "w", "wait": {"for": "1s"}}, parallel=1, timeout="1s", fallback={"value": 5})
    done = played(loop, work("z", "l"))
    assert {"z": "z"} == done.output()
    assert ["l[0]/w", "l[1]/w", "l", "z"] == [path for path, _ in order(done)]


@pytest.mark.parametrize("ahead", [0, 200, 800])
def test_deadlines_of_a_task_and_of_the_loop_around_it_that_are_found_passed_together(ahead: int) -> None:
    """Whichever was first: what stands in for the inner task does not outlive the loop."""
    inner = work("x", timeout=f"{1000 - ahead}ms" if ahead else "1s", fallback={"task": bare()})
    loop = each("l", [1, 2], inner, timeout="1s", parallel=1, continueOnError=True)
    held = Play(flow(loop), answers={"l[0]/x": [NEVER], "l[0]/x/fallback": [NEVER]})
    held.settle()
    held.now += 60_000
    done = sound(held.run())
    assert ("succeeded", "task-timeout", 0) == (done.finished().status, done.failure("l").code, done.state.running)
    assert {"l"} == set(done.state.index)


def test_all_iterations_that_end_at_the_very_deadline_make_the_loop_a_success() -> None:
    done = played(each("l", [1, 2], work("x"), timeout="1s"), lasting={"l[0]/x": 1000, "l[1]/x": 1000})
    assert "succeeded" == done.finished().status


def test_a_driver_that_dies_between_the_cancels_of_a_deadline_leaves_the_rest_to_the_next() -> None:
    inner = each("in", [1, 2], work("x"), named="v", counted="k")
    loop = each("out", [1, 2], inner, timeout="1s", continueOnError=True)
    whole = played(loop, answers={f"out[{n}]/in[{k}]/x": [NEVER] for n in (0, 1) for k in (0, 1)})
    for length in range(len(whole.events)):
        if not isinstance(whole.events[length], ev.TaskFinished):
            continue
        taken = Play(whole.plan, begun=False, answers=whole.answers)
        for event in whole.events[:length]:
            taken.take(event)
        taken.now = whole.events[length].at
        done = sound(taken.run())
        assert ("succeeded", "task-timeout") == (done.finished().status, done.failure("out").code)
        assert {"cancelled"} == {status for path, status in order(done) if path != "out"}


def test_a_cancel_ends_nested_loops_from_the_inside_in_one_step() -> None:
    inner = each("in", [1, 2, 3], work("x"), parallel=2, named="v", counted="k")
    held = Play(flow(each("out", [1, 2], inner), work("z", "out")), lasting=lambda _path, _attempt: 1000)
    held.settle()
    held.cancel("stop")
    held.settle()
    done = sound(held)
    assert "cancelled" == done.finished().status
    assert ("out", "cancelled") == order(done)[-2]
    assert {"cancelled"} == {status for _, status in order(done)}
    assert {} == done.state.opened


def test_a_cancel_that_was_cut_off_is_carried_on() -> None:
    inner = each("in", [1, 2, 3], work("x"), parallel=2, named="v", counted="k")
    held = Play(flow(each("out", [1, 2], inner, timeout="1h"), work("z", "out")), lasting=lambda _path, _attempt: 1000)
    held.settle()
    held.cancel("stop")
    whole = held.run()
    begun = next(at for at, event in enumerate(whole.events) if isinstance(event, ev.CancelRequested)) + 1
    for length in range(begun, len(whole.events) + 1):
        taken = Play(whole.plan, begun=False)
        for event in whole.events[:length]:
            taken.take(event)
        assert [getattr(e, "path", "") for e in whole.events] == [getattr(e, "path", "") for e in taken.run().events]


def test_the_workflows_timeout_ends_what_is_inside_and_is_recognised_after_a_crash() -> None:
    whole = played(each("l", [1, 2], work("x")), timeout="1s", answers={"l[0]/x": [NEVER]})
    assert "timedOut" == whole.finished().status
    taken = Play(whole.plan, begun=False)
    for event in whole.events[:-1]:
        taken.take(event)
    assert "timedOut" == taken.run().finished().status


def test_a_loop_that_was_cancelled_inside_and_is_judged_later_is_cancelled() -> None:
    plan = flow(each("l", [1], work("x")), work("z", "l", triggerRule="all_done"))
    held = Play(plan, answers={"l[0]/x": [NEVER]})
    held.settle()
    held.take(ev.TaskFinished(at=held.now, path="l[0]/x", status="cancelled", failure=failure("cancelled")))
    done = sound(held.run())
    assert "cancelled" == done.statuses()["l"]


def crowded(plan: object, tasks: int) -> Play:
    """A run that has had so many tasks already, all of them gone."""
    held = Play(plan, value=[0] * 6)  # type: ignore[arg-type]
    more = tasks - len(held.state.tasks)
    held.state.tasks += [GONE] * more
    held.state.nodes += [held.state.nodes[0]] * more
    held.state.frames += [held.state.root] * more
    return held


@pytest.mark.parametrize(("room", "status"), [(12, "succeeded"), (11, "failed")])
def test_a_loop_that_would_lead_to_too_many_tasks_is_refused(room: int, status: str) -> None:
    held = crowded(flow(each("l", "{{input}}", work("x"), work("y"))), TASK_INSTANCES - room).run()
    assert status == held.finished().status
    if status == "failed":
        assert ("too-large", "too-many-tasks") == (held.failure("l").kind, held.failure("l").code)
        assert f"{TASK_INSTANCES + 1} tasks in one execution" in held.failure("l").message


def test_iterations_that_are_still_to_begin_count_too() -> None:
    one = each("l", "{{input}}", work("x"), parallel=1)
    held = crowded(flow(one, {**one, "id": "m", "dependsOn": ["first"]}, work("first")), TASK_INSTANCES - 11)
    done = held.run()
    assert {"l": "succeeded", "m": "failed", "first": "succeeded"} == done.statuses()


def test_of_two_loops_that_are_ready_at_once_only_one_gets_the_room() -> None:
    one = each("l", "{{input}}", work("x"), parallel=1)
    held = crowded(flow(one, {**one, "id": "m"}), TASK_INSTANCES - 11)
    done = held.run()
    assert {"l": "succeeded", "m": "failed"} == done.statuses()


def test_a_loop_that_ends_early_gives_back_the_room_of_what_never_began() -> None:
    one = each("l", "{{input}}", work("x"), parallel=1, continueOnError=True)
    held = crowded(flow(one, {**one, "id": "m", "dependsOn": ["l"], "triggerRule": "all_done"}), TASK_INSTANCES - 7)
    held.answers = {"l[0]/x": [failure(retryable=False)]}
    assert {"l": "failed", "m": "succeeded"} == held.run().statuses()


@pytest.mark.parametrize("kind", ["switch", "generate"])
def test_cases_and_generated_tasks_count_too(kind: str) -> None:
    task = choose("t", 1, [(1, [work("x"), work("y")])])
    if kind == "generate":
        document = bare()
        task = {"id": "t", "generate": {"from": [{"id": "x", **document}, {"id": "y", **document}]}}
    assert "failed" == crowded(flow(task), TASK_INSTANCES - 1).run().finished().status
    assert "succeeded" == crowded(flow(task), TASK_INSTANCES - 2).run().finished().status


def test_a_fallback_may_stand_in_though_there_is_no_more_room() -> None:
    held = crowded(flow(work("a", fallback={"task": bare()})), TASK_INSTANCES)
    held.answers = {"a": [failure(retryable=False)]}
    assert {"a": "a/fallback"} == held.run().output()


def test_decide_names_the_refusal_itself_once_the_room_is_taken() -> None:
    held = crowded(flow(each("l", "{{input}}", work("x"))), TASK_INSTANCES)
    (command,) = decide(held.plan, held.state, held.now)
    assert scopes.TASK_INSTANCES == TASK_INSTANCES
    assert "too-many-tasks" == command.failure.code  # type: ignore[union-attr]


def test_a_snapshot_knows_what_is_still_to_begin_and_which_deadlines_hold() -> None:
    plan = flow(each("l", [1, 2, 3, 4], work("x", timeout="1h"), parallel=2, timeout="2h"), work("a", timeout="3h"))
    held = Play(plan, answers={"l[0]/x": [NEVER], "a": [NEVER]})
    held.settle()
    thawed = thaw(plan, freeze(held.state))
    assert thawed is not None
    assert (2, 2) == (held.state.promised, thawed.promised)
    assert sorted(held.state.deadlines) == sorted(thawed.deadlines)
    thawed.promised += 1
    assert ["tally"] == equal(held.state, thawed)
    thawed.deadlines.pop()
    assert ["tally", "deadlines"] == equal(held.state, thawed)


def test_a_snapshot_of_another_plan_is_refused() -> None:
    held = Play(flow(each("l", [1], work("x"))))
    held.settle()
    assert thaw(flow(work("a"), work("b")), freeze(held.state)) is None
    assert thaw(held.plan, freeze(held.state)) is not None


def test_events_of_tasks_that_are_gone_change_nothing() -> None:
    """Every kind of event that names a task, for one whose body is over and for a task that has ended."""
    plan = flow(each("l", [1], work("x")), work("a"), work("b", "a"))
    held = Play(plan, lasting={"a": 500})
    held.settle()
    while "l[0]/x" in held.state.index:
        at, path, attempt = held.flying.pop(0)
        held.now = at
        held.land(path, attempt)
        held.settle()
    codec = held.codec
    value = codec.encode(1)
    for path in ("l[0]/x", "l[7]/x", "l"):
        before = freeze(held.state)
        late = [
            ev.AttemptStarted(at=1, path=path, attempt=9),
            ev.AttemptFinished(at=1, path=path, attempt=1, output=value),
            ev.AttemptUnknown(at=1, path=path, attempt=1),
            ev.RetryScheduled(at=1, path=path, attempt=9, due=1, delay_ms=0),
            ev.WaitStarted(at=1, path=path, kind="event", signal="s"),
            ev.ScopeOpened(at=1, path=path, kind="forEach", count=1, items=codec.encode([1])),
            ev.ScopeOpened(at=1, path=path, kind="fallback", failure=failure()),
            ev.ChildStarted(at=1, path=path, child="c"),
            ev.ChildFinished(at=1, path=path, child="c", status="succeeded"),
            ev.ChildCancelled(at=1, path=path, child="c"),
            ev.TaskFinished(at=1, path=path, status="failed", failure=failure()),
        ]
        for event in late:
            held.take(event)
            held.events.pop()
            held.state.position -= 1
        assert before == freeze(held.state), path


def test_an_event_of_a_task_that_never_was_is_an_error() -> None:
    state = fold(flow(work("a")), [])
    assert isinstance(state, State)
    with pytest.raises(KeyError):
        state.at("nothing")
    assert state.at("onFailure") is None


def test_a_scope_is_opened_once_and_a_fallback_begins_once() -> None:
    plan = flow(each("l", [1, 2], work("x"), parallel=1, fallback={"task": bare()}))
    held = Play(plan, answers={"l[0]/x": [failure(retryable=False)], "l/fallback": [NEVER]})
    held.settle()
    opened = held.of(ev.ScopeOpened, "l")[0]
    before = freeze(held.state)
    held.take(opened)
    held.state.position -= 1
    assert before == freeze(held.state)
    held.run()
    again = held.of(ev.ScopeOpened, "l")[-1]
    assert "fallback" == again.kind
    before = freeze(held.state)
    for event in (opened, again):
        held.take(event)
        held.state.position -= 1
    assert before == freeze(held.state)
    assert start_event(held.codec).at < held.now
