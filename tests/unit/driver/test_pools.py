"""Places of pools through the driver: shared by keys, given in turn, and shown where somebody waits for one."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.driver.world import Done, Wait
from millrace.engine import events as ev
from millrace.services.cancel_execution import cancel_execution
from millrace.store.pool_items import Pool, read_head
from tests.unit.driver.runs import CALLER, SCOPE, Local, call, workflow
from tests.unit.driver.test_slots import EVENT, go, kinds


def pooled(limit: int = 1, key: str = "{{input.tenant}}", **more: Any) -> dict[str, Any]:
    return {"concurrency": {"key": key, "limit": limit, "pool": {"name": "gpu", "limit": limit}, **more}}


def local_with(tasks: list[dict[str, Any]], **spec: Any) -> Local:
    local = Local()
    local.publish(workflow("flow", tasks, **spec))
    return local


def start(local: Local, *tenants: str) -> list[str]:
    ids = [local.start("flow", {"tenant": tenant}) for tenant in tenants]
    for execution in ids:
        local.drive(execution)
    return ids


def holders(local: Local) -> set[str]:
    return {str(one["execution"]) for one in read_head(local.documents, SCOPE, Pool("default", "gpu")).holders.values()}


def test_tenants_of_one_pool_are_served_in_turn_whoever_asked_most() -> None:
    local = local_with([EVENT], **pooled())
    ids = start(local, "big", "big", "big", "big", "small")
    order = []
    while held := holders(local):
        (execution,) = held
        order.append(ids.index(execution))
        local.drive(execution)
        assert isinstance(go(local, execution), Done)
    assert [0, 1, 4, 2, 3] == order


def test_a_tenant_below_its_min_is_next_and_its_waiting_costs_nothing() -> None:
    local = local_with([EVENT], **pooled(2, min="{{input.tenant == 'small' ? 1 : 0}}"))
    ids = start(local, "big", "big", "big", "small")
    assert {ids[0], ids[1]} == holders(local)
    assert isinstance(go(local, ids[0]), Done)
    assert {ids[1], ids[3]} == holders(local)
    assert isinstance(local.drive(ids[3]), Wait)
    assert ["SlotRequested", "SlotGranted", "WaitStarted"] == kinds(local, ids[3])[1:]


def test_a_task_that_waits_for_a_place_of_a_pool_shows_which() -> None:
    local = local_with([{**EVENT, **pooled()}])
    ids = start(local, "a", "b")
    queued = local.read(ids[1])["tasks"]["go"]["queued"]
    assert ("concurrency", "b", "gpu") == (queued["why"], queued["key"], queued["pool"])


def test_who_may_not_wait_fails_with_the_name_of_the_pool() -> None:
    local = local_with([EVENT], **pooled(onLimit="fail"))
    ids = start(local, "a", "b")
    (finished,) = local.events(ids[1], ev.ExecutionFinished)
    assert ("failed", "No place of the pool 'gpu' is free for 'b'.") == (finished.status, finished.failure.message)


@pytest.mark.parametrize("whole", [True, False], ids=["the execution", "its task"])
def test_an_execution_that_is_cancelled_gives_up_its_place_or_its_turn(whole: bool) -> None:
    local = local_with([EVENT], **pooled()) if whole else local_with([{**EVENT, **pooled()}])
    ids = start(local, "a", "b", "c")
    for execution in (ids[1], ids[0]):
        cancel_execution(local.platform, CALLER, execution, message_id=f"c-{execution}", reason="enough")
        assert isinstance(local.drive(execution), Done)
    assert {ids[2]} == holders(local)


def test_a_loop_and_its_children_share_the_place_of_the_execution() -> None:
    local = Local()
    local.publish(workflow("leaf", [{**call("x"), **pooled(key="leaf")}], **pooled(key="whole-leaf")))
    inner = {"id": "kid", "workflowRef": "leaf"}
    loop = {"id": "loop", "forEach": {"items": [1, 2]}, "tasks": [{**call("y"), **pooled(key="y")}, inner]}
    local.publish(workflow("flow", [loop], **pooled()))
    execution = local.start("flow", {"tenant": "a"})
    for _ in range(6):
        for one in [execution, *(str(made["child"]) for made in children(local, execution))]:
            local.drive(one)
    assert "succeeded" == local.read(execution)["status"]
    assert set() == holders(local)


def children(local: Local, execution: str) -> list[dict[str, Any]]:
    return [{"child": event.child} for event in local.events(execution, ev.ChildStarted)]
