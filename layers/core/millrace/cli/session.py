"""Finds the server of a data folder, or starts one for as long as a command lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from millrace.base.errors import Unavailable
from millrace.local.client import Client
from millrace.wiring.folder import holder
from millrace.wiring.settings import Settings

PATIENCE_S: Final = 10.0  # a server that holds the folder and does not listen yet is starting, or stopping


@contextmanager
def connect(settings: Settings, *, patience: float = PATIENCE_S) -> Iterator[Client]:
    """A client of the server that holds the data folder; without one, of a server in this process.

    Raises Unavailable when the holder does not begin to listen within ``patience`` seconds.
    """
    port = _port_of_holder(settings, patience)
    if port:
        yield Client(port)
        return
    from millrace.local.server import LocalServer

    with LocalServer(replace(settings, port=0, demo_port=0)) as server:
        yield server.client


def _port_of_holder(settings: Settings, patience: float) -> int:
    deadline = time.monotonic() + patience
    while held := holder(settings.data):
        if held.port:
            return held.port
        if time.monotonic() > deadline:
            raise Unavailable(
                f"process {held.pid} holds the data folder {settings.data} and does not listen",
                hint="Wait for it to end, stop it, or set MILLRACE_DATA to another folder.",
            )
        time.sleep(0.05)
    return 0
