"""Requests become API Gateway events, and results of handlers become answers."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.local.events import Answer, BadAnswer, Request, proxy_event, read_answer
from millrace.local.routing import Match
from millrace.local.template import Route

MATCH = Match(Route("Things", "POST", "/api/v1/things/{proxy+}"), {"proxy": "a b"})


def event(**changes: Any) -> dict[str, Any]:
    given_request = {
        "method": "POST",
        "path": "/api/v1/things/a%20b",
        "query": "",
        "headers": (("content-type", "application/json"), ("user-agent", "test")),
        "body": b"{}",
        "peer": "127.0.0.1",
    } | changes
    return proxy_event(Request(**given_request), MATCH, stage="live", request_id="r1", now_ms=5)


def test_an_event_has_the_keys_of_the_proxy_integration() -> None:
    keys = {
        "resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters",
        "multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body",
        "isBase64Encoded",
    }  # fmt: skip
    assert keys == event().keys()
    json.dumps(event())


def test_the_context_says_where_and_who() -> None:
    context = event()["requestContext"]
    assert ("/api/v1/things/a%20b", "live", "r1", 5) == (
        context["path"], context["stage"], context["requestId"], context["requestTimeEpoch"],
    )  # fmt: skip
    assert {"sourceIp": "127.0.0.1", "userAgent": "test"} == context["identity"]
    assert {"proxy": "a b"} == event()["pathParameters"]


def test_repeated_headers_and_parameters_are_kept_beside_their_last_value() -> None:
    made = event(query="a=1&a=2&b=%26&c", headers=(("x-a", "1"), ("X-A", "2")))
    assert {"X-A": ["1", "2"]} == made["multiValueHeaders"]
    assert {"X-A": "2"} == made["headers"]
    assert {"a": ["1", "2"], "b": ["&"], "c": [""]} == made["multiValueQueryStringParameters"]
    assert {"a": "2", "b": "&", "c": ""} == made["queryStringParameters"]


def test_what_is_absent_is_null() -> None:
    made = event(body=b"")
    assert (None, None, None) == (made["body"], made["queryStringParameters"], made["stageVariables"])


@given(st.binary(min_size=1))
def test_every_body_arrives_as_it_was_sent(body: bytes) -> None:
    made = event(body=body)
    back = base64.b64decode(made["body"]) if made["isBase64Encoded"] else made["body"].encode()
    assert body == back


@given(st.text())
def test_any_query_becomes_an_event(query: str) -> None:
    made = json.loads(json.dumps(event(query=query)))
    expected = parse_qs(query, keep_blank_values=True, errors="replace")
    assert (expected or None) == made["multiValueQueryStringParameters"]


def test_headers_of_a_result_are_merged_and_the_many_win() -> None:
    result = {
        "statusCode": 201,
        "headers": {"ETag": "1", "Empty": None},
        "multiValueHeaders": {"etag": ["2"], "Link": ["a", "b"]},
        "body": "né",
    }
    assert Answer(201, (("etag", "2"), ("Link", "a"), ("Link", "b")), "né".encode()) == read_answer(result)


def test_base64_of_a_result_is_decoded() -> None:
    assert b"\xff" == read_answer({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}).body


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_has_no_body(status: int) -> None:
    assert b"" == read_answer({"statusCode": status, "body": "null"}).body


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (None, "no integer statusCode"),
        ({"statusCode": "200"}, "no integer statusCode"),
        ({"statusCode": 99}, "not between"),
        ({"statusCode": 600}, "not between"),
        ({"statusCode": 200, "headers": {"a": "b\r\nc: d"}}, "line break"),
        ({"statusCode": 200, "body": {"a": 1}}, "not text"),
        ({"statusCode": 200, "body": "\ud800"}, "cannot be sent"),
        ({"statusCode": 200, "body": "%", "isBase64Encoded": True}, "cannot be sent"),
    ],
)
def test_a_result_that_the_gateway_of_aws_would_refuse_is_refused(result: Any, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read_answer(result)
