"""Clock, Ids and Random of the machine. The only place of the platform that reads the time or rolls a die."""

from __future__ import annotations

import secrets
import time

from millrace.base.ids import Millis, make_id
from millrace.ports.world import Clock, Random

ID_BITS = 70


class SystemClock:
    """Wall time in UTC. It may jump back when the machine's clock is set; callers must bear that."""

    def now(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000)


class SystemRandom:
    """From the operating system's generator."""

    def uniform(self) -> float:
        return secrets.randbits(53) / (1 << 53)

    def bits(self, count: int) -> int:
        return secrets.randbits(count)


class WorldIds:
    """Ids from a clock and a generator, in the home ``region``; with fakes of both they repeat from a seed."""

    def __init__(self, clock: Clock, random: Random, *, region: str) -> None:
        self._clock = clock
        self._random = random
        self._region = region

    def new(self) -> str:
        return make_id(self._clock.now(), self._region, self._random.bits(ID_BITS))
