"""Tasks that wait: for a time, for an event, for people; and executions that are paused."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev
from millrace.engine.decide import decide
from millrace.engine.evolve import evolve, fold
from millrace.engine.plan import WaitPlan
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.state import next_due
from millrace.expr import compile_expression

from .play import BEGIN, NEVER, Play, failure, graph, play, retry

DAY = 86_400_000


def timer(**config: Any) -> WaitPlan:
    return WaitPlan("time")


def event(match: str | None = None, timeout: int | None = None) -> dict[str, Any]:
    """A task that waits for the signal ``paid``."""
    wait = WaitPlan("event", match=None if match is None else compile_expression(match), timeout_ms=timeout)
    return {"wait": wait, "config": {"type": "paid"}}


def approval(required: int = 1, timeout: int | None = None, on_timeout: str = "fail") -> dict[str, Any]:
    approvers = ("role:approver", "user:ann")
    return {
        "wait": WaitPlan("approval", approvers=approvers, required=required, timeout_ms=timeout, on_timeout=on_timeout)
    }


def begun(tasks: dict[str, Any], **more: Any) -> Play:
    return Play(graph(tasks), **more).run()


# a time


@pytest.mark.parametrize(
    ("config", "due"),
    [
        ({"for": "3d"}, BEGIN + 3 * DAY),
        ({"for": 90}, BEGIN + 90_000),
        ({"until": "1970-01-01T01:00:00Z"}, 3_600_000),
        ({"until": "1970-01-01T01:00:00+00:30"}, 1_800_000),
        ({"until": "{{input.at}}"}, 7_200_000),
    ],
)
def test_a_wait_ends_at_its_time_and_not_before(config: Any, due: int) -> None:
    done = play({"a": {"wait": timer(), "config": config}, "b": {"needs": ["a"]}}, value={"at": "1970-01-01T02:00:00Z"})
    assert [due] == [started.due for started in done.of(ev.WaitStarted)]
    assert due == done.of(ev.TaskFinished, "a")[0].at == done.of(ev.AttemptStarted, "b")[0].at
    assert "succeeded" == done.finished().status


def test_a_wait_until_a_moment_that_is_over_ends_at_once() -> None:
    done = play({"a": {"wait": timer(), "config": {"until": "1970-01-01T00:00:01Z"}}})
    assert ("succeeded", BEGIN) == (done.finished().status, done.now)
    assert {"a": {"until": "1970-01-01T00:00:01.000Z"}} == done.output()


def test_a_wait_of_days_costs_nothing_while_it_lasts() -> None:
    done = begun({"a": {"wait": timer(), "config": {"for": "30d"}}})
    assert BEGIN + 30 * DAY == done.now
    assert ["ExecutionStarted", "WaitStarted", "TaskFinished", "ExecutionFinished"] == [
        type(event).__name__ for event in done.events
    ]
    assert done.settles < 5


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"for": "soon"}, "soon"),
        ({"until": "tomorrow"}, "'tomorrow' is not an instant."),
        ({"until": "2026-01-31T09:00:00"}, "is not an instant."),
        ({"until": 5}, "5 is not an instant."),
        ({"until": None}, "null is not an instant."),
        ({"until": "x" * 1000}, "xxx... is not an instant."),
    ],
)
def test_a_time_that_cannot_be_read_fails_its_task(config: Any, words: str) -> None:
    done = play({"a": {"wait": timer(), "config": config}})
    assert "failed" == done.finished().status
    assert words in done.failure("a").message


def test_a_task_timeout_ends_a_longer_wait() -> None:
    done = play({"a": {"wait": timer(), "config": {"for": "1h"}, "timeout": 500}})
    assert ("task-timeout", BEGIN + 500) == (done.failure("a").code, done.now)


def test_a_wait_takes_no_room_of_the_parallel_limit() -> None:
    tasks = {"a": {"wait": timer(), "config": {"for": "1h"}}, "b": {}, "c": {}}
    done = play(tasks, parallel_limit=1)
    assert (1, BEGIN) == (done.most, done.of(ev.WaitStarted)[0].at)
    assert [BEGIN, BEGIN + 10] == [started.at for started in done.of(ev.AttemptStarted)]


def test_the_output_mapping_of_a_wait_sees_what_it_waited_for() -> None:
    tasks = {"a": {**event(), "output": {"id": "{{output.data.id}}"}}}
    held = begun(tasks)
    held.signal("paid", {"id": 7})
    assert {"a": {"id": 7}} == held.run().output()


def test_an_output_mapping_of_a_wait_that_breaks_fails_the_task() -> None:
    held = begun({"a": {**event(), "output": "{{output.data.missing}}"}})
    held.signal("paid", {"id": 7})
    assert "failed" == held.run().finished().status


def test_a_skipped_wait_does_not_wait() -> None:
    done = play({"a": {"wait": timer(), "config": {"for": "1h"}, "condition": "false"}})
    assert ([], BEGIN) == (done.of(ev.WaitStarted), done.now)


def test_the_input_of_a_wait_is_recorded() -> None:
    done = play(
        {"a": {"wait": timer(), "config": {"for": "1s"}, "input": {"why": "{{input.why}}"}}}, value={"why": "x"}
    )
    assert {"why": "x"} == done.of(ev.WaitStarted)[0].input.decoded()
    assert done.state.tasks[0].input is not None


# an event


def test_an_event_that_comes_ends_its_wait_with_its_data() -> None:
    held = begun({"a": event()})
    assert held.state.finished is None
    assert next_due(held.state) is None
    held.now += 500
    held.signal("other")
    held.signal("paid", {"id": 7})
    held.run()
    assert {"a": {"type": "paid", "id": "m2", "at": BEGIN + 500, "data": {"id": 7}}} == held.output()
    assert "m2" == held.of(ev.TaskFinished, "a")[0].consumed


def test_an_event_that_came_before_its_wait_began_is_not_lost() -> None:
    held = Play(graph({"first": {}, "a": {**event(), "needs": ["first"]}}))
    held.signal("paid", {"id": 1})
    assert 1 == held.run().output()["a"]["data"]["id"]


def test_each_event_ends_one_wait_in_document_order() -> None:
    held = begun({"a": event(), "b": event(), "c": {"needs": ["a", "b"]}})
    held.signal("paid", 1)
    held.run()
    assert {"a": "succeeded", "b": "waiting", "c": "pending"} == held.statuses()
    held.signal("paid", 2)
    held.run()
    assert [1, 2] == [held.state.view[name]["output"]["data"] for name in ("a", "b")]


def test_two_events_at_once_end_two_waits() -> None:
    held = begun({"a": event(), "b": event()})
    held.signal("paid", 1)
    held.signal("paid", 2)
    assert [1, 2] == [held.run().output()[name]["data"] for name in ("a", "b")]


def test_an_event_that_does_not_match_stays_for_others() -> None:
    held = begun({"a": event("event.data.order == input.order"), "b": event()}, value={"order": 7})
    held.signal("paid", {"order": 8})
    held.run()
    assert {"a": "waiting", "b": "succeeded"} == held.statuses()
    held.signal("paid", {"order": 7})
    assert {"order": 7} == held.run().output()["a"]["data"]


@pytest.mark.parametrize("payload", [{}, "text", None, {"order": "1"}, {"order": None}])
def test_an_event_that_lacks_what_the_match_asks_for_is_another_event(payload: Any) -> None:
    held = begun({"a": event("event.data.order > 0")})
    held.signal("paid", payload)
    held.run()
    assert {"a": "waiting"} == held.statuses()
    held.signal("paid", {"order": 1})
    assert "succeeded" == held.run().finished().status


def test_an_event_that_does_not_come_in_time_fails_its_task() -> None:
    done = begun({"a": event(timeout=2000)})
    assert (BEGIN + 2000, "event-timeout") == (done.now, done.failure("a").code)
    assert "No event 'paid' came within 2000 ms." == done.failure("a").message


def test_an_event_that_comes_at_the_very_end_of_its_time_counts() -> None:
    held = Play(graph({"a": event(timeout=2000)}))
    held.settle()
    held.now += 2000
    held.signal("paid", 1)
    held.settle()
    assert "succeeded" == held.finished().status


def test_the_type_of_an_event_may_be_computed_but_must_be_text() -> None:
    tasks = {"a": {"wait": WaitPlan("event"), "config": {"type": "{{input.kind}}"}}}
    assert "paid" == Play(graph(tasks), value={"kind": "paid"}).run().of(ev.WaitStarted)[0].signal
    assert "failed" == Play(graph(tasks), value={"kind": 5}).run().finished().status


# people


def test_an_approval_by_enough_different_people_succeeds() -> None:
    held = begun({"a": approval(required=2)})
    started = held.of(ev.WaitStarted)[0]
    assert (("role:approver", "user:ann"), 2) == (started.approvers, started.required)
    held.decide("a", "approved", by="ann", comment="fine", form={"limit": 5})
    held.decide("a", "approved", by="ann")
    held.run()
    assert "waiting" == held.statuses()["a"]
    held.decide("a", "approved", by="bob", form={"limit": 6})
    output = held.run().output()["a"]
    assert ("approved", False) == (output["decision"], output["timedOut"])
    assert [("ann", None), ("bob", {"limit": 6})] == [(one["principal"], one["form"]) for one in output["decisions"]]


def test_one_rejection_fails_the_task_with_who_and_why() -> None:
    held = begun({"a": {**approval(required=2), "go_on": True}, "b": {"needs": ["a"]}})
    held.decide("a", "approved", by="bob")
    held.decide("a", "rejected", by="ann", comment="too much")
    held.run()
    found = held.failure("a")
    assert ("rejected", "rejected") == (found.kind, found.code)
    assert "too much" == found.details["decisions"][1]["comment"]
    assert "succeeded" == held.finished().status


def test_a_person_may_think_again_until_it_is_decided() -> None:
    held = begun({"a": approval(required=2)})
    held.decide("a", "rejected", by="ann")
    held.decide("a", "approved", by="ann")
    held.run()
    assert {"a": "waiting"} == held.statuses()


@pytest.mark.parametrize(
    ("on_timeout", "status", "code"), [("fail", "failed", "approval-timeout"), ("reject", "failed", "rejected")]
)
def test_an_approval_that_nobody_gives_in_time_ends_as_it_says(on_timeout: str, status: str, code: str) -> None:
    done = begun({"a": approval(timeout=5000, on_timeout=on_timeout)})
    assert (status, code, BEGIN + 5000) == (done.finished().status, done.failure("a").code, done.now)


def test_an_approval_may_be_given_by_time() -> None:
    done = begun({"a": approval(timeout=5000, on_timeout="approve")})
    assert {"decision": "approved", "timedOut": True, "decisions": []} == done.output()["a"]


@pytest.mark.parametrize("path", ["a", "b", "nothing"])
def test_a_decision_that_nothing_waits_for_changes_nothing(path: str) -> None:
    held = Play(graph({"a": {}, "b": event()}), answers={"a": [NEVER]})
    held.settle()
    held.decide(path, "approved", by="ann")
    held.settle()
    assert {"a": "running", "b": "waiting"} == held.statuses()


def test_a_repeated_decision_is_one_decision() -> None:
    held = begun({"a": approval(required=2)})
    for _ in range(2):
        held.take(ev.DecisionReceived(at=held.now, message="same", path="a", decision="approved", principal="ann"))
        held.take(ev.DecisionReceived(at=held.now, message="same", path="a", decision="approved", principal="bob"))
    held.run()
    assert {"a": "waiting"} == held.statuses()


# pausing


def test_a_paused_execution_starts_nothing_and_ends_what_runs() -> None:
    held = Play(graph({"a": {}, "b": {"needs": ["a"]}}))
    held.settle()
    held.take(ev.PauseRequested(at=held.now, message="p"))
    held.now += 10
    held.land("a", 1)
    held.settle()
    assert {"a": "succeeded", "b": "ready"} == held.statuses()
    assert [] == decide(held.plan, held.state, held.now + DAY)
    held.take(ev.ResumeRequested(at=held.now, message="r"))
    assert "succeeded" == held.run().finished().status


def test_a_paused_execution_does_not_wake_for_retries() -> None:
    held = Play(graph({"a": {"retry": retry(interval_ms=1000)}}), answers={"a": [failure(), "a"]})
    held.settle()
    held.now += 10
    held.land("a", 1)
    held.settle()
    held.take(ev.PauseRequested(at=held.now, message="p"))
    assert next_due(held.state) is None
    held.take(ev.ResumeRequested(at=held.now, message="r"))
    assert held.now + 1000 == next_due(held.state)


def test_a_repeated_pause_after_a_resume_changes_nothing() -> None:
    held = Play(graph({"a": {}}))
    for message in (
        ev.PauseRequested(at=BEGIN, message="p"),
        ev.ResumeRequested(at=BEGIN, message="r"),
        ev.PauseRequested(at=BEGIN, message="p"),
    ):
        held.take(message)
    assert held.state.paused is False
    held.take(ev.PauseRequested(at=BEGIN, message="p2"))
    held.take(ev.ResumeRequested(at=BEGIN, message="r"))
    assert held.state.paused is True


def test_a_wait_that_began_twice_or_after_its_end_counts_once() -> None:
    held = Play(graph({"a": event(timeout=9000)}))
    held.settle()
    again = held.of(ev.WaitStarted)[0]
    held.take(again)
    assert 1 == len(held.state.waits)
    held.signal("paid")
    held.run()
    evolve(held.state, again)
    assert {"a": "succeeded"} == held.statuses()


def test_cancelling_ends_every_wait() -> None:
    tasks = {"a": event(), "b": approval(), "c": {"wait": timer(), "config": {"for": "1h"}}, "d": {"needs": ["a"]}}
    held = Play(graph(tasks))
    held.settle()
    held.cancel("enough")
    held.settle()
    assert {"cancelled"} == set(held.statuses().values())
    assert ([], {}) == (held.state.waits, held.state.waiting)


def test_every_prefix_of_a_history_with_waits_is_in_a_snapshot() -> None:
    held = begun(
        {
            "a": {**event(timeout=50_000), "timeout": 60_000},
            "b": approval(required=2, timeout=9000),
            "c": {"wait": timer(), "config": {"for": "4s"}, "timeout": 8000},
            "d": {"needs": ["a", "c"]},
            "e": {"wait": WaitPlan("event"), "config": {"type": "never"}},
        }
    )
    held = Play(held.plan)
    held.settle()
    held.decide("b", "approved", by="ann", form=[1])
    held.signal("paid", 1)
    held.signal("spare", 2)
    held.take(ev.PauseRequested(at=held.now, message="p"))
    held.run()
    held.take(ev.ResumeRequested(at=held.now, message="r"))
    held.run()
    held.cancel()
    held.settle()
    assert ("failed", "cancelled") == (held.statuses()["b"], held.finished().status)
    for length in range(1, len(held.events) + 1):
        state = fold(held.plan, held.events[:length])
        thawed = thaw(held.plan, freeze(state))
        assert thawed is not None
        assert [] == equal(state, thawed), length
        for later in held.events[length:]:
            evolve(thawed, later)
        assert [] == equal(held.folded(), thawed), length


def test_templates_of_a_wait_that_break_fail_the_task() -> None:
    done = play({"a": {"wait": timer(), "config": {"for": "{{input.missing}}"}}}, value={})
    assert ("failed", "expression") == (done.finished().status, done.failure("a").kind)


@pytest.mark.parametrize("size", [7, 70_000], ids=["small", "by reference"])
def test_a_match_of_a_reusable_task_sees_the_input_of_that_task(size: int) -> None:
    task = {**event("event.data == size(input.id)"), "input": {"id": "{{input.n}}"}, "own_scope": True}
    held = Play(graph({"a": task}), value={"n": "x" * size, "id": "not this"})
    held.settle()
    held.signal("paid", len("not this"))
    held.settle()
    assert {"a": "waiting"} == held.statuses()
    held.signal("paid", size)
    held.settle()
    assert "succeeded" == held.finished().status
