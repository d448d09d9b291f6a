"""One local server under load: every execution finishes with its own output, and a key starts one execution."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace.base.ids import idempotency_key
from millrace.local.client import Reply
from millrace.local.demo_data import ORDERS, USERS
from tests.e2e.demo import Demo, demo
from tests.e2e.load_workload import MIXED, expected, memory_mib
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
EXECUTIONS = 300
CLIENTS = 20
SAME = 200


@contextmanager
def platform(folder: Path) -> Iterator[tuple[Server, Demo]]:
    with demo() as shop, Server(folder / "data", env={"MILLRACE_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}) as server:
        server.publish(MIXED)
        yield server, shop


def start(server: Server, shop: Demo, number: int, **headers: str) -> Reply:
    value = {"input": {"url": shop.url, "number": number}}
    return server.call("POST", "/workflows/mixed/executions", value=value, headers=headers)


def test_300_mixed_executions_from_20_clients_all_finish_with_their_own_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with platform(tmp_path) as (server, shop), ThreadPoolExecutor(CLIENTS) as clients:
        idle = memory_mib(server.pid)
        began = time.monotonic()
        replies = list(clients.map(lambda number: start(server, shop, number), range(EXECUTIONS)))
        started = time.monotonic() - began
        assert {202} == {reply.status for reply in replies}
        identifiers = [reply.json()["id"] for reply in replies]
        assert EXECUTIONS == len(set(identifiers))
        ends = [server.wait(identifier, seconds=180) for identifier in identifiers]
        elapsed = time.monotonic() - began
        assert Counter(succeeded=EXECUTIONS) == Counter(end["status"] for end in ends)
        orders = list(ORDERS.values())
        assert [expected(number, USERS, orders) for number in range(EXECUTIONS)] == [end["output"] for end in ends]
        assert [2] * EXECUTIONS == [end["tasks"]["flaky"]["attempts"] for end in ends]
        odd = [end["tasks"]["even"]["status"] for end in ends[1::2]]
        assert ["skipped"] * (EXECUTIONS // 2) == odd
        calls = {"flaky": 2, "join": 1}
        seen = shop.attempts_by_key()
        for end in ends:
            assert calls == {path: seen[idempotency_key(end["id"], path)] for path in calls}
        full = memory_mib(server.pid)
        counted = _statistics(server, EXECUTIONS)
        assert EXECUTIONS == counted["executions"]["count"]
        tasks = {task["task"]: (task["count"], task["skipped"], task["attempts"]) for task in counted["tasks"]}
        assert (EXECUTIONS, 0, 2 * EXECUTIONS) == tasks["flaky"]
        assert (EXECUTIONS // 2, EXECUTIONS // 2, EXECUTIONS // 2) == tasks["even"]
        assert (EXECUTIONS, 0, 0) == tasks["totals"]
        assert 0 == server.stop()
    with capsys.disabled():
        print(
            f"\n{EXECUTIONS} executions from {CLIENTS} clients: started in {started:.1f} s, done in {elapsed:.1f} s "
            f"({EXECUTIONS / elapsed:.0f}/s); server at {idle:.0f} MiB idle, {full:.0f} MiB at the end"
        )


def _statistics(server: Server, executions: int) -> dict[str, Any]:
    """The workflow's statistics once the feed has brought everything."""
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = server.call("GET", "/workflows/mixed/statistics").json()
        if found["executions"]["count"] >= executions or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_200_concurrent_starts_with_one_key_are_one_execution(tmp_path: Path) -> None:
    with platform(tmp_path) as (server, shop), ThreadPoolExecutor(CLIENTS) as clients:
        replies = list(clients.map(lambda _: start(server, shop, 7, **{"Idempotency-Key": "once"}), range(SAME)))
        answers = Counter(reply.json().get("id", reply.json().get("code")) for reply in replies)
        identifier = start(server, shop, 7, **{"Idempotency-Key": "once"}).json()["id"]
        assert {identifier, "idempotency-pending"} >= set(answers)
        assert SAME // 2 < answers[identifier]
        assert "succeeded" == server.wait(identifier)["status"]
        assert [identifier] == [item["id"] for item in server.call("GET", "/executions").json()["items"]]
        other = start(server, shop, 8, **{"Idempotency-Key": "once"})
        assert (422, "idempotency-mismatch") == (other.status, other.json()["code"])
