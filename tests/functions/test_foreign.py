"""Importing workflows of other engines through the function's handler."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.apps import handle
from tests.functions.documents import YAML
from tests.functions.events import Who, body_of, status

W = "/api/v1/workflows"
MACHINE = {"Comment": "greet", "StartAt": "a", "States": {"a": {"Type": "Pass", "Result": {"n": 1}, "End": True}}}
SOURCES = ["asl", "kestra", "n8n", "conductor"]

pytestmark = pytest.mark.usefixtures("world")


def bring(source: str, value: Any, **more: Any) -> dict[str, Any]:
    return handle("POST", f"{W}/import?from={source}", json.dumps(value).encode(), **more)


def test_a_definition_comes_back_as_a_document_that_can_be_published() -> None:
    answer = body_of(bring("asl", MACHINE))
    assert ("asl", "greet", True, []) == (answer["source"], answer["name"], answer["valid"], answer["notes"])
    assert 404 == status(handle("GET", f"{W}/greet"))
    assert 201 == status(handle("POST", W, answer["yaml"].encode(), headers=YAML))
    assert 200 == status(handle("POST", W, json.dumps(answer["document"]).encode()))


def test_a_definition_may_come_as_yaml() -> None:
    text = b"id: flow\ntasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n"
    result = handle("POST", f"{W}/import?from=kestra", text, headers=YAML)
    assert ("flow", True) == (body_of(result)["name"], body_of(result)["valid"])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("value", [[], 1, None, "x"], ids=str)
def test_what_is_no_definition_is_refused(source: str, value: Any) -> None:
    assert 400 == status(bring(source, value)) or 422 == status(bring(source, value))


def test_a_source_that_is_not_known_is_refused() -> None:
    assert 400 == status(bring("airflow", MACHINE))


def test_without_a_source_the_body_is_a_package() -> None:
    assert 415 == status(handle("POST", f"{W}/import", json.dumps(MACHINE).encode()))


@pytest.mark.parametrize(("role", "expected"), [("viewer", 403), ("operator", 403), ("author", 200)])
def test_whoever_may_publish_may_import(role: str, expected: int) -> None:
    assert expected == status(bring("asl", MACHINE, who=Who(roles=role)))


def test_a_workflow_is_exported_as_a_state_machine_or_refused_with_every_reason() -> None:
    handle("POST", W, body_of(bring("asl", MACHINE))["yaml"].encode(), headers=YAML)
    machine = body_of(handle("GET", f"{W}/greet/export?to=asl"))
    assert {"n": 1} == machine["States"]["a"]["Parameters"]["output"]
    waiting = {"event": {"type": "x"}, "id": "a", "priority": 2}
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"tasks": [waiting]},
    }
    handle("POST", W, json.dumps(document).encode())
    refused = handle("GET", f"{W}/w/export?to=asl")
    assert 400 == status(refused)
    assert ["/spec/tasks/0/priority", "/spec/tasks/0/type"] == [one["path"] for one in body_of(refused)["reasons"]][:2]
    assert 400 == status(handle("GET", f"{W}/w/export?to=airflow"))
