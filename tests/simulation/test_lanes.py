"""Random worlds of loops in lanes: the invariants hold whatever goes wrong."""

from __future__ import annotations

import pytest

from .lane_mutants import MUTANTS
from .lanes import play
from .nested_mutants import Mutant
from .playing import shows, sound
from .seeds import succeeded

CHUNK = 300
CHUNKS = 3


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_worlds_with_lanes_keep_the_invariants(first: int) -> None:
    successes = started = lanes = 0
    for world in sound(play, first, CHUNK):
        successes += succeeded(world)
        started += len(world.record.started)
        lanes += len({one for one in world.created if "." in one})
    assert started >= 0.9 * CHUNK
    assert lanes >= started
    assert successes >= 0.3 * started


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_promise_of_lanes_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant():
        assert shows(play)
