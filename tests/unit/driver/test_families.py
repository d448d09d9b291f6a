"""The protocol between an execution and those it starts: once each, told for certain, whoever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from millrace.base.errors import NotFound, OutcomeUnknown, StoreUnavailable
from millrace.base.limits import HOPS
from millrace.driver.world import Wait
from millrace.engine import events as ev
from millrace.engine.commands import CancelChild, StartChild
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.send_message import send_message
from millrace.store.executions import Message

from .families import Family
from .runs import CALLER, NEVER, SCOPE, Script, call, workflow

CALL = {"id": "c", "workflowRef": "child"}
BAD = Failure("http", "500", "it broke", False)


def child_of(family: Family, parent: str) -> str:
    (other,) = [execution for execution in family.members() if execution != parent]
    return other


def test_a_task_gets_the_output_of_the_execution_that_it_started() -> None:
    family = Family()
    parent = family.family(
        [CALL, call("after", "c")], [call("inner")], inner={"output": {"n": "{{tasks.inner.output}}"}}
    )
    family.settle()
    body = family.read(parent)
    assert ("succeeded", {"n": "inner"}) == (body["status"], body["tasks"]["c"]["output"])
    started = family.events(child_of(family, parent), ev.ExecutionStarted)[0]
    assert (parent, "c", True) == (started.parent.execution, started.parent.path, started.parent.waits)
    assert (1, (parent,), {"kind": "workflow", "id": parent}) == (started.hops, started.ancestry, started.trigger)
    assert ["start", "notify"] == family.steps.calls


def test_a_large_output_of_another_execution_is_copied_into_the_space_of_this_one() -> None:
    family = Family(Script({"inner": ["x" * 70_000]}))
    parent = family.family([CALL], [call("inner")])
    family.settle()
    (finished,) = family.events(parent, ev.ChildFinished)
    assert parent == finished.output.blob[1]
    assert {"inner": "x" * 70_000} == family.read(parent)["tasks"]["c"]["output"]


def test_a_large_input_reaches_another_execution() -> None:
    family = Family()
    task = {**CALL, "input": {"text": "{{input.text}}"}}
    parent = family.family([task], [call("inner", input={"n": "{{size(input.text)}}"})], {"text": "x" * 70_000})
    family.settle()
    assert {"n": 70_000} == family.read(child_of(family, parent))["tasks"]["inner"]["input"]


def test_the_failure_of_another_execution_says_which_it_was() -> None:
    family = Family(Script({"inner": [BAD]}))
    parent = family.family([CALL], [call("inner")])
    family.settle()
    error = family.read(parent)["tasks"]["c"]["error"]
    assert ("http", "500") == (error["kind"], error["code"])
    assert f"The execution {child_of(family, parent)} failed: it broke" == error["message"]


def test_large_outputs_of_a_loop_are_at_hand_before_they_are_written() -> None:
    family = Family(Script({f"l[{n}]/a": [f"{n}" * 70_000] for n in range(3)}))
    loop = {"id": "l", "forEach": {"items": [0, 1, 2]}, "tasks": [call("a")]}
    parent = family.begin([loop, call("b", "l", input={"n": "{{size(tasks.l.output)}}"})])
    family.settle()
    body = family.read(parent)
    assert ("succeeded", {"n": 3}) == (body["status"], body["tasks"]["b"]["input"])


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such workflow": ({"id": "c", "workflowRef": "nobody"}, "workflow", "'nobody'"),
    "no such version": ({"id": "c", "workflowRef": "child@9.0.0"}, "workflow", "'child@9.0.0'"),
    "wrong input": ({**CALL, "input": {"n": "seven"}}, "input", "'child'"),
    "no input": (CALL, "input", "'child'"),
}


@pytest.mark.parametrize(("task", "kind", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_started_is_a_failed_task_and_no_execution(task: dict[str, Any], kind: str, said: str) -> None:
    family = Family()
    family.publish(workflow("flow", [task]))  # before what it starts, whose schema its publish would be held to
    family.publish(workflow("child", [call("inner")], input=SCHEMA))
    parent = family.start("flow")
    family.settle()
    error = family.read(parent)["tasks"]["c"]["error"]
    assert kind == error["kind"]
    assert error["message"].startswith(f"The workflow {said} could not be started: ")
    assert [parent] == family.members()


def test_a_detached_execution_goes_on_alone_and_tells_nobody() -> None:
    family = Family()
    parent = family.family([{**CALL, "detached": True}], [call("inner")])
    family.settle()
    child = child_of(family, parent)
    assert {"executionId": child} == family.read(parent)["tasks"]["c"]["output"]
    assert ("succeeded", ["start"]) == (family.read(child)["status"], family.steps.calls)


@pytest.mark.parametrize("asking", ["child", "parent"])
def test_each_execution_of_a_family_begins_where_its_own_workflow_asks_for(asking: str) -> None:
    family = Family()
    standard = {"execution": {"mode": "standard"}}
    more = standard if asking == "parent" else {"inner": standard}
    parent = family.family([CALL], [call("inner")], **more)
    family.settle()
    assert [parent if asking == "parent" else child_of(family, parent)] == family.orchestrator.standard


def test_executions_that_start_themselves_end_at_the_limit_and_every_one_is_told_why() -> None:
    family = Family()
    family.publish(workflow("again", [{"id": "c", "workflowRef": "again", "condition": "size(execution.id) > 0"}]))
    first = family.start("again")
    family.settle()
    assert HOPS + 1 == len(family.members())
    assert {"failed"} == {family.read(one)["status"] for one in family.members()}
    assert "recursion" == family.read(first)["tasks"]["c"]["error"]["kind"]


def test_a_loop_of_executions_starts_each_once_and_keeps_the_order_of_the_items() -> None:
    family = Family()
    task = {**CALL, "input": {"n": "{{item}}"}}
    loop = {"id": "l", "forEach": {"items": [3, 1, 2], "maxParallel": 2}, "tasks": [task]}
    parent = family.family([loop], [call("inner")], inner={"output": {"n": "{{input.n}}"}})
    family.settle()
    output = family.read(parent)["output"]["l"]
    assert [3, 1, 2] == [entry["output"]["c"]["n"] for entry in output]
    assert 4 == len(family.members())


def test_a_cancel_reaches_the_execution_below_before_the_task_is_over() -> None:
    family = Family(Script({"inner": [NEVER]}))
    parent = family.family([CALL], [call("inner", timeout="1h")])
    assert isinstance(family.drive(parent), Wait)
    cancel_execution(family.platform, CALLER, parent, reason="enough", message_id="m1")
    family.settle()
    child = child_of(family, parent)
    assert ("cancelled", "cancelled") == (family.read(parent)["status"], family.read(child)["status"])
    names = [type(event).__name__ for event in family.events(parent)]
    assert names.index("ChildCancelled") < names.index("TaskFinished")
    assert f"the task c of {parent} was stopped" == family.events(child, ev.CancelRequested)[0].reason


def test_a_timeout_of_the_task_stops_the_execution_below() -> None:
    family = Family()
    parent = family.family([{**CALL, "timeout": "2s"}], [{"id": "w", "wait": {"for": "1h"}}])
    family.settle()
    assert "child-timeout" == family.read(parent)["tasks"]["c"]["error"]["code"]
    assert "cancelled" == family.read(child_of(family, parent))["status"]


def test_what_is_told_twice_counts_once_and_what_is_told_to_one_that_is_over_is_nothing() -> None:
    family = Family()
    parent = family.family([CALL, call("after", "c")], [call("inner")])
    family.drive(parent)
    child = child_of(family, parent)
    payload = {"child": child, "status": "succeeded", "failure": None, "output": 5}
    for name in ("child-" + child, "another"):
        send_message(family.platform, CALLER, parent, Message(id=name, kind="child", name="c", payload=payload))
    family.settle()
    assert 5 == family.read(parent)["tasks"]["c"]["output"]
    assert 2 == len(family.events(parent, ev.ChildFinished))
    assert "succeeded" == family.read(child)["status"]
    assert ["start", "notify"] == family.steps.calls


def test_a_child_whose_parent_is_gone_ends_all_the_same() -> None:
    family = Family()
    parent = family.family(
        [{**CALL, "timeout": "1s"}], [{"id": "w", "wait": {"for": "5s"}}], inner={"finally": [call("z")]}
    )
    family.settle()
    child = child_of(family, parent)
    assert ("failed", "cancelled") == (family.read(parent)["status"], family.read(child)["status"])
    assert 1 == len(family.events(child, ev.ParentNotified))


def test_an_effect_begins_only_after_its_cause_is_durable() -> None:
    family = Family()
    parent = family.family([CALL], [call("inner")])
    seen: list[list[str]] = []
    family.steps.on_step = lambda: seen.append([type(event).__name__ for event in family.events(parent)])
    family.settle()
    assert ["ExecutionStarted", "WaitStarted"] == seen[0]
    child = child_of(family, parent)
    names = [type(event).__name__ for event in family.events(child)]
    assert names.index("OutcomeDecided") < names.index("ParentNotified") < names.index("ExecutionFinished")


@pytest.mark.parametrize("times", [1, 3])
def test_an_effect_that_the_store_does_not_take_is_tried_again(times: int) -> None:
    family = Family()
    parent = family.family([CALL], [call("inner")])
    left = times

    def refuse() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise family.unavailable()

    family.steps.on_step = refuse
    family.settle()
    assert "succeeded" == family.read(parent)["status"]
    assert 2 == len(family.members())


def test_an_effect_that_the_store_never_takes_is_left_to_the_next_driver() -> None:
    family = Family()
    parent = family.family([CALL], [call("inner")])

    def refuse() -> None:
        raise family.unavailable()

    family.steps.on_step = refuse
    with pytest.raises(type(family.unavailable())):
        family.drive(parent)
    family.steps.on_step = lambda: None
    family.settle()
    assert "succeeded" == family.read(parent)["status"]


def test_while_an_effect_takes_its_time_a_passed_deadline_does_not_keep_the_loop_busy() -> None:
    family = Family()
    parent = family.family([{**CALL, "timeout": "1s"}], [{"id": "w", "wait": {"for": "1h"}}])
    turns = calls = 0
    call_later = family.loop.call_later

    def refuse() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:  # the start is taken, what follows is not
            raise family.unavailable()

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal turns
        turns += 1
        return call_later(*given, **more)

    family.steps.on_step = refuse
    family.loop.call_later = counted  # type: ignore[method-assign]
    with pytest.raises(type(family.unavailable())):
        family.drive(parent)
    family.loop.call_later = call_later  # type: ignore[method-assign]
    assert turns < 100


def test_an_attempt_that_a_fallback_stands_in_for_is_stopped() -> None:
    family = Family(Script({"slow": [NEVER]}))
    other = {key: value for key, value in call("x").items() if key != "id"}
    parent = family.begin([call("slow", timeout="1s", fallback={"task": other})])
    begun = family.clock.now()
    family.settle()
    assert ("succeeded", ["slow/fallback"]) == (family.read(parent)["status"], family.script.ended)
    assert family.clock.now() - begun < 1_900


def test_a_process_may_die_at_any_step_and_every_execution_still_runs_once() -> None:
    """Before and after each commit and each call between the executions, until a run has no such step."""
    step = 0
    while True:
        family = Family()
        loop = {"id": "l", "forEach": {"items": [1, 2], "maxParallel": 1}, "tasks": [CALL]}
        parent = family.family([loop, call("after", "l")], [call("inner")])
        if not family.die_at(step):
            break
        family.settle()
        body = family.read(parent)
        assert ("succeeded", 3) == (body["status"], len(family.members())), step
        assert [{"inner": "inner"}] * 2 == [entry["output"]["c"] for entry in body["tasks"]["l"]["output"]]
        for kind in (ev.ChildStarted, ev.ChildFinished, ev.WaitStarted):
            assert 2 == len(family.events(parent, kind)), step
        step += 1
    assert step > 30


def fails_at_first() -> Script:
    """The first execution that asks is told of an outage, the second is answered."""
    asked: list[str] = []

    def answer(attempt: Any) -> Any:
        asked.append(attempt.execution)
        return Failure("http", "503", "try later", True) if attempt.execution == asked[0] else "fine"

    return Script({"inner": [answer]})


def test_a_process_may_die_at_any_step_and_a_failed_execution_is_followed_by_one_other() -> None:
    step = 0
    while True:
        family = Family(fails_at_first())
        again = {**CALL, "retry": {"maxAttempts": 3, "interval": "1s", "jitter": "none"}}
        parent = family.family([again, call("after", "c")], [call("inner")])
        if not family.die_at(step):
            break
        family.settle()
        body = family.read(parent)
        assert ("succeeded", 3, 2) == (body["status"], len(family.members()), body["tasks"]["c"]["attempts"]), step
        assert {"inner": "fine"} == body["tasks"]["c"]["output"]
        step += 1
    assert step > 20


def test_an_execution_that_ran_out_of_time_is_followed_by_another() -> None:
    family = Family(Script({"inner": [NEVER]}))
    again = {**CALL, "retry": {"maxAttempts": 2, "interval": "1s", "jitter": "none"}}
    parent = family.family([again], [call("inner")], inner={"timeout": "2s"})
    family.settle()
    assert ("timeout", 3) == (family.read(parent)["tasks"]["c"]["error"]["kind"], len(family.members()))


def test_a_process_may_die_at_any_step_of_a_cancel_and_all_executions_stop() -> None:
    step = 0
    while True:
        family = Family(Script({"inner": [NEVER]}))
        parent = family.family([CALL], [{"id": "w", "wait": {"for": "1h"}}])
        family.drive(parent)
        family.drive(child_of(family, parent))
        cancel_execution(family.platform, CALLER, parent, reason="enough", message_id="m1")
        if not family.die_at(step):
            break
        family.settle()
        assert {"cancelled"} == {family.read(one)["status"] for one in family.members()}, step
        step += 1
    assert step > 10


def stopped_before_it_began(family: Family) -> tuple[str, ev.ExecutionStarted, StartChild]:
    """An execution whose first driver stands still before it starts another, and that was stopped by the next one."""
    parent = family.family([CALL], [call("inner", input={"n": "x" * 70_000})])
    orders: list[tuple[ev.ExecutionStarted, StartChild]] = []

    def stand_still(_scope: object, started: ev.ExecutionStarted, order: StartChild, _value: object) -> None:
        orders.append((started, order))
        raise family.unavailable()

    start, family.steps.start = family.steps.start, stand_still  # type: ignore[method-assign]
    with pytest.raises(type(family.unavailable())):
        family.drive(parent)
    family.steps.start = start  # type: ignore[method-assign]
    cancel_execution(family.platform, CALLER, parent, reason="enough", message_id="m1")
    family.settle()
    assert "cancelled" == family.read(parent)["status"]
    return (parent, *orders[0])


def test_a_driver_that_lost_its_lease_starts_nothing_that_was_told_to_stop_meanwhile() -> None:
    family = Family()
    parent, started, order = stopped_before_it_began(family)
    late = family.steps.start(SCOPE, started, order, {"n": "x" * 70_000})
    assert ("cancelled", "cancelled") == (late.status, late.failure.kind)
    assert ([parent], []) == (family.members(), list(family.blobs.keys(SCOPE, ("execution", order.child))))
    with pytest.raises(NotFound):
        family.read(order.child)


def test_an_execution_that_began_while_it_was_told_not_to_is_told_to_stop() -> None:
    family = Family()
    _, started, order = stopped_before_it_began(family)
    begun = msgspec.structs.replace(order, child=order.child[::-1])
    write = family.documents.write

    def late(*given: Any) -> None:
        family.documents.write = write  # type: ignore[method-assign]
        family.steps.inner.start(SCOPE, started, begun, None)
        write(*given)

    family.documents.write = late  # type: ignore[method-assign]
    family.steps.cancel(SCOPE, started, CancelChild(path="c", child=begun.child))
    family.settle()
    assert "cancelled" == family.read(begun.child)["status"]


def test_that_an_execution_never_begins_is_written_until_the_store_has_it() -> None:
    family = Family()
    _, started, order = stopped_before_it_began(family)
    for child, kept in (("lost", True), ("vanished", False)):
        write, family.documents.write = family.documents.write, unacknowledged(family, kept=kept)  # type: ignore[method-assign]
        family.steps.cancel(SCOPE, started, CancelChild(path="c", child=child))
        family.documents.write = write  # type: ignore[method-assign]
        late = family.steps.start(SCOPE, started, msgspec.structs.replace(order, child=child), None)
        assert "cancelled" == late.status
    family.documents.write = unacknowledged(family, kept=False, times=9)  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        family.steps.cancel(SCOPE, started, CancelChild(path="c", child="away"))


def unacknowledged(family: Family, *, kept: bool, times: int = 1) -> Callable[..., None]:
    """A write that does not come back the first ``times``, though it may have been kept."""
    real, left = family.documents.write, times

    def write(*given: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 or kept:
            real(*given)
        if left >= 0:
            raise OutcomeUnknown("The store does not answer.")

    return write


def test_an_output_that_was_deleted_before_it_was_read_fails_the_task_and_holds_up_nothing() -> None:
    family = Family(Script({"inner": ["x" * 70_000]}))
    parent = family.family([CALL], [call("inner")])
    family.drive(parent)
    child = child_of(family, parent)
    family.drive(child)
    family.blobs.delete_prefix(SCOPE, ("execution", child))
    family.settle()
    error = family.read(parent)["tasks"]["c"]["error"]
    assert ("workflow", "output-missing") == (error["kind"], error["code"])
