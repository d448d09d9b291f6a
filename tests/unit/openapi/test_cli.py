"""`millrace import openapi`, from a file and from an address, against a server in this process."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.base.errors import InvalidRequest, Unavailable
from millrace.base.limits import OPENAPI_BYTES
from millrace.cli import openapi
from millrace.cli.output import Output
from millrace.local.client import Reply
from millrace.local.server import LocalServer
from millrace.wiring.fetching import fetch_document
from millrace.wiring.settings import Settings
from tests.functions.documents import workflow
from tests.unit.cli.running import Ran, millrace
from tests.unit.openapi.builders import document, operation

PATHS = {"/pets": {"get": operation(operationId="listPets", summary="List\x1b[2J them")}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")):
        yield folder


class _Pages(http.server.BaseHTTPRequestHandler):
    pages: dict[str, tuple[int, dict[str, str], bytes]]

    def do_GET(self) -> None:
        if self.path.startswith("/pets"):
            self.pages["/pets"] = (200, {"Content-Type": "application/json"}, json.dumps({"seen": self.path}).encode())
        status, headers, body = self.pages[self.path.split("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    _Pages.pages = {
        "/api.json": (200, {}, json.dumps(document(PATHS)).encode()),
        "/moved": (302, {"Location": "/api.json"}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/gone": (404, {}, b""),
        "/long": (200, {}, b"x" * 2000),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def written(tmp_path: Path, value: Any) -> str:
    path = tmp_path / "api.json"
    path.write_text(json.dumps(value))
    return str(path)


def run(data: Path, *arguments: str) -> Ran:
    return millrace("import", "openapi", "--data", str(data), *arguments)


def test_a_file_is_imported_and_again_shows_what_changed(data: Path, tmp_path: Path) -> None:
    file = written(tmp_path, document(PATHS))
    assert (0, True) == ((first := run(data, file)).code, "1 operations: 1 added" in first.out)
    assert "1 unchanged" in run(data, file).out
    parameter = {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    file = written(tmp_path, document({"/pets": {"get": operation(operationId="listPets", parameters=[parameter])}}))
    ran = run(data, file, "--dry-run", "--fail-on-breaking")
    assert 1 == ran.code
    assert "list-pets: breaking required-input-added: input.q is new and required" in ran.out


def test_json_holds_the_whole_report(data: Path, tmp_path: Path) -> None:
    ran = millrace("import", "--json", "openapi", "--data", str(data), written(tmp_path, document({})))
    assert (0, 0) == (ran.code, ran.json["operations"])


def test_a_large_document_is_packed_and_published_in_batches(data: Path, tmp_path: Path) -> None:
    paths = {f"/p{n}": {"get": operation(operationId=f"op{n}")} for n in range(650)}
    value = document(paths, **{"x-filler": "x" * 1_100_000}) | {"info": {"title": "Large", "version": "1"}}
    ran = run(data, written(tmp_path, value))
    assert 0 == ran.code
    assert "published 600 of 650 tasks" in ran.out
    assert "… and 610 more; --json lists them" in ran.out
    assert "650 unchanged" in run(data, written(tmp_path, value)).out


def test_notes_and_secrets_are_told_without_steering_the_terminal(data: Path, tmp_path: Path) -> None:
    schemes = {"Evil\x1b[2J": {"type": "http", "scheme": "bearer"}}
    called = operation(security=[{"Evil\x1b[2J": []}])
    paths = {"/a\x1b": {}, **{f"/b{n}": {"trace": {}} for n in range(60)}, "/c": {"get": called}}
    value = document(paths, components={"securitySchemes": schemes}) | {"info": {"title": "Notes"}}
    ran = run(data, written(tmp_path, value))
    assert "\x1b" not in ran.out
    assert "not imported: /paths/~1b0/trace: an http task cannot send TRACE" in ran.out
    assert "more notes; --json lists them" in ran.out
    assert "secret evil-2-j is needed" in ran.out


def test_an_address_is_fetched_through_the_gate(data: Path, site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{site}/moved"
    refused = run(data, url)
    assert (2, True) == (refused.code, "MILLRACE_ALLOW_HOSTS" in refused.err)
    monkeypatch.setenv("MILLRACE_ALLOW_HOSTS", f"127.0.0.1:{site}")
    ran = run(data, url, "--source", "fetched", "--prefix", "fetched")
    assert (0, "") == (ran.code, ran.err)
    assert "1 added" in ran.out


@pytest.mark.parametrize(
    ("path", "said"), [("/gone", "answered 404"), ("/loop", "redirects"), ("/long", "larger than 1000")]
)
def test_an_answer_that_is_no_document_is_refused(site: int, path: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        fetch_document(f"http://127.0.0.1:{site}{path}", Settings(allow_hosts=(f"127.0.0.1:{site}",)), limit=1000)


def test_an_address_without_a_server_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        fetch_document("http://127.0.0.1:1/a", Settings(allow_hosts=("127.0.0.1:1",)), limit=1000)


def test_a_file_that_is_too_long_is_refused_before_it_is_sent(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    with path.open("wb") as stream:
        stream.truncate(OPENAPI_BYTES + 1)
    ran = run(data, str(path))
    assert (2, True) == (ran.code, f"more than {OPENAPI_BYTES} bytes" in ran.err)


def test_an_imported_task_runs_in_a_workflow(site: int, tmp_path: Path) -> None:
    called = f"http://127.0.0.1:{site}"
    parameter = {"name": "q", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}
    value = document({"/pets": {"get": operation(operationId="listPets", parameters=[parameter], responses=answer)}})
    calls = workflow("calls", tasks=[{"id": "a", "taskRef": "list-pets", "input": {"q": ["x y", "z"]}}])
    flow = tmp_path / "calls.json"
    flow.write_text(json.dumps(calls))
    settings = Settings(data=tmp_path / "data", port=0, demo_port=0, sync="normal", allow_hosts=(f"127.0.0.1:{site}",))
    with LocalServer(settings) as server:
        ran = run(settings.data, written(tmp_path, value), "--server", called)
        assert 0 == ran.code, ran.err
        server.client.publish("Workflow", flow.read_bytes(), media="json")
        started = server.client.call("POST", "/workflows/calls/executions", value={}, query={"wait": "10s"})[1]
    assert "succeeded" == started["status"]
    assert {"seen": "/pets?q=x+y&q=z"} == started["output"]["a"]["body"]


class _Stuck:
    """A server that always leaves something for the next request."""

    def send(self, *_arguments: Any, **_more: Any) -> Reply:
        report = {"published": self.published, "remaining": 5, "items": [], "counts": {"failed": 0}}
        self.published = 0
        return Reply(200, {}, json.dumps(report).encode())

    published = 1


def test_an_import_without_progress_ends() -> None:
    client: Any = _Stuck()
    with pytest.raises(Unavailable, match="no progress"):
        openapi._import(client, b"{}", {}, Output())
