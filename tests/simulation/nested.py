"""Worlds of executions that hold tasks inside tasks and start other executions, and from one number to one of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from millrace.driver.world import DriverWorld
from millrace.engine.events import ExecutionStarted
from millrace.engine.plan import Plan
from millrace.ports.documents import Op, Put, TenantScope
from millrace.ports.runners import Attempt, Failure, Outcome, TaskFailed
from millrace.store.executions import Message

from .compositions import catalogue, plan_of, random_input, random_workflow
from .faults import Faults, Process
from .nested_invariants import judge_nested
from .world import Options, SimRunner, World


class NestedWorld(World):
    """``inputs`` are those of the plans, in their order; ``again`` is the chance of a second cancel. ``created`` holds
    every execution that the store has ever held."""

    def __init__(self, seed: int, options: Options, faults: Faults, inputs: Sequence[Any], again: float = 0.0) -> None:
        super().__init__(seed, options, faults)
        store, self._published = catalogue()
        self.store = store.clone()
        self.inputs = inputs
        self.again = again
        self.created: list[str] = []

    def plan(self, scope: TenantScope, started: ExecutionStarted) -> Plan:
        return self.plans.get(started.workflow) or self._published(scope, started)

    def driver_world(self, process: Process) -> DriverWorld:
        world = super().driver_world(process)
        return replace(world, plans=self.plan, runners={"http": HttpSim(self, process)}, retry_budget=0)

    def input_of(self, number: int) -> Any:
        return self.inputs[number]

    async def client(self, plan: Plan, number: int) -> None:
        await super().client(plan, number)
        for execution in [one for one in self.record.started if one in self.record.cancelled]:
            if self.rng.random() < self.again:
                await asyncio.sleep(self.rng.random() * 2)
                await self._send(execution, Message(id="cancel-2", kind="cancel", reason="again"))

    def _written(self, process: Process, scope: TenantScope, ops: Sequence[Op]) -> None:
        super()._written(process, scope, ops)
        for op in ops:
            if isinstance(op, Put) and op.item.key.sort == "actor" and "void" not in op.item.attrs:
                self.created.append(op.item.key.partition[1])

    def _all_done(self) -> bool:
        return all(self._done(execution) for execution in (*self.record.started, *self.created))


class HttpSim(SimRunner):
    """Fails for good where the address says so, always or every other time, and otherwise as often as the world
    wants."""

    type = "http"

    async def run(self, attempt: Attempt) -> Outcome:
        url = str(attempt.config["url"])
        if "/bad" in url:
            await self._process.stand()
            raise TaskFailed(Failure("http", "404", "simulated", retryable=False))
        await super().run(attempt)
        if "/odd" in url and self._world.rng.random() < 0.5:
            raise TaskFailed(Failure("http", "503", "simulated", retryable=False))
        return Outcome({"status": 200, "body": f"{attempt.path}:{url[-20:]}"})


def troubles(
    seed: int, rng: random.Random, plans: list[Plan], *, signals: Sequence[int], stalls: Sequence[float]
) -> tuple[Options, Faults]:
    """What happens in a world, drawn from ``rng`` in this order: clients, drivers, and what fails. ``signals`` and
    ``stalls`` are what the number of signals and the chance of a driver that stands still are chosen from."""
    exclusive = rng.random() < 0.3
    options = Options(
        plans=plans,
        exclusive=exclusive,
        signals=rng.choice(signals) if signals else 0,
        cancels=rng.choice((0.0, 0.0, 0.7)),
        failing=rng.choice((0.0, 0.1)),
        double_start=0.0 if exclusive else rng.choice((0.0, 0.5)),
        lost_wake=rng.choice((0.0, 0.3)),
        lose_snapshots=rng.choice((0.0, 0.5)),
        lease_ms=rng.choice((30_000, 2_000)),
        snapshot_events=rng.choice((1_000, 2, 7)),
    )
    faults = Faults(
        random.Random(seed + 2),
        before=rng.choice((0.0, 0.05)),
        lost=rng.choice((0.0, 0.05)),
        vanished=rng.choice((0.0, 0.05)),
        die=rng.choice((0.0, 0.005, 0.02)),
        pause=0.0 if exclusive else rng.choice((0.0, 0.01)),
        pause_s=rng.choice((50.0, 6.0)),
        latency_s=rng.choice((0.01, 0.2)),
        stall=0.0 if exclusive else random.Random(seed + 4).choice(stalls),
    )
    return options, faults


def build(seed: int) -> NestedWorld:
    rng = random.Random(seed)
    count = rng.choice((1, 1, 2))
    plans = [plan_of(random_workflow(rng)) for _ in range(count)]
    options, faults = troubles(seed, rng, plans, signals=(0, 0, 3), stalls=(0.0, 0.06, 0.12))
    world = NestedWorld(seed, options, faults, [random_input(rng) for _ in plans], rng.choice((0.0, 0.5)))
    if rng.random() < 0.5:
        lag = random.Random(seed + 3)
        world.store.index_lag = lambda: lag.randint(0, 6)
    return world


def play(seed: int) -> tuple[NestedWorld, list[str]]:
    """Run one seed to its end; the violations are empty when all is well."""
    world = build(seed)
    world.run()
    return world, judge_nested(world)


def started_in(world: NestedWorld) -> set[str]:
    """Every execution, of clients and of executions."""
    return {*world.record.started, *world.created}
