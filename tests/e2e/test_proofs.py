"""What docs/reference/durability.md says of a full disk, of a damaged file and of messages that race an end, done to a
real server."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from millrace.local.client import Reply
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
WORKFLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: copy}
spec:
  version: 1.0.0
  input: {type: object, required: [text], properties: {text: {type: string}}}
  tasks:
    - id: echo
      type: http
      request: {method: POST, url: "{{env.DEMO_URL}}/echo", body: {text: "{{input.text}}"}}
  output: {size: "{{size(tasks.echo.output.body.body.text)}}"}
"""
TEXT = "x" * 20_000
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def start(server: Server, key: str, text: str = TEXT) -> Reply:
    value = {"input": {"text": text}}
    return server.call("POST", "/workflows/copy/executions", value=value, headers={"Idempotency-Key": key})


def largest(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_a_full_disk_refuses_writes_loses_nothing_and_needs_no_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        server.publish(WORKFLOW)
        before = start(server, "before").json()["id"]
        assert "succeeded" == server.wait(before)["status"]
        # No file of the server may grow any more, which is what a full disk looks like to it.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest(data), resource.RLIM_INFINITY))
        accepted: dict[str, str] = {}
        refused: list[str] = []
        for number in range(60):
            reply = start(server, f"full-{number}")
            if reply.status in (200, 202):
                accepted[f"full-{number}"] = reply.json()["id"]
            else:
                assert (503, True) == (reply.status, reply.json()["code"] in ("store-unavailable", "outcome-unknown"))
                refused.append(f"full-{number}")
        assert refused
        assert "succeeded" == server.call("GET", f"/executions/{before}").json()["status"]
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        for key in refused:
            accepted[key] = start(server, key).json()["id"]
        assert 60 == len(set(accepted.values()))
        for execution in accepted.values():
            assert {"size": len(TEXT)} == server.wait(execution)["output"]
        assert {before, *accepted.values()} == {
            item["id"] for item in server.call("GET", "/executions?limit=100").json()["items"]
        }
        assert 0 == server.stop()


def test_a_damaged_database_is_refused_at_start_with_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        server.publish(WORKFLOW)
        with ThreadPoolExecutor(8) as clients:
            replies = list(clients.map(lambda number: start(server, f"k{number}"), range(40)))
        for reply in replies:
            assert "succeeded" == server.wait(reply.json()["id"])["status"]
        assert 0 == server.stop()
        file = data / "millrace.db"
        content = bytearray(file.read_bytes())
        whole = bytes(content)
        for page in range(1, len(content) // 4096, 3):
            content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
        file.write_bytes(content)
        with pytest.raises(AssertionError, match=r"millrace\.db is damaged") as caught:
            server.start()
        assert "put back a copy" in str(caught.value)
        server.kill()
        file.write_bytes(whole)
        server.start()
        assert 40 == len(server.call("GET", "/executions?limit=100").json()["items"])
        assert 0 == server.stop()


def test_a_signal_that_races_the_end_is_either_refused_or_in_the_history(tmp_path: Path) -> None:
    """Executions of one short call; a client each sends signals until one is refused, or they are many."""

    def race(number: int) -> tuple[str, list[str]]:
        execution = start(server, f"race-{number}", "x").json()["id"]
        accepted: list[str] = []
        while len(accepted) < 30:
            reply = server.call("POST", f"/executions/{execution}/signals/go", value={"payload": len(accepted)})
            if reply.status == 409:
                break
            assert reply.status in (200, 202), reply.body
            accepted.append(reply.json()["messageId"])
        return execution, accepted

    with Server(tmp_path / "data") as server, ThreadPoolExecutor(8) as clients:
        server.publish(WORKFLOW)
        told = 0
        for execution, accepted in clients.map(race, range(60)):
            assert "succeeded" == server.wait(execution)["status"]
            items = server.call("GET", f"/executions/{execution}/events?limit=1000").json()["items"]
            assert accepted == [event["message"] for event in items if event["type"] == "SignalReceived"], execution
            told += len(accepted)
        assert 60 <= told
        assert 0 == server.stop()
