"""What our limits make of what a source allows: the most that there is here, and a note that says so."""

from __future__ import annotations

from typing import Any

from millrace.base.limits import ATTEMPT_TIMEOUT_MS
from millrace.base.scalars import format_duration, parse_duration
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.reading import number
from millrace.services.importers.requests import seconds
from millrace.services.importers.result import Path
from millrace.spec.tasks.for_each import MOST_PARALLEL


def limit_attempt(draft: Draft, task: Task, limit: int | float | None, path: Path) -> None:
    """How many seconds one attempt may take, where the source says it."""
    wanted = seconds(limit)
    if wanted is None:
        return
    if parse_duration(wanted) > ATTEMPT_TIMEOUT_MS:
        wanted = format_duration(ATTEMPT_TIMEOUT_MS)
        draft.changed(path, f"an attempt takes at most {wanted}: what takes longer is another workflow, or an event")
    task["attemptTimeout"] = wanted


def limit_parallel(draft: Draft, loop: dict[str, Any], most: Any, path: Path, key: str) -> None:
    """How many iterations run at once; ``key`` is what the source calls it, 0 or nothing there means any number."""
    wanted = number(most)
    if wanted is None or wanted < 1:
        draft.changed(path, f"without {key}, ten iterations run at once")
        return
    if wanted > MOST_PARALLEL:
        draft.changed(path, f"at most {MOST_PARALLEL} iterations run at once")
    loop["maxParallel"] = min(int(wanted), MOST_PARALLEL)
