"""The same worlds with the actors that AWS runs: nothing is broken by faults, and nobody waits in vain without one."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from millrace.driver import advance
from millrace.services import advance_execution

from . import lanes, machines, nested, places, pools, seeds
from . import world as simulated
from .faults import Faults
from .invariants import judge_end
from .lanes import judge_lanes
from .machines import Machines
from .nested_invariants import judge_nested
from .places_invariants import judge_places
from .playing import sound
from .seeds import succeeded
from .world import World

COUNT = 100


def judge_shared(world: Any) -> list[str]:
    return [*judge_nested(world), *judge_places(world)]


FAMILIES: dict[str, tuple[ModuleType, Callable[[Any], list[str]]]] = {
    "tasks": (seeds, judge_end),
    "nested": (nested, judge_nested),
    "lanes": (lanes, judge_lanes),
    "places": (places, judge_shared),
    "pools": (pools, judge_shared),
}


def player(family: str, *, calm: bool, local: bool = False) -> Callable[[int], tuple[World, list[str]]]:
    """Plays a seed of a family on state machines, or in one ``local`` process. Where it is calm nothing fails, is lost
    or comes twice: then every turn has something to do, and the reconciler nothing."""
    module, judge = FAMILIES[family]

    def play(seed: int) -> tuple[World, list[str]]:
        world: World = module.build(seed)
        options = world.options
        options.exclusive = local
        world.machines = None if local else Machines(world)
        if calm:
            world.faults = Faults(random.Random(seed + 2))
            world.store.index_lag = lambda: 0
            options.double_start = options.lost_wake = 0.0
            options.clock_jumps, options.lease_ms = 0, 30_000
        world.run()
        found = judge(world)
        if calm:
            found += [] if world.machines is None else world.machines.pauses
            found += [f"the reconciler had to help {world.restarted} times"] if world.restarted else []
        return world, found

    return play


@pytest.mark.parametrize("family", FAMILIES)
def test_the_invariants_hold_whatever_fails_between_the_turns_of_a_machine(family: str) -> None:
    done = sum(succeeded(world) for world in sound(player(family, calm=False), 0, COUNT))
    assert done >= COUNT // 2


@pytest.mark.parametrize("family", FAMILIES)
def test_where_nothing_fails_no_turn_is_in_vain_and_nobody_needs_the_reconciler(family: str) -> None:
    done = sum(succeeded(world) for world in sound(player(family, calm=True), 0, COUNT))
    assert done >= COUNT // 2


@pytest.mark.parametrize("family", FAMILIES)
def test_where_an_invocation_is_nearly_over_the_next_one_goes_on_at_once(family: str) -> None:
    """An attempt that may take a minute begins in the first second of an invocation, or in the next invocation."""
    with mock.patch.object(machines, "INVOCATION_MS", 66_000):
        worlds = list(sound(player(family, calm=True), 0, COUNT // 2))
    assert 0 < sum(world.machines.cut for world in worlds if world.machines is not None)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_one_process_nobody_needs_the_reconciler_either(family: str) -> None:
    with mock.patch.object(simulated, "LATE_S", (0.0,)):  # a driver that is not late to begin
        done = sum(succeeded(world) for world in sound(player(family, calm=True, local=True), 0, COUNT // 2))
    assert done >= COUNT // 4


@pytest.mark.parametrize("family", ["tasks", "nested", "lanes"])
def test_an_actor_that_goes_on_as_a_fresh_execution_loses_no_time(family: str) -> None:
    with mock.patch.object(advance_execution, "TURNS", 2):
        assert COUNT // 2 == len(list(sound(player(family, calm=True), 0, COUNT // 2)))


@pytest.mark.parametrize("family", ["nested", "lanes", "places"])
def test_an_end_left_to_another_turn_would_be_seen(family: str) -> None:
    play = player(family, calm=True)
    with mock.patch.object(advance, "ENDS", 1):
        assert any(play(seed)[1] for seed in range(COUNT))
