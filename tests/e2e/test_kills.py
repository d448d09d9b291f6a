"""Twenty kills at random moments lose nothing that was acknowledged, and repeat nothing that was recorded."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from millrace.base.errors import Unavailable
from millrace.base.ids import idempotency_key
from tests.e2e.demo import Demo, demo
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
KILLS = 20
SEED = 20
BRANCHES = 4

HEAD = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: NAME}
spec:
  version: 1.0.VERSION
  input: {type: object, required: [url, number], properties: {url: {type: string}, number: {type: integer}}}
  tasks:
"""
CALL = """\
    - id: ID
      dependsOn: [AFTER]
      type: http
      request: {method: POST, url: "{{input.url}}/slow?ms=MS", body: {number: "{{input.number}}"}}
      retry: {maxAttempts: 30, interval: 50ms}
"""


def call(name: str, after: str, milliseconds: int) -> str:
    return CALL.replace("ID", name, 1).replace("AFTER", after).replace("MS", str(milliseconds))


def workflow(name: str = "mixed", version: int = 0) -> str:
    """First one call, then four beside each other, then a transform and a last call."""
    text = HEAD.replace("NAME", name).replace("VERSION", str(version)) + call("first", "", 20)
    text += "".join(call(f"branch-{index}", "first", 10 + 25 * index) for index in range(BRANCHES))
    text += "    - id: shape\n      type: transform\n      input: {items: ['{{tasks.branch-3.output.status}}']}\n"
    text += "      transform: [{map: {status: '{{item}}'}}]\n"
    text += call("last", ", ".join(["shape", *(f"branch-{index}" for index in range(BRANCHES))]), 10)
    return text + "  output: {number: '{{input.number}}', status: '{{tasks.last.output.status}}'}\n"


class Caller(threading.Thread):
    """Publishes, starts and signals as fast as it is answered, and remembers what was acknowledged."""

    def __init__(self, server: Server, shop: Demo) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.shop = shop
        self.started: dict[int, str] = {}
        self.published: list[str] = []
        self.pause = threading.Event()
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
        if number % 7 == 3:
            answer = self.server.client.publish("Workflow", workflow(f"other-{number}").encode(), media="yaml")[1]
            self.published.append(str(answer["name"]))
        value = {"input": {"url": self.shop.url, "number": number}}
        reply = self.server.call(
            "POST", "/workflows/mixed/executions", value=value, headers={"idempotency-key": f"k{number}"}
        )
        assert reply.status in {200, 202}, reply.body
        self.started[number] = str(reply.json()["id"])


def test_twenty_kills_lose_nothing_and_repeat_nothing_recorded(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with demo() as shop, Server(tmp_path / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        server.publish(workflow())
        caller = Caller(server, shop)
        caller.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.6))
            server.kill()
            server.start()
        caller.ended.set()
        caller.join()
        finished = {number: server.wait(identifier, seconds=120) for number, identifier in caller.started.items()}
        assert KILLS <= len(finished)
        # An attempt that three processes in a row have died of is given up, as documented; nothing else may fail.
        unlucky = {number for number, found in finished.items() if found["status"] == "failed"}
        assert {"driver_crash"} >= {finished[number]["error"]["kind"] for number in unlucky}
        assert len(finished) > 10 * len(unlucky)
        good = {number: found["output"] for number, found in finished.items() if number not in unlucky}
        assert {number: {"number": number, "status": 200} for number in good} == good
        assert len(finished) == len({execution["id"] for execution in finished.values()})
        _nothing_is_repeated_that_was_recorded(shop, list(finished.values()))
        for name in caller.published:
            assert name == server.client.call("GET", f"/workflows/{name}")[1]["name"]
        assert 0 == server.stop()


def _nothing_is_repeated_that_was_recorded(shop: Demo, executions: list[dict[str, Any]]) -> None:
    recorded = {
        idempotency_key(execution["id"], path): task
        for execution in executions
        for path, task in execution["tasks"].items()
        if path != "shape"
    }
    seen = shop.attempts_by_key()
    assert [] == [key for key, task in recorded.items() if task["status"] == "succeeded" and not seen[key]]
    assert [] == [(key, seen[key], task) for key, task in recorded.items() if seen[key] > task["attempts"]]
    assert set(seen) <= set(recorded)


def test_300_executions_started_at_once_all_finish(tmp_path: Path) -> None:
    with demo() as shop, Server(tmp_path / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        server.publish(workflow())
        identifiers = [
            server.call("POST", "/workflows/mixed/executions", value={"input": {"url": shop.url, "number": n}}).json()[
                "id"
            ]
            for n in range(300)
        ]
        outputs = [server.wait(identifier, seconds=240).get("output") for identifier in identifiers]
        assert [{"number": number, "status": 200} for number in range(300)] == outputs
        assert {1} == set(shop.attempts_by_key().values())
