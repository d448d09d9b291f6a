"""The gateway calls the handler that the template names, and keeps strangers out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from millrace.base.limits import REQUEST_BYTES
from millrace.local.client import Client, Reply
from millrace.local.gateway import Gateway
from millrace.local.listener import Listener, bind, port_of
from millrace.local.routing import Router
from millrace.local.template import Route
from tests.unit.local.serving import echo, raw, serving

ROUTES = [Route("Echo", method, "/api/v1/echo/{proxy+}") for method in ("GET", "POST")]
ROUTES += [
    Route("Boom", "GET", "/api/v1/boom"),
    Route("Odd", "GET", "/api/v1/odd"),
    Route("None", "GET", "/api/v1/none"),
]


def boom(event: dict[str, Any], context: Any) -> Any:
    raise RuntimeError("the secret reason")


HANDLERS = {
    "Echo": echo,
    "Boom": boom,
    "Odd": lambda event, context: {"status": 200},
    "None": lambda event, context: {
        "statusCode": 204,
        "headers": {"Content-Length": "99", "X-One": "1"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
    },
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving(HANDLERS, ROUTES) as found:
        yield found


def called(client: Client, method: str, path: str, **options: Any) -> dict[str, Any]:
    reply = client.send(method, path, **options)
    assert 200 == reply.status
    return reply.json()  # type: ignore[no-any-return]


def test_a_request_reaches_its_handler_as_an_event(client: Client) -> None:
    said = called(client, "POST", "/api/v1/echo/a%20b?x=1&x=2", body=b'{"a":1}', headers={"X-Who": "me"})
    event = said["event"]
    assert ("POST", "/api/v1/echo/a%20b", '{"a":1}') == (event["httpMethod"], event["path"], event["body"])
    assert ({"proxy": "a b"}, ["1", "2"], "me") == (
        event["pathParameters"],
        event["multiValueQueryStringParameters"]["x"],
        event["headers"]["X-Who"],
    )
    assert "127.0.0.1" == event["requestContext"]["identity"]["sourceIp"]
    assert said["id"] == event["requestContext"]["requestId"]
    assert 0 < said["left"] <= 29_000


def test_many_callers_at_once_each_get_their_own_answer(client: Client) -> None:
    def ask(number: int) -> str:
        event = called(client, "GET", f"/api/v1/echo/{number}", headers={"X-Who": str(number)})["event"]
        return f"{event['pathParameters']['proxy']} {event['headers']['X-Who']}"

    with ThreadPoolExecutor(16) as pool:
        assert [f"{number} {number}" for number in range(200)] == list(pool.map(ask, range(200)))


def test_bytes_that_are_no_text_arrive_as_base64(client: Client) -> None:
    event = called(client, "POST", "/api/v1/echo/x", body=b"\xff\xfe")["event"]
    assert ("//4=", True) == (event["body"], event["isBase64Encoded"])


def test_head_is_get_without_a_body(client: Client) -> None:
    reply = client.send("HEAD", "/api/v1/echo/x")
    assert (200, b"") == (reply.status, reply.body)
    assert 100 < int(reply.headers["content-length"])


def test_a_header_that_the_handler_gave_is_not_given_twice() -> None:
    def sniffing(event: dict[str, Any], context: Any) -> Any:
        return {"statusCode": 200, "multiValueHeaders": {"X-Content-Type-Options": ["nosniff"]}, "body": "{}"}

    with serving({"Echo": sniffing}, ROUTES[:1]) as found:
        request = f"GET /api/v1/echo/x HTTP/1.1\r\nhost: localhost:{found.port}\r\nconnection: close\r\n\r\n"
        assert 1 == raw(found.port, request.encode()).lower().count(b"x-content-type-options")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/workflows", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/api/v1/workflows/hello", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("DELETE", "/api/v1/workflows/hello/versions", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/v1/workflows/hello/activate", "OPTIONS, POST"),
        ("DELETE", "/api/v1/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/v1/workflows/hello/nothing/there", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_a_405_names_the_methods_of_the_route_and_not_of_all_that_its_function_serves(
    method: str, path: str, allowed: str
) -> None:
    resources = [f"/api/v1/workflows{rest}" for rest in ("", "/{proxy+}")] + ["/api/v1/health"]
    routes = [Route("Echo", verb, resource) for resource in resources for verb in ("GET", "POST")]
    with serving(HANDLERS, routes) as found:
        reply = found.send(method, path)
        assert (405, allowed) == (reply.status, reply.headers["allow"])
        assert allowed == found.send("OPTIONS", path).headers["allow"]


def test_options_names_the_methods(client: Client) -> None:
    reply = client.send("OPTIONS", "/api/v1/echo/x")
    assert (204, "GET, HEAD, OPTIONS, POST") == (reply.status, reply.headers["allow"])


def test_a_method_that_a_path_does_not_have_is_405_with_allow(client: Client) -> None:
    reply = client.send("DELETE", "/api/v1/echo/x")
    assert (405, "GET, HEAD, OPTIONS, POST") == (reply.status, reply.headers["allow"])
    assert ("method-not-allowed", "/api/v1/echo/x") == (reply.json()["code"], reply.json()["instance"])


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/", "/elsewhere", "/api/v1/echo/", "/..%2f..%2fetc/passwd"]
)
def test_a_path_without_a_route_is_a_404_problem(client: Client, path: str) -> None:
    reply = client.send("GET", path)
    assert (404, "application/problem+json", "not-found") == (
        reply.status, reply.headers["content-type"], reply.json()["code"],
    )  # fmt: skip


def test_writing_to_a_page_is_405(client: Client) -> None:
    assert 405 == client.send("POST", "/", body=b"").status


@pytest.mark.parametrize("path", ["/api/v1/boom", "/api/v1/odd"])
def test_a_handler_that_fails_tells_the_caller_nothing_but_a_number(
    client: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = client.send("GET", path)
    assert (500, "internal") == (reply.status, reply.json()["code"])
    assert b"secret" not in reply.body
    assert reply.json()["requestId"] in caplog.text


def test_an_answer_keeps_repeated_headers_and_its_own_length(client: Client) -> None:
    answer = raw(
        client.port, f"GET /api/v1/none HTTP/1.1\r\nhost: localhost:{client.port}\r\nconnection: close\r\n\r\n".encode()
    )
    head = answer.decode().lower()
    assert ["set-cookie: a=1", "set-cookie: b=2"] == [line for line in head.split("\r\n") if "set-cookie" in line]
    assert "content-length: 99" not in head
    assert head.startswith("http/1.1 204")


def test_a_body_is_cut_off_at_the_limit(client: Client) -> None:
    reply = client.send("POST", "/api/v1/echo/x", body=b"x" * (REQUEST_BYTES + 1))
    assert (413, REQUEST_BYTES) == (reply.status, reply.json()["limit"])


def test_a_body_of_exactly_the_limit_passes(client: Client) -> None:
    body = b"x" * REQUEST_BYTES
    assert body.decode() == called(client, "POST", "/api/v1/echo/x", body=body)["event"]["body"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8321"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/echo/x"])
def test_a_foreign_page_is_refused_before_any_handler_runs(client: Client, path: str, headers: dict[str, str]) -> None:
    reply = client.send("POST" if path != "/" else "GET", path, headers=headers)
    assert (403, "forbidden") == (reply.status, reply.json()["code"])


def test_a_raw_request_without_host_is_refused(client: Client) -> None:
    answer = raw(client.port, b"GET /api/v1/echo/x HTTP/1.0\r\n\r\n")
    assert b" 403 " in answer.split(b"\r\n")[0]


def test_bytes_that_are_no_http_do_no_harm(client: Client) -> None:
    assert b" 400 " in raw(client.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").split(b"\r\n")[0]
    assert 200 == client.send("GET", "/").status


def test_the_front_page_is_there_without_a_console(client: Client) -> None:
    reply = client.send("GET", "/")
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert b"/api/v1/workflows" in reply.body


def test_a_built_console_takes_the_place_of_the_front_page(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>console</p>")
    (tmp_path / "app.js").write_text("1")
    with serving(HANDLERS, ROUTES, console=tmp_path) as client:
        pages = {path: client.send("GET", path) for path in ("/", "/app.js", "/executions/7", "/gone.js", "/../x.py")}
    assert b"<p>console</p>" == pages["/"].body == pages["/executions/7"].body
    assert b"1" == pages["/app.js"].body
    assert {404} == {pages["/gone.js"].status, pages["/../x.py"].status}
    assert "not-found" == json.loads(pages["/gone.js"].body)["code"]


def test_a_call_that_waits_is_answered_503_when_the_server_stops() -> None:
    began, may_end = threading.Event(), threading.Event()

    def wait(event: dict[str, Any], context: Any) -> dict[str, Any]:
        began.set()
        may_end.wait(30)
        return {"statusCode": 200}

    bound = bind(0, variable="MILLRACE_PORT")
    gateway = Gateway(Router([Route("Wait", "GET", "/api/v1/wait")]), {"Wait": wait}, port=port_of(bound), stage="live")
    listener = Listener(gateway, bound, name="test")
    listener.start()
    replies: list[Reply] = []
    client = Client(port_of(bound), timeout=30)
    asking = threading.Thread(target=lambda: replies.append(client.send("GET", "/api/v1/wait")))
    asking.start()
    assert began.wait(30)
    gateway.drain()
    listener.stop()
    gateway.close()
    asking.join()
    may_end.set()
    assert (503, "the server is stopping") == (replies[0].status, replies[0].json()["detail"])
