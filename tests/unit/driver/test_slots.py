"""Places that executions share, through the driver: taken, waited for, handed on, and never lost by a crash."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.driver.advance import advance
from millrace.driver.world import Done, Wait
from millrace.engine import events as ev
from millrace.services.cancel_execution import cancel_execution
from millrace.services.signal_execution import signal_execution
from tests.unit.driver.runs import CALLER, SCOPE, Local, call, workflow

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


def test_a_place_that_is_held_is_not_taken_again_by_the_next_driver() -> None:
    local = local_with([EVENT], **limited())
    execution = local.start("flow")
    local.drive(execution)
    assert isinstance(local.drive(execution), Wait)
    assert 1 == kinds(local, execution).count("SlotGranted")


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
        **{**{name: getattr(local.world, name) for name in local.world.__slots__}, "slots": None}
    )
    with pytest.raises(Exception, match="cannot take places"):
        local.run(advance(bare, SCOPE, execution))
    assert isinstance(local.drive(execution), Wait)
