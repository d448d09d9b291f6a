"""From one number to one world, and what it may not show."""

from __future__ import annotations

import random

from millrace.store.executions import summary_key

from .breakers import guarded, service
from .faults import Faults
from .graphs import RETRY, SLOW, WAITS, make_plan, random_edges
from .invariants import judge_end
from .world import SCOPE, Options, World


def build(seed: int) -> World:
    rng = random.Random(seed)
    plans = []
    for _ in range(rng.choice((1, 1, 2))):
        edges = random_edges(rng, 6)
        names = list(edges)
        plans.append(
            make_plan(
                edges,
                retry=rng.choice((RETRY, SLOW)),
                parallel_limit=rng.choice((None, None, 1, 2)),
                skips=[name for name in names if rng.random() < 0.08],
                pure=[name for name in names if rng.random() < 0.15],
                waits={name: rng.choice(list(WAITS)) for name in names if rng.random() < 0.12},
                priorities={name: rng.randint(0, 3) for name in names},
            )
        )
    called = service(random.Random(seed + 4))
    if called is not None:
        plans = [guarded(plan, called) for plan in (*plans, plans[0], plans[0])]
    exclusive = rng.random() < 0.3
    options = Options(
        plans=plans,
        exclusive=exclusive,
        signals=rng.choice((0, 1, 4)),
        cancels=rng.choice((0.0, 0.0, 0.0, 0.5)),
        failing=rng.choice((0.0, 0.1, 0.3)),
        double_start=0.0 if exclusive else rng.choice((0.0, 0.5)),
        lost_wake=rng.choice((0.0, 0.3)),
        clock_jumps=rng.choice((0, 0, 2)),
        lose_snapshots=rng.choice((0.0, 0.5)),
        lease_ms=rng.choice((30_000, 2_000)),
        snapshot_events=rng.choice((1_000, 2, 5)),
        output_bytes=rng.choice((0, 0, 0, 70_000)),
        service=called,
        attempt_s=0.5 if called is None else called.attempt_s,
    )
    faults = Faults(
        random.Random(seed + 2),
        before=rng.choice((0.0, 0.05)),
        lost=rng.choice((0.0, 0.05, 0.2)),
        vanished=rng.choice((0.0, 0.05)),
        die=rng.choice((0.0, 0.02, 0.06)),
        pause=0.0 if exclusive else rng.choice((0.0, 0.03)),
        pause_s=rng.choice((50.0, 6.0)),
        latency_s=rng.choice((0.01, 0.01, 1.0)),
        stall=0.0 if exclusive else random.Random(seed + 5).choice((0.0, 0.0, 0.02)),
    )
    world = World(seed, options, faults)
    if rng.random() < 0.5:
        lag = random.Random(seed + 3)
        world.store.index_lag = lambda: lag.randint(0, 6)
    return world


def play(seed: int) -> tuple[World, list[str]]:
    """Run one seed to its end; the violations are empty when all is well."""
    world = build(seed)
    world.run()
    return world, judge_end(world)


def succeeded(world: World) -> int:
    """How many executions of a world ended with success."""
    count = 0
    for execution in world.record.started:
        item = world.store.get(SCOPE, summary_key(execution))
        count += item is not None and item.attrs["status"] == "succeeded"
    return count
