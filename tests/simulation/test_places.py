"""Random worlds of executions that share places: nobody has one too many, nobody is forgotten, whatever goes wrong."""

from __future__ import annotations

import pytest

from .places import play
from .places_mutants import MUTANTS, Mutant
from .seeds import succeeded

CHUNK = 300
CHUNKS = 6


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_worlds_that_share_places_keep_the_invariants(first: int) -> None:
    successes = started = granted = queued = 0
    for seed in range(first, first + CHUNK):
        world, violations = play(seed)
        assert [] == violations, f"seed {seed}"
        successes += succeeded(world)
        started += len(world.record.started)
        granted += world.ledger.granted
        queued += world.ledger.queued
    assert started >= 2 * CHUNK
    assert granted >= 2 * started
    assert queued >= 0.5 * started
    assert successes >= 0.5 * started


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_promise_of_places_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant():
        assert any(_is_seen(seed) for seed in range(1000))


def _is_seen(seed: int) -> bool:
    try:
        return bool(play(seed)[1])
    except Exception:  # a log too broken to be read is seen, too
        return True


def test_a_seed_of_places_plays_the_same_way_twice() -> None:
    one, other = play(34)[0], play(34)[0]
    assert [(p.path, p.attempt, p.began) for p in one.record.performed] == [
        (p.path, p.attempt, p.began) for p in other.record.performed
    ]
    assert one.store.writes == other.store.writes > 0
