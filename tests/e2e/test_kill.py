"""Twenty kills -9 in the middle of publishes, starts, fan-outs, signals and cancels: nothing acknowledged is missing,
and no task is started again once its result is recorded."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from millrace.base.ids import idempotency_key
from tests.e2e.demo import demo
from tests.e2e.kill_workload import BRANCHES, Workload, workflow
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
KILLS = 20
SEED = 2026
MOMENTS = ("start", "signal", "cancel", "publish", "any")
EFFECTS = ("first", *(f"branch-{number}" for number in range(BRANCHES)), "last")


@dataclass
class Past:
    """An execution that is over, with its whole history."""

    view: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def id(self) -> str:
        identifier: str = self.view["id"]
        return identifier

    def count(self, kind: str, path: str) -> int:
        return sum(event["type"] == kind and event["path"] == path for event in self.events)

    def messages(self, kind: str) -> list[str]:
        return [event["message"] for event in self.events if event["type"] == kind]


def history(server: Server, execution: str) -> list[dict[str, Any]]:
    page = server.call("GET", f"/executions/{execution}/events?limit=1000").json()
    assert page["complete"], execution
    events: list[dict[str, Any]] = page["items"]
    return events


def listed(server: Server) -> Iterator[str]:
    cursor = ""
    while True:
        page = server.call("GET", f"/executions?limit=100{cursor}").json()
        yield from (item["id"] for item in page["items"])
        if page["cursor"] is None:
            return
        cursor = f"&cursor={page['cursor']}"


def test_twenty_kills_lose_nothing_acknowledged_and_restart_nothing_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    restarts = []
    with demo() as shop, Server(tmp_path / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        server.publish(workflow("busy", "1.0.0"))
        load = Workload(server, shop, seed=SEED)
        load.start()
        for number in range(KILLS):
            moment = MOMENTS[number % len(MOMENTS)]
            if moment == "any":
                time.sleep(chance.uniform(0.0, 0.5))
            else:
                load.wait_for(moment)
                time.sleep(chance.uniform(0.0, 0.02))
            server.kill()
            restarts.append(server.start())
        load.stop()
        pasts = {
            number: Past(server.wait(execution, seconds=90), history(server, execution))
            for number, execution in load.started.items()
        }
        assert KILLS <= len(pasts)
        assert sorted(load.started.values()) == sorted(listed(server))
        _every_execution_is_right(pasts)
        _every_message_is_there(load, pasts)
        _every_version_is_there(server, load)
        _every_end_is_counted_once(server, list(pasts.values()))
        repeated, open_ = _no_attempt_is_unaccounted_for(shop.attempts_by_key(), list(pasts.values()))
        assert 0 == server.stop()
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {len(pasts)} executions, {len(load.signals)} signals, {len(load.cancels)} cancels, "
            f"{len(load.published)} versions; {load.unanswered} requests sent again; {repeated} attempts "
            f"repeated, {open_} in flight at a kill or cancel; restart at most {max(restarts):.2f} s, "
            f"mean {sum(restarts) / KILLS:.2f} s"
        )


def _every_execution_is_right(pasts: dict[int, Past]) -> None:
    for number, past in pasts.items():
        status = past.view["status"]
        if status == "succeeded":
            assert {"number": number, "seen": BRANCHES} == past.view["output"]
        elif status == "failed":
            # Three kills met the same attempt: it may be what kills the process, and is given up.
            assert "driver_crash" == past.view["error"]["kind"]
            assert 3 <= max(past.count("AttemptUnknown", path) for path in EFFECTS), past.view
        else:
            assert "cancelled" == status
            assert past.messages("CancelRequested")
    assert len(pasts) // 3 <= sum(past.view["status"] == "succeeded" for past in pasts.values())


def _every_message_is_there(load: Workload, pasts: dict[int, Past]) -> None:
    by_id = {past.id: past for past in pasts.values()}
    for message, execution in load.signals.items():
        assert 1 == by_id[execution].messages("SignalReceived").count(message), (message, execution)
    for message, (execution, answered) in load.cancels.items():
        past = by_id[execution]
        if past.messages("CancelRequested"):
            assert "cancelled" == past.view["status"]
        else:
            assert answered in ("succeeded", "failed"), (message, execution, answered)
    assert load.signals
    assert load.cancels


def _every_version_is_there(server: Server, load: Workload) -> None:
    assert load.published
    for label, content_hash in load.published.items():
        assert content_hash == server.call("GET", f"/workflows/busy/versions/{label}").json()["contentHash"]


def _every_end_is_counted_once(server: Server, pasts: list[Past]) -> None:
    """The statistics, whose consumer died with the server each time, agree with the histories."""
    ends = Counter(past.view["status"] for past in pasts)
    attempts = sum(past.count("AttemptStarted", path) for past in pasts for path in EFFECTS)
    deadline = time.monotonic() + 30
    while True:
        found = server.call("GET", "/workflows/busy/statistics").json()
        if found["executions"]["count"] >= len(pasts) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    counts = {name: found["executions"][name] for name in ("count", "failures", "cancelled")}
    assert {"count": len(pasts), "failures": ends["failed"], "cancelled": ends["cancelled"]} == counts
    assert attempts == sum(task["attempts"] for task in found["tasks"])


def _no_attempt_is_unaccounted_for(seen: Counter[str], pasts: list[Past]) -> tuple[int, int]:
    """Attempts the demo service saw against those in the log; answers how many were repeated, and how many have no
    result in the log."""
    expected = {idempotency_key(past.id, path): (past, path) for past in pasts for path in EFFECTS}
    assert set() == set(seen) - set(expected)
    open_ = repeated = results = 0
    for key, (past, path) in expected.items():
        began, ended = past.count("AttemptStarted", path), past.count("AttemptFinished", path)
        unknown = past.count("AttemptUnknown", path)
        cut = int(past.view["status"] == "cancelled" and began > ended + unknown)
        assert seen[key] <= began == ended + unknown + cut, (past.id, path)
        assert ended <= seen[key], (past.id, path)
        kinds = [event["type"] for event in past.events if event.get("path") == path]
        if "TaskFinished" in kinds:
            assert "AttemptStarted" not in kinds[kinds.index("TaskFinished") :]
        if past.view["status"] == "succeeded":
            assert seen[key]
        open_ += unknown + cut
        results += ended
        repeated += max(seen[key] - 1, 0)
    assert sum(seen.values()) - results <= open_
    return repeated, open_
