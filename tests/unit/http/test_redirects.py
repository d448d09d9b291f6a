"""Redirects: followed only when asked, judged again, and without credentials on another origin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from millrace.expr.secrets import SecretRef, SecretText
from millrace.ports.runners import Outcome, TaskFailed
from tests.unit.http.servers import KEY, Answer, Names, Rig, Seen, in_turn, reply, reply_json, serve, slug


def to(location: str, status: str = "302 Found") -> Answer:
    return reply(status=status, headers=[("Location", location)])


async def hop(
    location: str, config: dict[str, Any], *, status: str = "302 Found", rig_names: Names | None = None
) -> tuple[Seen, Seen, Outcome | TaskFailed]:
    """Server one redirects to ``location``, in which {one} and {two} are the ports; a secret may go to a.test."""
    async with serve(reply_json("end")) as two:
        late: list[Answer] = []

        async def first(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
            await late[0](head, body, writer)

        async with serve(first) as one, Rig(one.port, two.port, names=rig_names) as rig:
            end = reply_json("end")
            late.append(in_turn(to(location.format(one=one.port, two=two.port), status), end))
            rig.secret("key", "s3cr3t-value", "a.test")
            config = {"url": f"http://a.test:{one.port}/start", "followRedirects": True, **config}
            try:
                return one, two, await rig.run(config)
            except TaskFailed as failed:
                return one, two, failed


def test_a_redirect_is_not_followed_unless_asked() -> None:
    one, two, failed = asyncio.run(hop("http://b.test:{two}/", {"followRedirects": False}))
    assert isinstance(failed, TaskFailed)
    assert ("http", "302", False) == slug(failed)
    assert (1, 0) == (len(one.requests), len(two.requests))


def test_a_redirect_on_one_origin_keeps_the_credentials() -> None:
    config = {"auth": {"bearer": {"secretRef": "key"}}, "headers": {"X-Tenant": "t"}}
    one, _, outcome = asyncio.run(hop("/next?a=1", config))
    assert isinstance(outcome, Outcome)
    assert "GET /next?a=1 HTTP/1.1" == one.line
    assert ("Bearer s3cr3t-value", "t") == (one.header("authorization"), one.header("x-tenant"))
    assert outcome.exchange is not None
    assert (2, (f"http://a.test:{one.port}/next?a=1",)) == (outcome.usage.requests, outcome.exchange.redirects)


@pytest.mark.parametrize("location", ["http://b.test:{two}/", "http://a.test:{two}/", "//b.test:{two}/"])
def test_credentials_never_follow_a_change_of_origin(location: str) -> None:
    headers = {
        "X-Api-Key": SecretText((SecretRef("key"),)),
        "Cookie": "sid=1",
        "X-Literal-Token": "letmein",
        "X-Custom": "anything",
        "Accept": "text/csv",
    }
    _, two, outcome = asyncio.run(hop(location, {"headers": headers, "auth": {"bearer": {"secretRef": "key"}}}))
    assert isinstance(outcome, Outcome)
    head = two.requests[0][0].lower()
    assert [] == [name for name in ("s3cr3t", "authorization", "cookie", "x-", "letmein") if name in head]
    assert ("text/csv", KEY) == (two.header("accept"), two.header("idempotency-key"))


def test_a_body_with_a_secret_does_not_follow_to_a_host_it_is_not_bound_to() -> None:
    config = {"method": "POST", "body": {"password": SecretText((SecretRef("key"),))}}
    _, two, failed = asyncio.run(hop("http://b.test:{two}/", config, status="307 Temporary Redirect"))
    assert isinstance(failed, TaskFailed)
    assert ("blocked", "secret-host", False) == slug(failed)
    assert [] == two.requests


def test_a_server_cannot_pass_a_secret_on_in_its_location() -> None:
    config = {"auth": {"apiKey": {"name": "k", "in": "query", "value": {"secretRef": "key"}}}}
    _, two, failed = asyncio.run(hop("http://b.test:{two}/?x=s3cr3t-value", config))
    assert isinstance(failed, TaskFailed)
    assert ("blocked", "secret-host", False) == slug(failed)
    assert [] == two.requests
    assert "s3cr3t" not in repr((failed.failure, failed.exchange, failed.usage))


@pytest.mark.parametrize(
    ("method", "status", "becomes", "body"),
    [
        ("POST", "301 X", "GET", b""),
        ("POST", "302 X", "GET", b""),
        ("POST", "303 X", "GET", b""),
        ("PUT", "303 X", "GET", b""),
        ("PUT", "302 X", "PUT", b"hi"),
        ("POST", "307 X", "POST", b"hi"),
        ("POST", "308 X", "POST", b"hi"),
        ("HEAD", "303 X", "HEAD", b""),
    ],
)
def test_the_status_decides_what_becomes_of_method_and_body(
    method: str, status: str, becomes: str, body: bytes
) -> None:
    config: dict[str, Any] = {"method": method} | ({"bodyText": "hi"} if method != "HEAD" else {})
    one, _, _ = asyncio.run(hop("/next", config, status=status))
    assert f"{becomes} /next HTTP/1.1" == one.line
    assert body == one.requests[-1][1]
    assert ("text/plain; charset=utf-8" if body else None) == one.header("content-type")


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address"),
        ("http://[::ffff:169.254.169.254]/", "address"),
        ("http://[64:ff9b::a9fe:a9fe]/", "address"),
        ("http://127.0.0.1:{two}/", "port"),
        ("http://127.0.0.1:80/", "address"),
        ("http://2130706433/", "bad-host"),
        ("http://c.test:22/", "port"),
        ("http://user@b.test:{two}/", "userinfo"),
        ("file:///etc/passwd", "bad-url"),
        ("ftp://b.test/x", "scheme"),
        ("http://b.test\\@a.test/", "bad-url"),
        ("http://b.test /", "bad-url"),
    ],
)
def test_the_target_of_a_redirect_is_judged_like_any_other(location: str, code: str) -> None:
    one, two, failed = asyncio.run(hop(location, {}))
    assert isinstance(failed, TaskFailed)
    assert "blocked" == failed.failure.kind
    assert code == failed.failure.code or (code, failed.failure.code) == ("bad-url", "scheme")
    assert (1, 0) == (len(one.requests), len(two.requests))
    assert 1 == failed.usage.requests


def test_a_name_that_turns_private_between_two_hops_is_refused() -> None:
    names = Names(a_test=[["127.0.0.1"]], rebind_test=[["10.0.0.1"]])
    _, _, failed = asyncio.run(hop("http://rebind.test/", {}, rig_names=names))
    assert isinstance(failed, TaskFailed)
    assert ("blocked", "address", False) == slug(failed)


def test_a_loop_of_redirects_ends() -> None:
    async def go() -> tuple[TaskFailed, int]:
        async with serve(to("/again")) as seen, Rig(seen.port) as rig:
            failed = await rig.fail({"url": f"http://a.test:{seen.port}/", "followRedirects": True})
            return failed, len(seen.requests)

    failed, requests = asyncio.run(go())
    assert ("blocked", "redirects", False) == slug(failed)
    assert (6, 6) == (requests, failed.usage.requests)


@pytest.mark.parametrize(("wanted", "requests"), [(True, 6), (2, 3), (99, 6), (0, 1), (None, 1), (-1, 1)])
def test_the_number_of_redirects_can_be_lowered(wanted: Any, requests: int) -> None:
    async def go() -> int:
        async with serve(to("/again")) as seen, Rig(seen.port) as rig:
            await rig.fail({"url": f"http://a.test:{seen.port}/", "followRedirects": wanted})
            return len(seen.requests)

    assert requests == asyncio.run(go())


def test_a_redirect_without_a_location_is_an_answer() -> None:
    async def go() -> tuple[str, str, bool]:
        async with serve(reply(status="302 Found")) as seen, Rig(seen.port) as rig:
            return slug(await rig.fail({"url": f"http://a.test:{seen.port}/", "followRedirects": True}))

    assert ("http", "302", False) == asyncio.run(go())
