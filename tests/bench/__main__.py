"""`python -m tests.bench [--json FILE]`: every measurement in one run, as a table and as JSON.

Each figure stands beside a floor measured in the same process, so that a slow or noisy machine shows in both.
Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from . import attempts, aws, engine, growth, guards, imports, logs, nested, paths, places, validation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    console = Console(width=150)
    began = time.perf_counter()
    everything: dict[str, list[dict[str, Any]]] = {}
    for title, measure in (
        ("engine: decide and evolve against a bare heap-and-counter pass", engine.rows),
        ("engine: cost per task against that of an earlier commit", growth.rows),
        ("engine: tasks inside tasks against a flat workflow", nested.rows),
        ("executions that start executions, on the memory store", nested.child_rows),
        ("items of a loop in lanes, on the memory store", nested.lane_rows),
        ("local path, synchronous=FULL", lambda: [*paths.rows("FULL"), paths.makespan("FULL")]),
        ("local path, synchronous=NORMAL", lambda: [*paths.rows("NORMAL"), paths.makespan("NORMAL")]),
        ("circuit breakers", guards.rows),
        ("places under concurrency keys", places.rows),
        ("validation of documents", validation.rows),
        ("logs", logs.log_rows),
        ("expressions and transforms", logs.expression_rows),
        ("attempts that prove who calls, read pages or call functions", attempts.rows),
        ("imports", imports.rows),
        ("memory", lambda: [logs.memory_row()]),
        ("one execution of each example on AWS, counted on the emulation", aws.rows),
    ):
        found = measure()
        everything[title] = found
        _print(console, title, found)
    commits = [row["us"] for rows in everything.values() for row in rows if str(row["name"]).startswith("one commit")]
    if len(commits) == 2:
        same = commits[0] < 2 * commits[1]
        console.print(
            f"One commit: FULL {commits[0]:.0f} us, NORMAL {commits[1]:.0f} us."
            + (" FULL costs about the same as NORMAL here." if same else "")
        )
    console.print(f"{time.perf_counter() - began:.0f} s in all")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "at": time.time()}
    arguments.json.write_text(json.dumps({"machine": machine, **everything}, indent=2))
    return 0


def _print(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    """One table per set of columns, so that every figure stands under its name."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    console.print(f"\n[bold]{title}[/bold]")
    for columns, group in groups.items():
        table = Table()
        for column in columns:
            table.add_column(column.replace("_", " "), justify="left" if column in ("name", "floor") else "right")
        for row in group:
            table.add_row(*(_cell(row[column]) for column in columns))
        console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
