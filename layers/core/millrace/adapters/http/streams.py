"""Sockets for the HTTP engine, opened through the gate and nowhere else.

httpcore takes a network backend; ours asks the gate for every connection, so a pool, a redirect or a retry inside
the library cannot reach an address that was not judged. The streams stand on asyncio's own transports.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import httpcore
from typing_extensions import override

from millrace.adapters.http.refusals import network

if TYPE_CHECKING:
    from millrace.adapters.http.gate import Gate, Target


@contextlib.asynccontextmanager
async def timed(seconds: float | None, error: type[Exception] = httpcore.ConnectTimeout) -> AsyncIterator[None]:
    """Ends the block after ``seconds`` with ``error``; None waits as long as the caller does."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise error("the time is over") from None


class Stream(httpcore.AsyncNetworkStream):
    """One connection. Timeouts are in seconds; errors are httpcore's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            if timeout is None:
                return await self._reader.read(max_bytes)
            async with timed(timeout, httpcore.ReadTimeout):
                return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError(error.strerror or "the connection broke") from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._writer.write(buffer)
            if timeout is None:
                await self._writer.drain()
            else:
                async with timed(timeout, httpcore.WriteTimeout):
                    await self._writer.drain()
        except OSError as error:
            raise httpcore.WriteError(error.strerror or "the connection broke") from None

    async def aclose(self) -> None:
        # Nothing that is still to be written matters, and a polite TLS shutdown would wait for the other side.
        self._writer.transport.abort()
        await asyncio.sleep(0)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """Raises Refused, ``network``/``tls``, when the certificate is not the host's: that is not retried."""
        try:
            async with timed(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname or self._name)
        except BaseException as error:  # a cancelled handshake must not leave its socket behind either
            self._writer.transport.abort()
            if isinstance(error, ssl.SSLCertVerificationError):
                message = f"the certificate of {self._name} was refused: {error.verify_message}"
                raise network("tls", message, retryable=False) from None
            if isinstance(error, OSError):
                raise httpcore.ConnectError(f"TLS with {self._name} failed: {error.strerror}") from None
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._gone()
        keys = {"server_addr": "peername", "client_addr": "sockname"}
        return self._writer.get_extra_info(keys.get(info, info))

    def _gone(self) -> bool:
        """Whether an idle connection has been closed, or has something to say that nobody asked for."""
        if self._reader.at_eof() or self._writer.transport.is_closing():
            return True
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))


async def open_stream(target: Target, *, tls: ssl.SSLContext | None, server_name: str, timeout: float | None) -> Stream:
    """Connects to the first judged address that answers. ``timeout`` in seconds for each."""
    reason = ""
    for ip in (target.ip, *target.others):
        try:
            async with timed(timeout):
                reader, writer = await asyncio.open_connection(ip, target.port)
        except OSError as error:
            reason = error.strerror or "no connection"
            continue
        except httpcore.ConnectTimeout:
            reason = "no answer in time"
            continue
        stream = Stream(reader, writer, server_name)
        return stream if tls is None else await stream.start_tls(tls, server_name, timeout)
    if reason == "no answer in time":
        raise httpcore.ConnectTimeout(f"{server_name}:{target.port} did not answer")
    raise httpcore.ConnectError(f"{server_name}:{target.port} could not be connected to: {reason}")


class JudgedBackend(httpcore.AsyncNetworkBackend):
    """Every connection of a pool goes through one gate. Local sockets stay out of reach: the base class refuses."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Stream:
        return await self._gate.connect(host, port, timeout=timeout)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
