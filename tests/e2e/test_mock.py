"""Without a network: a document is imported and mocked, and a workflow of its tasks runs against the mock."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import ROOT, Server
from tests.unit.openapi.builders import document

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PET: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "kind": {"enum": ["cat", "dog"]}},
}
SHOP = document(
    {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer"}}],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}
                                    },
                                }
                            }
                        },
                    }
                },
            },
            "post": {
                "operationId": "addPet",
                "security": [{"token": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
                "responses": {
                    "201": {
                        "description": "",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                    }
                },
            },
        },
        "/pets/{id}": {
            "get": {
                "operationId": "getPet",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Pet"},
                                "example": {"id": 7, "name": "Tom", "kind": "cat"},
                            }
                        },
                    }
                },
            },
        },
    },
    components={"schemas": {"Pet": PET}, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
)
FLOW = """
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: offline}
spec:
  tasks:
    - {id: all, taskRef: list-pets}
    - {id: one, taskRef: get-pet, input: {id: 7}, timeout: 10s}
    - id: added
      taskRef: add-pet
      timeout: 10s
      input: {body: {id: 8, name: "{{tasks.one.output.body.name}} II"}}
  output:
    all: "{{tasks.all.output.body.items}}"
    one: "{{tasks.one.output.body}}"
    added: "{{tasks.added.output.body}}"
"""


@contextmanager
def mocked(file: Path, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "millrace.cli", "mock", "--json", str(file), "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"], process
        finally:
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(timeout=30)


def imported(server: Server, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "millrace.cli", "import", "openapi", str(file), "--json", "--check-responses"]
    done = subprocess.run(
        [*command, "--server-env", "PETS_URL", "--data", str(server.data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def ran(server: Server) -> dict[str, Any]:
    started = server.call("POST", "/workflows/offline/executions", value={}).json()
    return server.wait(started["id"])


def test_a_workflow_of_imported_tasks_runs_offline_and_sees_the_failures_that_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(SHOP))
    secret = [sys.executable, "-m", "millrace.cli", "secrets", "put", "token"]
    with mocked(file) as (port, process):
        called = f"127.0.0.1:{port}"
        settings = {"MILLRACE_ALLOW_HOSTS": called, "MILLRACE_ENV": f"PETS_URL=http://{called}"}
        with Server(tmp_path / "data", env=settings) as server:
            assert 3 == imported(server, file)["counts"]["added"]
            server.publish(FLOW)
            subprocess.run(
                [*secret, "--host", "127.0.0.1", "--data", str(server.data)],
                cwd=ROOT,
                input="any",
                text=True,
                check=True,
            )
            done = ran(server)
        assert process.stdout is not None
        answered = [json.loads(process.stdout.readline()) for _ in range(4)]
    assert "succeeded" == done["status"], done
    pet = {"id": 1, "kind": "cat", "name": "string"}
    assert {"all": [pet], "one": {"id": 7, "name": "Tom", "kind": "cat"}, "added": pet} == done["output"]
    expected = {("GET", "/pets", 200), ("GET", "/pets/7", 200), ("POST", "/pets", 201)}
    assert expected == {(one["method"], one["path"], one["status"]) for one in answered}
    with mocked(file, "--answer", "getPet=404") as (port, _):
        called = f"127.0.0.1:{port}"
        settings = {"MILLRACE_ALLOW_HOSTS": called, "MILLRACE_ENV": f"PETS_URL=http://{called}"}
        with Server(tmp_path / "data", env=settings) as server:
            failed = ran(server)
    assert ("failed", "failed", "skipped") == (
        failed["status"],
        failed["tasks"]["one"]["status"],
        failed["tasks"]["added"]["status"],
    )
    assert "404" in json.dumps(failed["error"])
