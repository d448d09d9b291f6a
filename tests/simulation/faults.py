"""A store, blobs and a world that fail: before a write, after it, or by losing its acknowledgement; and processes
that pause or die between any two operations.

The driver, its committer and the repositories are those of production; only what they stand on is different.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from millrace.adapters.memory import MemoryBlobs, MemoryDocuments
from millrace.base.errors import OutcomeUnknown, StoreUnavailable
from millrace.base.ids import Millis, make_id
from millrace.ports.documents import Op, TenantScope

T = TypeVar("T")
START = 1_767_225_600_000


class Died(BaseException):
    """The process ended here. Nothing it does afterwards has an effect."""


@dataclass
class Faults:
    """What goes wrong. Probabilities per store operation, or ``script``: the exact fault at operation number n.
    ``stall`` is the chance that a process stands still between two calls of its driver."""

    rng: random.Random
    before: float = 0.0
    lost: float = 0.0
    vanished: float = 0.0
    die: float = 0.0
    pause: float = 0.0
    pause_s: float = 50.0
    stall: float = 0.0
    latency_s: float = 0.01
    script: dict[int, str] = field(default_factory=dict)
    active: bool = True
    operations: int = 0

    def draw(self) -> str:
        """``before``, ``lost`` (applied, not acknowledged), ``vanished`` (not applied, not acknowledged),
        ``die-before``, ``die-after``, ``pause-before``, ``pause-after`` or ``none``."""
        self.operations += 1
        if self.script:
            return self.script.get(self.operations, "none")
        if not self.active:
            return "none"
        number = self.rng.random()
        for name, chance in (
            ("before", self.before),
            ("lost", self.lost),
            ("vanished", self.vanished),
            ("die-before", self.die / 2),
            ("die-after", self.die / 2),
            ("pause-before", self.pause / 2),
            ("pause-after", self.pause / 2),
        ):
            if number < chance:
                return name
            number -= chance
        return "none"


class SimClock:
    """Wall time: the loop's virtual time plus a skew that may jump."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.skew = 0

    def now(self) -> Millis:
        return Millis(START + int(self._loop.time() * 1000) + self.skew)


class SimIds:
    def __init__(self, clock: SimClock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng

    def new(self) -> str:
        return make_id(self._clock.now(), "local", self._rng.getrandbits(70))


class Process:
    """One process of the simulated world, its own view of the store, and whether it is alive."""

    def __init__(self, name: str, documents: MemoryDocuments, blobs: MemoryBlobs, faults: Faults) -> None:
        self.name = name
        self.alive = True
        self.paused_until = 0.0
        self.faults = faults
        self.documents = FaultyDocuments(self, documents)
        self.blobs = FaultyBlobs(self, blobs)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.on_write: Callable[[Process, TenantScope, Sequence[Op]], None] = lambda *_: None
        self.on_ack: Callable[[Process, TenantScope, Sequence[Op]], None] = lambda *_: None
        self.on_death: Callable[[Process], None] = lambda _: None

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.on_death(self)

    def spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._quietly(coroutine))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @staticmethod
    async def _quietly(coroutine: Any) -> None:
        try:
            await coroutine
        except Died:
            return

    async def stand(self) -> None:
        """Do not go on while paused; never go on once dead."""
        loop = asyncio.get_running_loop()
        while self.alive and self.paused_until > loop.time():
            await asyncio.sleep(self.paused_until - loop.time())
        if not self.alive:
            await loop.create_future()

    # DriverIO

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        await self.stand()
        if self.faults.stall and self.faults.active and self.faults.rng.random() < self.faults.stall:
            await self._suffer("pause-call", "call")
        await asyncio.sleep(self.faults.rng.random() * self.faults.latency_s)
        await self.stand()
        try:
            return function(*args, **kwargs)
        except Died:
            await self.stand()
            raise

    async def commit(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        await self.stand()
        await asyncio.sleep(self.faults.rng.random() * self.faults.latency_s)
        await self.stand()
        fault = self.faults.draw()
        await self._suffer(fault, "before")
        if fault == "before":
            raise StoreUnavailable("simulated")
        if fault == "vanished":
            raise OutcomeUnknown("simulated")
        self.documents.inner.write(scope, ops)
        self.on_write(self, scope, ops)
        await self._suffer(fault, "after")
        await asyncio.sleep(self.faults.rng.random() * self.faults.latency_s)
        await self.stand()
        if fault == "lost":
            raise OutcomeUnknown("simulated")
        self.on_ack(self, scope, ops)

    async def _suffer(self, fault: str, when: str) -> None:
        if fault == f"die-{when}":
            self.die()
        elif fault == f"pause-{when}":
            self.paused_until = asyncio.get_running_loop().time() + self.faults.pause_s
        await self.stand()


class FaultyDocuments:
    """The Documents port of one process. Reads may fail; writes may fail, die, or lose their acknowledgement."""

    def __init__(self, process: Process, inner: MemoryDocuments) -> None:
        self._process = process
        self.inner = inner

    def _read(self) -> None:
        self._check_alive()
        fault = self._process.faults.draw()
        if fault in ("before", "vanished"):
            raise StoreUnavailable("simulated")
        if fault.startswith("die"):
            self._process.die()
            raise Died

    def _check_alive(self) -> None:
        if not self._process.alive:
            raise Died

    def get(self, *args: Any, **kwargs: Any) -> Any:
        self._read()
        return self.inner.get(*args, **kwargs)

    def batch_get(self, *args: Any, **kwargs: Any) -> Any:
        self._read()
        return self.inner.batch_get(*args, **kwargs)

    def query(self, *args: Any, **kwargs: Any) -> Any:
        self._read()
        return self.inner.query(*args, **kwargs)

    def query_index(self, *args: Any, **kwargs: Any) -> Any:
        self._read()
        return self.inner.query_index(*args, **kwargs)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self._check_alive()
        fault = self._process.faults.draw()
        if fault == "die-before":
            self._process.die()
            raise Died
        if fault == "before":
            raise StoreUnavailable("simulated")
        if fault == "vanished":
            raise OutcomeUnknown("simulated")
        self.inner.write(scope, ops)
        self._process.on_write(self._process, scope, ops)
        if fault == "die-after":
            self._process.die()
            raise Died
        if fault == "lost":
            raise OutcomeUnknown("simulated")
        self._process.on_ack(self._process, scope, ops)

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        future: Future[None] = Future()
        try:
            self.write(scope, ops)
            future.set_result(None)
        except Exception as error:  # handed to whoever waits
            future.set_exception(error)
        return future

    def add(self, *args: Any, **kwargs: Any) -> Any:
        self._check_alive()
        return self.inner.add(*args, **kwargs)

    def batch_put(self, *args: Any, **kwargs: Any) -> Any:
        self._check_alive()
        return self.inner.batch_put(*args, **kwargs)

    def close(self) -> None:
        pass


class FaultyBlobs:
    def __init__(self, process: Process, inner: MemoryBlobs) -> None:
        self._process = process
        self._inner = inner

    def put(self, scope: TenantScope, key: tuple[str, ...], data: bytes) -> None:
        if not self._process.alive:
            raise Died
        fault = self._process.faults.draw()
        if fault == "before":
            raise StoreUnavailable("simulated")
        self._inner.put(scope, key, data)
        if fault == "lost":
            raise OutcomeUnknown("simulated")

    def get(self, scope: TenantScope, key: tuple[str, ...]) -> bytes:
        if not self._process.alive:
            raise Died
        return self._inner.get(scope, key)

    def delete_prefix(self, scope: TenantScope, prefix: tuple[str, ...]) -> int:
        return self._inner.delete_prefix(scope, prefix)

    def keys(self, scope: TenantScope, prefix: tuple[str, ...]) -> Any:
        return self._inner.keys(scope, prefix)
