"""A workflow in which everything is composed: a loop, another workflow that fails at times, a breaker with a fallback,
places that executions share, handlers."""

from __future__ import annotations

import threading
import time

from millrace.base.errors import Unavailable
from tests.e2e.demo import Demo
from tests.e2e.server import Server

LEAF = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: leaf}
spec:
  version: 1.0.0
  concurrency: {key: leaf, limit: 3}
  input: {type: object, required: [url, number], properties: {url: {type: string}, number: {type: integer}}}
  tasks:
    - {id: look, type: http, request: {method: POST, url: "{{input.url}}/slow?ms=15"}, retry: RETRY}
    - id: once
      dependsOn: [look]
      type: http
      request: {method: POST, url: "{{input.url}}/flaky?fails=1&key=leaf-{{input.number}}"}
  finally:
    - id: clean
      type: http
      request: {method: POST, url: "{{input.url}}/echo", body: "{{execution.status}}"}
      retry: RETRY
  output: {number: "{{input.number}}"}
"""
COMPOSED = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: composed}
spec:
  version: 1.0.0
  concurrency: {key: "group-{{input.number % 4}}", limit: 3}
  input: {type: object, required: [url, number], properties: {url: {type: string}, number: {type: integer}}}
  tasks:
    - id: first
      type: http
      request: {method: POST, url: "{{input.url}}/slow?ms=10"}
      concurrency: {key: shop, limit: 4}
      retry: RETRY
    - id: each
      dependsOn: [first]
      forEach: {items: [0, 1, 2], maxParallel: 2}
      concurrency: {key: loops, limit: 4}
      tasks:
        - id: ship
          type: http
          request: {method: POST, url: "{{input.url}}/slow?ms=20", body: {at: "{{index}}"}}
          concurrency: {key: loops, limit: 4}
          retry: RETRY
    - id: below
      dependsOn: [first]
      workflowRef: leaf
      input: {url: "{{input.url}}", number: "{{input.number}}"}
      retry: {maxAttempts: 12, strategy: constant, interval: 10ms, retryOn: ["*"]}
    - id: guarded
      dependsOn: [first]
      type: http
      request: {method: POST, url: "{{input.url}}/flaky?fails=1000&key=down"}
      circuitBreaker: {key: down, failureThreshold: 3, samplingDuration: 10s, breakDuration: 1s}
      fallback:
        task: {type: http, request: {method: POST, url: "{{input.url}}/echo", body: "{{error.kind}}"}, retry: RETRY}
  onFailure: {type: http, request: {method: POST, url: "{{input.url}}/echo", body: "{{error.kind}}"}, retry: RETRY}
  finally:
    - {id: clean, type: http, request: {method: POST, url: "{{input.url}}/slow?ms=5"}, retry: RETRY}
  output: {number: "{{tasks.below.output.number}}", shipped: "{{size(tasks.each.output)}}"}
"""
RETRY = "{maxAttempts: 30, strategy: constant, interval: 20ms}"


def documents() -> list[str]:
    """The workflow, and before it the one that it starts."""
    return [text.replace("RETRY", RETRY) for text in (LEAF, COMPOSED)]


class ComposedCaller(threading.Thread):
    """Starts them as fast as it is answered, cancels one in five, and remembers what was acknowledged."""

    def __init__(self, server: Server, shop: Demo) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.shop = shop
        self.started: dict[int, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            try:
                self._once(number)
            except Unavailable:  # the server is dead: what it had not acknowledged is sent again with the same key
                time.sleep(0.05)
                continue
            number += 1
            self.ended.wait(0.02)

    def _once(self, number: int) -> None:
        reply = self.server.call(
            "POST",
            "/workflows/composed/executions",
            value={"input": {"url": self.shop.url, "number": number}},
            headers={"idempotency-key": f"k{number}"},
        )
        assert reply.status in {200, 202}, reply.body
        self.started[number] = str(reply.json()["id"])
        if number % 5 == 4:
            try:
                self.server.call("POST", f"/executions/{self.started[number]}/cancel", value={"reason": "test"})
            except Unavailable:  # it may have been heard or not
                return
