"""Wiring of the driver function: a platform, the world that drivers touch, and one loop per sandbox.

Kept apart from `millrace.wiring.aws`, since the runners and their HTTP client are needed by this function alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct, field
from msgspec.structs import replace

from millrace.base.limits import ATTEMPT_TIMEOUT_MS, SLEEP_IN_DRIVER_MS
from millrace.driver.loop import DriverLoop
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.ports.runners import Runner
from millrace.services.child_executions import ChildExecutions
from millrace.services.loop_lanes import LoopLanes
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.slot_leases import SlotLeases
from millrace.wiring import current
from millrace.wiring.settings import Settings, read_settings

INVOCATION_MARGIN_MS: Final = 2_000
"""Kept back of an invocation's remaining time for answering and freezing."""
STOOD_STILL_MS: Final = 4_000
"""How long HTTP connections are kept that nobody uses; a test compares it with the pool's own time."""


@runtime_checkable
class Closable(Protocol):
    """A runner that keeps connections."""

    def aclose(self) -> Coroutine[Any, Any, None]: ...


class Rest:
    """How many invocations run in a sandbox (one, on Lambda), and since when none did, in ms since the epoch."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.since = 0


class Driving(Struct, frozen=True):
    """``world`` serves every invocation of the sandbox; each takes a copy with an owner of its own."""

    platform: Platform
    world: DriverWorld
    loop: DriverLoop = field(default_factory=DriverLoop)
    rest: Rest = field(default_factory=Rest)

    def owned(self, invocation: str) -> DriverWorld:
        """The world of one invocation, whose id names the owner in leases and segments."""
        return replace(self.world, owner=f"lambda-{invocation}")

    def deadline(self, remaining_ms: int, budget_ms: int | None = None) -> int:
        """When an invocation must answer, in ms since the epoch. ``budget_ms`` is the caller's own limit."""
        left = remaining_ms - INVOCATION_MARGIN_MS
        return self.platform.clock.now() + (left if budget_ms is None else min(left, budget_ms))

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Around an invocation. Connections that an earlier one left are closed if the sandbox may have stood still: a
        server that hung up meanwhile may not be noticed before a request is lost, and the pool's own clock may have
        stood still too."""
        with self.rest.lock:
            self.rest.running += 1
            alone, slept = self.rest.running == 1, self.platform.clock.now() - self.rest.since
            if alone and slept > STOOD_STILL_MS:
                self.forget_connections()
        try:
            yield
        finally:
            with self.rest.lock:
                self.rest.running -= 1
                self.rest.since = self.platform.clock.now()

    def forget_connections(self) -> None:
        """Close the connections that the runners keep."""
        for runner in self.world.runners.values():
            if isinstance(runner, Closable):
                self.loop.run(runner.aclose())

    def close(self) -> None:
        """End the loop with the connections that live on it. A sandbox is never closed; tests are."""
        self.forget_connections()
        self.loop.close()
        if isinstance(self.world.io, PoolIO):
            self.world.io.close()


def open_driving(platform: Platform, settings: Settings) -> Driving:
    """The driver of a sandbox over its platform."""
    from millrace.adapters.functions import CloudFunctions, LambdaRunner
    from millrace.adapters.functions.workers import WORKERS
    from millrace.adapters.http import Gate, HttpRunner, Policy, Transport, parse_allow_hosts
    from millrace.wiring.aws import client_of

    gate = Gate(Policy(allow=parse_allow_hosts(",".join(settings.allow_hosts))))
    # Tried once: whether a function is called again is the task's own policy, and every call may have an effect.
    # A function may be silent for minutes, longer than networks keep connections on which nothing is said.
    client = client_of("lambda", settings, read_s=ATTEMPT_TIMEOUT_MS // 1000, tries=1, pool=WORKERS, alive=True)
    runners: list[Runner] = [
        HttpRunner(Transport(gate), secrets=platform.secrets, clock=platform.clock),
        LambdaRunner(CloudFunctions(client)),
    ]
    world = DriverWorld(
        documents=platform.documents,
        blobs=platform.blobs,
        clock=platform.clock,
        ids=platform.ids,
        io=PoolIO(platform.documents),
        plans=PlanSource(platform.documents),
        runners={runner.type: runner for runner in runners},
        owner="lambda",
        linger_ms=SLEEP_IN_DRIVER_MS,
        retry_budget=settings.retry_budget,
        children=ChildExecutions(lambda: platform),
        slots=SlotLeases(lambda: platform),
        lanes=LoopLanes(lambda: platform),
    )
    return Driving(platform, world)


class _Holder:
    """The one place of the process that remembers a driver."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.driving: Driving | None = None


_HOLDER: Final = _Holder()


def driving() -> Driving:
    """The driver of this process, made from the environment at the first call. Raises InvalidRequest as `current`."""
    with _HOLDER.lock:
        if _HOLDER.driving is None:
            _HOLDER.driving = open_driving(current(), read_settings(os.environ))
        return _HOLDER.driving


def use_driving(given: Driving | None) -> None:
    """Make this the driver of the process; None forgets it."""
    with _HOLDER.lock:
        _HOLDER.driving = given
