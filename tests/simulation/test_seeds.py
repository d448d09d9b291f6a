"""Random worlds: whatever goes wrong, the invariants hold, and enough executions succeed to mean something."""

from __future__ import annotations

import pytest

from .mutants import MUTANTS, Mutant
from .seeds import play, succeeded

CHUNK = 500
CHUNKS = 20


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_invariants_hold_in_every_seeded_world(first: int) -> None:
    successes = executions = 0
    for seed in range(first, first + CHUNK):
        world, violations = play(seed)
        assert [] == violations, f"seed {seed}"
        successes += succeeded(world)
        executions += len(world.record.started)
    assert executions >= CHUNK
    assert successes >= 0.6 * executions


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_broken_guarantee_is_seen_within_a_thousand_seeds(mutant: Mutant) -> None:
    with mutant():
        assert any(_is_seen(seed) for seed in range(1000))


def _is_seen(seed: int) -> bool:
    try:
        return bool(play(seed)[1])
    except Exception:  # a log too broken to be read is seen, too
        return True


def test_a_seed_plays_the_same_way_twice() -> None:
    one, other = play(7)[0], play(7)[0]
    assert [(p.path, p.attempt, p.began) for p in one.record.performed] == [
        (p.path, p.attempt, p.began) for p in other.record.performed
    ]
    assert one.store.writes == other.store.writes > 0
