"""Twenty kills -9 while loops, other workflows, breakers, fallbacks, shared places and handlers are under way."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from millrace.base.ids import idempotency_key
from tests.e2e.composed_workload import ComposedCaller, documents
from tests.e2e.demo import demo
from tests.e2e.server import Server
from tests.e2e.test_kill import listed
from tests.e2e.test_loop_kills import events_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
KILLS = 20
SEED = 7
Events = list[dict[str, Any]]


def test_twenty_kills_of_composed_workflows_lose_nothing_and_repeat_nothing_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    with demo() as shop, Server(tmp_path / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        for text in documents():
            server.publish(text)
        caller = ComposedCaller(server, shop)
        caller.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 0.8))
            server.kill()
            server.start()
        caller.ended.set()
        caller.join()
        ends = {number: server.wait(execution, seconds=240) for number, execution in caller.started.items()}
        everybody = sorted(listed(server))
        for execution in everybody:
            server.wait(execution, seconds=60)
        logs = {execution: events_of(server, execution) for execution in everybody}
        seen = shop.attempts_by_key()
        assert 0 == server.stop()
    assert KILLS <= len(ends)
    _every_end_is_right(ends)
    _every_execution_has_one_history(logs, set(caller.started.values()))
    repeated, open_ = _no_attempt_is_unaccounted_for(logs, seen)
    kinds = Counter(event["type"] for events in logs.values() for event in events)
    for kind in ("ChildFinished", "SlotGranted", "SlotReleased", "ScopeOpened", "OutcomeDecided", "AttemptUnknown"):
        assert kinds[kind] > 10, kinds
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {len(ends)} executions and {len(logs) - len(ends)} that they started, "
            f"{sum(map(len, logs.values()))} events, {kinds['SlotGranted']} places; {repeated} attempts repeated, "
            f"{open_} in flight at a kill or cancel"
        )


def _every_end_is_right(ends: dict[int, dict[str, Any]]) -> None:
    statuses = Counter(found["status"] for found in ends.values())
    assert statuses["succeeded"] >= len(ends) // 2, statuses
    for number, found in ends.items():
        if found["status"] == "succeeded":
            assert {"number": number, "shipped": 3} == found["output"]
            assert found["tasks"]["guarded"]["degraded"]
            assert "succeeded" == found["tasks"]["finally/clean"]["status"]
        elif found["status"] == "cancelled":
            assert 4 == number % 5
        else:  # what three processes in a row have died of is given up, as documented; nothing else may fail
            assert "driver_crash" == found["error"]["kind"], found


def _every_execution_has_one_history(logs: dict[str, Events], started: set[str]) -> None:
    """Each was started by a caller, or by one try of a task, and is over once."""
    tries = {event["child"] for events in logs.values() for event in events if event["type"] == "ChildStarted"}
    began = {execution: events[0] for execution, events in logs.items()}
    parents = Counter(
        (first["parent"]["execution"], first["parent"]["path"]) for first in began.values() if first.get("parent")
    )
    assert set(logs) == started | {execution for execution, first in began.items() if first.get("parent")}
    assert tries <= set(logs)
    for (execution, path), count in parents.items():
        waits = [one for one in logs[execution] if one["type"] == "WaitStarted" and one["path"] == path]
        assert count <= len(waits), (execution, path)
    for execution, events in logs.items():
        assert ["ExecutionFinished"] == [one["type"] for one in events if one["type"] == "ExecutionFinished"]
        assert "ExecutionFinished" == events[-1]["type"], execution
        granted = {one["path"] for one in events if one["type"] == "SlotGranted" and not one.get("shared")}
        released = Counter(one["path"] for one in events if one["type"] == "SlotReleased")
        assert granted <= set(released), execution
        assert {1} >= set(released.values())


def _no_attempt_is_unaccounted_for(logs: dict[str, Events], seen: Counter[str]) -> tuple[int, int]:
    """Attempts that the service saw against those of all histories; answers how many were repeated, and how many have
    no result."""
    keys: set[str] = set()
    open_ = repeated = results = 0
    for execution, events in logs.items():
        cancelled = any(event["type"] == "CancelRequested" for event in events)
        for path in {event["path"] for event in events if event["type"] == "AttemptStarted"}:
            kinds = [event["type"] for event in events if event.get("path") == path]
            began, ended = kinds.count("AttemptStarted"), kinds.count("AttemptFinished")
            unknown = kinds.count("AttemptUnknown")
            cut = int(cancelled and began > ended + unknown)
            key = idempotency_key(execution, path)
            keys.add(key)
            assert seen[key] <= began == ended + unknown + cut, (execution, path)
            last = len(kinds) - 1 - kinds[::-1].index("TaskFinished")
            assert "AttemptStarted" not in kinds[last:]
            refused = sum(
                event["type"] == "AttemptFinished"
                and event["path"] == path
                and (event.get("failure") or {}).get("kind") == "circuit_open"
                for event in events
            )
            assert ended - refused <= seen[key], (execution, path)
            open_ += unknown + cut
            results += ended - refused
            repeated += max(seen[key] - 1, 0)
    assert set(seen) <= keys
    assert sum(seen.values()) - results <= open_
    return repeated, open_
