"""`python -m tests.bench.growth_probe CORE`: the engine that lies in the folder CORE, measured; one JSON object.

It runs in a process of its own, since two versions of one package cannot be imported side by side. Microseconds per
task by name of the graph.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import millrace.engine

from .engine import best, engine_s
from .graphs import SHAPES, make_plan

SIZES = (1_000, 10_000)


def main() -> None:
    found = Path(str(millrace.engine.__file__)).resolve()
    if Path(sys.argv[1]).resolve() not in found.parents:
        sys.exit(f"The engine was imported from {found}, not from {sys.argv[1]}.")
    measured = {}
    for size in SIZES:
        for name, shape in SHAPES.items():
            plan = make_plan(shape(size))
            measured[f"{name} {size}"] = best(lambda plan=plan: engine_s(plan)[0], 10_000 // size + 2) / size * 1e6
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
