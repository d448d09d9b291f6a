"""The local server, whole, in this process: the platform behind the gateway that `template.yaml` describes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.base.errors import Conflict, Unavailable
from millrace.local.client import Client
from millrace.local.listener import bind, port_of
from millrace.local.root import find_root
from millrace.local.server import LocalServer, demo_port_of
from millrace.wiring.folder import holder
from millrace.wiring.settings import Settings

HELLO = (find_root() / "docs/examples/hello/workflow.yaml").read_bytes()


def settings(folder: Path) -> Settings:
    return Settings(data=folder, port=0, demo_port=0, sync="normal")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer(settings(tmp_path_factory.mktemp("data"))) as found:
        yield found


def test_a_workflow_is_published_once_run_and_remembered(server: LocalServer) -> None:
    client = server.client
    greeting = HELLO.replace(b"name: hello", b"name: remembered", 1)
    assert (201, 200) == (
        client.publish("Workflow", greeting, media="yaml")[0], client.publish("Workflow", greeting, media="yaml")[0],
    )  # fmt: skip
    status, execution = client.call(
        "POST", "/workflows/remembered/executions", value={"input": {"userId": 3}}, query={"wait": "20s"}
    )
    assert (200, "succeeded") == (status, execution["status"])
    name = json.loads(Client(server.demo_port).send("GET", "/users/3").body)["name"]
    assert {"greeting": f"Hello, {name}!"} == execution["output"]
    events = client.call("GET", f"/executions/{execution['id']}/events")[1]["items"]
    assert list(range(len(events))) == [event["position"] - events[0]["position"] for event in events]


def test_an_approval_inside_a_loop_is_decided_by_its_path(server: LocalServer) -> None:
    client = server.client
    sign = {"id": "sign", "type": "approval", "approvers": ["role:admin"], "timeout": "1h"}
    spec = {"tasks": [{"id": "each", "forEach": {"items": [1, 2]}, "tasks": [sign]}]}
    document = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": "signed"}, "spec": spec}
    client.publish("Workflow", json.dumps(document).encode(), media="json")
    execution = client.call("POST", "/workflows/signed/executions", value={})[1]["id"]
    for path, whose in (("each%5B0%5D%2Fsign", "each[0]/sign"), ("each[1]/sign", "each[1]/sign")):
        for _ in range(200):
            if whose in client.call("GET", f"/executions/{execution}")[1]["tasks"]:
                break
            time.sleep(0.02)
        status, sent = client.call("POST", f"/executions/{execution}/approvals/{path}", value={"decision": "approved"})
        assert (202, whose) == (status, sent["task"])
    for _ in range(200):
        found = client.call("GET", f"/executions/{execution}")[1]
        if found["status"] != "running":
            break
        time.sleep(0.02)
    assert "succeeded" == found["status"]


def test_curl_needs_no_content_type(server: LocalServer) -> None:
    server.client.publish("Workflow", HELLO, media="yaml")
    reply = server.client.send(
        "POST",
        "/api/v1/workflows/hello/executions?wait=20s",
        body=b'{"input":{"userId":1}}',
        headers={"content-type": "application/x-www-form-urlencoded", "user-agent": "curl/8"},
    )
    assert 200 == reply.status


def test_a_broken_document_is_422_with_line_and_column(server: LocalServer) -> None:
    broken = HELLO.replace(b"type: http", b"type: htpp")
    reply = server.client.send("POST", "/api/v1/workflows", body=broken, headers={"content-type": "application/yaml"})
    finding = reply.json()["findings"][0]
    assert 422 == reply.status
    assert 0 < finding["line"]
    assert 0 < finding["column"]


def test_the_folder_says_where_the_server_listens(server: LocalServer) -> None:
    held = holder(server.settings.data)
    assert held is not None
    assert server.port == held.port


def test_a_second_server_on_the_same_folder_is_refused(server: LocalServer) -> None:
    with pytest.raises(Conflict, match=str(server.port)):
        LocalServer(settings(server.settings.data)).start()


@pytest.mark.parametrize(
    ("port", "asked", "taken"), [(8321, None, 8322), (9000, None, 9001), (9000, 1, 1), (9000, 0, 0), (0, None, 0)]
)
def test_the_demo_service_takes_the_port_after_the_servers(port: int, asked: int | None, taken: int) -> None:
    assert taken == demo_port_of(Settings(port=port, demo_port=asked))


def test_after_the_last_port_any_other_is_taken() -> None:
    assert 0 == demo_port_of(Settings(port=65_535))


def test_a_taken_port_gives_the_folder_back(tmp_path: Path) -> None:
    with bind(0, variable="MILLRACE_PORT") as taken:
        for wanted in ({"port": port_of(taken)}, {"demo_port": port_of(taken)}):
            blocked = LocalServer(Settings(**{"data": tmp_path, "port": 0, "demo_port": 0, **wanted}))
            with pytest.raises(Unavailable, match="in use"):
                blocked.start()
            assert holder(tmp_path) is None
