"""A clock that is set by hand and a generator that repeats: the world of tests and of the simulator."""

from __future__ import annotations

import random

from millrace.base.ids import Millis

START = 1_767_225_600_000
"""2026-01-01T00:00:00Z in ms; any fixed instant would do."""


class ManualClock:
    """Stands still until it is told to move; it may be moved back."""

    def __init__(self, now: int = START) -> None:
        self._now = now

    def now(self) -> Millis:
        return Millis(self._now)

    def set(self, now: int) -> None:
        self._now = now

    def advance(self, ms: int) -> None:
        self._now += ms


class SeededRandom:
    """The same numbers for the same seed, in every process and on every supported Python."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = random.Random(seed)

    def uniform(self) -> float:
        return self._generator.random()

    def bits(self, count: int) -> int:
        return self._generator.getrandbits(count)
