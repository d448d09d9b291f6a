"""POST /tasks/import, through the handler of the function."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.api.openapi_models import OpenApiImport
from millrace.services.import_openapi import packed
from tests.functions.apps import handle
from tests.functions.documents import YAML
from tests.functions.events import Who, body_of, status

T = "/api/v1/tasks"
DOCUMENT = """\
openapi: 3.1.0
info: {title: Pet Shop, version: "1"}
servers: [{url: "https://pets.example.com/v1"}]
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}
    delete:
      operationId: deletePet
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: gone}}
    put: {requestBody: {required: true, content: {multipart/form-data: {}}}}
"""

pytestmark = pytest.mark.usefixtures("world")


def send(text: Any = DOCUMENT, query: str = "", **more: Any) -> dict[str, Any]:
    return handle("POST", f"{T}/import{query}", text, **{"headers": YAML, **more})


def test_a_document_is_imported_and_its_tasks_can_be_read() -> None:
    answer = send()
    report = body_of(answer)
    OpenApiImport.model_validate(report)
    assert (200, 2, 3) == (status(answer), report["published"], report["operations"])
    assert [("media-type", "/paths/~1pets~1{id}/put/requestBody", True)] == [
        (note["code"], note["where"], note["refused"]) for note in report["notes"]
    ]
    task = body_of(handle("GET", f"{T}/get-pet"))
    assert task["document"]["spec"]["request"]["url"].startswith("https://pets.example.com/v1/pets/{{")
    assert [] == body_of(handle("POST", f"{T}/validate", task["document"]))["findings"]


def test_a_packed_document_is_the_document() -> None:
    first = send()
    again = send(packed(DOCUMENT.encode()).decode(), headers={"Content-Type": "application/json"})
    assert (2, 200) == (body_of(again)["counts"]["unchanged"], status(first))


def test_a_dry_run_reports_and_writes_nothing() -> None:
    report = body_of(send(query="?dryRun=true&source=shop&prefix=shop"))
    assert (True, "shop", 0) == (report["dryRun"], report["source"], report["published"])
    assert {"shop-get-pet", "shop-delete-pet"} == {item["name"] for item in report["items"]}
    assert [] == body_of(handle("GET", T))["items"]


def test_a_limit_leaves_the_rest_for_the_next_request() -> None:
    reports = [body_of(send(query="?limit=1")) for _ in range(3)]
    assert [(1, 1), (1, 0), (0, 0)] == [(one["published"], one["remaining"]) for one in reports]


def test_a_namespace_and_a_tenant_keep_their_tasks_apart() -> None:
    send()
    assert 2 == body_of(send(query="?namespace=other"))["counts"]["added"]
    assert 2 == body_of(send(who=Who(tenant="globex")))["counts"]["added"]


def test_drift_is_reported_with_rules() -> None:
    send()
    changed = DOCUMENT.replace("id, in: path", "pet, in: path").replace("{id}", "{pet}")
    report = body_of(send(changed, "?dryRun=true"))
    rules = {change["rule"] for item in report["items"] for change in item["changes"]}
    assert {"required-input-added", "input-removed", "address-changed", "description-changed"} == rules
    assert 2 == report["breaking"]


@pytest.mark.parametrize(
    ("text", "query", "expected", "said"),
    [
        ("a: [", "", 400, "not valid YAML"),
        ("swagger: '2.0'", "", 400, "Swagger"),
        (DOCUMENT.replace("https://pets.example.com", ""), "", 400, "absolute address"),
        (DOCUMENT, "?server=ftp://x", 400, "address of a server"),
        (DOCUMENT, "?limit=0", 400, "limit"),
        ("", "", 400, "empty"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_sentence(text: str, query: str, expected: int, said: str) -> None:
    answer = send(text, query)
    assert expected == status(answer)
    assert said in json.dumps(body_of(answer))


def test_a_viewer_may_not_import() -> None:
    assert 403 == status(send(who=Who(roles="viewer")))
