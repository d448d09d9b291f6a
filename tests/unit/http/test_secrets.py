"""Secrets: sent only where they are bound, and absent from everything that comes back."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import html
import json
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http import Gate, HttpRunner, Policy, Transport
from millrace.adapters.http.scrubbing import Scrubber, spellings
from millrace.base.errors import StoreUnavailable
from millrace.expr.secrets import SecretRef, SecretText
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Outcome, TaskFailed
from millrace.ports.secrets import Secret
from tests.unit.http.servers import Answer, Fixed, Rig, Seen, attempt, reply, reply_json, serve, slug

CANARY = 'cAn"ary/1+ü&<9>'
HOLE = SecretText((SecretRef("key"),))


def run(config: dict[str, Any], answer: Answer, *hosts: str, value: str = CANARY) -> tuple[Outcome | TaskFailed, Seen]:
    async def go() -> tuple[Outcome | TaskFailed, Seen]:
        async with serve(answer) as seen, Rig(seen.port) as rig:
            rig.secret("key", value, *hosts)
            try:
                return await rig.run({"url": f"http://a.test:{seen.port}/x", **config}), seen
            except TaskFailed as failed:
                return failed, seen

    return asyncio.run(go())


def printed(result: Outcome | TaskFailed) -> str:
    """Everything a result holds: as a log would print it, and every text and byte string in it by itself."""
    if isinstance(result, TaskFailed):
        assert None is result.__context__
        chain = "".join(traceback.TracebackException.from_exception(result).format())
        parts = [result.failure, result.usage, result.exchange]
        return "\n".join((repr(parts), chain, str(result), *(leaf for part in parts for leaf in leaves(part))))
    return "\n".join((repr(result), json.dumps(result.output), *leaves(result)))


def leaves(value: Any) -> list[str]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    if isinstance(value, bytes):
        return [value.decode("utf-8", "replace"), value.decode("utf-16", "replace")]
    return [str(value)]


def leaks(text: str, value: str = CANARY) -> list[str]:
    raw = value.encode()
    forms = {
        value,
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(b"me:" + raw).decode()[5:-4],
        base64.b64encode(b"x" + raw).decode()[3:-4],
        base64.b64encode(b"xx" + raw).decode()[4:-4],
        raw.hex(),
        raw.hex().upper(),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        html.escape(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    return [form for form in forms if form in text]


def echoing(head: str, body: bytes) -> dict[str, Any]:
    raw = CANARY.encode()
    return {
        "head": head,
        "body": body.decode("utf-8", "replace"),
        "plain": CANARY,
        f"key {CANARY}": [CANARY, {"deep": f"<{CANARY}>"}],
        "nested": json.dumps({"v": CANARY}),
        "base64": base64.b64encode(raw).decode(),
        "basic": base64.b64encode(b"me:" + raw).decode(),
        "shifted": [base64.b64encode(b"x" * n + raw + b"tail").decode() for n in range(4)],
        "hex": [raw.hex(), raw.hex().upper()],
        "url": [quote(CANARY), quote(CANARY, safe="").lower(), quote_plus(CANARY)],
        "html": html.escape(CANARY),
    }


def mirror(status: str, content_type: str) -> Answer:
    async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        value = echoing(head, body)
        if "json" in content_type:
            data = json.dumps(value, ensure_ascii="ascii" in content_type).encode()
        elif "utf-16" in content_type:
            data = json.dumps(value, ensure_ascii=False).encode("utf-16")
        else:
            data = json.dumps(value, ensure_ascii=False).encode()
        cookie = quote(CANARY, safe="")
        lines = (
            f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n"
            f"X-Echo: {cookie}\r\nSet-Cookie: sid={cookie}\r\nRetry-After: {cookie}\r\n\r\n"
        )
        writer.write(lines.encode("latin-1") + data)

    return answer


CONFIGS: list[dict[str, Any]] = [
    {"auth": {"bearer": {"secretRef": "key"}}},
    {"auth": {"basic": {"username": "me", "password": {"secretRef": "key"}}}},
    {"auth": {"basic": {"username": HOLE, "password": HOLE}}},
    {"auth": {"apiKey": {"name": "X-Odd-Name", "in": "header", "value": {"secretRef": "key"}}}},
    {"auth": {"apiKey": {"name": "odd", "in": "query", "value": HOLE}}},
    {"auth": {"apiKey": {"name": "odd", "in": "query", "secretRef": "key"}}},
    {"headers": {"X-Any": SecretText(("Key ", SecretRef("key"), "!"))}},
    {"query": {"q": HOLE, "list": [HOLE]}},
    {"method": "POST", "body": {"deep": [{"v": HOLE}]}},
    {"method": "POST", "form": {"v": SecretText(("a", SecretRef("key")))}},
    {"method": "POST", "bodyText": SecretText(("<", SecretRef("key"), ">"))},
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@pytest.mark.parametrize("status", ["200 OK", "500 X"])
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; x=ascii",
        "text/plain",
        "text/plain; charset=utf-16",
        "image/png",
        "x/json",
    ],
)
def test_a_secret_that_a_server_echoes_is_in_no_sink(config: dict[str, Any], status: str, content_type: str) -> None:
    result, seen = run(config, mirror(status, content_type), "a.test")
    assert 1 == len(seen.requests)
    sent = seen.requests[0][0].encode("latin-1").decode() + seen.requests[0][1].decode()
    assert [] != leaks(sent)  # it did leave, or the test would show nothing
    assert [] == leaks(printed(result))


def test_a_binary_answer_is_scrubbed_before_it_is_encoded() -> None:
    answer = reply(b"\x00" + CANARY.encode() + b"\xff", headers=[("Content-Type", "application/octet-stream")])
    result, _ = run({"auth": {"bearer": HOLE}}, answer, "a.test")
    assert isinstance(result, Outcome)
    assert b"\x00[secret:key]\xff" == base64.b64decode(result.output["body"]["base64"])


def test_a_secret_that_is_a_number_is_found_as_a_number() -> None:
    result, _ = run({"auth": {"bearer": HOLE}}, reply_json({"pin": 73519024, "n": 2}), "a.test", value="73519024")
    assert isinstance(result, Outcome)
    assert {"pin": "[secret:key]", "n": 2} == result.output["body"]
    assert result.exchange is not None
    assert b"73519024" not in result.exchange.response_body


def test_a_secret_cut_by_the_capture_limit_leaves_no_half() -> None:
    body = b"a" * (65_536 - 5) + CANARY.encode() + b"b"
    result, _ = run({"auth": {"bearer": HOLE}}, reply(body, headers=[("Content-Type", "text/plain")]), "a.test")
    assert isinstance(result, Outcome)
    assert result.exchange is not None
    assert b"a[secr" == result.exchange.response_body[-6:]


@pytest.mark.parametrize(
    ("hosts", "allowed"),
    [
        ((), False),
        (("b.test",), False),
        (("test",), False),
        (("*.a.test",), False),
        (("xa.test",), False),
        (("*test",), False),
        (("*",), False),
        (("a.test",), True),
        (("A.TEST",), True),
        (("*.test",), True),
        (("b.test", "a.test"), True),
    ],
)
def test_a_secret_goes_only_to_hosts_it_is_bound_to(hosts: tuple[str, ...], allowed: bool) -> None:
    result, seen = run({"headers": {"x": HOLE}}, reply(), *hosts)
    if allowed:
        assert isinstance(result, Outcome)
    else:
        assert isinstance(result, TaskFailed)
        assert ("blocked", "secret-host", False) == slug(result)
        assert [] == seen.requests
        assert (0, None, "a.test") == (result.usage.requests, result.exchange, result.usage.host)


def test_a_pattern_covers_names_below_it_only() -> None:
    from millrace.adapters.http.filling import check_host
    from millrace.adapters.http.refusals import Refused

    bound = {"k": Secret("v", ("*.example.com",))}
    check_host(bound, ["k"], "api.example.com")
    check_host(bound, ["k"], "a.b.example.com")
    for host in ("example.com", "badexample.com", ".example.com", "example.com.evil.test"):
        with pytest.raises(Refused):
            check_host(bound, ["k"], host)


def test_a_secret_in_the_url_is_refused() -> None:
    result, seen = run({"url": SecretText(("http://a.test/?k=", SecretRef("key")))}, reply(), "a.test")
    assert isinstance(result, TaskFailed)
    assert ("task", "secret-place", False) == slug(result)
    assert [] == seen.requests


def test_a_missing_secret_is_named() -> None:
    result, seen = run({"headers": {"x": SecretText((SecretRef("other"),))}}, reply(), "a.test")
    assert isinstance(result, TaskFailed)
    assert ("task", "secret-missing", False) == slug(result)
    assert "there is no secret named other" == result.failure.message
    assert [] == seen.requests


def test_a_secret_that_makes_a_bad_header_is_not_in_the_error() -> None:
    result, seen = run({"headers": {"X-A": HOLE}}, reply(), "a.test", value="line\nbreak-canary")
    assert isinstance(result, TaskFailed)
    assert ("task", "header", False) == slug(result)
    assert "canary" not in printed(result)
    assert [] == seen.requests


def test_a_secret_store_that_does_not_answer_is_retryable() -> None:
    class Down:
        def get(self, scope: TenantScope, name: str) -> Secret:
            raise StoreUnavailable("no")

        def put(self, scope: TenantScope, name: str, secret: Secret) -> None: ...

        def delete(self, scope: TenantScope, name: str) -> None: ...

        def has(self, scope: TenantScope, name: str) -> bool:
            return False

        def names(self, scope: TenantScope) -> list[str]:
            return []

    async def go() -> TaskFailed:
        runner = HttpRunner(Transport(Gate(Policy())), secrets=Down(), clock=Fixed())
        with pytest.raises(TaskFailed) as caught:
            await runner.run(attempt({"url": "http://a.test/", "headers": {"x": HOLE}}))
        return caught.value

    assert ("task", "secret-store", True) == slug(asyncio.run(go()))


def test_a_secret_of_another_tenant_is_not_there() -> None:
    async def go() -> TaskFailed:
        async with serve(reply()) as seen, Rig(seen.port) as rig:
            rig.secrets.put(TenantScope("other"), "key", Secret("v", ("a.test",)))
            return await rig.fail({"url": f"http://a.test:{seen.port}/", "headers": {"x": HOLE}})

    assert ("task", "secret-missing", False) == slug(asyncio.run(go()))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), st.text(st.characters(codec="utf-8")))
def test_no_spelling_of_a_secret_survives_scrubbing(value: str, around: str) -> None:
    scrub = Scrubber({"": value})
    for spelling in spellings(value):
        shown = scrub.text(around + spelling + around)
        # The marker itself, and what stands around, may hold a value as short as one letter.
        if value not in "[secret:]" and not any(form in around + "[secret:]" + around for form in spellings(value)):
            assert value not in shown
            assert value.encode() not in scrub.raw((around + spelling + around).encode())


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_text_without_secrets_is_left_alone(text: str) -> None:
    assert text == Scrubber({}).value(text)
    assert text == Scrubber({"key": "\u0001never\u0002"}).text(text)


def test_an_empty_secret_scrubs_nothing() -> None:
    scrub = Scrubber({"key": ""})
    assert (False, "abc", b"abc") == (bool(scrub), scrub.text("abc"), scrub.raw(b"abc"))


def test_words_that_json_keeps_for_itself_survive_a_secret_of_that_name() -> None:
    assert [True, None, "[secret:k]"] == Scrubber({"k": "true"}).value([True, None, "true"])


def test_a_bare_reference_is_filled_like_a_text() -> None:
    result, seen = run({"headers": {"x": SecretRef("key")}}, reply(), "a.test", value="v1")
    assert isinstance(result, Outcome)
    assert "v1" == seen.header("x")


def test_a_body_that_cannot_be_read_is_scrubbed_as_bytes() -> None:
    answer = reply(b"{" + CANARY.encode(), headers=[("Content-Type", "application/json")])
    result, _ = run({"headers": {"x": HOLE}}, answer, "a.test")
    assert isinstance(result, TaskFailed)
    assert ("schema", "invalid-json", False) == slug(result)
    assert result.exchange is not None
    assert b"{[secret:key]" == result.exchange.response_body


def test_a_request_body_is_scrubbed_before_it_is_cut() -> None:
    text = SecretText(("a" * (65_536 - 5), SecretRef("key")))
    result, seen = run({"method": "POST", "bodyText": text}, reply(), "a.test")
    assert isinstance(result, Outcome)
    assert result.exchange is not None
    assert b"a[secr" == result.exchange.request_body[-6:]
    assert CANARY.encode() in seen.requests[0][1]


def test_a_header_that_carried_a_secret_is_redacted_whole() -> None:
    config = {
        "headers": {"X-Any": SecretText(("Key ", SecretRef("key"), "!")), "X-Plain": "p"},
        "auth": {"apiKey": {"name": "X-Odd", "value": {"secretRef": "key"}}},
    }
    result, _ = run(config, reply(), "a.test")
    assert isinstance(result, Outcome)
    assert result.exchange is not None
    sent = dict(result.exchange.request_headers)
    assert ("[redacted]", "[redacted]", "p") == (sent["X-Any"], sent["X-Odd"], sent["X-Plain"])
