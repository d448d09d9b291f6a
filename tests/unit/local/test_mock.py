"""A mock on a port: what a client sees of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.local.mock import BODY_BYTES, MockApp
from millrace.services.mocking.exchange import Answer, Request
from tests.unit.mocking.builders import PET, json_body, mock

PATHS = {
    "/pets": {"post": {"requestBody": json_body(PET), "responses": {"201": json_body(PET)}}},
    "/pets/{id}": {
        "get": {"responses": {"200": json_body(PET, example={"name": "Tom"})}},
        "delete": {"responses": {"204": json_body(PET)}},
    },
}


class Served:
    def __init__(self, port: int, told: list[tuple[Request, Answer]]) -> None:
        self.port, self.told = port, told

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    told: list[tuple[Request, Answer]] = []
    with bind(0, variable="--port") as front:
        port = port_of(front)
        app = MockApp(mock(PATHS), port=port, tell=lambda request, answer: told.append((request, answer)))
        listener = Listener(app, front, name="mock", grace=1)
        listener.start()
        yield Served(port, told)
        listener.stop()


def test_a_request_over_http_gets_the_answer_and_is_told(served: Served) -> None:
    status, headers, body = served.ask("GET", "/pets/a%2Fb?x=1")
    assert (200, {"name": "Tom"}, "example") == (status, json.loads(body), headers["millrace-mock"])
    ((request, answer),) = served.told
    assert ("/pets/a%2Fb", "x=1", "GET /pets/{id}") == (request.path, request.query, answer.operation)


def test_a_body_is_judged_over_http(served: Served) -> None:
    sent = served.ask("POST", "/pets", b'{"name": "x"}', content_type="application/json")
    refused = served.ask("POST", "/pets", b'{"name": 5}', content_type="application/json")
    assert (201, 422) == (sent[0], refused[0])


def test_head_has_the_length_and_no_body_and_204_has_neither(served: Served) -> None:
    _, headers, body = served.ask("HEAD", "/pets/1")
    assert (str(len(b'{"name":"Tom"}')), b"") == (headers["content-length"], body)
    status, headers, body = served.ask("DELETE", "/pets/1")
    assert (204, None, b"") == (status, headers.get("content-length"), body)


def test_pages_of_other_sites_get_no_answer(served: Served) -> None:
    assert [403, 403] == [
        served.ask("GET", "/pets/1", origin="http://evil.example")[0],
        served.ask("GET", "/pets/1", host="evil.example")[0],
    ]


def test_a_body_that_is_too_large_is_refused_before_all_of_it_was_read(served: Served) -> None:
    assert 413 == served.ask("POST", "/pets", b" " * (BODY_BYTES + 1))[0]
