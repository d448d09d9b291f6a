"""Places that executions share, through the driver: taken, waited for, handed on, and never lost by a crash."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from millrace.driver.advance import advance
from millrace.driver.park import park
from millrace.driver.world import Again, Done, Wait
from millrace.engine import events as ev
from millrace.ports.documents import Update
from millrace.services.cancel_execution import cancel_execution
from millrace.services.send_message import send_message
from millrace.services.signal_execution import signal_execution
from millrace.store.executions import Message, actor_key, read_actor
from tests.unit.driver.runs import CALLER, SCOPE, Local, Script, call, workflow

EVENT = {"id": "go", "event": {"type": "go"}, "timeout": "1d"}


def local_with(tasks: list[dict[str, Any]], **spec: Any) -> Local:
    local = Local()
    local.publish(workflow("flow", tasks, **spec))
    return local


def limited(**more: Any) -> dict[str, Any]:
    return {"concurrency": {"key": "k", "limit": 1, **more}}


def go(local: Local, execution: str) -> Any:
    signal_execution(local.platform, CALLER, execution, "go", payload={}, message_id=f"go-{execution}")
    return local.drive(execution)


def kinds(local: Local, execution: str) -> list[str]:
    return [type(event).__name__ for event in local.events(execution)]


def test_a_second_execution_waits_parked_and_is_woken_by_the_end_of_the_first() -> None:
    local = local_with([EVENT], **limited())
    first, second = local.start("flow"), local.start("flow")
    assert isinstance(local.drive(first), Wait)
    assert isinstance(local.drive(second), Wait)
    assert "SlotGranted" not in kinds(local, second)
    assert isinstance(go(local, first), Done)
    assert isinstance(local.drive(second), Wait)
    assert ["SlotRequested", "SlotGranted", "WaitStarted"] == kinds(local, second)[1:]
    assert isinstance(go(local, second), Done)


def test_an_execution_that_waits_for_a_place_says_so_until_it_has_one_or_is_stopped() -> None:
    local = local_with([EVENT], **limited())
    executions = [local.start("flow") for _ in range(3)]
    for execution in executions:
        local.drive(execution)
    first, second, third = executions
    waits = {execution: local.read(execution).get("queued", {}).get("key") for execution in executions}
    assert {first: None, second: "k", third: "k"} == waits
    assert {"key", "since", "why"} == local.read(second)["queued"].keys()
    cancel_execution(local.platform, CALLER, third, reason="", message_id="stop")
    local.drive(third)
    go(local, first)
    local.drive(second)
    assert ("cancelled", False) == (local.read(third)["status"], "queued" in local.read(third))
    assert ("running", False) == (local.read(second)["status"], "queued" in local.read(second))


def test_a_place_that_is_held_is_not_taken_again_by_the_next_driver() -> None:
    local = local_with([EVENT], **limited())
    execution = local.start("flow")
    local.drive(execution)
    assert isinstance(local.drive(execution), Wait)
    assert 1 == kinds(local, execution).count("SlotGranted")


def test_a_driver_holds_the_lease_before_it_takes_a_place_so_that_somebody_looks_if_it_dies() -> None:
    local = local_with([EVENT], **limited())
    first, second = local.start("flow"), local.start("flow")
    for execution in (first, second):
        park_of(local, execution, local.drive(execution))
    owners: list[str] = []
    slots = local.world.slots
    assert slots is not None

    class Seen:
        def acquire(self, *given: Any) -> Any:
            actor = read_actor(local.documents, SCOPE, second)
            assert actor is not None
            owners.append(actor.owner)
            return slots.acquire(*given)

    local.world = replace(local.world, slots=Seen())  # type: ignore[arg-type]
    assert isinstance(local.drive(second, owner="driver-2"), Wait)
    assert ["driver-2"] == owners


def park_of(local: Local, execution: str, outcome: Any) -> None:
    """What an actor does with the answer of its driver."""
    assert isinstance(outcome, Wait)
    view = {"position": outcome.position, "owner": local.world.owner, "seen_seq": outcome.seen_seq, "token": "t"}
    assert park(local.documents, SCOPE, execution, wake_at=outcome.wake_at, now=local.clock.now(), **view)


def test_a_driver_that_finds_the_lease_taken_takes_no_place() -> None:
    local = local_with([EVENT], **limited())
    first, second = local.start("flow"), local.start("flow")
    for execution in (first, second):
        park_of(local, execution, local.drive(execution))
    held = {"owner": "driver-3", "leaseUntil": local.clock.now() + 9_000}
    local.io.before_commit = lambda _ops: local.documents.write(SCOPE, [Update(actor_key(second), set=held)])
    outcome = local.drive(second)
    assert isinstance(outcome, Again)
    assert f"The lease of {second} belongs to another driver now." == outcome.why


def test_a_driver_whose_lease_has_run_out_claims_it_again_with_what_it_writes() -> None:
    for lasting, claims in ((0.5, 1), (3.0, 2)):
        local = Local(Script(lasting={"a": lasting}), lease_ms=1_000, poll_ms=60_000)
        execution = local.begin([call("a"), call("b", "a")])
        local.finish(execution)
        written = [op for ops in local.io.commits for op in ops if isinstance(op, Update) and "owner" in op.set]
        assert ["driver-1"] * claims == [op.set["owner"] for op in written]


def test_an_execution_that_is_stopped_in_line_runs_nothing_when_its_place_comes_late() -> None:
    local = Local()
    local.publish(workflow("flow", [call("a")], **{"finally": [{"id": "w", "wait": {"for": "1h"}}]}, **limited()))
    local.publish(workflow("other", [EVENT], **limited()))
    first, second = local.start("other"), local.start("flow")
    local.drive(first)
    local.drive(second)
    cancel_execution(local.platform, CALLER, second, message_id="c1", reason="enough")
    assert isinstance(local.drive(second), Wait)
    message = Message(id="slot-late", kind="slot", name="", payload={"key": "k"})
    send_message(local.platform, CALLER, second, message)
    local.drive(second)
    assert "SlotGranted" in kinds(local, second)
    assert [] == local.script.performed
    assert "cancelled" == local.read(second)["tasks"]["a"]["status"]


def test_an_execution_that_is_cancelled_in_the_line_makes_room_for_those_behind_it() -> None:
    local = local_with([EVENT], **limited())
    ids = [local.start("flow") for _ in range(3)]
    for execution in ids:
        local.drive(execution)
    cancel_execution(local.platform, CALLER, ids[1], message_id="c1", reason="enough")
    assert isinstance(local.drive(ids[1]), Done)
    go(local, ids[0])
    local.drive(ids[2])
    assert "SlotGranted" in kinds(local, ids[2])


def test_who_may_not_wait_fails_with_a_reason() -> None:
    local = local_with([EVENT], **limited(onLimit="fail"))
    first, second = local.start("flow"), local.start("flow")
    local.drive(first)
    assert isinstance(local.drive(second), Done)
    finished = local.events(second, ev.ExecutionFinished)[0]
    assert ("failed", "concurrency") == (finished.status, finished.failure.kind)
    assert "All 1 places of 'k' are taken." == finished.failure.message


def test_a_task_gives_its_place_up_when_it_is_over_though_its_execution_goes_on() -> None:
    local = local_with([{**call("a"), **limited()}, EVENT])
    first, second = local.start("flow"), local.start("flow")
    for execution in (first, second):
        assert isinstance(local.drive(execution), Wait)
        assert "SlotReleased" in kinds(local, execution)


def test_a_world_without_places_says_so_and_loses_nothing() -> None:
    local = local_with([EVENT], **limited())
    execution = local.start("flow")
    bare = local.world.__class__(
        **{**{name: getattr(local.world, name) for name in local.world.__struct_fields__}, "slots": None}
    )
    with pytest.raises(Exception, match="cannot take places"):
        local.run(advance(bare, SCOPE, execution))
    assert isinstance(local.drive(execution), Wait)
