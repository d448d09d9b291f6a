"""A workflow is saved more than a hundred times a minute while it is started again and again: no request fails, and
every execution ends on the version that it began with."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
SAVES = 100
PAUSE_S = 0.3
CLIENTS = 4
FLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {{name: reloaded}}
spec:
  config: {{number: {number}}}
  tasks:
    - {{id: first, type: transform, input: {{items: ["{{{{config.number}}}}"]}}, transform: [{{limit: 1}}]}}
    - {{id: slow, dependsOn: [first], type: http, request: {{url: "{{{{env.DEMO_URL}}}}/slow?ms=200"}}}}
    - id: last
      dependsOn: [slow]
      type: transform
      input: {{items: ["{{{{config.number}}}}"]}}
      transform: [{{limit: 1}}]
  output: {{first: "{{{{tasks.first.output[0]}}}}", last: "{{{{tasks.last.output[0]}}}}"}}
"""
BROKEN = FLOW.replace("type: http", "type: htp")


@contextmanager
def starting(server: Server) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Clients that start executions until the block ends; what each was answered."""
    answers: list[tuple[int, dict[str, Any]]] = []
    over = threading.Event()

    def client() -> None:
        while not over.is_set():
            reply = server.call("POST", "/workflows/reloaded/executions?wait=10s", value={"input": {}})
            answers.append((reply.status, reply.json()))

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client) for _ in range(CLIENTS)]
        yield answers
        over.set()
        for one in running:
            one.result()


def test_in_flight_executions_are_untouched_by_a_hundred_reloads_a_minute(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    file = folder / "reloaded.yaml"
    file.write_text(FLOW.format(number=0))
    with Server(tmp_path / "data", "--watch", str(folder)) as server:
        while server.call("GET", "/workflows/reloaded").status != 200:
            time.sleep(0.05)
        with starting(server) as answers:
            for number in range(1, SAVES + 1):
                text = BROKEN if number % 10 == 5 else FLOW  # a broken file leaves the version before it in force
                file.write_text(text.format(number=number))
                time.sleep(PAUSE_S)
            wanted = SAVES
            while server.call("GET", "/workflows/reloaded").json()["document"]["spec"]["config"]["number"] != wanted:
                time.sleep(0.05)
        published = server.call("GET", "/workflows/reloaded").json()["revision"]
    assert {(200, "succeeded")} == {(status, answer["status"]) for status, answer in answers}
    assert [] == [answer for _, answer in answers if answer["output"]["first"] != answer["output"]["last"]]
    numbers: dict[int, set[int]] = {}
    for _, answer in answers:
        numbers.setdefault(answer["revision"], set()).add(answer["output"]["first"])
    assert {1} == {len(found) for found in numbers.values()}
    assert published > SAVES / 2
    assert len(numbers) > SAVES / 4
    broken = set(range(5, SAVES, 10))
    assert not broken & {number for found in numbers.values() for number in found}
