"""The entry wrapper, driven through the smallest resolver that can show each rule."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.api import Resolver, answer, caller, entry, request
from millrace.api import parameters as p
from millrace.api.observe import logger
from millrace.base.errors import NotFound, StoreUnavailable
from tests.functions.events import CONTEXT, Who, body_of, event, header, status
from tests.functions.world import platform


def resolver() -> Resolver:
    app = Resolver("test")

    @app.get("/api/v1/workflows")
    def list_all(limit: p.Limit = 5, message: p.Message = "") -> Any:
        return answer({"limit": limit, "message": message, "who": caller().principal, "tenant": caller().tenant})

    @app.get("/api/v1/workflows/<name>")
    def read(name: p.Name) -> Any:
        raise {"gone": NotFound("gone", hint="look"), "down": StoreUnavailable("down")}.get(name, ValueError(name))

    @app.post("/api/v1/workflows/<name>/executions")
    def start(name: p.Name, body: p.StartBody = None) -> Any:
        assert body is not None
        return answer({"name": name, "input": body.input, "namespace": caller().namespace}, status=202)

    @app.post("/api/v1/workflows/<name>/activate")
    def activate(name: p.Name, body: p.ActivateBody, match: p.IfMatch = None) -> Any:
        return answer({"version": body.version, "match": match})

    @app.post("/api/v1/workflows")
    def publish() -> Any:
        return answer({"raw": request().raw.decode(), "media": request().media}, status=201)

    @app.get("/api/v1/unlisted")
    def unlisted() -> Any:
        return answer({"never": True})

    return app


Handler = Callable[..., dict[str, Any]]


@pytest.fixture()
def handler() -> Handler:
    made = platform(region="eu-west-1")
    return entry(resolver(), lambda: made)


class _Kept(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def logged(concern: str) -> Iterator[list[str]]:
    """The lines that a function's logger writes, as they are written."""
    log = logger(concern)
    kept = _Kept([])
    kept.setFormatter(log.registered_formatter)
    log.addHandler(kept)
    try:
        yield kept.lines
    finally:
        log._logger.removeHandler(kept)


def send(handler: Handler, method: str, url: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return handler(event(method, url, body, **more), CONTEXT)


def test_a_good_request_gets_its_answer_and_the_request_id(handler: Handler) -> None:
    result = send(handler, "GET", "/api/v1/workflows?limit=7&message=a,b")
    assert 200 == status(result)
    assert {"limit": 7, "message": "a,b", "who": "ann", "tenant": "acme"} == body_of(result)
    assert "req-1" == header(result, "X-Request-Id")
    assert "no-store" == header(result, "Cache-Control")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/api/v1/workflows?limit=0", 400),
        ("/api/v1/workflows?limit=x", 400),
        ("/api/v1/workflows?limit=1&limit=2", 400),
        ("/api/v1/workflows?unknown=1", 400),
        ("/api/v1/workflows?message=%00", 400),
        ("/api/v1/workflows?namespace=UP", 400),
        ("/api/v1/workflows/", 400),
        ("/api/v1//workflows", 400),
        ("/api/v1/workflows/a%2fb", 400),
        ("/api/v1/workflows/..", 400),
        ("/api/v1/workflows;x", 400),
        ("/API/v1/workflows", 404),
        ("/api/v1/workflows.json", 404),
        ("/api/v1/workflows/Bad_Name", 400),
        ("/api/v1/nothing", 404),
        ("/api/v1/unlisted", 403),
        ("/api/v1/workflows/gone", 404),
        ("/api/v1/workflows/down", 503),
    ],
)
def test_a_wrong_request_gets_a_problem_that_says_what_to_do(handler: Handler, url: str, expected: int) -> None:
    result = send(handler, "GET", url)
    problem = body_of(result)
    assert expected == status(result)
    assert "application/problem+json" == header(result, "Content-Type")
    assert {"type", "title", "status", "detail", "code", "hint", "instance", "requestId"} <= set(problem)


@pytest.mark.parametrize(("spare", "expected"), [(0, 200), (-1, 413), (-900, 413)])
def test_an_answer_longer_than_a_function_may_give_is_413_and_not_a_failure_of_the_gateway(
    spare: int, expected: int
) -> None:
    app = Resolver("test")

    @app.get("/api/v1/workflows")
    def long() -> Any:
        return answer('"' * 300 + "é" * 300)

    limit = len(json.dumps(send(entry(app, platform), "GET", "/api/v1/workflows"))) + spare
    limited = replace(platform(), answer_bytes=limit)
    result = send(entry(app, lambda: limited), "GET", "/api/v1/workflows")
    assert expected == status(result)
    assert expected == 200 or ("too-large", limit) == (body_of(result)["code"], body_of(result)["limit"])


def test_an_unexpected_exception_is_a_500_that_says_nothing_of_itself(handler: Handler) -> None:
    with logged("test") as lines:
        result = send(handler, "GET", "/api/v1/workflows/boom")
    assert 500 == status(result)
    assert "boom" not in result["body"].replace("/workflows/boom", "")
    line = json.loads(lines[-1])
    assert ("req-1", "internal") == (line["requestId"], line["code"])
    assert "ValueError" in json.dumps(line)


def test_a_kill_passes_through_and_is_not_turned_into_an_answer() -> None:
    app = Resolver("test")

    @app.get("/api/v1/executions")
    def die() -> Any:
        raise KeyboardInterrupt

    made = platform()
    with pytest.raises(KeyboardInterrupt):
        entry(app, lambda: made)(event("GET", "/api/v1/executions"), CONTEXT)


def test_another_method_is_a_405_that_names_the_right_ones(handler: Handler) -> None:
    result = send(handler, "DELETE", "/api/v1/workflows")
    assert 405 == status(result)
    assert "GET, POST" == header(result, "Allow")


@pytest.mark.parametrize("method", ["", "get", "G T", "GET\n"])
def test_what_is_no_method_is_a_400(handler: Handler, method: str) -> None:
    assert 400 == status(send(handler, method, "/api/v1/workflows"))


@pytest.mark.parametrize("url", ["/api/v1/workflows", "/api/v1/nothing", "/api/v1/workflows?limit=x", "/a%00b"])
def test_a_stranger_learns_nothing_not_even_which_paths_exist(handler: Handler, url: str) -> None:
    result = send(handler, "GET", url, who=None)
    assert 401 == status(result)
    assert "Bearer" == header(result, "WWW-Authenticate")


def test_a_role_that_the_table_does_not_name_is_refused(handler: Handler) -> None:
    body = {"version": "1.0.0"}
    assert 403 == status(send(handler, "POST", "/api/v1/workflows/a/activate", body, who=Who(roles="operator")))
    assert 200 == status(send(handler, "POST", "/api/v1/workflows/a/activate", body, who=Who(roles="author")))


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]
)
def test_a_json_body_is_read_whatever_curl_calls_it(handler: Handler, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    result = send(handler, "POST", "/api/v1/workflows/a/executions", '{"input": {"n": 1.5}}', headers=headers)
    assert {"name": "a", "input": {"n": 1.5}, "namespace": "default"} == body_of(result)


def test_a_yaml_body_and_a_base64_body_are_read(handler: Handler) -> None:
    headers = {"Content-Type": "application/yaml"}
    url = "/api/v1/workflows/a/executions?namespace=team"
    result = send(handler, "POST", url, "input: {on: no}", headers=headers, encoded=True)
    assert {"name": "a", "input": {"on": "no"}, "namespace": "team"} == body_of(result)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"input": 1, "tenantId": "x"}', 400),
        ('{"input": 1, "input": 2}', 400),
        ("[{}]", 400),
        ('"text"', 400),
        ("input=1", 400),
        ('{"input": NaN}', 400),
        ('{"version": 7}', 400),
        ('{"labels": {"a": 1}}', 400),
    ],
)
def test_a_body_with_unknown_or_broken_parts_is_refused_whole(handler: Handler, body: str, expected: int) -> None:
    assert expected == status(send(handler, "POST", "/api/v1/workflows/a/executions", body))


def test_a_missing_field_is_named(handler: Handler) -> None:
    result = send(handler, "POST", "/api/v1/workflows/a/activate", {})
    assert [("body", "version")] == [(e["in"], e["at"]) for e in body_of(result)["errors"]]


def test_a_media_type_that_nobody_reads_is_a_415(handler: Handler) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert 415 == status(send(handler, "POST", "/api/v1/workflows", "--x", headers=headers))


def test_a_header_with_a_comma_arrives_whole(handler: Handler) -> None:
    headers = {"if-match": '"1", "2"'}
    result = send(handler, "POST", "/api/v1/workflows/a/activate", {"version": "1.0.0"}, headers=headers)
    assert '"1", "2"' == body_of(result)["match"]


def test_a_body_past_the_limit_is_a_413(handler: Handler) -> None:
    assert 413 == status(send(handler, "POST", "/api/v1/workflows", "x" * (6 * 1024 * 1024 + 1)))


@pytest.mark.parametrize("broken", [{}, {"path": 7, "httpMethod": None}, {"requestContext": {"authorizer": []}}])
def test_an_event_that_no_gateway_sends_is_answered_all_the_same(handler: Handler, broken: dict[str, Any]) -> None:
    assert 401 == status(handler(broken, None))


def test_two_thousand_concurrent_requests_each_get_their_own_answer(handler: Handler) -> None:
    barrier = threading.Barrier(16)

    def one(number: int) -> bool:
        if number < 16:
            barrier.wait()
        who = Who(principal=f"p{number}", tenant=f"t{number % 97}")
        if number % 2:
            result = send(handler, "GET", f"/api/v1/workflows?message=m{number}", who=who, request_id=f"r{number}")
            found = body_of(result)
            same = (found["who"], found["tenant"], found["message"]) == (who.principal, who.tenant, f"m{number}")
        else:
            url = f"/api/v1/workflows/n{number}/executions?namespace=s{number}"
            result = send(handler, "POST", url, {"input": number}, who=who, request_id=f"r{number}")
            same = {"name": f"n{number}", "input": number, "namespace": f"s{number}"} == body_of(result)
        return same and f"r{number}" == header(result, "X-Request-Id")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(2000)))
    assert [True] * 2000 == answers
