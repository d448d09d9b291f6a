"""Deleting a name: what refers to it is told, what runs goes on, and nothing is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import ConditionRefused, Conflict, NotFound, OutcomeUnknown, PreconditionFailed
from millrace.services.activate_definition import activate_definition
from millrace.services.delete_definition import delete_definition
from millrace.services.get_definition import get_definition, get_version
from millrace.services.list_definitions import list_definitions
from millrace.services.list_versions import list_versions
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.start_execution import Start, start_execution
from tests.unit.driver.runs import CALLER, Local, call, workflow
from tests.unit.services.test_executions import flaky

COUNT = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
TASK = {
    "apiVersion": "workflow.io/v1",
    "kind": "WorkflowTask",
    "metadata": {"name": "ship"},
    "spec": {"type": "http", "request": {"url": "https://api.example.com/ship"}},
}


@pytest.fixture()
def local() -> Local:
    made = Local()
    made.publish(TASK)
    made.publish(workflow("flow", [{"id": "a", "taskRef": "ship@^1"}]))
    made.publish(workflow("above", [{"id": "a", "workflowRef": "flow@>=1", "timeout": "1m"}]))
    made.publish(workflow("alone", [call("a")]))
    return made


def names(local: Local) -> list[str]:
    return [one["name"] for one in list_definitions(local.platform, CALLER, "workflow", limit=50, cursor=None)["items"]]


def test_a_deleted_name_starts_nothing_and_is_in_no_list(local: Local) -> None:
    answer = delete_definition(local.platform, CALLER, "workflow", "alone")
    assert ("workflow", "alone", CALLER.principal, []) == tuple(
        answer[key] for key in ("kind", "name", "deletedBy", "affected")
    )
    assert ["above", "flow"] == names(local)
    with pytest.raises(NotFound, match=f"was deleted by {CALLER.principal}"):
        start_execution(local.platform, CALLER, Start("alone", {}))
    with pytest.raises(NotFound):
        get_definition(local.platform, CALLER, "workflow", "alone")
    with pytest.raises(NotFound):
        delete_definition(local.platform, CALLER, "workflow", "alone")


def test_its_versions_stay_and_what_runs_ends_as_it_would_have(local: Local) -> None:
    execution = local.start("alone")
    delete_definition(local.platform, CALLER, "workflow", "alone")
    assert "succeeded" == local.finish(execution)["status"]
    assert 1 == len(list_versions(local.platform, CALLER, "workflow", "alone", limit=9, cursor=None)["items"])
    assert not get_version(local.platform, CALLER, "workflow", "alone", "r1")[0]["active"]


def test_activating_or_publishing_brings_a_name_back_with_its_revisions(local: Local) -> None:
    delete_definition(local.platform, CALLER, "workflow", "alone")
    assert 1 == activate_definition(local.platform, CALLER, "workflow", "alone", version="latest")[0]["activeRevision"]
    delete_definition(local.platform, CALLER, "workflow", "alone")
    local.publish(workflow("alone", [call("a")]))
    assert 1 == get_definition(local.platform, CALLER, "workflow", "alone")[0]["revision"]
    delete_definition(local.platform, CALLER, "workflow", "alone")
    local.publish(workflow("alone", [call("b")]))
    assert 2 == get_definition(local.platform, CALLER, "workflow", "alone")[0]["revision"]
    assert "running" == start_execution(local.platform, CALLER, Start("alone", {}))["status"]


def test_publishing_without_activating_brings_only_new_content_back_and_makes_nothing_active(local: Local) -> None:
    delete_definition(local.platform, CALLER, "workflow", "alone")
    same = Publication(source=json.dumps(workflow("alone", [call("a")])).encode(), media="json", activate=False)
    with pytest.raises(Conflict, match="its revision 1"):
        publish_workflow(local.platform, CALLER, same)
    other = replace(same, source=json.dumps(workflow("alone", [call("b")])).encode())
    publish_workflow(local.platform, CALLER, other)
    head = get_definition(local.platform, CALLER, "workflow", "alone")[0]
    assert (2, None) == (head["latestRevision"], head["activeRevision"])


def test_a_name_in_use_stays_and_everything_above_it_is_told_at_its_distance(local: Local) -> None:
    with pytest.raises(Conflict, match="used by the workflow flow, and 1 more") as used:
        delete_definition(local.platform, CALLER, "task", "ship")
    affected = [
        {"kind": "workflow", "name": "flow", "distance": 1},
        {"kind": "workflow", "name": "above", "distance": 2},
    ]
    assert {"affected": affected} == used.value.facts
    assert affected == delete_definition(local.platform, CALLER, "task", "ship", force=True)["affected"]
    with pytest.raises(Conflict, match="refers to the task 'ship@"):
        start_execution(local.platform, CALLER, Start("flow", {}))


def test_versions_that_are_not_active_do_not_hold_a_name(local: Local) -> None:
    local.publish(workflow("flow", [call("a")]))
    assert [] == delete_definition(local.platform, CALLER, "task", "ship")["affected"]


def test_definitions_that_refer_to_each_other_are_told_once(local: Local) -> None:
    local.publish(workflow("flow", [{"id": "a", "workflowRef": "above", "condition": "input.n > 0"}], input=COUNT))
    answer = delete_definition(local.platform, CALLER, "workflow", "above", force=True)
    assert [("flow", 1)] == [(one["name"], one["distance"]) for one in answer["affected"]]


def test_a_stale_if_match_deletes_nothing(local: Local) -> None:
    with pytest.raises(PreconditionFailed):
        delete_definition(local.platform, CALLER, "workflow", "alone", if_match='"99"')
    assert "alone" in names(local)


def test_of_fifty_that_delete_at_once_one_does(local: Local) -> None:
    def tried(_: int) -> bool:
        try:
            delete_definition(local.platform, CALLER, "workflow", "alone")
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert 1 == sum(pool.map(tried, range(50)))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [OutcomeUnknown("lost"), ConditionRefused("moved")], ids=["lost", "moved"])
def test_a_write_whose_answer_is_lost_is_found_again(local: Local, when: str, fault: Exception) -> None:
    if when == "after" and isinstance(fault, ConditionRefused):
        return
    platform: Any = flaky(local, (when, fault))
    assert "alone" == delete_definition(platform, CALLER, "workflow", "alone")["name"]
    assert "alone" not in names(local)


def test_a_name_of_another_tenant_is_not_there(local: Local) -> None:
    with pytest.raises(NotFound):
        delete_definition(local.platform, replace(CALLER, tenant="evil"), "workflow", "alone")
    assert "alone" in names(local)
