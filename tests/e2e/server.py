"""A real server in a process of its own, which can be killed at any moment and started again on the same folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from millrace.local.client import Client, Reply

ROOT = Path(__file__).resolve().parents[2]
TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
START_S = 60.0


class Server:
    """``port`` and ``demo_port`` stay the same from start to start, since executions remember the demo's address."""

    def __init__(self, data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = 0
        self.demo_port = 0
        self._arguments = arguments
        self._env = dict(env or {})
        self._process: subprocess.Popen[str] | None = None

    @property
    def client(self) -> Client:
        return Client(self.port)

    @property
    def demo(self) -> Client:
        return Client(self.demo_port)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start and wait until it listens; answers how long that took, in seconds."""
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
        command = [sys.executable, "-m", "millrace.cli", "dev", "--json", "--data", str(self.data)]
        command += ["--port", str(self.port), "--demo-port", str(self.demo_port), *self._arguments]
        log = (self.data.parent / f"{self.data.name}.log").open("a")
        with log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment | self._env, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(
                f"the server did not start:\n{(self.data.parent / f'{self.data.name}.log').read_text()}"
            )
        said = json.loads(line)
        self.port, self.demo_port = said["port"], said["demoPort"]
        return time.monotonic() - began

    def kill(self) -> None:
        """As `kill -9` does: no goodbye."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def stop(self) -> int:
        """As Ctrl+C does; answers the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(timeout=60)
        self._close()
        return code

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def call(self, method: str, path: str, *, value: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request below /api/v1 with a JSON body."""
        body = None if value is None else json.dumps(value).encode()
        return self.client.send(method, f"/api/v1{path}", body=body, headers=headers)

    def publish(self, text: str) -> dict[str, Any]:
        """Publish a YAML document that must be accepted."""
        answer: dict[str, Any] = self.client.publish("Workflow", text.encode(), media="yaml")[1]
        return answer

    def wait(self, execution: str, *, seconds: float = 60) -> dict[str, Any]:
        """The execution once it is over. Raises AssertionError when it is not in time."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.client.call("GET", f"/executions/{execution}")[1]
            if found["status"] in TERMINAL:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{execution} is {found['status']} after {seconds} s: {found}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()
