"""Loopback servers that say exactly the bytes a test wants, and builders for gates, runners and attempts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from millrace.adapters.http import Caps, Gate, HttpRunner, Policy, Transport
from millrace.adapters.memory.secrets import MemorySecrets
from millrace.base.ids import Millis
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Attempt, Outcome, TaskFailed
from millrace.ports.secrets import Secret

KEY = "0123456789abcdef0123456789abcdef"
NOW = Millis(1_700_000_000_000)


class Fixed:
    """A clock that stands still."""

    def now(self) -> Millis:
        return NOW


class Names:
    """A resolver over a table; counts what it was asked, and may change its answer each time."""

    def __init__(self, **table: list[Sequence[str]]) -> None:
        self.table = {name.replace("_", "."): answers for name, answers in table.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.table.get(host)
        if answers is None:
            raise OSError(-2, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Seen:
    """What a server received: (head, body) per request, and how many connections were opened."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[tuple[str, bytes]] = []
        self.connections = 0

    def header(self, name: str, index: int = -1) -> str | None:
        for line in self.requests[index][0].split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name:
                return value
        return None

    @property
    def line(self) -> str:
        return self.requests[-1][0].split("\r\n")[0]


Answer = Callable[[str, bytes, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serve(answer: Answer, *, ssl: Any = None, port: int = 0) -> AsyncIterator[Seen]:
    """A keep-alive server on ``port`` of loopback, by default a free one; ``answer`` writes whatever it likes."""
    seen = Seen()
    tasks: set[asyncio.Task[Any] | None] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        tasks.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
                )
                body = await reader.readexactly(length)
                seen.requests.append((head, body))
                await answer(head, body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=2**20, ssl=ssl)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        await asyncio.sleep(0)


def reply(
    body: bytes = b"", *, status: str = "200 OK", headers: Sequence[tuple[str, str]] = (), length: bool = True
) -> Answer:
    """An answer with these parts, the same every time."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    async def answer(head: str, sent: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def reply_json(value: Any, **more: Any) -> Answer:
    headers = [("Content-Type", "application/json"), *more.pop("headers", ())]
    return reply(json.dumps(value).encode(), headers=headers, **more)


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, and so on; the last one repeats."""
    left = list(answers)

    async def answer(head: str, sent: bytes, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(head, sent, writer)

    return answer


class Rig:
    """A runner whose names ``a.test``, ``b.test`` … are loopback servers the operator allowed."""

    def __init__(self, *ports: int, caps: Caps = Caps(), tls: Any = None, names: Names | None = None) -> None:
        allow = {(f"{name}.test", port) for name in "abc" for port in ports}
        self.names = names or Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]], c_test=[["127.0.0.1"]])
        self.transport = Transport(Gate(Policy(allow=frozenset(allow)), resolver=self.names), caps=caps, tls=tls)
        self.secrets = MemorySecrets()
        self.runner = HttpRunner(self.transport, secrets=self.secrets, clock=Fixed())

    def secret(self, name: str, value: str, *hosts: str) -> None:
        self.secrets.put(TenantScope("acme"), name, Secret(value, hosts))

    async def run(self, config: Any, *, deadline_ms: int = 20_000, traceparent: str = "") -> Outcome:
        return await self.runner.run(attempt(config, deadline_ms=deadline_ms, traceparent=traceparent))

    async def fail(self, config: Any, *, deadline_ms: int = 20_000) -> TaskFailed:
        try:
            await self.run(config, deadline_ms=deadline_ms)
        except TaskFailed as failed:
            return failed
        raise AssertionError("the attempt succeeded")

    async def __aenter__(self) -> Rig:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.aclose()


def attempt(config: Any, *, deadline_ms: int = 20_000, traceparent: str = "") -> Attempt:
    return Attempt("acme", "e1", "call", 1, "http", config, {}, KEY, deadline_ms, traceparent)


def slug(failed: TaskFailed) -> tuple[str, str, bool]:
    return failed.failure.kind, failed.failure.code, failed.failure.retryable
