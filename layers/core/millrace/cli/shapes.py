"""How executions, their tasks and their events are shown to a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from millrace.cli.output import Output, plain

OVER: Final = frozenset({"succeeded", "failed", "cancelled", "timedOut", "stalled"})
"""A stalled execution goes on only when somebody looks after it, so nobody should wait for it."""
EXECUTION_COLUMNS: Final = ("ID", "WORKFLOW", "VERSION", "STATUS", "STARTED", "TOOK")
QUIET: Final = frozenset({"succeeded", "skipped", "cancelled"})
"""What tasks inside loops are only counted as."""
LOOP_ROWS: Final = 5
"""How many tasks of one loop are shown by name, per status."""
TASK_COLUMNS: Final = ("TASK", "STATUS", "ATTEMPTS", "TOOK")


def is_over(execution: Mapping[str, Any]) -> bool:
    return execution.get("status") in OVER


def duration(milliseconds: float | None) -> str:
    """``12 ms``, ``3.4 s``, ``2 m 05 s``, ``1 h 02 m``; empty when unknown."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(int(milliseconds) // 1000, 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def execution_row(execution: Mapping[str, Any]) -> list[str]:
    return [
        str(execution.get("id", "")),
        str(execution.get("workflow", "")),
        str(execution.get("version", "")),
        str(execution.get("status", "")),
        str(execution.get("startedAt") or ""),
        duration(execution.get("durationMs")),
    ]


def task_rows(execution: Mapping[str, Any]) -> list[list[str]]:
    """One row per task instance, in the order the API gives. Tasks inside loops are counted in the row of their loop;
    those that run, wait or have failed have rows too, a few per loop and status."""
    rows: list[list[str]] = []
    shown: Counter[tuple[str, str]] = Counter()
    for path, task in (execution.get("tasks") or {}).items():
        loop, inside, _ = path.partition("[")
        status = str(task.get("status", ""))
        if inside:
            shown[loop, status] += 1
            if status in QUIET or shown[loop, status] > LOOP_ROWS:
                continue
        rows.append(_task_row(path, task))
    return rows


def _task_row(path: str, task: Mapping[str, Any]) -> list[str]:
    cause = (task.get("skip") or {}).get("reason") or (task.get("error") or {}).get("code")
    status = str(task.get("status", ""))
    count = int(task.get("attempts") or 0)
    attempts = f"{count} ({count - 1} retried)" if count > 1 else str(count)
    inside = [f"{count} {name}" for name, count in sorted((task.get("inside") or {}).items())]
    waits = task.get("waiting")
    notes = [
        *([str(cause)] if cause else []),
        *([waited_for(waits)] if waits else []),
        *([f"inside: {', '.join(inside)}"] if inside else []),
    ]
    shown = f"{status} ({'; '.join(notes)})" if notes else status
    return [path, shown, attempts, duration(task.get("durationMs"))]


def waited_for(waiting: Mapping[str, Any]) -> str:
    """What a task waits for, and until when it does."""
    kind = str(waiting.get("kind", ""))
    what = str(waiting.get("signal") or waiting.get("execution") or "")
    if kind == "approval":
        approved = sum(one["decision"] == "approved" for one in waiting["decisions"])
        what = f"{approved} of {waiting['required']}, by {', '.join(map(str, waiting['approvers']))}"
    until = f"until {waiting['until']}" if waiting.get("until") else ""
    return " ".join(part for part in (kind, what, until) if part)


def print_execution(output: Output, execution: Mapping[str, Any]) -> None:
    """The whole of an execution: what it is, its tasks, how it ended."""
    row = dict(zip(EXECUTION_COLUMNS, execution_row(execution), strict=True))
    output.say(f"{plain(row['ID'])}  {plain(row['WORKFLOW'])} {plain(row['VERSION'])}  started {row['STARTED']}")
    rows = task_rows(execution)
    if rows:
        output.table(TASK_COLUMNS, rows)
    print_end(output, execution)


def standing(execution: Mapping[str, Any]) -> str:
    """The status of an execution, and what keeps one that runs from going on; on one line."""
    status = str(execution.get("status", ""))
    queued = execution.get("queued") or {}
    held = [f"waits for a place under {queued['key']}"] if queued else []
    held += ["paused"] if execution.get("paused") else []
    return plain(f"{status} ({', '.join(held)})" if held else status)


def print_end(output: Output, execution: Mapping[str, Any]) -> None:
    """How an execution ended, and its output or its error."""
    status, took = str(execution.get("status", "")), duration(execution.get("durationMs"))
    output.say(standing(execution) + (f" in {took}" if took else ""))
    if status == "succeeded":
        output.pretty(execution.get("output"))
        return
    error = execution.get("error") or {}
    message = execution.get("errorMessage")
    if message:
        failed = execution.get("failedTask")
        output.say(f"  {plain(str(failed))}: {plain(str(message))}" if failed else f"  {plain(str(message))}")
    if hint := error.get("hint"):
        output.say(f"  {plain(str(hint))}")


def event_line(event: Mapping[str, Any]) -> str:
    shown = [f"{event.get('position', ''):>6}", str(event.get("time", "")), str(event.get("type", ""))]
    named = (event.get(name) for name in ("path", "attempt", "status"))
    return "  ".join(plain(part) for part in [*shown, *(str(value) for value in named if value)])


def finding_lines(findings: Sequence[Mapping[str, Any]], file: str) -> list[str]:
    """``file:line:column: severity code: message`` and the fix below, one entry per line."""
    lines = []
    for one in findings:
        where = f"{plain(file)}:{one.get('line', 0)}:{one.get('column', 0)}"
        lines.append(f"{where}: {one.get('severity', '')} {one.get('code', '')}: {plain(str(one.get('message', '')))}")
        if one.get("fix"):
            lines.append(f"    {plain(str(one['fix']))}")
    return lines
