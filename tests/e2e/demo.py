"""The demo service in a process of its own, so that it remembers what a killed server asked of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from millrace.base.errors import Unavailable
from millrace.local.client import Client


class Demo:
    def __init__(self, port: int) -> None:
        self.port = port
        self.client = Client(port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def attempts_by_key(self) -> Counter[str]:
        """How often each idempotency key arrived with a call that has an effect."""
        return Counter(entry["key"] for entry in self.client.send("GET", "/_attempts").json())


@contextmanager
def demo() -> Iterator[Demo]:
    """A running service, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "millrace.local.demo", "--port", str(port)])
    try:
        found = Demo(port)
        deadline = time.monotonic() + 30
        while True:
            try:
                found.attempts_by_key()
                break
            except Unavailable:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait()
