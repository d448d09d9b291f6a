"""Worlds of executions of several tenants that share pools of places, and from one number to one of them.

As with places under keys, they are asked for in one order along what stands around them: those that begin with `g` by
workflows, those with `h` by tasks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from .compositions import plan_of
from .faults import Faults
from .nested_invariants import judge_nested
from .places import PlacesWorld, random_workflow, world_of
from .places_invariants import judge_places
from .pools_invariants import PoolLedger
from .world import Options

OUTER = ("a1", "g2", "g3")
INNER = ("h2", "h2", "h3")


class PoolsWorld(PlacesWorld):
    """The ledger knows the places of pools as well."""

    def __init__(self, seed: int, options: Options, faults: Faults, inputs: Sequence[Any]) -> None:
        super().__init__(seed, options, faults, inputs)
        self.ledger = PoolLedger(self)


def build(seed: int) -> PlacesWorld:
    rng = random.Random(seed)
    documents = [random_workflow(rng, OUTER, INNER) for _ in range(rng.choice((1, 2)))]
    plans = [plan_of(rng.choice(documents)) for _ in range(rng.choice((3, 4, 5)))]
    tenants = [rng.choice(("t1", "t2", "t2", "t3")) for _ in plans]
    inputs = [{"tenant": tenant, "weight": int(tenant[1])} for tenant in tenants]
    return world_of(PoolsWorld, seed, rng, plans, inputs)


def play(seed: int) -> tuple[PlacesWorld, list[str]]:
    """Run one seed to its end; the violations are empty when all is well."""
    world = build(seed)
    world.run()
    return world, [*judge_nested(world), *judge_places(world)]
