"""One ASGI application on one loopback port, served from a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from millrace.base.errors import Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST: Final = "127.0.0.1"
_logger = logging.getLogger("millrace.listener")
_BACKLOG: Final = 2048
_GRACE_S: Final = 3
_START_S: Final = 10.0


def bind(port: int, *, variable: str) -> socket.socket:
    """A socket that is bound to loopback and does not listen yet; port 0 takes a free one.

    Raises Unavailable naming the setting that chooses another port.
    """
    # asyncio turns off Nagle's algorithm only where the protocol is named; with it, each answer on a kept connection
    # waits 40 ms for a delayed acknowledgement.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        # Listening at once makes a second server on the port fail here, not later in its thread.
        found.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        found.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is in use" if taken else f"cannot be opened: {error}"
        raise Unavailable(
            f"port {port} {why}",
            hint=f"Stop what uses it, or set {variable} to another port.",
            facts={"port": port},
        ) from error
    return found


def port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


class Listener:
    """Serves from `start` to `stop`; the socket is closed with it."""

    def __init__(self, app: ASGIApp, bound: socket.socket, *, name: str, grace: int = _GRACE_S) -> None:
        """``grace`` is how long running requests may take to end at `stop`, in seconds."""
        import uvicorn

        self._app = app
        config = uvicorn.Config(
            self._until_stopped,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=grace,
        )
        self._server = uvicorn.Server(config)
        self._failure: BaseException | None = None
        self._socket = bound
        self._thread = threading.Thread(target=self._serve, name=f"millrace-{name}", daemon=True)

    def start(self) -> None:
        """Returns when requests are answered. Raises Unavailable when the server does not come up."""
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("the server did not start", hint="Look at the log.") from self._failure
            time.sleep(0.002)

    def stop(self) -> None:
        """Refuse new connections, let running requests end for a few seconds, then close."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    async def _until_stopped(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._server.should_exit:
                raise
            _logger.info("a request was cut off, since the server stops")

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except (Exception, SystemExit) as error:
            # Reported by `start`, which waits for this thread; afterwards there is nobody to tell but the log.
            _logger.exception("the server on %s ended", self._thread.name)
            self._failure = error
