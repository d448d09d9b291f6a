"""Places under concurrency keys, and what grows with the time that a task waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import AcquireSlot, ReleaseSlot, StartAttempt, StartChild
from millrace.engine.compile import compile_plan
from millrace.engine.evolve import evolve, fold
from millrace.engine.settle import settle
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.state import AGEING_MS, next_due, ready_key
from millrace.spec import load
from tests.unit.engine.play import BEGIN, Play, start_event

HTTP = {"type": "http", "request": {"url": "https://x.example"}}


class Office(Play):
    """An execution beside others: ``free`` says how many places are left under each key, ``line`` who waits."""

    def __init__(self, *args: Any, free: dict[str, int] | None = None, **more: Any) -> None:
        self.free = free or {}
        self.line: dict[str, AcquireSlot] = {}
        self.given: list[str] = []
        super().__init__(*args, **more)

    def settle(self) -> None:
        super().settle()
        while self.state.finished is None and any(self.answered(effect) for effect in self.wanted()):
            super().settle()

    def wanted(self) -> list[Any]:
        settled = settle(self.plan, self.state, self.now, encode=self.codec.encode)
        assert [] == settled.events
        return settled.effects

    def answered(self, effect: Any) -> bool:
        slot = effect.slot
        if isinstance(effect, ReleaseSlot):
            if self.line.pop(effect.path, None) is None:
                self.free[slot.key] = self.free.get(slot.key, slot.limit) + 1
            self.given.append(effect.path)
            self.take(ev.SlotReleased(at=self.now, path=effect.path, key=slot.key))
        elif self.free.get(slot.key, slot.limit) > 0:
            self.free[slot.key] = self.free.get(slot.key, slot.limit) - 1
            self.line.pop(effect.path, None)
            self.take(ev.SlotGranted(at=self.now, path=effect.path, key=slot.key))
        elif slot.on_limit == "queue":
            self.line[effect.path] = effect
            return False
        else:
            self.take(ev.SlotDenied(at=self.now, path=effect.path, key=slot.key))
        return True


def plan_of(tasks: list[dict[str, Any]], **spec: Any) -> Any:
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "flow"},
        "spec": {"tasks": tasks, **spec},
    }
    loaded = load(json.dumps(document).encode(), media="json")
    assert loaded.document is not None, loaded.findings
    return compile_plan(loaded.document, {}, hashes={})  # type: ignore[arg-type]


def played(
    tasks: list[dict[str, Any]], *, free: dict[str, int] | None = None, value: Any = None, **spec: Any
) -> Office:
    done = Office(plan_of(tasks, **spec), free=free, value=value).run()
    for length in range(1, len(done.events) + 1):
        state = fold(done.plan, done.events[:length])
        again = thaw(done.plan, freeze(state))
        assert again is not None
        assert [] == equal(state, again)
    return done


def one(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, **HTTP, **more}


def limited(key: str = "k", limit: int = 1, **more: Any) -> dict[str, Any]:
    return {"concurrency": {"key": key, "limit": limit, **more}}


def order(done: Play, kind: type) -> list[str]:
    return [event.path for event in done.events if type(event) is kind]


def test_a_task_holds_its_place_from_before_its_first_attempt_until_it_is_over() -> None:
    done = played([one("a", **limited())])
    names = [type(event).__name__ for event in done.events]
    assert [
        "ExecutionStarted",
        "SlotRequested",
        "SlotGranted",
        "AttemptStarted",
        "AttemptFinished",
        "TaskFinished",
        "OutcomeDecided",
        "SlotReleased",
        "ExecutionFinished",
    ] == names
    assert {"k": 1} == done.free


def test_tasks_of_one_key_run_one_after_the_other() -> None:
    done = played([one(name, **limited()) for name in "abc"])
    told = [event for event in done.events if type(event) in (ev.AttemptStarted, ev.TaskFinished)]
    steps = [(type(event).__name__, event.path) for event in told]
    assert [(kind, name) for name in "abc" for kind in ("AttemptStarted", "TaskFinished")] == steps


def test_a_task_that_finds_no_place_waits_for_one() -> None:
    waiting = Office(plan_of([one("a", **limited())]), free={"k": 0}).run()
    assert ("queued", None, True) == (waiting.statuses()["a"], next_due(waiting.state), "a" in waiting.line)
    waiting.free["k"] = 1
    assert "succeeded" == waiting.run().finished().status


@pytest.mark.parametrize(
    ("on_limit", "status", "skips"),
    [("fail", "failed", {}), ("cancel", "succeeded", {"a": ("concurrency_limit", "a")})],
)
def test_a_task_that_may_not_wait_fails_or_does_not_run(on_limit: str, status: str, skips: dict[str, Any]) -> None:
    done = played([one("a", **limited(onLimit=on_limit))], free={"k": 0})
    assert (status, skips, []) == (done.finished().status, done.skips(), done.of(ev.AttemptStarted))
    assert done.of(ev.SlotReleased) == []


def test_a_fallback_stands_in_for_a_place_that_was_refused() -> None:
    done = played([one("a", **limited(onLimit="fail"), fallback={"value": "{{error.kind}}"})], free={"k": 0})
    assert {"a": "concurrency"} == done.output()


def test_a_loop_that_holds_a_place_shares_it_with_its_body() -> None:
    loop = {"id": "loop", **limited(), "forEach": {"items": [1, 2]}, "tasks": [one("a", **limited())]}
    done = played([loop])
    assert ("succeeded", ["loop"]) == (done.finished().status, done.given)


def test_the_tasks_of_a_body_take_places_of_their_own_under_another_key() -> None:
    loop = {"id": "loop", **limited(), "forEach": {"items": [1, 2, 3]}, "tasks": [one("a", **limited("own", 2))]}
    done = played([loop])
    assert {"k": 1, "own": 2} == done.free
    assert {"loop", "loop[0]/a", "loop[1]/a", "loop[2]/a"} == set(done.given)


def test_an_execution_waits_for_its_place_before_its_first_task() -> None:
    waiting = Office(plan_of([one("a")], **limited("all")), free={"all": 0}).run()
    assert ("pending", [""]) == (waiting.statuses()["a"], list(waiting.line))
    waiting.free["all"] = 1
    done = waiting.run()
    assert ("succeeded", [""]) == (done.finished().status, done.given)


@pytest.mark.parametrize(("on_limit", "status"), [("fail", "failed"), ("cancel", "cancelled")])
def test_an_execution_that_may_not_wait_ends_without_running(on_limit: str, status: str) -> None:
    done = played([one("a")], free={"all": 0}, **limited("all", onLimit=on_limit))
    assert (status, "no-place", []) == (
        done.finished().status,
        done.finished().failure.code,
        done.of(ev.AttemptStarted),
    )  # type: ignore[union-attr]


def test_an_execution_shares_the_place_of_the_one_that_started_it() -> None:
    plan = plan_of([one("a", **limited("all"))], **limited("all"))
    child = Office(plan, free={"all": 0}, begun=False)
    model = Office(plan).events[0]
    assert isinstance(model, ev.ExecutionStarted)
    child.take(ev.msgspec.structs.replace(model, slots=("all",)))
    done = child.run()
    assert ("succeeded", []) == (done.finished().status, done.given)


def test_who_is_cancelled_in_the_line_leaves_it() -> None:
    waiting = Office(plan_of([one("a", **limited()), one("b", **limited("other"))]), free={"k": 0, "other": 0}).run()
    waiting.cancel()
    done = waiting.run()
    assert ("cancelled", {}, {"a", "b"}) == (done.finished().status, done.line, set(done.given))


def test_an_execution_that_is_cancelled_in_the_line_leaves_it() -> None:
    waiting = Office(plan_of([one("a")], **limited("all")), free={"all": 0}).run()
    waiting.cancel()
    done = waiting.run()
    assert ("cancelled", [""]) == (done.finished().status, done.given)


def test_a_place_is_held_through_the_handlers() -> None:
    done = played([one("a")], **limited("all"), **{"finally": [one("z")]})
    paths = [(type(event).__name__, event.path) for event in done.events if hasattr(event, "path")]
    assert paths.index(("TaskFinished", "finally/z")) < paths.index(("SlotReleased", ""))


@pytest.mark.parametrize(
    ("key", "code"), [("{{input.gone}}", "no-such-field"), ("{{input.none}}", "bad-key"), ("{{input.long}}", "bad-key")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_key_that_names_nothing_is_a_failure(key: str, code: str, whole: bool) -> None:
    value = {"none": None, "long": "x" * 513}
    done = played([one("a")], value=value, **limited(key)) if whole else played([one("a", **limited(key))], value=value)
    assert "failed" == done.finished().status
    failure = done.finished().failure
    assert failure is not None
    assert "concurrency key" in failure.message
    assert (code == "bad-key") == (failure.code == "bad-key")


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (True, "true"), ("x", "x")])
def test_a_key_may_be_a_number_or_a_truth(value: Any, text: str) -> None:
    assert [text] == list(played([one("a", **limited("{{input.v}}"))], value={"v": value}).free)


def test_without_a_key_a_task_is_limited_by_itself_and_a_workflow_too() -> None:
    done = played([one("a", concurrency={"limit": 2})], concurrency={"limit": 3})
    assert {"flow": 3, "flow/a": 2} == done.free


def test_messages_and_answers_that_come_twice_or_late_change_nothing() -> None:
    done = Office(plan_of([one("a", **limited())], **limited("all")))
    done.take(ev.SlotGranted(at=1, path="a", key="k"))
    done.take(ev.SlotGranted(at=1, path="gone/b", key="k"))
    done.take(ev.SlotRequested(at=1, path="gone/b", key="k", limit=1))
    done.settle()
    before = len(done.events)
    done.take(ev.SlotGranted(at=1, path="", key="all", message="m"))
    done.take(ev.SlotGranted(at=1, path="", key="all", message="m"))
    done.take(ev.SlotRequested(at=1, path="", key="other", limit=9))
    done.take(ev.SlotRequested(at=1, path="a", key="k", limit=1))
    again = fold(done.plan, done.events)
    assert "running" == again.tasks[0].status
    assert [] == equal(done.state, again)
    assert before + 4 == len(done.events)
    assert "succeeded" == done.run().finished().status


def test_the_order_of_ready_tasks_is_settled_when_they_become_ready() -> None:
    old = ready_key(2, 0, 1_000, 5)
    for wait in (0, 9_999):
        assert old < ready_key(2, 10, 1_000 + 10 * AGEING_MS + 1 + wait, 1)
    assert ready_key(2, 10, 1_000 + 10 * AGEING_MS - 1, 1) < old
    assert ready_key(1, 10, 99_999_999, 1) < ready_key(1, 0, 0, 5)


def test_a_task_of_low_priority_is_overtaken_for_as_long_as_stated_and_no_longer() -> None:
    """An endless stream of tasks of priority 10 through one place: one new task per 500 ms, each lasting as long."""
    gate = {"id": "gate", "wait": {"for": "1s"}}
    stream: list[dict[str, Any]] = [{"id": "s0", **HTTP, "priority": 10, "dependsOn": ["gate"]}]
    for number in range(1, 60):
        stream.append({"id": f"t{number}", "wait": {"for": f"{1000 + number * 500}ms"}})
        stream.append({"id": f"s{number}", **HTTP, "priority": 10, "dependsOn": [f"t{number}"]})
    low = {"id": "low", **HTTP, "dependsOn": ["gate"]}
    play = Play(plan_of([gate, low, *stream], parallelLimit=1), lasting=lambda _path, _attempt: 500)
    done = play.run()
    started = next(event.at for event in done.of(ev.AttemptStarted, "low"))
    ready = next(event.at for event in done.of(ev.TaskFinished, "gate"))
    assert 9 * AGEING_MS <= started - ready <= 10 * AGEING_MS + 500
    assert 59 == len(order(done, ev.AttemptStarted)) - 2


def test_a_task_that_waits_for_others_begins_after_them_when_the_place_is_given() -> None:
    done = played([one("a"), one("b", dependsOn=["a"])], **limited("all"))
    assert ["a", "b"] == order(done, ev.AttemptStarted)


def test_an_execution_that_a_task_starts_shares_the_places_of_the_task_and_of_what_is_around_it() -> None:
    kid = {"id": "kid", "workflowRef": "other", **limited()}
    loop = {"id": "loop", **limited("outer"), "forEach": {"items": [1]}, "tasks": [kid]}
    done = played([loop, {"id": "alone", "workflowRef": "other", "detached": True, **limited("own")}], **limited("all"))
    starts = {effect.path: effect.slots for effect in done.effects if isinstance(effect, StartChild)}
    assert {"loop[0]/kid": ("all", "k", "outer"), "alone": ()} == starts


def test_a_task_that_got_its_place_behind_one_that_may_not_start_yet_starts_once() -> None:
    """An attempt that does not fit into the time that its driver has left stays at the head of those that are ready,
    and keeps what lies behind it there, though that has left and come back."""
    tasks = [
        {"id": "long", **HTTP, "priority": 9},
        {"id": "b", **HTTP, "concurrency": {"key": "db", "limit": 1}},
        {"id": "after", **HTTP, "dependsOn": ["b"]},
    ]
    codec = ValueCodec("x1")
    plan = plan_of(tasks)
    state = fold(plan, [start_event(codec)])

    def fits(command: StartAttempt) -> bool:
        return command.path != "long"

    settle(plan, state, BEGIN, encode=codec.encode, allow=fits)
    evolve(state, ev.SlotGranted(at=BEGIN + 1, path="b", key="db"))
    settled = settle(plan, state, BEGIN + 1, encode=codec.encode, allow=fits)
    assert (["b"], True) == ([command.path for command in settled.starts], settled.held)
