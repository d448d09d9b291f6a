"""Signatures over requests: the bytes that are signed, the header that carries them, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.signing import Signature, sign
from millrace.adapters.http.transport import Request
from millrace.adapters.http.urls import parse_url
from millrace.ports.runners import Outcome, TaskFailed
from millrace.spec.tasks.http_auth import HmacAuth
from tests.unit.http.servers import KEY, Fixed, Rig, Seen, in_turn, reply, reply_json, serve, slug

BODY = b'{"a":1}'
NOW = 1_700_000_000_000
# What GitHub's documentation gives for its own scheme; RFC 4231, 4.2; the others were computed with openssl dgst.
VECTORS: list[tuple[str, dict[str, Any], Request, dict[str, str]]] = [
    (
        "github",
        {"key": "It's a Secret to Everybody", "header": "X-Hub-Signature-256", "format": "sha256={signature}"},
        Request("POST", parse_url("https://api.test/"), (), b"Hello, World!"),
        {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
    ),
    (
        "rfc-4231",
        {"key": "0b" * 20, "keyEncoding": "hex", "header": "X-Mac"},
        Request("PUT", parse_url("https://api.test/"), (), b"Hi There"),
        {"X-Mac": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    ),
    (
        "stripe",
        {
            "key": "whsec_test",
            "header": "Stripe-Signature",
            "signed": ["timestamp", "body"],
            "separator": ".",
            "format": "t={timestamp},v1={signature}",
        },
        Request("POST", parse_url("https://api.test/"), (), BODY),
        {"Stripe-Signature": "t=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789"},
    ),
    (
        "standard-webhooks",
        {
            "key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "keyEncoding": "base64",
            "header": "webhook-signature",
            "signed": ["header:Webhook-Id", "timestamp", "body"],
            "separator": ".",
            "format": "v1,{signature}",
            "encoding": "base64",
            "timestampHeader": "webhook-timestamp",
        },
        Request("POST", parse_url("https://api.test/"), (("webhook-id", " msg_1 "),), BODY),
        {
            "webhook-timestamp": "1700000000",
            "webhook-signature": "v1,41C4mdfM4X7k7EqLRBhc2OjUAQFwQVsqMUoL0CbTfxc=",
        },
    ),
    (
        "canonical",
        {
            "key": "k3y",
            "algorithm": "sha512",
            "header": "X-Sig",
            "signed": ["method", "path", "query", "header:x-time", "bodyHash"],
            "encoding": "base64",
            "timestampHeader": "X-Time",
            "timestampFormat": "milliseconds",
        },
        Request("POST", parse_url("https://api.test/v1/x?b=2&a=1"), (), BODY),
        {
            "X-Time": "1700000000000",
            "X-Sig": "bbFIsKohvHd+gBA+wl1/62TTCASUzVkQpQe+rJbwOWNjdPtgdHmpe390INpmtmbS+kQkt+3GDWeho9ZL+MQZAg==",
        },
    ),
    (
        "whole-target",
        {
            "key": "0b" * 20,
            "keyEncoding": "hex",
            "header": "X-Sig",
            "signed": ["method", "host", "target", "timestamp", "header:accept"],
            "separator": "|",
            "timestampHeader": "X-Time",
            "timestampFormat": "iso",
        },
        Request(
            "GET",
            parse_url("https://api.test:8080/a b?q=1".replace(" ", "%20")),
            (("Accept", "application/json"),),
            b"",
        ),
        {
            "X-Time": "2023-11-14T22:13:20Z",
            "X-Sig": "79cd2f9e787c5e8a2a1ed5976df2280d88c802918aaf93cb3b1cfa391896fdf0",
        },
    ),
]


@pytest.mark.parametrize(("rule", "request_", "headers"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_a_signature_is_the_one_that_another_tool_computes(
    rule: dict[str, Any], request_: Request, headers: dict[str, str]
) -> None:
    signature = Signature(HmacAuth.model_validate(rule), Fixed())
    signed = asyncio.run(signature.authorize(request_))
    assert headers == dict(signed.headers[len(request_.headers) :])
    assert request_.headers == signed.headers[: len(request_.headers)]
    assert (request_.url, request_.body) == (signed.url, signed.body)


def refusal(rule: dict[str, Any], *headers: tuple[str, str]) -> str:
    request = Request("POST", parse_url("https://api.test/"), headers, BODY)
    with pytest.raises(Refused) as caught:
        asyncio.run(
            Signature(HmacAuth.model_validate({"key": "k", "header": "X-Sig", **rule}), Fixed()).authorize(request)
        )
    return f"{caught.value.failure.code}: {caught.value.failure.message}"


def test_a_header_that_the_task_sets_is_not_set_again() -> None:
    assert "header: the header X-Sig is set by auth.hmac" == refusal({}, ("x-sig", "mine"))
    assert "header: the header X-T is set by auth.hmac" == refusal({"timestampHeader": "X-T"}, ("x-t", "1"))


def test_a_signed_header_must_be_there() -> None:
    assert "lacks" in refusal({"signed": ["header:x-other"]})


@pytest.mark.parametrize("header", ["Host", "content-length", "Expect"])
def test_a_header_of_the_connection_carries_no_signature(header: str) -> None:
    assert "is set by the platform" in refusal({"header": header})


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_key_in_another_spelling_is_refused_without_being_shown(encoding: str) -> None:
    said = refusal({"key": "zz-canary", "keyEncoding": encoding})
    assert f"config: the key of auth.hmac is not {encoding}" == said


def test_a_repeated_signed_header_is_joined_as_the_receiver_joins_it() -> None:
    rule = HmacAuth.model_validate({"key": "k", "header": "X-Sig", "signed": ["header:a", "header:host"]})
    url = parse_url("https://api.test/")
    twice = sign(Request("GET", url, (("A", "1"), ("a", "2")), b""), rule, b"k", NOW)
    once = sign(Request("GET", url, (("A", "1, 2"),), b""), rule, b"k", NOW)
    assert once.headers[-1] == twice.headers[-1]


CONFIG: dict[str, Any] = {
    "method": "POST",
    "body": {"a": 1},
    "auth": {
        "hmac": {
            "key": {"secretRef": "shared"},
            "header": "X-Odd",
            "signed": ["timestamp", "target", "body"],
            "timestampHeader": "X-Time",
        }
    },
}


def call(config: dict[str, Any], answer: Any, *hosts: str) -> tuple[Outcome | TaskFailed, Seen]:
    async def go() -> tuple[Outcome | TaskFailed, Seen]:
        async with serve(answer) as seen, Rig(seen.port) as rig:
            rig.secret("shared", "canary-of-the-key", *hosts)
            try:
                return await rig.run({"url": f"http://a.test:{seen.port}/x", **config}), seen
            except TaskFailed as failed:
                return failed, seen

    return asyncio.run(go())


def test_a_signed_request_carries_its_key_to_nobody() -> None:
    result, seen = call(CONFIG, reply_json({"said": "canary-of-the-key"}), "a.test")
    assert isinstance(result, Outcome)
    assert "canary-of-the-key" not in seen.requests[0][0]
    assert ("1700000000", KEY) == (seen.header("x-time"), seen.header("idempotency-key"))
    assert {"said": "[secret:shared]"} == result.output["body"]
    assert result.exchange is not None
    assert "[redacted]" == dict(result.exchange.request_headers)["X-Odd"]


def test_nothing_is_signed_for_a_host_that_the_key_is_not_bound_to() -> None:
    result, seen = call(CONFIG, reply(), "b.test")
    assert isinstance(result, TaskFailed)
    assert (("blocked", "secret-host", False), []) == (slug(result), seen.requests)


def test_a_redirect_on_the_same_host_is_signed_anew() -> None:
    moved = reply(status="307 X", headers=[("Location", "/y")])
    result, seen = call({**CONFIG, "followRedirects": True}, in_turn(moved, reply()), "a.test")
    assert isinstance(result, Outcome)
    first, second = (seen.header("x-odd", index) for index in (0, 1))
    assert first is not None
    assert second is not None
    assert first != second


def test_a_refused_signature_is_not_tried_again() -> None:
    result, seen = call(CONFIG, reply(status="401 X"), "a.test")
    assert isinstance(result, TaskFailed)
    assert (("http", "401", False), 1) == (slug(result), len(seen.requests))


def test_a_rule_that_a_template_spoilt_is_told_with_its_place() -> None:
    config = {"auth": {"hmac": {"key": {"secretRef": "shared"}, "header": "X-Odd", "signed": ["body", "moon"]}}}
    result, seen = call(config, reply(), "a.test")
    assert isinstance(result, TaskFailed)
    assert ("task", "config", False) == slug(result)
    assert "auth.hmac.signed.1" in result.failure.message
    assert [] == seen.requests
