"""Random worlds: whatever goes wrong, the invariants hold, and enough executions succeed to mean something."""

from __future__ import annotations

import pytest

from .mutants import MUTANTS, Mutant
from .playing import shows, sound, traced
from .seeds import play, succeeded

CHUNK = 500
CHUNKS = 2
"""`make proof` plays 10,000 seeds, without pytest around them."""


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_invariants_hold_in_every_seeded_world(first: int) -> None:
    successes = executions = 0
    for world in sound(play, first, CHUNK):
        successes += succeeded(world)
        executions += len(world.record.started)
    assert executions >= CHUNK
    assert successes >= 0.6 * executions


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_guarantee_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant():
        assert shows(play)


def test_a_seed_plays_the_same_way_twice() -> None:
    assert traced(play(7)[0]) == traced(play(7)[0])
