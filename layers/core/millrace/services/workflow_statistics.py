"""Read the statistics of a workflow: how often it and its tasks ended, how, and how long they took."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from millrace.base.errors import InvalidRequest
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.platform import Platform
from millrace.services.times import rfc3339
from millrace.store.histogram import ERROR, quantile
from millrace.store.statistics import MINUTE_MS, Tally, read_cells

DEFAULT_MS: Final = 60 * MINUTE_MS
LONGEST_MS: Final = 31 * 24 * 60 * MINUTE_MS
CELLS: Final = 20_000
"""Cells (task × version × minute) that one answer may add up: about a quarter of a second of reading."""


def workflow_statistics(
    platform: Platform,
    caller: Caller,
    workflow: str,
    *,
    since: str | None = None,
    until: str | None = None,
    version: str | None = None,
) -> dict[str, Any]:
    """``{workflow, version, since, until, quantileError, executions, tasks}`` of whole minutes.

    ``since`` and ``until`` are instants of RFC 3339: the minute of ``since`` is the first one counted, that of
    ``until`` the last one. Without ``until`` it is now, without ``since`` an hour before ``until``. ``version`` is a
    label, a range, ``rN`` or ``latest``; without it all versions are added up. Counts run behind the log by what the
    feed has not brought yet. Raises NotFound, and InvalidRequest for a period that is reversed, too long or too full.
    """
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, "workflow", workflow, deleted=True)
    label = None if version is None else find_version(definitions, head, version).label
    last = _instant("until", until, platform.clock.now()) // MINUTE_MS
    first = _instant("since", since, max(last * MINUTE_MS - DEFAULT_MS, 0)) // MINUTE_MS
    if first > last:
        raise InvalidRequest("since lies after until", hint="Exchange them.")
    if (last - first) * MINUTE_MS > LONGEST_MS:
        raise InvalidRequest(
            f"the period is longer than {LONGEST_MS // 86_400_000} days", hint="Ask for a shorter one, several times."
        )
    whole = Tally()
    tasks: dict[str, Tally] = {}
    cells = read_cells(platform.documents, caller.scope, caller.namespace, workflow, first=first, last=last)
    for seen, (cell, tally) in enumerate(cells):
        if seen == CELLS:
            raise InvalidRequest(
                f"the period holds more than {CELLS} counts",
                hint=f"Ask for it in pieces; this one could end before {rfc3339(cell.minute * MINUTE_MS)}.",
                facts={"limit": CELLS},
            )
        if label is None or cell.version == label:
            (tasks.setdefault(cell.task, Tally()) if cell.task else whole).merge(tally)
    return {
        "workflow": workflow,
        "version": label,
        "since": rfc3339(first * MINUTE_MS),
        "until": rfc3339((last + 1) * MINUTE_MS),
        "quantileError": ERROR,
        "executions": _json(whole),
        "tasks": [
            {"task": task, "skipped": found.skipped, "attempts": found.attempts} | _json(found)
            for task, found in sorted(tasks.items())
        ],
    }


def _json(tally: Tally) -> dict[str, Any]:
    counts = tally.durations
    return {
        "count": tally.count,
        "failures": tally.failures,
        "cancelled": tally.cancelled,
        "durationMs": None
        if not tally.count
        else {
            "mean": tally.sum_ms // tally.count,
            "p50": quantile(counts, 50),
            "p90": quantile(counts, 90),
            "p99": quantile(counts, 99),
        },
    }


def _instant(name: str, text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        milliseconds = int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name}={text!r} is not an instant", hint="Write 2026-01-31T09:00:00Z.") from None
    if milliseconds is None:
        raise InvalidRequest(f"{name}={text!r} has no offset", hint="End it with Z or an offset such as +02:00.")
    if not 0 <= milliseconds < 10**14:
        raise InvalidRequest(f"{name}={text!r} is out of range", hint="Write an instant since 1970.")
    return milliseconds
