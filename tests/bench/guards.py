"""What a circuit breaker costs an attempt: asking and telling it alone, and around the tasks of a whole execution.

The floor of the first is a coroutine that does nothing, awaited as often; of the second, the same execution without
breakers in the same store.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.system import SystemClock
from millrace.driver.breakers import BreakerKey, Permit
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.engine.plan import BreakerPolicy, Plan
from millrace.ports.documents import TenantScope

from .graphs import fan_out, make_plan
from .local import Bench

COUNT = 20_000
POLICY = BreakerPolicy("key~bench")


def rows() -> list[dict[str, Any]]:
    return [_alone(), _around()]


def _alone() -> dict[str, Any]:
    documents: Any = MemoryDocuments()
    io = PoolIO(documents)
    bare: dict[str, Any] = dict.fromkeys(("blobs", "ids", "plans"))
    world = DriverWorld(**bare, documents=documents, clock=SystemClock(), io=io, runners={}, owner="bench")
    key = BreakerKey(TenantScope("bench"), "default", POLICY.name)
    breakers = world.guards.breakers

    async def guarded(number: int) -> None:
        permit = await breakers.admit(world, key, POLICY, caller=f"e/t#{number}", limit_ms=1_000)
        assert isinstance(permit, Permit)
        await breakers.report(world, permit, "success")

    async def nothing(_number: int) -> None:
        await _nothing()
        await _nothing()

    floor, found = asyncio.run(_each(nothing)), asyncio.run(_each(guarded))
    io.close()
    return {
        "name": "ask and tell a closed breaker",
        "us": found * 1e6,
        "floor": "two empty awaits",
        "floor_us": floor * 1e6,
        "times": found / floor,
    }


async def _nothing() -> None:
    return None


async def _each(act: Callable[[int], Awaitable[None]]) -> float:
    began = time.perf_counter()
    for number in range(COUNT):
        await act(number)
    return (time.perf_counter() - began) / COUNT


def _around() -> dict[str, Any]:
    plain = make_plan(fan_out(1_000))
    nodes = tuple(replace(node, breaker=POLICY) for node in plain.nodes)
    guarded = replace(plain, nodes=nodes)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), synchronous="NORMAL")
        try:
            floor, found = _best(bench, plain, "plain"), _best(bench, guarded, "guarded")
        finally:
            bench.close()
    return {
        "name": "fan-out 1000, each task with a breaker",
        "us": found * 1e6,
        "floor": "the same without",
        "floor_us": floor * 1e6,
        "times": found / floor,
    }


def _best(bench: Bench, plan: Plan, name: str) -> float:
    """Seconds per task, the best of five executions after one to warm up."""
    bench.run(plan, f"{name} warm")
    return min(bench.run(plan, f"{name} {number}") for number in range(5)) / len(plan.nodes)
