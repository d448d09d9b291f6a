"""A platform in memory for tests of functions: real repositories and adapters, time and ids under control."""

from __future__ import annotations

import itertools
import threading

from millrace.adapters.memory import MemoryBlobs, MemoryDocuments, MemorySecrets
from millrace.base.ids import Millis, lane_name, make_id
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import TenantScope
from millrace.services.caller import Caller
from millrace.services.platform import Platform

START = 1_700_000_000_000


class FakeClock:
    """A millisecond passes with every look."""

    def __init__(self) -> None:
        self._ticks = itertools.count(START)

    def now(self) -> Millis:
        return Millis(next(self._ticks))


class FakeIds:
    def __init__(self) -> None:
        self._numbers = itertools.count()

    def new(self) -> str:
        number = next(self._numbers)
        return make_id(START + number, "local", number)


class FakeRandom:
    def uniform(self) -> float:
        return 0.5

    def bits(self, count: int) -> int:
        return (1 << count) - 1


class NotedOrchestrator:
    """Notes what it is asked for, and runs nothing."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.standard: list[str] = []
        self.told: dict[str, ExecutionStarted] = {}
        self.woken: list[str] = []
        self._lock = threading.Lock()

    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        self.told[started.execution] = started
        self.start(scope, started.execution, 1, short=short)

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        with self._lock:
            self.started.append((scope.tenant, execution))
            if not short:
                self.standard.append(execution)

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        for stream in range(first, first + count):
            self.start(scope, lane_name(execution, stream), 1)

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        with self._lock:
            self.woken.append(execution)


def platform(*, documents: MemoryDocuments | None = None, region: str = "local") -> Platform:
    return Platform(
        documents=documents or MemoryDocuments(),
        blobs=MemoryBlobs(),
        secrets=MemorySecrets(),
        orchestrator=NotedOrchestrator(),
        clock=FakeClock(),
        ids=FakeIds(),
        random=FakeRandom(),
        region=region,
    )


def caller(tenant: str = "acme", principal: str = "ann", namespace: str = "default") -> Caller:
    return Caller(tenant=tenant, principal=principal, roles=frozenset({"admin"}), namespace=namespace)
