"""One HTTP/1.1 request and its response, with a cap on everything the other side decides.

Stands on httpcore rather than on the client above it: no cookie jar that callers would share, no environment
proxies, no redirects, and the network backend is a documented argument there. One pool per event loop and scheme,
so that connections are reused.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple
from weakref import WeakKeyDictionary

import httpcore
from msgspec import Struct

from millrace.adapters.http.decoding import decoder
from millrace.adapters.http.gate import Gate
from millrace.adapters.http.refusals import Refused, invalid, network, timed_out, too_large
from millrace.adapters.http.streams import JudgedBackend
from millrace.adapters.http.urls import Url
from millrace.base.limits import KIB, REQUEST_BYTES, VALUE_BYTES

CONNECTIONS: Final = 256  # open at once per loop and scheme; Lambda gives a process 1,024 descriptors
KEEP_ALIVE_S: Final = 4.0  # common servers close an idle connection after five seconds
CONNECT_S: Final = 10.0


class Pool(NamedTuple):
    """``permits`` holds requests back while all connections are taken: at every start and end of a request httpcore
    compares each request that waits inside it with each connection, which stops the loop when thousands wait."""

    connections: httpcore.AsyncConnectionPool
    permits: asyncio.Semaphore


Pools = dict[str, Pool]


class Caps(Struct, frozen=True):
    """Bytes, but for ``headers``, a count. ``response_bytes`` bounds the body on the wire and again when decoded;
    header caps hold for both directions."""

    request_bytes: int = REQUEST_BYTES
    response_bytes: int = VALUE_BYTES
    headers: int = 256
    header_bytes: int = 64 * KIB


class Request(Struct, frozen=True):
    """``headers`` without Host and Content-Length, which follow from the rest."""

    method: str
    url: Url
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Response(Struct, frozen=True):
    """``body`` is decoded; ``wire_bytes`` counts it as it came. Header names are in lower case, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire_bytes: int
    peer: str


class Transport:
    """Sends requests through a gate. ``tls`` defaults to the certificates of certifi, loaded on first use;
    ``connect_s`` bounds resolving, each address and the TLS handshake, in seconds; ``connections`` those open at once
    per loop and scheme. Further requests wait their turn."""

    def __init__(
        self,
        gate: Gate,
        *,
        caps: Caps = Caps(),
        tls: ssl.SSLContext | None = None,
        connect_s: float = CONNECT_S,
        connections: int = CONNECTIONS,
    ) -> None:
        self.gate = gate
        self._connections = connections
        self._connect_s = connect_s
        self.caps = caps
        self._tls = tls
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pools] = WeakKeyDictionary()

    async def send(self, request: Request) -> Response:
        """Has no timeout of its own but for connecting: the caller bounds the whole. Raises Refused."""
        self.gate.check_port(request.url.host, request.url.port)
        outgoing = self._outgoing(request)
        pool = self._pool(request.url.scheme)
        try:
            async with pool.permits:
                response = await pool.connections.handle_async_request(outgoing)
                async with contextlib.aclosing(response):
                    return await self._receive(request, response)
        except httpcore.ConnectTimeout:
            refused = timed_out("connect", f"{request.url.host}:{request.url.port} did not answer in time")
        except httpcore.ConnectError as error:
            refused = network("connect", str(error))
        except httpcore.RemoteProtocolError as error:
            refused = self._protocol(str(error))
        except (httpcore.NetworkError, httpcore.TimeoutException):
            refused = network("closed", f"the connection to {request.url.host} broke before the response was complete")
        except httpcore.LocalProtocolError:
            refused = invalid("request", "the request cannot be sent: a header or the target is malformed")
        raise refused

    async def aclose(self) -> None:
        """Closes the connections of the running loop."""
        for pool in self._pools.pop(asyncio.get_running_loop(), {}).values():
            await pool.connections.aclose()

    def _pool(self, scheme: Literal["http", "https"]) -> Pool:
        pools = self._pools.setdefault(asyncio.get_running_loop(), {})
        if scheme not in pools:
            if scheme == "https" and self._tls is None:
                self._tls = httpcore.default_ssl_context()
            connections = httpcore.AsyncConnectionPool(
                ssl_context=self._tls if scheme == "https" else None,
                max_connections=self._connections,
                max_keepalive_connections=self._connections,
                keepalive_expiry=KEEP_ALIVE_S,
                network_backend=JudgedBackend(self.gate),
            )
            pools[scheme] = Pool(connections, asyncio.Semaphore(self._connections))
        return pools[scheme]

    def _outgoing(self, request: Request) -> httpcore.Request:
        caps = self.caps
        if len(request.body) > caps.request_bytes:
            raise too_large(
                "request-bytes", f"the request body is larger than {caps.request_bytes} bytes", limit=caps.request_bytes
            )
        headers = [(b"host", request.url.authority.encode())]
        headers += [(name.encode(), value.encode()) for name, value in request.headers]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append((b"content-length", str(len(request.body)).encode()))
        self._check_headers(headers, "request")
        url = request.url
        return httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
            headers=headers,
            content=request.body,
            extensions={"timeout": {"connect": self._connect_s}},
        )

    async def _receive(self, request: Request, response: httpcore.Response) -> Response:
        self._check_headers(response.headers, "response")
        headers = tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in response.headers)
        cap = self.caps.response_bytes
        length = _first(headers, "content-length")
        bodiless = request.method == "HEAD" or response.status in (204, 304)
        if not bodiless and length.isdigit() and int(length[:20]) > cap:
            raise _response_too_large(cap)
        inflate = decoder(", ".join(value for name, value in headers if name == "content-encoding"), cap)
        body = bytearray()
        wire = 0
        async for chunk in response.aiter_stream():
            wire += len(chunk)
            if wire > cap:
                raise _response_too_large(cap)
            body += inflate.feed(chunk)
        inflate.finish()
        address = response.extensions["network_stream"].get_extra_info("server_addr")
        return Response(response.status, headers, bytes(body), wire, _peer(address))

    def _check_headers(self, headers: Iterable[tuple[bytes, bytes]], side: str) -> None:
        sizes = [len(name) + len(value) for name, value in headers]
        if len(sizes) > self.caps.headers:
            limit = self.caps.headers
            raise too_large("headers", f"the {side} has more than {limit} headers", limit=limit)
        if sum(sizes) > self.caps.header_bytes:
            raise self._headers_too_large(side)

    def _headers_too_large(self, side: str) -> Refused:
        limit = self.caps.header_bytes
        return too_large("headers", f"the headers of the {side} are larger than {limit} bytes", limit=limit)

    def _protocol(self, message: str) -> Refused:
        if "too long" in message:  # h11 stops a head that does not end at 100 KiB
            return self._headers_too_large("response")
        return network("protocol", f"the other side broke the HTTP protocol: {message[:200]}")


def _first(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")


def _peer(address: tuple[str, int] | None) -> str:
    if not address:
        return ""
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def _response_too_large(cap: int) -> Refused:
    return too_large("response-bytes", f"the response is larger than {cap} bytes", limit=cap, hint="Ask for less.")
