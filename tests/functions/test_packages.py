"""Exporting and importing through the function's handler."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import pytest

from millrace.base.limits import PACKAGE_BYTES
from millrace.services.packaging import sign
from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import YAML, YAML_WORKFLOW, task, workflow
from tests.functions.events import Who, body_of, header, status
from tests.functions.world import NotedOrchestrator
from tests.unit.packaging.builders import remade
from tests.unit.packaging.test_signature import pem

W = "/api/v1/workflows"
ZIP = {"Content-Type": "application/zip"}
ELSEWHERE = Who(tenant="evil")

pytestmark = pytest.mark.usefixtures("world")


def stock() -> None:
    handle("POST", "/api/v1/tasks", task(version="1.0.0"))
    handle("POST", W, workflow(tasks=[{"id": "a", "taskRef": "shorten@^1", "input": {"items": [1]}}], version="1.0.0"))


def package(who: Who = Who(), name: str = "hello") -> bytes:
    result = handle("GET", f"{W}/{name}/export?format=package", who=who)
    assert (200, True) == (status(result), result["isBase64Encoded"])
    return base64.b64decode(result["body"], validate=True)


def bring(data: bytes, query: str = "", **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", ZIP)
    return handle("POST", f"{W}/import{query}", data, headers=headers, encoded=True, **more)


def test_a_package_goes_from_one_tenant_to_another_and_comes_back_the_same() -> None:
    stock()
    data = package()
    said = body_of(bring(data, "?dryRun=true", who=ELSEWHERE))
    assert 404 == status(handle("GET", f"{W}/hello", who=ELSEWHERE))
    done = bring(data, who=ELSEWHERE)
    assert 200 == status(done)
    assert (
        said["counts"]
        == body_of(done)["counts"]
        == {
            "create": 2,
            "update": 0,
            "unchanged": 0,
            "conflict": 0,
            "skip": 0,
        }
    )
    assert data == package(ELSEWHERE)


def test_an_import_over_the_api_executes_nothing(world: Platform) -> None:
    stock()
    bring(package(), who=ELSEWHERE)
    assert isinstance(world.orchestrator, NotedOrchestrator)
    assert [] == world.orchestrator.started


def test_each_format_has_its_type_and_its_name() -> None:
    handle("POST", W, YAML_WORKFLOW, headers=YAML)
    found = {}
    for shape in ("yaml", "json", "package"):
        result = handle("GET", f"{W}/hello/export?format={shape}")
        found[shape] = (header(result, "Content-Type"), header(result, "Content-Disposition"))
    assert {
        "yaml": ("application/yaml", 'attachment; filename="hello-1.0.0.yaml"'),
        "json": ("application/json", 'attachment; filename="hello-1.0.0.json"'),
        "package": ("application/zip", 'attachment; filename="hello-1.0.0.zip"'),
    } == found
    assert YAML_WORKFLOW in handle("GET", f"{W}/hello/export")["body"]
    names = zipfile.ZipFile(io.BytesIO(package())).namelist()
    assert ["manifest.json", "workflows/hello/1.0.0.yaml"] == names


def test_a_version_can_be_named_and_what_is_not_there_is_404() -> None:
    stock()
    assert 200 == status(handle("GET", f"{W}/hello/export?version=^1"))
    assert 404 == status(handle("GET", f"{W}/hello/export?version=9"))
    assert 404 == status(handle("GET", f"{W}/nothing/export"))
    assert 404 == status(handle("GET", f"{W}/hello/export", who=ELSEWHERE))
    assert 400 == status(handle("GET", f"{W}/hello/export?format=tar"))


@pytest.mark.parametrize("kind", ["", "application/json", "application/yaml", "text/plain", "multipart/form-data"])
def test_a_package_comes_as_bytes_or_is_refused(kind: str) -> None:
    stock()
    assert 415 == status(bring(package(), headers={"Content-Type": kind}))


@pytest.mark.parametrize("kind", ["application/octet-stream", "Application/ZIP; x=1"])
def test_both_types_that_the_gateway_leaves_alone_are_read(kind: str) -> None:
    stock()
    assert 200 == status(bring(package(), headers={"Content-Type": kind}))


def test_no_document_is_published_under_the_type_of_a_package() -> None:
    assert 415 == status(handle("POST", W, YAML_WORKFLOW, headers=ZIP))


@pytest.mark.parametrize("data", [b"", b"PK", b"{}", b"\x00" * 100, YAML_WORKFLOW.encode()])
def test_what_is_no_package_is_a_problem_that_says_so(data: bytes) -> None:
    result = bring(data)
    assert (400, "invalid-request") == (status(result), body_of(result)["code"])
    assert "millrace export" in body_of(result)["hint"]


def test_a_package_that_is_too_large_is_413() -> None:
    assert 413 == status(bring(b"x" * (PACKAGE_BYTES + 1)))


def test_a_conflict_is_409_and_names_what_is_in_the_way() -> None:
    stock()
    data = package()
    handle("POST", "/api/v1/tasks", task(version="1.0.0", limit=9), who=ELSEWHERE)
    refused = bring(data, who=ELSEWHERE)
    assert (409, ["task shorten 1.0.0"]) == (status(refused), body_of(refused)["conflicts"])
    assert 404 == status(handle("GET", f"{W}/hello", who=ELSEWHERE))
    solved = bring(data, "?onConflict=new-version", who=ELSEWHERE)
    assert (200, []) == (status(solved), body_of(solved)["differences"])
    assert 400 == status(bring(data, "?onConflict=overwrite"))


def test_a_document_with_errors_is_422_with_its_findings() -> None:
    stock()

    def broken(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        files["tasks/shorten/1.0.0.json"] = json.dumps({"kind": "WorkflowTask"}).encode()

    result = bring(remade(package(), broken))
    assert (422, True) == (status(result), bool(body_of(result)["findings"]))


def test_a_key_that_is_named_has_to_have_signed() -> None:
    stock()
    data = package()
    signed = sign(data, pem())
    key = body_of(bring(signed, "?dryRun=true"))["signature"]
    trusted = json.loads(zipfile.ZipFile(io.BytesIO(signed)).read("signature.json"))["publicKey"]
    assert False is key["trusted"]
    assert {"keyId": key["keyId"], "trusted": True} == body_of(bring(signed, f"?trustedKey={trusted}"))["signature"]
    assert 400 == status(bring(data, f"?trustedKey={trusted}"))
    assert 400 == status(bring(signed, f"?trustedKey={'0' * 64}"))
    assert 400 == status(bring(signed, "?requireSignature=true"))


def test_a_workflow_cannot_be_called_import() -> None:
    assert 400 == status(handle("POST", W, workflow("import")))
