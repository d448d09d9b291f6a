"""`python -m tests.simulation [COUNT] [FIRST]`: play seeds, in as many processes as there are cores, and print what was
violated. Ends with 1 when anything was."""

from __future__ import annotations

import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, field

from .seeds import play, succeeded

CHUNK = 100
PROGRESS = 5_000


@dataclass
class Tally:
    """What came of some seeds."""

    bad: list[str] = field(default_factory=list)
    executions: int = 0
    successes: int = 0
    attempts: int = 0
    deaths: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))


def tallied(seeds: range) -> Tally:
    """Play them one after the other."""
    logging.disable(logging.CRITICAL)
    tally = Tally()
    for seed in seeds:
        world, violations = play(seed)
        told = [f"seed {seed}: {'; '.join(violations[:4])}"] if violations else []
        tally += Tally(
            told,
            len(world.record.started),
            succeeded(world),
            len(world.record.performed),
            sum(not process.alive for process in world.processes[:-1]),
        )
    return tally


def main(arguments: list[str]) -> int:
    count = int(arguments[0]) if arguments else 10_000
    first = int(arguments[1]) if len(arguments) > 1 else 0
    began = time.perf_counter()
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    total, played = Tally(), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seeds, tally in zip(chunks, pool.map(tallied, chunks), strict=True):
            total, before, played = total + tally, played, played + len(seeds)
            for line in tally.bad:
                print(line, flush=True)
            if before // PROGRESS < played // PROGRESS:
                print(f"{played} seeds, {time.perf_counter() - began:.0f} s", flush=True)
    print(
        f"{count} seeds: {len(total.bad)} with violations; {total.executions} executions, {total.successes} succeeded, "
        f"{total.attempts} attempts, {total.deaths} processes replaced"
    )
    return 1 if total.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
