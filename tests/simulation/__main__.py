"""`python -m tests.simulation [COUNT] [FIRST]`: play seeds and print what was violated."""

from __future__ import annotations

import logging
import sys
import time

from .seeds import play, succeeded


def main(arguments: list[str]) -> int:
    logging.disable(logging.CRITICAL)
    count = int(arguments[0]) if arguments else 10_000
    first = int(arguments[1]) if len(arguments) > 1 else 0
    began = time.perf_counter()
    bad = executions = successes = attempts = deaths = 0
    for seed in range(first, first + count):
        world, violations = play(seed)
        executions += len(world.record.started)
        successes += succeeded(world)
        attempts += len(world.record.performed)
        deaths += sum(not process.alive for process in world.processes[:-1])
        if violations:
            bad += 1
            print(f"seed {seed}: {'; '.join(violations[:4])}")
        if (seed - first + 1) % 5_000 == 0:
            print(f"{seed - first + 1} seeds, {time.perf_counter() - began:.0f} s", flush=True)
    print(
        f"{count} seeds: {bad} with violations; {executions} executions, {successes} succeeded, {attempts} attempts, "
        f"{deaths} processes replaced"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
