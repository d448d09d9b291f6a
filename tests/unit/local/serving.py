"""A gateway over handlers of a test, on a free loopback port."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from millrace.local.client import Client
from millrace.local.functions import Handler
from millrace.local.gateway import Gateway
from millrace.local.listener import Listener, bind, port_of
from millrace.local.routing import Router
from millrace.local.template import Route


@contextmanager
def serving(handlers: Mapping[str, Handler], routes: list[Route], *, console: Path | None = None) -> Iterator[Client]:
    """A client of a gateway with these routes."""
    bound = bind(0, variable="MILLRACE_PORT")
    gateway = Gateway(Router(routes), handlers, port=port_of(bound), stage="live", console=console)
    listener = Listener(gateway, bound, name="test")
    listener.start()
    try:
        yield Client(port_of(bound), timeout=10)
    finally:
        listener.stop()
        gateway.close()


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers with what it was called with."""
    said = {"event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(said)}


def raw(port: int, request: bytes) -> bytes:
    """What the server says to bytes on a socket, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer
