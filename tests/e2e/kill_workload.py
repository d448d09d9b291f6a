"""Clients of a server that is killed under them: each sends again, with the same key, what was not acknowledged."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from typing import Any

from millrace.base.errors import Unavailable
from tests.e2e.demo import Demo
from tests.e2e.server import Server

BRANCHES = 4
PAUSE_S = 0.02

HEAD = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: NAME}
spec:
  version: VERSION
  input: {type: object, required: [url, number], properties: {url: {type: string}, number: {type: integer}}}
  tasks:
    - {id: first, type: http, request: {method: POST, url: "{{input.url}}/slow?ms=10"}}
"""
BRANCH = """\
    - id: branch-INDEX
      dependsOn: [first]
      type: http
      request: {method: POST, url: "{{input.url}}/slow?ms=MS", body: {number: "{{input.number}}"}}
      retry: {maxAttempts: 10, strategy: constant, interval: 10ms}
"""
TAIL = """\
    - id: shape
      type: transform
      input: {items: [ITEMS]}
      transform: [{map: {status: "{{item}}"}}]
    - id: last
      dependsOn: [shape]
      type: http
      request: {method: POST, url: "{{input.url}}/echo", body: {seen: "{{tasks.shape.output}}"}}
      retry: {maxAttempts: 10, strategy: constant, interval: 10ms}
  output: {number: "{{input.number}}", seen: "{{size(tasks.last.output.body.body.seen)}}"}
"""


def workflow(name: str, version: str) -> str:
    """One call, four beside each other, a transform over what they answered, and a call that carries it out."""
    branches = [BRANCH.replace("INDEX", str(n)).replace("MS", str(20 + 30 * n)) for n in range(BRANCHES)]
    items = ", ".join(f'"{{{{tasks.branch-{n}.output.status}}}}"' for n in range(BRANCHES))
    return HEAD.replace("NAME", name).replace("VERSION", version) + "".join(branches) + TAIL.replace("ITEMS", items)


class Workload:
    """Three threads: one starts, one sends signals and cancels to what was started, one publishes.

    What was acknowledged: ``started`` (number → execution), ``signals`` (message → execution), ``cancels`` (message →
    execution and the status that was answered), ``published`` (label → content hash).
    """

    def __init__(self, server: Server, shop: Demo, *, seed: int) -> None:
        self._server = server
        self._shop = shop
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._flying: dict[str, threading.Event] = {
            kind: threading.Event() for kind in ("start", "signal", "cancel", "publish")
        }
        self._threads = [
            threading.Thread(target=self._guarded, args=(one,), daemon=True)
            for one in (self._start, self._tell, self._publish)
        ]
        self.broken: list[BaseException] = []
        self.started: dict[int, str] = {}
        self.signals: dict[str, str] = {}
        self.refused: list[str] = []
        self.cancels: dict[str, tuple[str, str]] = {}
        self.published: dict[str, str] = {}
        self.unanswered = 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends when what is under way has been acknowledged."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self.broken:
            raise self.broken[0]

    def wait_for(self, kind: str) -> None:
        """Until a request of this kind is about to be sent."""
        self._flying[kind].clear()
        assert self._flying[kind].wait(20) or self.broken, f"no {kind} in 20 s"

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            self.broken.append(error)
            for event in self._flying.values():
                event.set()

    def _send(self, kind: str, path: str, key: str, body: bytes, media: str = "application/json") -> Any:
        """The answer, however often the server dies before it comes; 409 is an answer too."""
        while True:
            self._flying[kind].set()
            try:
                reply = self._server.client.send(
                    "POST", f"/api/v1{path}", body=body, headers={"content-type": media, "idempotency-key": key}
                )
            except Unavailable:
                self.unanswered += 1
                threading.Event().wait(0.03)
                continue
            if reply.status == 409 and reply.json()["code"] == "idempotency-pending":
                threading.Event().wait(0.03)
                continue
            assert reply.status in (200, 201, 202, 409), (kind, reply.status, reply.body)
            return reply

    def _start(self) -> None:
        number = 0
        while not self._over.is_set():
            body = json.dumps({"input": {"url": self._shop.url, "number": number}}).encode()
            self.started[number] = self._send("start", "/workflows/busy/executions", f"start-{number}", body).json()[
                "id"
            ]
            number += 1
            self._over.wait(PAUSE_S)

    def _tell(self) -> None:
        told = 0
        while not self._over.is_set():
            newest = len(self.started) - 1
            if newest < told:
                self._over.wait(PAUSE_S)
                continue
            execution, told = self.started[newest], newest + 1
            key = f"message-{newest}"
            if self._chance.random() < 0.3:
                reply = self._send("cancel", f"/executions/{execution}/cancel", key, b'{"reason": "test"}')
                answer = reply.json()
                self.cancels[key] = (execution, answer["executionStatus" if reply.status == 409 else "status"])
                continue
            reply = self._send("signal", f"/executions/{execution}/signals/go", key, b'{"payload": {"n": 1}}')
            if reply.status == 409:
                self.refused.append(execution)
            else:
                self.signals[reply.json()["messageId"]] = execution

    def _publish(self) -> None:
        number = 1
        while not self._over.is_set():
            label = f"1.0.{number}"
            text = workflow("busy", label).encode()
            reply = self._send("publish", "/workflows", f"publish-{number}", text, "application/yaml")
            assert reply.status in (200, 201), reply.body
            self.published[label] = reply.json()["contentHash"]
            number += 1
            self._over.wait(10 * PAUSE_S)
