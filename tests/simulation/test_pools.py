"""Random worlds of tenants that share pools: never too many, nobody before their turn, nobody forgotten."""

from __future__ import annotations

import pytest

from .pools import play
from .pools_mutants import MUTANTS, Mutant, Seen, seen_at_once
from .seeds import succeeded

CHUNK = 300
CHUNKS = 4


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_worlds_that_share_pools_keep_the_invariants(first: int) -> None:
    successes = started = granted = queued = 0
    for seed in range(first, first + CHUNK):
        world, violations = play(seed)
        assert [] == violations, f"seed {seed}"
        successes += succeeded(world)
        started += len(world.record.started)
        granted += world.ledger.granted
        queued += world.ledger.queued
    assert started >= 3 * CHUNK
    assert granted >= 2 * started
    assert queued >= 0.5 * started
    assert successes >= 0.5 * started


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_promise_of_pools_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant(), seen_at_once():
        assert any(_is_seen(seed) for seed in range(1000))


def _is_seen(seed: int) -> bool:
    try:
        return bool(play(seed)[1])
    except (Seen, Exception):  # a log too broken to be read is seen, too
        return True
