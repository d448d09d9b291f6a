"""The rows of `make bench` about the whole local path."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .graphs import Edges, chain, fan_out, layered, make_plan
from .local import Bench, asyncio_commit_s, asyncio_s, commit_s

KIB_256 = 256 * 1024

SHAPES: dict[str, tuple[Edges, float]] = {
    "chain 10": (chain(10), 20.0),
    "chain 100": (chain(100), 20.0),
    "fan-out 100": (fan_out(100), 10.0),
    "fan-out 1000": (fan_out(1_000), 10.0),
    "layered 500/1500": (layered(500, 1_500), 20.0),
}
"""Each graph with the most its overhead should be, as a multiple of plain asyncio."""


def rows(synchronous: str) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commit = commit_s(folder, synchronous)
        bench = Bench(folder / "store", synchronous=synchronous)
        try:
            out.append({"name": f"one commit ({synchronous})", "us": commit * 1e6})
            for shape, (edges, aim) in SHAPES.items():
                out.append(_shape(bench, folder, shape, edges, aim, synchronous, commit))
            out.append(_many(bench, synchronous, commit))
            out.append(_first_task(bench, synchronous, commit))
        finally:
            bench.close()
    return out


def _shape(
    bench: Bench, folder: Path, shape: str, edges: Edges, aim: float, synchronous: str, commit: float
) -> dict[str, Any]:
    plan = make_plan(edges)
    bench.run(plan, f"{shape} warm")
    tries = []
    for number in range(5):
        before = bench.documents.commits
        elapsed = bench.run(plan, f"{shape} {number}")
        tries.append((elapsed, bench.documents.commits - before))
    elapsed, commits = min(tries)
    count = len(edges)
    plain = min(asyncio_s(edges) for _ in range(5)) / count
    one_each = asyncio_commit_s(folder, edges, synchronous) / count
    overhead = max(elapsed - commits * commit, 0.0) / count
    return {
        "name": f"{shape} ({synchronous})",
        "ms": elapsed * 1e3,
        "commits": commits,
        "commit_limit": count + 2 if shape.startswith("chain") else None,
        "overhead_us_per_task": overhead * 1e6,
        "asyncio_us_per_task": plain * 1e6,
        "ratio": overhead / plain,
        "aim": aim,
        "to_commit_per_task": elapsed / count / one_each,
    }


def _many(bench: Bench, synchronous: str, commit: float, *, executions: int = 200, at_once: int = 20) -> dict[str, Any]:
    """Executions of a 5-task chain from so many clients, each of which waits for the end of one before the next."""
    plan = make_plan(chain(5))
    before = bench.documents.commits
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as clients:
        list(clients.map(lambda _: bench.run(plan, "five"), range(executions)))
    elapsed = time.perf_counter() - began
    commits = bench.documents.commits - before
    count = executions * 5
    plain = min(asyncio_s(chain(5)) for _ in range(20)) / 5
    overhead = max(elapsed - commits * commit, 0.0) / count
    return {
        "name": f"{executions} x chain 5, {at_once} at once ({synchronous})",
        "ms": elapsed * 1e3,
        "commits": commits,
        "commits_per_task": commits / count,
        "commits_per_task_aim": 0.3,
        "overhead_us_per_task": overhead * 1e6,
        "asyncio_us_per_task": plain * 1e6,
        "ratio": overhead / plain,
        "aim": 10.0,
        "executions_per_s": executions / elapsed,
    }


def _first_task(bench: Bench, synchronous: str, commit: float) -> dict[str, Any]:
    """From the call that starts an execution to its first attempt, the median of 30."""
    plan = make_plan(chain(1))
    times = []
    for number in range(30):
        bench.runner.first_at = 0.0
        began = time.perf_counter()
        bench.start(plan, f"first {number}")
        bench.join()
        times.append(bench.runner.first_at - began)
    times.sort()
    return {
        "name": f"start to first task ({synchronous})",
        "ms": times[15] * 1e3,
        "commits": 2,
        "to_commit": times[15] / (2 * commit),
    }


def makespan(synchronous: str) -> dict[str, Any]:
    """A diamond of four tasks of 50 ms: how much longer than its critical path and the commits on it, each of which
    comes after a task during which nothing was committed."""
    task_s = 0.05
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commit = commit_s(folder, synchronous, count=20, rest_s=task_s)
        bench = Bench(folder / "store", synchronous=synchronous, sleep_s=task_s)
        try:
            plan = make_plan([(), (0,), (0,), (1, 2)])
            elapsed = min(bench.run(plan, f"diamond {number}") for number in range(5))
        finally:
            bench.close()
    least = 3 * task_s + 4 * commit
    return {
        "name": f"makespan of a 50 ms diamond ({synchronous})",
        "ms": elapsed * 1e3,
        "commit_after_rest_us": commit * 1e6,
        "critical_path_ms": least * 1e3,
        "ratio": elapsed / least,
        "aim": 1.03,
    }
