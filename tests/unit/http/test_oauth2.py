"""Tokens got with client credentials: asked for once, hidden everywhere, renewed when a service refuses them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from millrace.adapters.http import HttpRunner
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.tokens import KEPT, Grant, Tokens
from millrace.adapters.http.urls import parse_url
from millrace.base.ids import Millis
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Outcome, TaskFailed
from millrace.ports.secrets import Secret
from tests.unit.http.servers import Answer, Rig, Seen, attempt, in_turn, reply, reply_json, serve, slug
from tests.unit.http.test_secrets import leaks, mirror, printed

SECRET = "s3cr:et+/canary"
TOKEN = "tok-canary.0123456789"


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now(self) -> Millis:
        return Millis(self.ms)


def token(value: str = TOKEN, **more: Any) -> Answer:
    return reply_json({"access_token": value, "token_type": "Bearer", "expires_in": 3600, **more})


def block(port: int, **more: Any) -> dict[str, Any]:
    return {
        "tokenUrl": f"http://b.test:{port}/token",
        "clientId": "me:you",
        "clientSecret": {"secretRef": "client"},
        **more,
    }


Play = Callable[[Rig, Seen, Seen], Awaitable[Any]]


def play(endpoint: Answer, service: Answer, go: Play, *hosts: str) -> tuple[Any, Seen, Seen]:
    """``go`` with a rig, a token endpoint at b.test and a service at a.test."""

    async def whole() -> tuple[Any, Seen, Seen]:
        async with serve(endpoint) as tokens, serve(service) as seen, Rig(tokens.port, seen.port) as rig:
            rig.secret("client", SECRET, *(hosts or ("a.test", "b.test")))
            return await go(rig, tokens, seen), tokens, seen

    return asyncio.run(whole())


def once(endpoint: Answer, service: Answer, *hosts: str, **config: Any) -> tuple[Outcome | TaskFailed, Seen, Seen]:
    oauth2 = config.pop("oauth2", {})

    async def go(rig: Rig, tokens: Seen, seen: Seen) -> Outcome | TaskFailed:
        auth = {"oauth2": block(tokens.port, **oauth2)}
        try:
            return await rig.run({"url": f"http://a.test:{seen.port}/x", "auth": auth, **config})
        except TaskFailed as failed:
            return failed

    return play(endpoint, service, go, *hosts)


def test_a_token_is_asked_for_with_a_basic_header_and_sent_as_a_bearer() -> None:
    result, tokens, seen = once(token(), reply_json({"ok": 1}), oauth2={"scope": "read write", "audience": "urn:x"})
    assert isinstance(result, Outcome)
    assert "POST /token HTTP/1.1" == tokens.line
    sent = str(tokens.header("authorization")).removeprefix("Basic ")
    assert "me%3Ayou:s3cr%3Aet%2B%2Fcanary" == base64.b64decode(sent).decode()
    form = {"grant_type": ["client_credentials"], "scope": ["read write"], "audience": ["urn:x"]}
    assert form == parse_qs(tokens.requests[0][1].decode())
    assert f"Bearer {TOKEN}" == seen.header("authorization")


def test_id_and_secret_go_into_the_form_where_the_endpoint_wants_them_there() -> None:
    _, tokens, _ = once(token(), reply(), oauth2={"style": "body"})
    assert None is tokens.header("authorization")
    assert {"grant_type": ["client_credentials"], "client_id": ["me:you"], "client_secret": [SECRET]} == parse_qs(
        tokens.requests[0][1].decode()
    )


def many(count: int) -> Play:
    async def go(rig: Rig, tokens: Seen, seen: Seen) -> list[Any]:
        config = {"url": f"http://a.test:{seen.port}/x", "auth": {"oauth2": block(tokens.port)}}
        return await asyncio.gather(*(rig.run(config) for _ in range(count)))

    return go


@pytest.mark.repeats
def test_two_hundred_attempts_at_once_ask_for_one_token() -> None:
    outcomes, tokens, seen = play(token(), reply_json({}), many(200))
    assert (200, 1, 200) == (len(outcomes), len(tokens.requests), len(seen.requests))


@pytest.mark.repeats
def test_two_hundred_attempts_with_a_revoked_token_ask_for_one_more() -> None:
    async def service(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        good = "Bearer second-token" in head
        await (reply_json({}) if good else reply(status="401 X"))(head, body, writer)

    endpoint = in_turn(token("first-token"), token("second-token"))
    outcomes, tokens, seen = play(endpoint, service, many(200))
    assert (200, 2) == (len(outcomes), len(tokens.requests))
    assert len(seen.requests) <= 400


def test_an_attempt_that_is_cancelled_takes_the_token_from_nobody() -> None:
    asked = asyncio.Event()
    go_on = asyncio.Event()

    async def endpoint(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        await token()(head, body, writer)

    async def go(rig: Rig, tokens: Seen, seen: Seen) -> Any:
        config = {"url": f"http://a.test:{seen.port}/x", "auth": {"oauth2": block(tokens.port)}}
        first = asyncio.create_task(rig.run(config))
        await asked.wait()
        second = asyncio.create_task(rig.run(config))
        await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        return (await second).output["status"], await asyncio.gather(first, return_exceptions=True)

    (status, (cancelled,)), tokens, _ = play(endpoint, reply_json({}), go)
    assert (200, 1) == (status, len(tokens.requests))
    assert isinstance(cancelled, asyncio.CancelledError)


def test_a_refused_token_is_renewed_once_within_the_attempt() -> None:
    endpoint = in_turn(token("first-token"), token("second-token"))
    result, tokens, seen = once(endpoint, in_turn(reply(status="401 X"), reply_json({"ok": 1})))
    assert isinstance(result, Outcome)
    assert (2, 2, 2) == (len(tokens.requests), len(seen.requests), result.usage.requests)
    assert ["Bearer first-token", "Bearer second-token"] == [seen.header("authorization", n) for n in (0, 1)]


def test_a_service_that_refuses_every_token_fails_the_attempt_after_the_second() -> None:
    result, tokens, seen = once(token(), reply(status="401 X"))
    assert isinstance(result, TaskFailed)
    assert (("http", "401", False), 2, 2) == (slug(result), len(tokens.requests), len(seen.requests))


def test_a_401_that_counts_as_success_renews_nothing() -> None:
    result, tokens, seen = once(token(), reply(status="401 X"), successCodes=[401])
    assert isinstance(result, Outcome)
    assert (1, 1) == (len(tokens.requests), len(seen.requests))


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in ("400 X", "401 X", "403 X", "404 X", "302 X")),
        *((status, True) for status in ("429 X", "500 X", "503 X")),
    ],
)
def test_what_the_endpoint_answers_decides_whether_to_try_again(status: str, retryable: bool) -> None:
    answer = reply_json({"error": "invalid_client", "error_description": SECRET}, status=status)
    result, _, seen = once(answer, reply())
    assert isinstance(result, TaskFailed)
    assert ("http", status[:3], retryable) == slug(result)
    assert f"the token endpoint answered {status[:3]} (invalid_client)" == result.failure.message
    assert {"endpoint": "token", "status": int(status[:3]), "error": "invalid_client"} == result.failure.details
    assert ([], []) == (seen.requests, leaks(printed(result), SECRET))


def test_the_endpoint_says_when_to_come_back() -> None:
    result, _, _ = once(reply(status="503 X", headers=[("Retry-After", "7")]), reply())
    assert isinstance(result, TaskFailed)
    assert 7_000 == result.failure.retry_after_ms


@pytest.mark.parametrize(
    "answer",
    [
        reply_json([]),
        reply(b"no"),
        reply_json({}),
        reply_json({"access_token": ""}),
        reply_json({"access_token": "a b"}),
        reply_json({"access_token": "a\nb"}),
        reply_json({"access_token": 1}),
        reply_json({"access_token": "x" * 20_000}),
        reply_json({"access_token": "x", "token_type": "mac"}),
        reply_json({"access_token": "x", "token_type": 3}),
    ],
    ids=range(10),
)
def test_an_answer_without_a_bearer_token_is_no_token(answer: Answer) -> None:
    result, _, seen = once(answer, reply())
    assert isinstance(result, TaskFailed)
    assert (("schema", "token-response", False), []) == (slug(result), seen.requests)


def test_an_endpoint_that_is_gone_is_tried_again() -> None:
    async def broken(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    result, _, _ = once(broken, reply())
    assert isinstance(result, TaskFailed)
    assert ("network", True) == (result.failure.kind, result.failure.retryable)


def test_an_endpoint_that_is_silent_meets_the_deadline_of_the_attempt() -> None:
    async def silent(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def go(rig: Rig, tokens: Seen, seen: Seen) -> TaskFailed:
        config = {"url": f"http://a.test:{seen.port}/x", "auth": {"oauth2": block(tokens.port)}}
        return await rig.fail(config, deadline_ms=200)

    failed, _, _ = play(silent, reply(), go)
    assert ("timeout", "total", True) == slug(failed)


@pytest.mark.parametrize(("hosts", "asked"), [(("a.test",), 0), (("b.test",), 0), (("a.test", "b.test"), 1)])
def test_the_secret_must_be_bound_to_endpoint_and_service(hosts: tuple[str, ...], asked: int) -> None:
    result, tokens, seen = once(token(), reply_json({}), *hosts)
    assert (asked, asked) == (len(tokens.requests), len(seen.requests))
    if not asked:
        assert isinstance(result, TaskFailed)
        assert ("blocked", "secret-host", False) == slug(result)


def test_the_endpoint_is_judged_by_the_gate() -> None:
    result, tokens, _ = once(token(), reply(), "a.test", "d.test", oauth2={"tokenUrl": "http://d.test:9/token"})
    assert isinstance(result, TaskFailed)
    assert (("blocked", "port", False), []) == (slug(result), tokens.requests)


def test_a_secret_in_the_address_of_the_endpoint_is_refused() -> None:
    result, tokens, _ = once(token(), reply(), oauth2={"tokenUrl": {"secretRef": "client"}})
    assert isinstance(result, TaskFailed)
    assert (("task", "secret-place", False), []) == (slug(result), tokens.requests)


def test_a_token_does_not_follow_a_redirect_to_another_host() -> None:
    async def go(rig: Rig, tokens: Seen, seen: Seen) -> Outcome:
        moved = reply(status="302 X", headers=[("Location", f"http://c.test:{seen.port}/y")])
        async with serve(moved) as first:
            rig.transport.gate.policy = type(rig.transport.gate.policy)(
                allow=rig.transport.gate.policy.allow | {("a.test", first.port)}
            )
            auth = {"oauth2": block(tokens.port)}
            return await rig.run({"url": f"http://a.test:{first.port}/", "auth": auth, "followRedirects": True})

    outcome, _, seen = play(token(), reply_json({}), go)
    assert (200, None) == (outcome.output["status"], seen.header("authorization"))


def test_a_token_in_a_redirect_target_goes_to_no_other_host() -> None:
    async def go(rig: Rig, tokens: Seen, seen: Seen) -> TaskFailed:
        auth = {"oauth2": block(tokens.port)}
        return await rig.fail({"url": f"http://a.test:{seen.port}/", "auth": auth, "followRedirects": True})

    async def service(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        port = head.lower().split("host: a.test:")[1].split("\r\n")[0]
        await reply(status="302 X", headers=[("Location", f"http://c.test:{port}/?t={TOKEN}")])(head, body, writer)

    failed, _, seen = play(token(), service, go)
    assert (("blocked", "secret-host", False), 1) == (slug(failed), len(seen.requests))
    assert TOKEN not in printed(failed)


@pytest.mark.parametrize("status", ["200 OK", "401 X", "500 X"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/png"])
def test_a_token_that_a_service_echoes_is_in_no_sink(status: str, content_type: str) -> None:
    async def echo(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        data = json.dumps({"head": head, "raw": TOKEN, "hex": TOKEN.encode().hex(), SECRET: [SECRET, TOKEN]}).encode()
        lines = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nX-Echo: {TOKEN}\r\n"
        lines += f"Content-Length: {len(data)}\r\n\r\n"
        writer.write(lines.encode() + data)

    result, _, seen = once(token(), echo)
    assert TOKEN in seen.requests[0][0]
    assert ([], []) == (leaks(printed(result), TOKEN), leaks(printed(result), SECRET))


def test_an_endpoint_that_echoes_the_secret_leaks_nothing() -> None:
    for status in ("200 OK", "400 X"):
        result, _, _ = once(mirror(status, "application/json"), reply())
        assert [] == leaks(printed(result), SECRET)


def test_the_first_token_stays_hidden_after_the_second() -> None:
    endpoint = in_turn(token("first-token-canary"), token("second-token-canary"))
    body = reply_json({"a": "first-token-canary", "b": "second-token-canary"})
    result, _, _ = once(endpoint, in_turn(reply(status="401 X"), body))
    assert isinstance(result, Outcome)
    assert {"a": "[secret:access token]", "b": "[secret:access token renewed]"} == result.output["body"]


def ask(answer: Answer, *moves: tuple[int, dict[str, Any]]) -> list[str]:
    """The tokens given at times (ms after the start) for grants that differ in some fields; the endpoint counts."""

    async def go() -> list[str]:
        clock = Hand()
        async with serve(answer) as seen, Rig(seen.port) as rig:
            tokens = Tokens(rig.transport, clock, user_agent="millrace")
            found = []
            for later, changes in moves:
                clock.ms = 1_700_000_000_000 + later
                refused = changes.pop("refused", "")
                grant = {"tenant": "t", "url": parse_url(f"http://a.test:{seen.port}/"), "client_id": "i"}
                found.append(await tokens.get(Grant(**{**grant, "client_secret": "s", **changes}), refused=refused))
            return found

    return asyncio.run(go())


def counting(**more: Any) -> Answer:
    return in_turn(*(token(f"t{n}", **more) for n in range(1, 9)))


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ({"expires_in": 3600}, 3_540_000),
        ({"expires_in": "3600"}, 3_540_000),
        ({"expires_in": 100}, 90_000),
        ({"expires_in": 10**30}, 24 * 3_600_000 - 60_000),
        ({"expires_in": None}, 300_000),
        ({"expires_in": True}, 300_000),
        ({"expires_in": "soon"}, 300_000),
    ],
)
def test_a_token_is_used_until_shortly_before_it_expires(more: dict[str, Any], last: int) -> None:
    assert ["t1", "t1", "t2"] == ask(counting(**more), (0, {}), (last - 1, {}), (last, {}))


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_token_that_is_over_at_once_is_used_once(seconds: int) -> None:
    assert ["t1", "t2"] == ask(counting(expires_in=seconds), (0, {}), (0, {}))


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "u"},
        {"client_id": "j"},
        {"client_secret": "r"},
        {"scope": "x"},
        {"audience": "x"},
        {"style": "body"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_token_is_shared_only_by_those_who_would_get_the_same(other: dict[str, Any]) -> None:
    assert ["t1", "t2", "t1"] == ask(counting(), (0, {}), (0, other), (0, {}))


def test_a_refused_token_is_not_given_again() -> None:
    assert ["t1", "t2", "t2"] == ask(counting(), (0, {}), (0, {"refused": "t1"}), (0, {"refused": "t1"}))


def test_the_tokens_kept_are_bounded() -> None:
    async def go() -> int:
        async with serve(token()) as seen, Rig(seen.port) as rig:
            tokens = Tokens(rig.transport, Hand(), user_agent="millrace")
            url = parse_url(f"http://a.test:{seen.port}/")
            for number in range(KEPT + 1):
                await tokens.get(Grant("t", url, str(number), "s"))
            await tokens.get(Grant("t", url, "0", "s"))
            return len(seen.requests)

    assert KEPT + 2 == asyncio.run(go())


def test_a_failure_is_not_remembered() -> None:
    async def go() -> str:
        async with serve(in_turn(reply(status="503 X"), token())) as seen, Rig(seen.port) as rig:
            tokens = Tokens(rig.transport, Hand(), user_agent="millrace")
            grant = Grant("t", parse_url(f"http://a.test:{seen.port}/"), "i", "s")
            with pytest.raises(Refused):
                await tokens.get(grant)
            return await tokens.get(grant)

    assert TOKEN == asyncio.run(go())


def test_closing_stops_a_call_that_is_under_way() -> None:
    asked = asyncio.Event()

    async def silent(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.sleep(30)

    async def go() -> bool:
        async with serve(silent) as seen, Rig(seen.port) as rig:
            tokens = Tokens(rig.transport, Hand(), user_agent="millrace")
            waiting = asyncio.create_task(tokens.get(Grant("t", parse_url(f"http://a.test:{seen.port}/"), "i", "s")))
            await asked.wait()
            await tokens.aclose()
            (ended,) = await asyncio.gather(waiting, return_exceptions=True)
            return isinstance(ended, asyncio.CancelledError)

    assert asyncio.run(go())


def test_tenants_share_no_token() -> None:
    async def go() -> int:
        async with serve(token()) as tokens, serve(reply_json({})) as seen, Rig(tokens.port, seen.port) as rig:
            runner: HttpRunner = rig.runner
            for tenant in ("acme", "evil"):
                rig.secrets.put(TenantScope(tenant), "client", Secret(SECRET, ("a.test", "b.test")))
                config = {"url": f"http://a.test:{seen.port}/", "auth": {"oauth2": block(tokens.port)}}
                one = attempt(config)
                await runner.run(msgspec.structs.replace(one, tenant=tenant))
            return len(tokens.requests)

    assert 2 == asyncio.run(go())


def test_a_secret_that_is_written_out_binds_its_token_to_the_service() -> None:
    result, _, seen = once(token(), reply_json({"t": TOKEN}), oauth2={"clientSecret": "plain"})
    assert isinstance(result, Outcome)
    assert ({"t": "[secret:access token]"}, f"Bearer {TOKEN}") == (result.output["body"], seen.header("authorization"))


def test_a_grant_shows_neither_id_nor_secret() -> None:
    assert "canary" not in repr(Grant("t", parse_url("https://a.test/"), "id-canary", "secret-canary"))


def test_an_endpoint_that_is_silent_is_given_up_before_the_attempt() -> None:
    async def silent(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def go() -> tuple[str, str, bool]:
        async with serve(silent) as seen, Rig(seen.port) as rig:
            tokens = Tokens(rig.transport, Hand(), user_agent="millrace", wait_s=0.05)
            with pytest.raises(Refused) as caught:
                await tokens.get(Grant("t", parse_url(f"http://a.test:{seen.port}/"), "i", "s"))
            failure = caught.value.failure
            return failure.kind, failure.code, failure.retryable

    assert ("timeout", "token", True) == asyncio.run(go())


def test_pages_renew_a_token_once() -> None:
    endpoint = in_turn(token("t1"), token("t2"), token("t3"))
    page = reply_json([1], headers=[("Link", "</two>; rel=next")])
    result, tokens, seen = once(
        endpoint, in_turn(reply(status="401 X"), page, reply(status="401 X")), paging={"strategy": "link"}
    )
    assert isinstance(result, TaskFailed)
    assert (("http", "401", False), 2, 3) == (slug(result), len(tokens.requests), len(seen.requests))
