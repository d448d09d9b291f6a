"""The front of local mode: takes the place of API Gateway, and calls the same handlers that Lambda would call.

Handlers are synchronous, so each runs in a thread of a bounded pool. What waits for a thread is bounded too: past
that the answer is 429, as the real gateway throttles.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from millrace.api import problems
from millrace.api.access import methods_of
from millrace.base.errors import Forbidden, MethodNotAllowed, MillraceError, NotFound, Throttled, TooLarge, Unavailable
from millrace.base.limits import REQUEST_BYTES
from millrace.local import events
from millrace.local.functions import Handler, InvocationContext
from millrace.local.guard import refusal
from millrace.local.page import front_page
from millrace.local.routing import Match, Router

THREADS: Final = 64
GRACE_S: Final = 0.3  # what calls get to end when the server stops
WAITING: Final = 4096  # requests that hold or wait for a thread
_NO_SNIFF: Final = {"x-content-type-options": "nosniff"}
_BY_CONNECTION: Final = frozenset({"content-length", "transfer-encoding", "connection"})
_logger = logging.getLogger("millrace.gateway")


class Gateway:
    """An ASGI application. ``port`` is the one it is reached under, which the Host check compares."""

    def __init__(
        self, router: Router, handlers: Mapping[str, Handler], *, port: int, stage: str, console: Path | None = None
    ) -> None:
        self._router = router
        self._handlers = handlers
        self._port = port
        self._stage = stage
        self._console = StaticFiles(directory=console, html=True) if console else None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="millrace-handler")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: set[asyncio.Future[events.Answer]] = set()
        self._busy = 0
        self._stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = _raw_path(scope)
        request_id = secrets.token_hex(16)
        try:
            response = await self._answer(request, path, request_id)
        except ClientDisconnect:
            return
        except MillraceError as error:
            response = _problem(error, path, request_id)
        except Exception as error:
            # The place of API Gateway's own failure: a handler that raises is a defect and tells the caller nothing.
            _logger.exception("%s %s failed, request %s", request.method, path, request_id)
            response = _problem(error, path, request_id)
        if request.method == "HEAD":
            response.body = b""  # its Content-Length stays that of the answer to GET
        await response(scope, receive, send)

    def drain(self) -> None:
        """Let calls end for a moment, then answer 503 to those that still wait (a long poll lasts 20 s)."""
        self._stopping = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.call_later, GRACE_S, self._give_up)

    def close(self) -> None:
        """Take no more calls. A handler that still runs ends by itself, as soon as the store is closed."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _give_up(self) -> None:
        for call in self._calls:
            call.cancel()

    async def _answer(self, request: Request, path: str, request_id: str) -> Response:
        headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in request.scope["headers"])
        if why := refusal(headers, port=self._port):
            raise Forbidden(why, hint=f"Use http://localhost:{self._port} from this machine.")
        if path.startswith("/api/"):
            return await self._api(request, headers, path, request_id)
        if request.method not in {"GET", "HEAD"}:
            raise _not_allowed(request.method, path, frozenset({"GET"}))
        return await self._page(request, path)

    async def _page(self, request: Request, path: str) -> Response:
        if self._console is not None:
            relative = unquote(path).lstrip("/")
            try:
                return await self._console.get_response(relative or ".", request.scope)
            except HTTPException:
                if "." not in relative:  # a view of the console, known to its own router only
                    return await self._console.get_response("index.html", request.scope)
        elif path == "/":
            return Response(front_page(), media_type="text/html", headers=_NO_SNIFF)
        raise _nothing(path)

    async def _api(
        self, request: Request, headers: tuple[tuple[str, str], ...], path: str, request_id: str
    ) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        match = self._router.match(method, path)
        if not isinstance(match, Match):
            if not match:
                raise _nothing(path)
            match = methods_of(path) or match
            if method == "OPTIONS":
                return Response(status_code=204, headers={"allow": ", ".join(_allowed(match))})
            raise _not_allowed(method, path, match)
        if self._busy >= WAITING:
            raise Throttled("too many requests wait", hint="Try again in a moment.", facts={"retryAfter": 1})
        self._busy += 1
        try:
            call = events.Request(
                method=method,
                path=path,
                query=request.scope["query_string"].decode("latin-1"),
                headers=headers,
                body=await _body(request),
                peer=request.client.host if request.client else "",
            )
            answer = await self._handled(match, call, request_id)
        finally:
            self._busy -= 1
        given = {name.lower() for name, _ in answer.headers}
        response = Response(
            answer.body, answer.status, headers={name: _NO_SNIFF[name] for name in _NO_SNIFF if name not in given}
        )
        response.raw_headers.extend(
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in answer.headers
            if name.lower() not in _BY_CONNECTION
        )
        return response

    async def _handled(self, match: Match, call: events.Request, request_id: str) -> events.Answer:
        self._loop = asyncio.get_running_loop()
        future = self._loop.run_in_executor(self._pool, self._call, match, call, request_id)
        self._calls.add(future)
        try:
            return await future
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            raise Unavailable("the server is stopping", hint="Ask again when it is back.") from None
        finally:
            self._calls.discard(future)

    def _call(self, match: Match, call: events.Request, request_id: str) -> events.Answer:
        event = events.proxy_event(
            call, match, stage=self._stage, request_id=request_id, now_ms=time.time_ns() // 1_000_000
        )
        context = InvocationContext(function_name=match.route.function, aws_request_id=request_id)
        return events.read_answer(self._handlers[match.route.function](event, context))


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]


async def _body(request: Request) -> bytes:
    """The whole body. Raises TooLarge as soon as it is too long, whatever its Content-Length says."""
    parts = bytearray()
    async for chunk in request.stream():
        parts += chunk
        if len(parts) > REQUEST_BYTES:
            raise TooLarge(
                f"the body exceeds {REQUEST_BYTES} bytes",
                hint="Send less at once.",
                facts={"limit": REQUEST_BYTES, "size": len(parts)},
            )
    return bytes(parts)


def _allowed(methods: frozenset[str]) -> list[str]:
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


def _nothing(path: str) -> NotFound:
    return NotFound(f"there is nothing at {path[:200]}", hint="The API begins at /api/v1.")


def _not_allowed(method: str, path: str, methods: frozenset[str]) -> MethodNotAllowed:
    allow = _allowed(methods)
    return MethodNotAllowed(
        f"{path[:200]} does not take {method[:20]}", hint=f"Use {' or '.join(allow)}.", facts={"allow": allow}
    )


def _problem(error: BaseException, path: str, request_id: str) -> Response:
    problem = problems.problem(error, instance=path[:1024], request_id=request_id)
    return Response(
        json.dumps(problem.body).encode(),
        problem.status,
        headers=_NO_SNIFF | problem.headers,
        media_type=problems.MEDIA_TYPE,
    )
