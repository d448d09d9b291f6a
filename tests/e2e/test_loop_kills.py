"""A long loop whose server is killed: exactly what was not over runs again, in order, in bounded memory.

`LOOP_ITEMS=10000` runs it at the size that is reported in documents; the default suits every day.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from millrace.base.ids import idempotency_key
from tests.e2e.demo import Demo, demo
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
ITEMS = int(os.environ.get("LOOP_ITEMS", "1000"))
KILLS = 3
WINDOW = 7
MOST_MIB = 300

WORKFLOW = f"""\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {{name: long-loop}}
spec:
  version: 1.0.0
  input:
    type: object
    required: [url, rows]
    properties: {{url: {{type: string}}, rows: {{type: array, items: {{type: object}}}}}}
  tasks:
    - id: loop
      forEach: {{items: "{{{{input.rows}}}}", as: row, index: at, maxParallel: {WINDOW}, tolerate: {{failures: "2%"}}}}
      tasks:
        - id: call
          type: http
          request: {{method: POST, url: "{{{{input.url}}}}{{{{row.path}}}}", body: {{at: "{{{{at}}}}"}}}}
          retry: {{maxAttempts: 10, interval: 20ms, retryOn: [network]}}
          output: {{at: "{{{{output.body.body.at}}}}"}}
  output: "{{{{tasks.loop.output.map(one, one.status == 'succeeded' ? one.output.call.at : -1)}}}}"
"""


def fails(at: int) -> bool:
    """One in a hundred."""
    return at % 100 == 57


def memory_mib(server: Server) -> float:
    """The server's largest resident size so far."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def events_of(server: Server, execution: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = "-1"
    while True:
        page = server.call("GET", f"/executions/{execution}/events?limit=1000&after={after}").json()
        if not page["items"]:
            return found
        found += page["items"]
        after = page["next"]


def progressed(shop: Demo, count: int) -> None:
    """Until the demo service has seen so many calls."""
    deadline = time.monotonic() + 300
    while sum(shop.attempts_by_key().values()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_killed_loop_runs_exactly_what_was_not_over_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"path": "/orders/0/charge" if fails(at) else "/echo"} for at in range(ITEMS)]
    began = time.monotonic()
    with demo() as shop, Server(tmp_path / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        server.publish(WORKFLOW)
        value = {"input": {"url": shop.url, "rows": rows}}
        execution = str(server.call("POST", "/workflows/long-loop/executions", value=value).json()["id"])
        for kill in range(KILLS):
            progressed(shop, ITEMS * (kill + 1) // (KILLS + 1))
            server.kill()
            server.start()
        view = server.wait(execution, seconds=600)
        assert "succeeded" == view["status"], view.get("errorMessage")
        assert [-1 if fails(at) else at for at in range(ITEMS)] == view["output"]
        events = events_of(server, execution)
        again = _runs_again_only_what_was_not_over(events, shop.attempts_by_key(), execution)
        _never_more_than_the_window(events)
        size = len(server.call("GET", f"/executions/{execution}").body)
        most = memory_mib(server)
        assert most < MOST_MIB
        assert 0 == server.stop()
    with capsys.disabled():
        print(
            f"\n{ITEMS} items, {KILLS} kills: {again} attempts repeated, {len(events)} events, {most:.0f} MiB at most, "
            f"{size // 1024} KiB shown, {time.monotonic() - began:.0f} s"
        )


def _runs_again_only_what_was_not_over(events: list[dict[str, Any]], seen: Counter[str], execution: str) -> int:
    """How many attempts were repeated: each because a kill had met the one before."""
    unknown = Counter(event["path"] for event in events if event["type"] == "AttemptUnknown")
    started = Counter(event["path"] for event in events if event["type"] == "AttemptStarted")
    over: set[str] = set()
    for event in events:
        if event["type"] == "TaskFinished":
            assert event["path"] not in over
            over.add(event["path"])
        elif event["type"] == "AttemptStarted":
            assert event["path"] not in over
    paths = [f"loop[{at}]/call" for at in range(ITEMS)]
    assert {*paths, "loop"} == over
    assert sum(unknown.values()) <= KILLS * WINDOW
    failures = sum(fails(at) for at in range(ITEMS))
    assert {path: 1 + unknown[path] for path in paths} == {path: started[path] for path in paths}
    keys = {idempotency_key(execution, path): path for path in paths}
    assert set(seen) <= set(keys)
    assert ITEMS - failures <= len(seen)
    assert [] == [path for key, path in keys.items() if seen[key] > started[path]]
    return sum(started.values()) - ITEMS


def _never_more_than_the_window(events: list[dict[str, Any]]) -> None:
    under_way: set[str] = set()
    # In order of time, since every lane has a log of its own; what ends at a moment makes room for what begins then.
    for event in sorted(events, key=lambda one: (one["at"], one["type"] == "AttemptStarted")):
        if event["type"] == "AttemptStarted":
            under_way.add(event["path"])
        elif event["type"] == "TaskFinished":
            under_way.discard(event["path"])
        assert len(under_way) <= WINDOW
