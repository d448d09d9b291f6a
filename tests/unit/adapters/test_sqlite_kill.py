"""`kill -9` under load loses nothing that was acknowledged, and what was written stays whole (hostile R23)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import millrace
from millrace.adapters.sqlite import FolderLock, SqliteDocuments
from millrace.ports.documents import Key, Range, Table, TenantScope

LIBRARY = str(Path(millrace.__file__).parents[1])
WRITER = str(Path(__file__).with_name("killed_writer.py"))
SCOPE = TenantScope("t")


def _run_and_kill(folder: Path, run: int, synchronous: str, lines: int) -> dict[int, int]:
    """Lets a writer acknowledge at least ``lines`` writes, kills it, and answers the last count per thread."""
    process = subprocess.Popen(
        [sys.executable, WRITER, str(folder), str(run), synchronous],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": LIBRARY},
    )
    heard = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    heard += process.stdout.readlines()
    process.stdout.close()
    assert -signal.SIGKILL == process.wait()
    acknowledged: dict[int, int] = {}
    for line in heard:
        if line.endswith(b"\n"):
            _, thread, count = line.split()
            acknowledged[int(thread)] = max(acknowledged.get(int(thread), -1), int(count))
    return acknowledged


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_no_acknowledged_write_is_lost_when_the_process_is_killed(tmp_path: Path, synchronous: str) -> None:
    chance = random.Random(synchronous)
    runs = [_run_and_kill(tmp_path, run, synchronous, chance.randrange(1, 300)) for run in range(6)]
    with FolderLock(tmp_path):
        store = SqliteDocuments(tmp_path, synchronous=synchronous)
        for run, acknowledged in enumerate(runs):
            assert 1 <= len(acknowledged)
            for thread in range(4):
                rows = store.query(
                    SCOPE, Table.HISTORY, ("run", str(run), str(thread)), within=Range(limit=100_000)
                ).rows
                found = [row.item.attrs["n"] for row in rows]
                assert list(range(len(found))) == found
                assert acknowledged.get(thread, -1) < len(found)
                assert {500} >= {len(row.item.attrs["body"]) for row in rows}
                total = store.get(SCOPE, Key(Table.STATISTICS, ("total",), f"{run}-{thread}"))
                assert len(found) == (0 if total is None else total.attrs["n"])
        store.close()
