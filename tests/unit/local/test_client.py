"""The client says what a server answered, or that none did."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.base.errors import Unavailable
from millrace.local.client import Client, Refused, segment
from millrace.local.listener import Listener, bind, port_of
from millrace.local.template import Route
from tests.unit.local.serving import echo, serving


def picky(event: dict[str, Any], context: Any) -> dict[str, Any]:
    kind = event["pathParameters"]["proxy"]
    bodies = {"text": "no json", "list": "[1]", "empty": "{}", "full": json.dumps({"detail": "d", "hint": "h"})}
    return {"statusCode": 200 if kind == "text" else 422, "body": bodies[kind]}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    routes = [Route("Echo", m, p) for m in ("GET", "POST") for p in ("/api/v1/tasks", "/api/v1/workflows")]
    with serving({"Echo": echo, "Picky": picky}, [*routes, Route("Picky", "GET", "/api/v1/picky/{proxy+}")]) as found:
        yield found


def test_a_call_sends_json_and_reads_json(client: Client) -> None:
    _, said = client.call("POST", "/tasks", value={"a": "é"}, query={"b": "1 2"}, headers={"x-k": "v"})
    event = said["event"]
    assert ({"a": "é"}, {"b": "1 2"}, "v") == (
        json.loads(event["body"]), event["queryStringParameters"], event["headers"]["X-K"],
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "path"), [("Workflow", "workflows"), ("WorkflowTask", "tasks"), ("", "workflows")])
def test_each_kind_is_published_where_it_belongs(client: Client, kind: str, path: str) -> None:
    event = client.publish(kind, b"a: 1", media="yaml")[1]["event"]
    assert (f"/api/v1/{path}", "application/yaml") == (event["path"], event["headers"]["Content-Type"])


@pytest.mark.parametrize(("kind", "message"), [("full", "d"), ("empty", "answered 422"), ("list", "answered 422")])
def test_a_problem_is_raised_with_its_words(client: Client, kind: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as raised:
        client.call("GET", f"/picky/{kind}")
    assert 422 == raised.value.status


def test_an_answer_that_is_not_json_is_no_answer_of_ours(client: Client) -> None:
    with pytest.raises(Unavailable, match="not JSON"):
        client.call("GET", "/picky/text")


def test_no_server_is_said_with_the_port() -> None:
    bound = bind(0, variable="MILLRACE_PORT")
    port = port_of(bound)
    bound.close()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        Client(port).send("GET", "/")


def test_a_port_that_is_taken_is_said_with_its_setting() -> None:
    with bind(0, variable="MILLRACE_PORT") as bound, pytest.raises(Unavailable, match="in use") as raised:
        bind(port_of(bound), variable="MILLRACE_DEMO_PORT")
    assert "MILLRACE_DEMO_PORT" in raised.value.hint


def test_a_port_that_may_not_be_opened_is_said() -> None:
    with pytest.raises(Unavailable, match="port 70000 cannot be opened"):
        bind(70_000, variable="MILLRACE_PORT")


def test_a_listener_that_cannot_start_says_so() -> None:
    bound = bind(0, variable="MILLRACE_PORT")
    bound.detach()
    listener = Listener(None, bound, name="broken")  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="did not start"):
        listener.start()


def test_a_segment_hides_every_separator() -> None:
    assert "a%2Fb%3F%23%C3%A9" == segment("a/b?#é")


def test_a_server_that_takes_too_long_is_not_said_to_be_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"the server on 127.0.0.1:{port} took more than 0.05 s for GET /a$"):
            Client(port, timeout=0.05).send("GET", "/a?b=c")
