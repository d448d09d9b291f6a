"""Responses made to exhaust memory, time or patience."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http import Caps, Gate, Policy, Transport
from millrace.adapters.http.decoding import decoder
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.transport import Request
from millrace.adapters.http.urls import parse_url
from millrace.ports.runners import Outcome, TaskFailed
from tests.unit.http.servers import Answer, Rig, reply, serve, slug

SMALL = Caps(request_bytes=1000, response_bytes=100_000, headers=20, header_bytes=4000)


def against(answer: Answer, config: dict[str, Any] | None = None, *, deadline_ms: int = 20_000) -> TaskFailed:
    async def go() -> TaskFailed:
        async with serve(answer) as seen, Rig(seen.port, caps=SMALL) as rig:
            return await rig.fail({"url": f"http://a.test:{seen.port}/", **(config or {})}, deadline_ms=deadline_ms)

    return asyncio.run(go())


def accepted(answer: Answer) -> Outcome:
    async def go() -> Outcome:
        async with serve(answer) as seen, Rig(seen.port, caps=SMALL) as rig:
            return await rig.run({"url": f"http://a.test:{seen.port}/"})

    return asyncio.run(go())


def coded(body: bytes, coding: str, **more: Any) -> Answer:
    return reply(body, headers=[("Content-Encoding", coding), ("Content-Type", "text/plain")], **more)


def raw(data: bytes, *, close: bool = True) -> Answer:
    async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answer


def endless(head: bytes, chunk: bytes, pause: float = 0) -> Answer:
    async def answer(_: str, __: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.transport.is_closing():
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"x" * 100_001),
        reply(headers=[("Content-Length", str(10 * 2**30))], length=False),
        reply(headers=[("Content-Length", "9" * 18)], length=False),
        endless(CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n"),
        endless(OK + b"\r\n", b"x" * 1024),
        coded(gzip.compress(b"\0" * 50_000_000, mtime=0), "gzip"),
        coded(gzip.compress(b"\0" * 60_000, mtime=0) * 2, "gzip"),
        coded(zlib.compress(b"\0" * 50_000_000), "deflate"),
        coded(gzip.compress(bytes(range(256)) * 4, 0, mtime=0) * 200, "gzip"),
        endless(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x", mtime=0), b"\0" * 1024),
    ],
    ids=[
        "plain",
        "10-GB-length",
        "18-digit-length",
        "chunked",
        "until-close",
        "gzip",
        "members",
        "deflate",
        "stored",
        "padding",
    ],
)
def test_a_response_beyond_the_cap_is_cut_off(answer: Answer) -> None:
    assert ("too-large", "response-bytes", False) == slug(against(answer))


def test_a_bomb_is_never_unpacked_in_memory() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, mtime=0)
    inflate = decoder("gzip", 1_000_000)
    tracemalloc.start()
    with pytest.raises(Refused):
        inflate.feed(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "answer",
    [
        endless(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.01),
        endless(CHUNKED, b"1\r\nx\r\n", 0.01),
        endless(b"", b"H", 60),
        endless(OK, b"X-Drip: 1\r\n", 0.2),
        endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    ],
    ids=["body", "chunks", "nothing", "headers", "informational"],
)
def test_a_drip_feed_ends_at_the_deadline(answer: Answer) -> None:
    assert ("timeout", "total", True) == slug(against(answer, deadline_ms=150))


@pytest.mark.parametrize(
    "data",
    [
        OK + b"".join(b"x%d: y\r\n" % n for n in range(100_000)) + b"\r\n",
        OK + b"".join(b"x%d: y\r\n" % n for n in range(21)) + b"Content-Length: 0\r\n\r\n",
        OK + b"x: " + b"y" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
        OK + b"x: " + b"y" * 500_000 + b"\r\n\r\n",
    ],
    ids=["100,000", "one-too-many", "too-long", "one-endless"],
)
def test_a_flood_of_headers_is_cut_off(data: bytes) -> None:
    assert ("too-large", "headers", False) == slug(against(raw(data)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "protocol"),
        (b"nonsense\r\n\r\n", "protocol"),
        (OK + b"Content-Length: 10\r\n\r\nshort", "protocol"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", "protocol"),
        (OK + b"Content-Length: -1\r\n\r\n", "protocol"),
        (CHUNKED + b"zz\r\n", "protocol"),
        (CHUNKED + b"5\r\nhel", "protocol"),
        (b"SSH-2.0-server\r\n", "protocol"),
    ],
)
def test_a_broken_answer_is_a_retryable_network_failure(data: bytes, code: str) -> None:
    assert ("network", code, True) == slug(against(raw(data)))


def test_a_reset_while_answering_is_a_retryable_network_failure() -> None:
    async def answer(_: str, __: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 10\r\n\r\nx")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    failed = against(answer)
    assert ("network", True) == (failed.failure.kind, failed.failure.retryable)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "x-unknown"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    assert ("schema", "content-encoding", False) == slug(against(coded(b"x", coding)))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(coding: str) -> None:
    assert ("schema", "content-encoding", False) == slug(against(coded(b"\xffplain text", coding)))


def test_damage_inside_a_compressed_body_is_refused() -> None:
    body = zlib.compress(b"hello" * 99)
    inflate = decoder("deflate", 100_000)
    inflate.feed(body[:-4])
    with pytest.raises(Refused) as caught:
        inflate.feed(b"\0\0\0\0")
    assert "content-encoding" == caught.value.failure.code


def test_a_compressed_body_that_ends_early_is_a_retryable_failure() -> None:
    assert ("network", "truncated", True) == slug(against(coded(gzip.compress(b"hello" * 99, mtime=0)[:-9], "gzip")))


@pytest.mark.parametrize(
    ("body", "coding", "text"),
    [
        (gzip.compress(b"hello", mtime=0), "gzip", "hello"),
        (gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0), "GZIP", "hello"),
        (gzip.compress(b"hello", mtime=0) + b"\0" * 20, "x-gzip", "hello"),
        (zlib.compress(b"hello"), "deflate", "hello"),
        (zlib.compress(b"hello")[2:-4], "deflate", "hello"),
        (zlib.compress(b"hello") + b"rest", "deflate", "hello"),
        (b"hello", "identity", "hello"),
        (gzip.compress(b"\0" * 100_000, mtime=0), "gzip", "\0" * 100_000),
    ],
)
def test_known_codings_are_undone(body: bytes, coding: str, text: str) -> None:
    assert text == accepted(coded(body, coding)).output["body"]


def test_an_empty_body_needs_no_compressed_form() -> None:
    assert None is accepted(coded(b"", "gzip")).output["body"]


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "deflate", "raw"]), st.integers(1, 700))
def test_any_body_survives_in_pieces_of_any_size(body: bytes, form: str, piece: int) -> None:
    packed = {"gzip": gzip.compress(body, mtime=0), "deflate": zlib.compress(body), "raw": zlib.compress(body)}[form]
    inflate = decoder("gzip" if form == "gzip" else "deflate", 5000)
    got = b"".join(inflate.feed(packed[at : at + piece]) for at in range(0, len(packed), piece))
    inflate.finish()
    assert body == got


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]), st.integers(0, 50))
def test_no_bytes_make_more_than_the_cap(data: bytes, coding: str, cap: int) -> None:
    inflate = decoder(coding, cap)
    try:
        assert cap >= len(inflate.feed(data))
        inflate.finish()
    except Refused as refused:
        assert refused.failure.kind in ("schema", "too-large", "network")


def test_a_request_beyond_the_cap_is_never_sent() -> None:
    failed = against(reply(), {"method": "POST", "bodyText": "x" * 1001})
    assert ("too-large", "request-bytes", False) == slug(failed)
    failed = against(reply(), {"headers": {"x": "y" * 5000}})
    assert ("too-large", "headers", False) == slug(failed)


def test_a_json_body_past_the_limits_of_a_value_is_too_large() -> None:
    async def go() -> TaskFailed:
        body = b"[" + b"0," * 1_000_001 + b"0]"
        async with serve(reply(body, headers=[("Content-Type", "application/json")])) as seen, Rig(seen.port) as rig:
            return await rig.fail({"url": f"http://a.test:{seen.port}/"})

    assert ("too-large", "response-json", False) == slug(asyncio.run(go()))


def test_an_attempt_that_is_cancelled_leaves_the_runner_usable() -> None:
    async def go() -> int:
        async def hang(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
            if head.startswith("GET /hang"):
                await asyncio.sleep(60)
            writer.write(OK + b"Content-Length: 0\r\n\r\n")

        async with serve(hang) as seen, Rig(seen.port) as rig:
            task = asyncio.create_task(rig.run({"url": f"http://a.test:{seen.port}/hang"}))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return int((await rig.run({"url": f"http://a.test:{seen.port}/"})).output["status"])

    assert 200 == asyncio.run(go())


def test_a_service_that_cannot_be_reached_is_a_retryable_network_failure() -> None:
    async def go() -> TaskFailed:
        async with serve(reply()) as seen:
            port = seen.port
        async with Rig(port) as rig:
            return await rig.fail({"url": f"http://a.test:{port}/"})

    assert ("network", "connect", True) == slug(asyncio.run(go()))


def test_a_name_that_does_not_exist_is_a_retryable_network_failure() -> None:
    async def go() -> TaskFailed:
        async with Rig() as rig:
            return await rig.fail({"url": "http://nowhere.test/"})

    assert ("network", "dns", True) == slug(asyncio.run(go()))


def test_a_host_that_does_not_answer_ends_with_a_retryable_timeout() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    async def go() -> str:
        transport = Transport(Gate(Policy(), resolver=hang), connect_s=0.01)
        with pytest.raises(Refused) as caught:
            await transport.send(Request("GET", parse_url("http://a.test/"), (), b""))
        await transport.aclose()
        return f"{caught.value.failure.kind}/{caught.value.failure.code}/{caught.value.failure.retryable}"

    assert "timeout/connect/True" == asyncio.run(go())


def test_a_request_that_h11_refuses_is_a_permanent_failure() -> None:
    async def go() -> str:
        async with serve(reply()) as seen, Rig(seen.port) as rig:
            url = parse_url(f"http://a.test:{seen.port}/")
            with pytest.raises(Refused) as caught:
                await rig.transport.send(Request("GET", url, (("bad name", "x"),), b""))
            return f"{caught.value.failure.kind}/{caught.value.failure.code}/{caught.value.failure.retryable}"

    assert "task/request/False" == asyncio.run(go())


def test_a_plain_body_has_the_same_cap_as_a_compressed_one() -> None:
    plain = decoder("", 3)
    assert b"abc" == plain.feed(b"abc")
    with pytest.raises(Refused):
        plain.feed(b"d")


def test_a_server_on_ipv6_is_named_with_brackets() -> None:
    async def go() -> tuple[str, str]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            host = head.split(b"\r\n")[1]
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(host) + host)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk, "::1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = Transport(Gate(Policy(allow=frozenset({("::1", port)}))))
        async with server:
            response = await transport.send(Request("GET", parse_url(f"http://[::1]:{port}/"), (), b""))
            await transport.aclose()
        return response.body.decode().replace(str(port), "P"), response.peer.replace(str(port), "P")

    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    assert ("host: [::1]:P", "[::1]:P") == asyncio.run(go())


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False
