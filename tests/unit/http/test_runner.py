"""What an http task sends, what it answers, and what its failures say."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from millrace.adapters.http import HttpRunner
from millrace.ports.runners import Outcome, TaskFailed
from tests.unit.http.servers import KEY, NOW, Fixed, Rig, Seen, attempt, in_turn, reply, reply_json, serve, slug


def call(config: dict[str, Any], answer: Any = None, **more: Any) -> tuple[Outcome, Seen]:
    async def go() -> tuple[Outcome, Seen]:
        async with serve(answer or reply_json({"ok": True})) as seen, Rig(seen.port) as rig:
            return await rig.run({"url": f"http://a.test:{seen.port}/x", **config}, **more), seen

    return asyncio.run(go())


def fails(config: dict[str, Any], answer: Any = None, **more: Any) -> TaskFailed:
    async def go() -> TaskFailed:
        async with serve(answer or reply_json({"ok": True})) as seen, Rig(seen.port) as rig:
            return await rig.fail({"url": f"http://a.test:{seen.port}/x", **config}, **more)

    return asyncio.run(go())


def test_a_json_answer_comes_back_as_a_value() -> None:
    outcome, _ = call({}, reply_json({"a": [1, 2.5, None]}, headers=[("X-One", "1"), ("x-one", "2")]))
    assert {"a": [1, 2.5, None]} == outcome.output["body"]
    assert 200 == outcome.output["status"]
    assert "1, 2" == outcome.output["headers"]["x-one"]
    assert outcome.output["durationMs"] >= 0


def test_how_long_an_attempt_took_is_told_by_the_watch_of_the_runner() -> None:
    async def go() -> Outcome:
        async with serve(reply()) as seen, Rig(seen.port) as rig:
            watch = iter([7.0, 8.5, 9.0])
            runner = HttpRunner(rig.transport, secrets=rig.secrets, clock=Fixed(), seconds=lambda: next(watch))
            return await runner.run(attempt({"url": f"http://a.test:{seen.port}/"}))

    outcome = asyncio.run(go())
    assert (1500, 2000) == (outcome.output["durationMs"], outcome.usage.latency_ms)


def test_a_get_carries_host_key_and_trace() -> None:
    _, seen = call({}, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert "GET /x HTTP/1.1" == seen.line
    assert f"a.test:{seen.port}" == seen.header("host")
    assert KEY == seen.header("idempotency-key")
    assert "gzip, deflate" == seen.header("accept-encoding")
    assert "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" == seen.header("traceparent")
    assert None is seen.header("content-length")


def test_two_attempts_carry_the_same_key() -> None:
    async def go() -> list[str | None]:
        async with serve(reply()) as seen, Rig(seen.port) as rig:
            config = {"method": "POST", "url": f"http://a.test:{seen.port}/"}
            await rig.run(config)
            await rig.run(config)
            return [seen.header("idempotency-key", index) for index in (0, 1)]

    assert [KEY, KEY] == asyncio.run(go())


def test_a_key_that_a_task_sets_itself_replaces_the_platform_s() -> None:
    _, seen = call({"method": "POST", "headers": {"idempotency-key": "mine"}})
    assert "mine" == seen.header("idempotency-key")
    assert KEY not in seen.requests[0][0]


def test_a_header_of_the_task_replaces_a_default_one() -> None:
    _, seen = call({"headers": {"user-agent": "mine", "Accept": "text/csv", "X-N": 3, "X-B": True, "X-None": None}})
    assert ("mine", "text/csv", "3", "true", None) == tuple(
        seen.header(name) for name in ("user-agent", "accept", "x-n", "x-b", "x-none")
    )


def test_a_json_body_is_sent_as_canonical_json() -> None:
    _, seen = call({"method": "POST", "body": {"b": 1, "a": "é"}})
    assert '{"a":"é","b":1}'.encode() == seen.requests[0][1]
    assert "application/json" == seen.header("content-type")


def test_a_form_body_is_url_encoded() -> None:
    _, seen = call({"method": "POST", "form": {"a": "x y&z", "b": [1, True], "c": None}})
    assert b"a=x+y%26z&b=1&b=true" == seen.requests[0][1]
    assert "application/x-www-form-urlencoded" == seen.header("content-type")


def test_a_text_body_is_sent_as_it_is() -> None:
    _, seen = call({"method": "PUT", "bodyText": "<é/>", "headers": {"Content-Type": "application/xml"}})
    assert "<é/>".encode() == seen.requests[0][1]
    assert "application/xml" == seen.header("content-type")


def test_an_empty_post_says_that_its_length_is_zero() -> None:
    assert "0" == call({"method": "POST"})[1].header("content-length")


def test_query_values_are_added_to_those_of_the_url() -> None:
    _, seen = call({"query": {"q": "a b", "n": [1, 2], "t": True, "none": None}})
    assert "GET /x?q=a+b&n=1&n=2&t=true HTTP/1.1" == seen.line


@pytest.mark.parametrize(("url", "line"), [("/x?a=1#f", "/x?a=1&q=1"), ("/x?", "/x?q=1"), ("", "/?q=1")])
def test_a_query_joins_a_url_that_has_one(url: str, line: str) -> None:
    async def go() -> str:
        async with serve(reply()) as seen, Rig(seen.port) as rig:
            await rig.run({"url": f"http://a.test:{seen.port}{url}", "query": {"q": 1}})
            return seen.line

    assert f"GET {line} HTTP/1.1" == asyncio.run(go())


@pytest.mark.parametrize(
    ("content_type", "raw", "body"),
    [
        ("application/json; charset=utf-8", b'{"a":1}', {"a": 1}),
        ("application/problem+json", b"[]", []),
        ("text/plain; charset=iso-8859-1", b"\xe9", "é"),
        ("text/html", "é".encode(), "é"),
        ('text/html;a=b; Charset="ISO-8859-1"', b"\xe9", "é"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/octet-stream", b"\x00\xff", {"base64": "AP8="}),
        ("image/png", b"\x89PNG", {"base64": "iVBORw=="}),
        ("", b"plain", "plain"),
        ("", b"\xff", {"base64": "/w=="}),
        ("application/json", b"", None),
    ],
)
def test_a_body_is_read_by_its_content_type(content_type: str, raw: bytes, body: Any) -> None:
    outcome, _ = call({}, reply(raw, headers=[("Content-Type", content_type)] if content_type else []))
    assert body == outcome.output["body"]


@pytest.mark.parametrize(
    ("content_type", "raw", "code"),
    [
        ("application/json", b"{", "invalid-json"),
        ("application/json", b"NaN", "invalid-json"),
        ("application/json", b'{"a":1,"a":2}', "invalid-json"),
        ("application/json", b"[" * 100 + b"]" * 100, "invalid-json"),
        ("application/json", b'"\\ud800"', "invalid-json"),
        ("text/plain", b"\xff\xfe\xfa", "charset"),
        ("text/plain; charset=us-ascii", b"\xe9", "charset"),
        ("text/plain; charset=unicode_escape", b"x", "charset"),
        ("text/plain; charset=idna", b"x", "charset"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_a_permanent_failure(content_type: str, raw: bytes, code: str) -> None:
    assert ("schema", code, False) == slug(fails({}, reply(raw, headers=[("Content-Type", content_type)])))


def test_a_head_answer_has_no_body_whatever_length_it_names() -> None:
    outcome, _ = call({"method": "HEAD"}, reply(headers=[("Content-Length", "99999999999")], length=False))
    assert None is outcome.output["body"]


def test_cookies_come_back_one_a_line_and_are_never_sent_again() -> None:
    async def go() -> tuple[str, str | None]:
        answer = reply(headers=[("Set-Cookie", "a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT"), ("Set-Cookie", "b=2")])
        async with serve(answer) as seen, Rig(seen.port) as rig:
            config = {"url": f"http://a.test:{seen.port}/"}
            outcome = await rig.run(config)
            await rig.run(config)
            return outcome.output["headers"]["set-cookie"], seen.header("cookie")

    assert ("a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT\nb=2", None) == asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "codes", "succeeds"),
    [
        (200, None, True), (299, [], True), (300, [], False), (404, [], False), (404, [200, 404], True),
        (404, ["2xx", "404"], True), (201, ["200-204"], True), (205, ["200-204"], False), (503, ["5XX"], True),
        (200, [404], False), (302, ("3xx",), True), (204, 204, True), (200, "4xx", False),
    ],
)  # fmt: skip
def test_success_is_what_the_codes_say(status: int, codes: Any, succeeds: bool) -> None:
    answer = reply(status=f"{status} X")
    if succeeds:
        assert status == call({"successCodes": codes}, answer)[0].output["status"]
    else:
        assert ("http", str(status)) == slug(fails({"successCodes": codes}, answer))[:2]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(status, False) for status in (301, 304, 400, 401, 404, 409)]
    + [(status, True) for status in (408, 425, 429, 500, 501, 502, 503, 504)],
)
def test_a_status_is_retried_when_it_says_not_now(status: int, retryable: bool) -> None:
    assert ("http", str(status), retryable) == slug(fails({}, reply(status=f"{status} X")))


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0),
        ("7", 7000),
        (" 120 ", 120_000),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 1_700_000_060_000 - NOW),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60_000),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60_000),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 40, None),
        ("", None),
        ("Mon, 99 Foo 2023 99:99:99 GMT", None),
        ("é", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, wait: int | None) -> None:
    failed = fails({}, reply(status="503 X", headers=[("Retry-After", value)]))
    assert wait == failed.failure.retry_after_ms


def test_retry_after_means_nothing_on_a_permanent_failure() -> None:
    assert None is fails({}, reply(status="404 X", headers=[("Retry-After", "9")])).failure.retry_after_ms


def test_a_failure_keeps_what_the_server_said() -> None:
    failed = fails({}, reply_json({"why": "no such user"}, status="404 Not Found"))
    assert {"status": 404, "body": {"why": "no such user"}} == failed.failure.details
    assert "the server answered 404" == failed.failure.message
    assert (1, "GET", "a.test") == (failed.usage.requests, failed.usage.operation, failed.usage.host)


def test_a_long_error_body_is_cut_and_an_unreadable_one_left_out() -> None:
    long = fails({}, reply(b"x" * 9000, status="500 X", headers=[("Content-Type", "text/plain")]))
    assert "x" * 2048 == long.failure.details["body"]
    bad = fails({}, reply(b"{", status="500 X", headers=[("Content-Type", "application/json")]))
    assert "" == bad.failure.details["body"]


def test_a_response_schema_that_does_not_fit_names_the_places() -> None:
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    assert {"id": 3} == call({"responseSchema": schema}, reply_json({"id": 3}))[0].output["body"]
    failed = fails({"responseSchema": schema}, reply_json({"id": "3"}))
    assert ("schema", "response-schema", False) == slug(failed)
    assert [{"path": "/id", "message": "'3' is not of type 'integer'"}] == failed.failure.details["mismatches"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://169.254.169.254/schema"},
        {"$ref": "#/missing"},
        {"$ref": "#"},
        {"pattern": "(?=a)b"},
        {"patternProperties": {"(a)\\1": {}}},
        {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
    ],
)
def test_a_schema_that_cannot_be_used_is_a_permanent_failure(schema: Any) -> None:
    assert ("schema", "bad-schema", False) == slug(fails({"responseSchema": schema}, reply_json({"a": "a"})))


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (True, True),
        (False, False),
        ({"properties": {"name": {"pattern": "^(a+)+$"}}}, False),
        ({"properties": {"name": {"pattern": "^a+!$"}}}, True),
        ({"patternProperties": {"^n": {"type": "string"}}, "additionalProperties": False}, True),
        ({"patternProperties": {"^n": {"type": "integer"}}}, False),
        ({"properties": {"other": {}}, "additionalProperties": False}, False),
        ({"additionalProperties": {"type": "integer"}}, False),
        ({"not": {"const": {"pattern": "("}}}, True),
        ({"additionalProperties": True, "allOf": [{"type": "object"}]}, True),
    ],
)
def test_patterns_are_matched_in_linear_time(schema: Any, fits: bool) -> None:
    answer = reply_json({"name": "a" * 20_000 + "!"})
    if fits:
        assert 200 == call({"responseSchema": schema}, answer)[0].output["status"]
    else:
        assert ("schema", "response-schema", False) == slug(fails({"responseSchema": schema}, answer))


def test_a_schema_about_objects_says_nothing_about_others() -> None:
    schema = {"patternProperties": {"a": False}, "additionalProperties": False, "pattern": "x"}
    assert [1] == call({"responseSchema": schema}, reply_json([1]))[0].output["body"]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"method": "TRACE"}, "config"),
        ({"method": 7}, "config"),
        ({"url": 7}, "config"),
        ({"url": None}, "config"),
        ({"headers": []}, "config"),
        ({"headers": {"x": {}}}, "config"),
        ({"headers": {"x": float("inf")}}, "config"),
        ({"query": {"x": 10**40}}, "config"),
        ({"query": {"x": {"a": 1}}}, "config"),
        ({"query": {"x": "\ud800"}}, "config"),
        ({"body": {"x": float("nan")}, "method": "POST"}, "config"),
        ({"body": 1, "form": {}}, "config"),
        ({"surprise": 1}, "config"),
        ({"auth": {"bearer": "a", "basic": {}}}, "config"),
        ({"auth": {"digest": "a"}}, "config"),
        ({"auth": {"bearer": None}}, None),
        ({"auth": {"bearer": {}}}, "config"),
        ({"auth": {"basic": "a"}}, "config"),
        ({"auth": {"basic": {"username": "a:b", "password": "c"}}}, "config"),
        ({"auth": {"apiKey": {"value": "a"}}}, "config"),
        ({"auth": {"apiKey": {"value": "a", "name": "b", "in": "path"}}}, "config"),
        ({"auth": {"secretRef": "a"}}, "config"),
        ({"headers": {"Host": "b.test"}}, "header"),
        ({"headers": {"Content-Length": "1"}}, "header"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "header"),
        ({"headers": {"Accept-Encoding": "br"}}, "header"),
        ({"headers": {"x": "a\r\nHost: b.test"}}, "header"),
        ({"headers": {"x": "a\x00"}}, "header"),
        ({"headers": {"x y": "a"}}, "header"),
        ({"headers": {"": "a"}}, "header"),
        ({"headers": {"é": "a"}}, "header"),
        ({"successCodes": ["2x"]}, "success-codes"),
        ({"successCodes": [99]}, "success-codes"),
        ({"successCodes": [True]}, "success-codes"),
    ],
)
def test_a_request_that_cannot_be_built_is_a_permanent_failure(config: Any, code: str | None) -> None:
    if code is None:
        assert None is call(config)[1].header("authorization")
    else:
        assert ("task", code, False) == slug(fails(config))


def test_a_configuration_that_is_no_object_is_a_permanent_failure() -> None:
    async def go() -> TaskFailed:
        async with Rig() as rig:
            return await rig.fail("http://a.test/")

    failed = asyncio.run(go())
    assert ("task", "config", False) == slug(failed)
    assert (None, 0) == (failed.exchange, failed.usage.requests)


def test_usage_counts_requests_and_bytes_on_the_wire() -> None:
    outcome, _ = call({"method": "POST", "bodyText": "12345"}, reply(b"123", headers=[("Content-Type", "text/plain")]))
    usage = outcome.usage
    assert ("http", "a.test", "POST", 1, 5, 3) == (
        usage.provider, usage.host, usage.operation, usage.requests, usage.bytes_out, usage.bytes_in,
    )  # fmt: skip


def test_the_exchange_holds_both_sides_with_credentials_redacted() -> None:
    answer = reply(b"hello", headers=[("Set-Cookie", "sid=1"), ("Content-Type", "text/plain"), ("X-Plain", "p")])
    config = {
        "method": "POST",
        "bodyText": "hi",
        "headers": {"Authorization": "Basic abc", "Cookie": "c=1", "X-Api-Key": "k", "X-Plain": "q"},
        "query": {"api_key": "k9", "page": 1},
    }
    outcome, seen = call(config, answer)
    exchange = outcome.exchange
    assert exchange is not None
    sent, came = dict(exchange.request_headers), dict(exchange.response_headers)
    assert {"[redacted]"} == {sent[name] for name in ("Authorization", "Cookie", "X-Api-Key")}
    assert ("q", "p", "[redacted]") == (sent["X-Plain"], came["x-plain"], came["set-cookie"])
    assert f"http://a.test:{seen.port}/x?api_key=[redacted]&page=1" == exchange.url
    assert (b"hi", b"hello", 200) == (exchange.request_body, exchange.response_body, exchange.status)
    assert f"127.0.0.1:{seen.port}" == exchange.peer
    assert "Basic abc" == seen.header("authorization")


def test_captured_bodies_are_cut_at_64_kib() -> None:
    outcome, _ = call({"method": "POST", "bodyText": "a" * 70_000}, reply(b"b" * 70_000))
    assert outcome.exchange is not None
    assert (65_536, 65_536) == (len(outcome.exchange.request_body), len(outcome.exchange.response_body))
    assert 70_000 == len(outcome.output["body"])


def test_capture_can_be_switched_off() -> None:
    assert None is call({"capture": False})[0].exchange
    assert None is fails({"capture": False}, reply(status="500 X")).exchange


def test_basic_and_key_authentication_are_sent() -> None:
    _, seen = call({"auth": {"basic": {"username": "me", "password": "pa:ss"}}})
    assert "Basic " + base64.b64encode(b"me:pa:ss").decode() == seen.header("authorization")
    _, seen = call({"auth": {"apiKey": {"name": "X-Key", "value": "v"}}})
    assert "v" == seen.header("x-key")
    _, seen = call({"auth": {"apiKey": {"name": "key", "in": "query", "value": "v&"}}})
    assert "GET /x?key=v%26 HTTP/1.1" == seen.line
    _, seen = call({"auth": {"bearer": "plain", "basic": None, "apiKey": None}})
    assert "Bearer plain" == seen.header("authorization")


def test_connections_are_reused() -> None:
    async def go() -> tuple[int, int, list[str]]:
        async with serve(reply_json(1)) as seen, Rig(seen.port) as rig:
            for _ in range(5):
                await rig.run({"url": f"http://a.test:{seen.port}/"})
            return seen.connections, len(seen.requests), rig.names.asked

    assert (1, 5, ["a.test"]) == asyncio.run(go())


def test_a_connection_closed_by_the_server_while_idle_is_replaced() -> None:
    async def go() -> int:
        async def close(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        async with serve(close) as seen, Rig(seen.port) as rig:
            for _ in range(3):
                await rig.run({"url": f"http://a.test:{seen.port}/"})
                await asyncio.sleep(0.01)
            return seen.connections

    assert 3 == asyncio.run(go())


def test_one_runner_serves_several_loops_one_after_the_other() -> None:
    rigs: list[Rig] = []

    async def go(port: int) -> tuple[int, int]:
        async with serve(reply_json(7), port=port) as seen:
            rigs.extend([Rig(seen.port)] if not rigs else [])
            async with rigs[0] as rig:
                outcome = await rig.run({"url": f"http://a.test:{seen.port}/"})
                return seen.port, outcome.output["body"]

    port, first = asyncio.run(go(0))
    assert (7, (port, 7)) == (first, asyncio.run(go(port)))


def test_the_effect_follows_the_method() -> None:
    effects = [
        HttpRunner.effect_of(config) for config in ({}, {"method": "head"}, {"method": "POST"}, {"method": 1}, 3)
    ]
    assert ["read", "read", "write", "unknown", "unknown"] == effects


def test_answers_in_turn_reach_the_right_attempts() -> None:
    async def go() -> list[Any]:
        async with serve(in_turn(*(reply_json(n) for n in range(8)))) as seen, Rig(seen.port) as rig:
            outcomes = [await rig.run({"url": f"http://a.test:{seen.port}/"}) for _ in range(8)]
            return [outcome.output["body"] for outcome in outcomes]

    assert list(range(8)) == asyncio.run(go())
