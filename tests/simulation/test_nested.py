"""Random worlds of tasks inside tasks and executions that start executions: the invariants hold whatever goes wrong."""

from __future__ import annotations

import pytest

from .nested import play
from .nested_mutants import MUTANTS, Mutant
from .playing import shows, sound, traced
from .seeds import succeeded

CHUNK = 400
CHUNKS = 4


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_nested_worlds_keep_the_invariants(first: int) -> None:
    successes = started = created = 0
    for world in sound(play, first, CHUNK):
        successes += succeeded(world)
        started += len(world.record.started)
        created += len(set(world.created))
    assert started >= CHUNK
    assert created >= 2 * started
    assert successes >= 0.5 * started


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_promise_of_nesting_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant():
        assert shows(play)


def test_a_nested_seed_plays_the_same_way_twice() -> None:
    assert traced(play(34)[0]) == traced(play(34)[0])
