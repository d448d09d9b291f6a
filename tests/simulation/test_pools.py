"""Random worlds of tenants that share pools: never too many, nobody before their turn, nobody forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from .playing import shows, sound, traced
from .pools import play
from .pools_mutants import MUTANTS, Mutant, Seen, seen_at_once
from .seeds import succeeded

CHUNK = 300
CHUNKS = 2


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_worlds_that_share_pools_keep_the_invariants(first: int) -> None:
    successes = started = granted = queued = 0
    for world in sound(play, first, CHUNK):
        successes += succeeded(world)
        started += len(world.record.started)
        granted += world.ledger.granted
        queued += world.ledger.queued
    assert started >= 3 * CHUNK
    assert granted >= 2 * started
    assert queued >= 0.5 * started
    assert successes >= 0.5 * started


def until_seen(seed: int) -> tuple[Any, list[str]]:
    try:
        return play(seed)
    except Seen as seen:
        return None, [str(seen)]


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_promise_of_pools_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant(), seen_at_once():
        assert shows(until_seen)


def test_a_seed_of_pools_plays_the_same_way_twice() -> None:
    assert traced(play(34)[0]) == traced(play(34)[0])
