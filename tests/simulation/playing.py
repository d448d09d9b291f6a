"""What every test of seeded worlds does: play seeds one after the other, ask whether a mutant shows, compare plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .world import World

MUTANT_SEEDS = 1000
"""Within so many seeds every mutant has to show."""
W = TypeVar("W", bound=World)


def sound(play: Callable[[int], tuple[W, list[str]]], first: int, count: int) -> Iterator[W]:
    """The worlds of ``count`` seeds, each found without violations. Raises AssertionError naming the seed."""
    for seed in range(first, first + count):
        world, violations = play(seed)
        assert [] == violations, f"seed {seed}"
        yield world


def shows(play: Callable[[int], tuple[Any, list[str]]]) -> bool:
    """Whether something is violated in one of the worlds."""
    return any(_is_seen(play, seed) for seed in range(MUTANT_SEEDS))


def _is_seen(play: Callable[[int], tuple[Any, list[str]]], seed: int) -> bool:
    try:
        return bool(play(seed)[1])
    except Exception:  # a log too broken to be read is seen, too
        return True


def traced(world: World) -> tuple[list[tuple[Any, ...]], int]:
    """What was performed and when, and how often the store was written to: equal for equal seeds."""
    performed = [(one.path, one.attempt, one.began) for one in world.record.performed]
    assert world.store.writes > 0
    return performed, world.store.writes
