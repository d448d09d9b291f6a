"""The whole local path, from a start to a finished execution, over SQLite on this disk.

Overhead per task is what is left after the commits themselves, whose time is measured in the same run; floors are
plain asyncio over the same graph, and asyncio with one SQLite commit per task at the same ``synchronous``.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millrace.adapters.files import DirectoryBlobs, FileSecrets
from millrace.adapters.inprocess import InProcessOrchestrator
from millrace.adapters.sqlite import SqliteDocuments
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.engine.events import ExecutionStarted
from millrace.engine.plan import Plan
from millrace.engine.values import inline_value
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Attempt, Outcome
from millrace.services.create_execution import create_execution
from millrace.services.platform import Platform
from millrace.services.slot_leases import SlotLeases
from millrace.store.executions import read_actor

from .graphs import Edges

SCOPE = TenantScope("bench")


class NoopRunner:
    """Does nothing, at once."""

    type = "noop"
    effect = "write"

    def __init__(self, sleep_s: float = 0.0) -> None:
        self.sleep_s = sleep_s
        self.first_at = 0.0

    async def run(self, attempt: Attempt) -> Outcome:
        if not self.first_at:
            self.first_at = time.perf_counter()
        if self.sleep_s:
            await asyncio.sleep(self.sleep_s)
        return Outcome(None)


class Bench:
    """A platform over a store in ``folder`` that runs made-up plans; close it."""

    def __init__(self, folder: Path, *, synchronous: str, sleep_s: float = 0.0) -> None:
        self.documents = SqliteDocuments(folder, synchronous=synchronous)
        self.blobs = DirectoryBlobs(folder / "blobs", sync=synchronous == "FULL")
        clock, random = SystemClock(), SystemRandom()
        self.runner = NoopRunner(sleep_s)
        self.plans: dict[str, Plan] = {}
        self.orchestrator = InProcessOrchestrator(self._world)
        self.platform = Platform(
            documents=self.documents,
            blobs=self.blobs,
            secrets=FileSecrets(folder),
            orchestrator=self.orchestrator,
            clock=clock,
            ids=WorldIds(clock, random, region="local"),
            random=random,
        )
        self.orchestrator.open()

    def _world(self) -> DriverWorld:
        return DriverWorld(
            documents=self.documents,
            blobs=self.blobs,
            clock=self.platform.clock,
            ids=self.platform.ids,
            io=PoolIO(self.documents),
            plans=lambda _scope, started: self.plans[started.workflow],
            runners={"noop": self.runner},
            owner=secrets.token_hex(8),
            exclusive=True,
            slots=SlotLeases(lambda: self.platform),
        )

    def start(self, plan: Plan, name: str) -> str:
        self.plans[name] = plan
        execution = self.platform.ids.new()
        started = ExecutionStarted(
            at=self.platform.clock.now(),
            tenant=SCOPE.tenant,
            namespace="default",
            execution=execution,
            workflow=name,
            revision=1,
            version="1.0.0",
            content_hash=name,
            behaviour_hash=name,
            input=inline_value({}),
        )
        create_execution(self.platform, SCOPE, started, blobs={}, claim=None)
        return execution

    def join(self) -> None:
        """Until no execution has an actor; all of them have ended then."""
        while self.orchestrator.running():
            time.sleep(0.0005)

    def ended(self, execution: str) -> bool:
        actor = read_actor(self.documents, SCOPE, execution)
        return actor is not None and actor.done

    def run(self, plan: Plan, name: str) -> float:
        """Start one execution and wait for its end; may be called from many threads."""
        began = time.perf_counter()
        execution = self.start(plan, name)
        while not self.ended(execution):
            self.orchestrator.wait_end(SCOPE, execution, 0.05)
        return time.perf_counter() - began

    def close(self) -> None:
        self.orchestrator.close()
        self.documents.close()


@dataclass(frozen=True)
class Floors:
    """Seconds: one commit of a small row; plain asyncio per task; asyncio and one commit per task, per task."""

    commit_s: float
    asyncio_s: float
    asyncio_commit_s: float


def commit_s(folder: Path, synchronous: str, *, count: int = 200, size: int = 1_000, rest_s: float = 0.0) -> float:
    """The median time of one commit of a row of ``size`` bytes; each after ``rest_s`` without any, which makes it
    slower, since processor and disk have gone to rest."""
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("CREATE TABLE IF NOT EXISTS t (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID")
    times = []
    for _ in range(count):
        key = secrets.token_hex(16)
        if rest_s:
            time.sleep(rest_s)
        began = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO t VALUES (?, ?)", (key, b"x" * size))
        database.execute("COMMIT")
        times.append(time.perf_counter() - began)
    database.close()
    return statistics.median(times)


async def _walk(edges: Edges, act: Callable[[], None] | None) -> None:
    dependents: list[list[int]] = [[] for _ in edges]
    remaining = [len(needs) for needs in edges]
    for task, needs in enumerate(edges):
        for need in needs:
            dependents[need].append(task)
    done = asyncio.Event()
    left = len(edges)
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def perform(task: int) -> None:
        nonlocal left
        await _nothing()
        if act is not None:
            act()
        left -= 1
        for below in dependents[task]:
            remaining[below] -= 1
            if not remaining[below]:
                begin(below)
        if not left:
            done.set()

    def begin(task: int) -> None:
        made = loop.create_task(perform(task))
        running.add(made)
        made.add_done_callback(running.discard)

    for task, count in enumerate([*remaining]):
        if not count:
            begin(task)
    await done.wait()


async def _nothing() -> None:
    return None


def asyncio_s(edges: Edges) -> float:
    """Plain asyncio over the graph: one task each, started when its needs are done."""
    began = time.perf_counter()
    asyncio.run(_walk(edges, None))
    return time.perf_counter() - began


def asyncio_commit_s(folder: Path, edges: Edges, synchronous: str) -> float:
    """The same with one SQLite commit per task."""
    database = sqlite3.connect(folder / "floor2.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("CREATE TABLE IF NOT EXISTS t (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID")

    def act() -> None:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO t VALUES (?, ?)", (secrets.token_hex(16), b"x" * 500))
        database.execute("COMMIT")

    began = time.perf_counter()
    asyncio.run(_walk(edges, act))
    elapsed = time.perf_counter() - began
    database.close()
    return elapsed
