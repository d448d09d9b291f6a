"""A Lambda runtime around a built function: its folder and layers, a clean environment, and events one at a time.

The runtime interface client of AWS runs in a process of its own, as in a sandbox, and fetches its events from a
runtime API that is served here on loopback; what it calls of AWS is answered by moto, on the same port.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
API = "/2018-06-01/runtime"
SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
"""Lambda's runtime brings these; the layers do not."""
CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py.py", "runtime_client*.so")
PATIENCE_S = 20
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/([a-z0-9]+)/aws4_request")
_HOP = frozenset({"host", "connection", "content-length", "accept-encoding"})


@dataclass
class Sandbox:
    """What the runtime API hands out and takes back. ``answers`` holds (kind, body) with kind response or error."""

    events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    answers: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)


def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != f"{API}/invocation/next":
                return self._aws()
            event, events = None, sandbox.events
            while event is None and not sandbox.closing.is_set():
                try:
                    event = events.get(timeout=0.05)
                except queue.Empty:
                    continue
            if event is None:
                return self._answer(410, b"")
            return self._answer(
                200,
                json.dumps(event).encode(),
                {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": "00000000-0000-0000-0000-000000000001",
                    "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 29_000),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:built",
                    "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
                },
            )

        def do_POST(self) -> None:
            if not self.path.startswith(API):
                return self._aws()
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sandbox.answers.put(("response" if self.path.endswith("/response") else "error", json.loads(body)))
            return self._answer(202, b"")

        do_PUT = do_DELETE = do_GET

        def _aws(self) -> None:
            from botocore.awsrequest import AWSPreparedRequest
            from moto.core.models import botocore_stubber

            match = _SCOPE.search(self.headers.get("authorization", ""))
            assert match is not None, f"an unsigned request for {self.path}"
            region, service = match.groups()
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            url = f"https://{service}.{region}.amazonaws.com{self.path}"
            found = botocore_stubber("", AWSPreparedRequest(self.command, url, headers, body, None))
            assert found is not None, f"nothing answers {url}"
            self._answer(found.status_code, found.content, dict(found.headers))

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    return Handler


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """The runtime API and AWS on one loopback port. Must be opened inside moto's mock."""
    made = Sandbox()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    made.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def linked(folder: Path) -> Path:
    """A folder with the runtime client and the AWS SDK, and nothing else that is installed here."""
    import awslambdaric

    site = Path(awslambdaric.__file__).parents[1]
    for pattern in (*SDK, *CLIENT):
        for found in site.glob(pattern):
            (folder / found.name).symlink_to(found)
    return folder


def invoke(
    built: Path, function: str, event: dict[str, Any], environment: dict[str, str], here: Sandbox
) -> tuple[str, Any]:
    """Run one event through one built function in a fresh process; answers (response or error, body)."""
    with tempfile.TemporaryDirectory() as folder:
        task = built / function
        paths = [task, built / "CoreLayer" / "python", built / "VendorLayer" / "python", linked(Path(folder))]
        clean = {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{here.port}",
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "built",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            **environment,
        }
        here.events = queue.Queue()  # an earlier process that was ended still asks the earlier one
        here.events.put(event)
        base = getattr(sys, "_base_executable", sys.executable)
        output = Path(folder) / "output.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [base, "-s", "-m", "awslambdaric", "app.handler"],
                env=clean,
                cwd=task,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < end and process.poll() is None:
                try:
                    return here.answers.get(timeout=0.2)
                except queue.Empty:
                    continue
            raise AssertionError(f"{function} did not answer ({process.poll()}): {output.read_text()[-2000:]}")
        finally:
            process.kill()
            process.wait()
