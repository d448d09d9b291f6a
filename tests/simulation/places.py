"""Worlds of executions that share places under concurrency keys, and from one number to one of them.

Places are always asked for in one order along what stands around them, `a` before `b` before `c`: a workflow that
takes them in another order can wait for itself, as with any lock.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from millrace.driver.world import DriverWorld
from millrace.engine.plan import Plan
from millrace.ports.documents import Op, TenantScope
from millrace.ports.runners import Attempt, Outcome

from .compositions import Document, held, place, plan_of, workflow
from .faults import Faults, Process
from .nested import HttpSim, NestedWorld
from .nested_invariants import judge_nested
from .places_invariants import Ledger, WatchedSlots, judge_places
from .world import Options


class PlacesWorld(NestedWorld):
    """``ledger`` sees every write of a place, every answer about one, and every call that needs one."""

    def __init__(self, seed: int, options: Options, faults: Faults, inputs: Sequence[Any]) -> None:
        super().__init__(seed, options, faults, inputs)
        self.ledger = Ledger(self)

    def driver_world(self, process: Process) -> DriverWorld:
        world = super().driver_world(process)
        assert world.slots is not None
        return replace(world, runners={"http": HeldSim(self, process)}, slots=WatchedSlots(world.slots, self.ledger))

    def _written(self, process: Process, scope: TenantScope, ops: Sequence[Op]) -> None:
        super()._written(process, scope, ops)
        self.ledger.written(ops)


class HeldSim(HttpSim):
    """Calls whose address says which places have to be held for them."""

    async def run(self, attempt: Attempt) -> Outcome:
        world = self._world
        assert isinstance(world, PlacesWorld)
        await self._process.stand()
        world.ledger.called(self._process, attempt, str(attempt.config["url"]).split("~")[1:])
        return await super().run(attempt)


def alone(rng: random.Random, name: str, around: list[str], key: str) -> Document:
    """One call with a place of its own, or a wait that holds one."""
    on_limit = rng.choice(("queue", "queue", "queue", "cancel", "fail"))
    if rng.random() < 0.25:
        return {"id": name, "wait": {"for": rng.choice(("1s", "15s"))}, **place(key, on_limit)}
    return held(name, *around, key, **place(key, on_limit))


def held_loop(_rng: random.Random, name: str, around: list[str], key: str) -> Document:
    """A loop that holds the place that its body asks for."""
    tasks = [held("one", *around, key, **place(key)), {"id": "rest", "wait": {"for": "11s"}, "dependsOn": ["one"]}]
    each = {"items": "{{[1, 2, 3]}}", "maxParallel": 2}
    return {"id": name, "forEach": each, "tasks": tasks, **place(key)}


def crowd(_rng: random.Random, name: str, around: list[str], key: str) -> Document:
    """A loop whose iterations compete for a place."""
    each = {"items": "{{[1, 2, 3, 4]}}", "maxParallel": 3}
    return {"id": name, "forEach": each, "tasks": [held("one", *around, key, **place(key))]}


def fallen(rng: random.Random, name: str, around: list[str], key: str) -> Document:
    """A task that fails, and keeps its place while something stands in for it."""
    inline = held("x", *around, key, **(place(key) if rng.random() < 0.5 else {}))
    del inline["id"]
    instead: Document = rng.choice(({"task": inline}, {"workflow": f"leaf-{key}"}))
    return held(name, *around, key, what="bad", fallback=instead, **place(key))


def family(rng: random.Random, name: str, around: list[str], key: str) -> Document:
    """Another workflow, which shares the place that this task holds, or asks for one."""
    del around
    task: Document = {"id": name, "workflowRef": rng.choice((f"leaf-{key}", "leaf-c1"))}
    if rng.random() < 0.5:
        task |= place(key)
    if rng.random() < 0.2:
        task["detached"] = True
    elif rng.random() < 0.2:
        task["timeout"] = "20s"
    return task


MAKERS = (alone, alone, alone, held_loop, crowd, fallen, family, family)


def random_workflow(
    rng: random.Random, outer: Sequence[str] = ("a1", "a2"), inner: Sequence[str] = ("b1", "b1", "b2")
) -> Document:
    """One to three tasks that share places, in a workflow that may be limited itself."""
    spec: Document = {}
    around: list[str] = []
    if rng.random() < 0.4:
        around = [rng.choice(outer)]
        spec = place(around[0], rng.choice(("queue", "queue", "queue", "cancel", "fail")))
    key = rng.choice(inner)
    tasks: list[Document] = []
    for number in range(rng.choice((1, 1, 2, 3))):
        task = rng.choice(MAKERS)(rng, f"t{number}", around, key)
        if tasks and rng.random() < 0.4:
            task = {**task, "dependsOn": [rng.choice(tasks)["id"]]}
        if rng.random() < 0.3:
            task = {**task, "continueOnError": True}
        tasks.append(task)
    if rng.random() < 0.4:
        spec["finally"] = [held("clean", *around)]
    if rng.random() < 0.1:
        spec["timeout"] = "30s"
    return workflow("flow", tasks, **spec)


def build(seed: int) -> PlacesWorld:
    rng = random.Random(seed)
    documents = [random_workflow(rng) for _ in range(rng.choice((1, 2)))]
    plans = [plan_of(rng.choice(documents)) for _ in range(rng.choice((2, 3, 4)))]
    return world_of(PlacesWorld, seed, rng, plans, [{} for _ in plans])


def world_of(
    kind: type[PlacesWorld], seed: int, rng: random.Random, plans: list[Plan], inputs: Sequence[Any]
) -> PlacesWorld:
    """A world of executions of ``plans``, with the faults that the seed says."""
    exclusive = rng.random() < 0.3
    options = Options(
        plans=plans,
        exclusive=exclusive,
        cancels=rng.choice((0.0, 0.0, 0.4)),
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
        stall=0.0 if exclusive else rng.choice((0.0, 0.02, 0.06)),
        latency_s=rng.choice((0.01, 0.2)),
    )
    world = kind(seed, options, faults, inputs)
    if rng.random() < 0.5:
        lag = random.Random(seed + 3)
        world.store.index_lag = lambda: lag.randint(0, 6)
    return world


def play(seed: int) -> tuple[PlacesWorld, list[str]]:
    """Run one seed to its end; the violations are empty when all is well."""
    world = build(seed)
    world.run()
    return world, [*judge_nested(world), *judge_places(world)]
