"""Random worlds of executions that share places: nobody has one too many, nobody is forgotten, whatever goes wrong."""

from __future__ import annotations

import pytest

from .places import play
from .places_mutants import MUTANTS, Mutant
from .playing import shows, sound, traced
from .seeds import succeeded

CHUNK = 300
CHUNKS = 3


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_worlds_that_share_places_keep_the_invariants(first: int) -> None:
    successes = started = granted = queued = 0
    for world in sound(play, first, CHUNK):
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
        assert shows(play)


def test_a_seed_of_places_plays_the_same_way_twice() -> None:
    assert traced(play(34)[0]) == traced(play(34)[0])
