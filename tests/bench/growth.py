"""How the engine's cost per task has grown since an earlier commit: both measured in turn, in processes of one run."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CORE = "layers/core"
SINCE = "74d113eb56d72ef863959cb35180fd364187d6f2"
"""The last commit before tasks could hold tasks."""
ROUNDS = 7
AIM = 1.2


def rows(since: str = SINCE) -> list[dict[str, Any]]:
    """Microseconds per task, now and then; the ratio is the median of those of the rounds. One row that says why when
    the commit is not there."""
    with tempfile.TemporaryDirectory(prefix="millrace-growth-") as folder:
        missing = _check_out(since, Path(folder))
        if missing:
            return [{"name": "engine growth", "not measured": missing}]
        then_core, now_core = Path(folder) / CORE, ROOT / CORE
        rounds = [(_measure(then_core), _measure(now_core)) for _ in range(ROUNDS)]
    return [
        {
            "name": f"engine {name}, against {since[:7]}",
            "us_per_task": min(now[name] for _, now in rounds),
            "us_per_task_then": min(then[name] for then, _ in rounds),
            "ratio": statistics.median(now[name] / then[name] for then, now in rounds),
            "aim": AIM,
        }
        for name in rounds[0][0]
    ]


def _check_out(commit: str, folder: Path) -> str:
    """Put the library of a commit into ``folder``; says why when that cannot be done."""
    command = ["git", "archive", commit, CORE]
    try:
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"Commit {commit[:7]} is not at hand ({why}); in a shallow clone, fetch it: git fetch --unshallow."
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return ""


def _measure(core: Path) -> dict[str, float]:
    """What the engine in ``core`` needs."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.growth_probe", str(core)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(core)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"Measuring the engine in {core} failed: {ran.stderr.strip()}")
    found: dict[str, float] = json.loads(ran.stdout)
    return found
