"""How executions, their tasks and their events are shown to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from millrace.cli.output import Output, plain

TERMINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
EXECUTION_COLUMNS: Final = ("ID", "WORKFLOW", "VERSION", "STATUS", "STARTED", "TOOK")
TASK_COLUMNS: Final = ("TASK", "STATUS", "ATTEMPTS", "TOOK")


def is_over(execution: Mapping[str, Any]) -> bool:
    return execution.get("status") in TERMINAL


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


def moment(value: Any) -> str:
    """A time as the API gives it: ISO text as it is, milliseconds since the epoch as ISO text in UTC."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return plain(str(value or ""))


def execution_row(execution: Mapping[str, Any]) -> list[str]:
    return [
        str(execution.get("id", "")),
        str(execution.get("workflow", "")),
        str(execution.get("version", "")),
        str(execution.get("status", "")),
        moment(execution.get("startedAt")),
        duration(execution.get("durationMs")),
    ]


def task_rows(execution: Mapping[str, Any]) -> list[list[str]]:
    """One row per task instance, in the order the API gives."""
    rows = []
    for task in execution.get("tasks") or []:
        status = str(task.get("status", ""))
        cause = task.get("skipCause") or (task.get("error") or {}).get("code")
        if isinstance(cause, Mapping):
            cause = cause.get("reason") or cause.get("kind")
        attempts = task.get("attempts")
        count = len(attempts) if isinstance(attempts, list) else int(attempts or 0)
        retries = f"{count} ({count - 1} retried)" if count > 1 else str(count)
        name = str(task.get("path") or task.get("id") or "")
        rows.append([name, f"{status} ({cause})" if cause else status, retries, duration(task.get("durationMs"))])
    return rows


def print_execution(output: Output, execution: Mapping[str, Any]) -> None:
    """The whole of an execution: what it is, its tasks, how it ended."""
    row = dict(zip(EXECUTION_COLUMNS, execution_row(execution), strict=True))
    output.say(f"{plain(row['ID'])}  {plain(row['WORKFLOW'])} {plain(row['VERSION'])}  started {row['STARTED']}")
    rows = task_rows(execution)
    if rows:
        output.table(TASK_COLUMNS, rows)
    print_end(output, execution)


def print_end(output: Output, execution: Mapping[str, Any]) -> None:
    """How an execution ended, and its output or its error."""
    status, took = str(execution.get("status", "")), duration(execution.get("durationMs"))
    output.say(plain(status) + (f" in {took}" if took else ""))
    if status == "succeeded":
        output.pretty(execution.get("output"))
        return
    error = execution.get("error") if isinstance(execution.get("error"), Mapping) else {}
    message = execution.get("errorMessage") or (error or {}).get("message")
    if message:
        failed = execution.get("failedTask")
        output.say(f"  {plain(str(failed))}: {plain(str(message))}" if failed else f"  {plain(str(message))}")
    if hint := (error or {}).get("hint"):
        output.say(f"  {plain(str(hint))}")


def event_line(event: Mapping[str, Any]) -> str:
    position, kind = event.get("position", ""), str(event.get("type", ""))
    parts = [f"{position:>6}", moment(event.get("time") or event.get("at")), plain(kind)]
    named = (event.get(name) for name in ("taskPath", "path", "attempt", "status"))
    return "  ".join([*parts, *(plain(str(value)) for value in named if value is not None and value != "")])


def finding_lines(findings: Sequence[Mapping[str, Any]], file: str) -> list[str]:
    """``file:line:column: severity code: message`` and the fix below, one entry per line."""
    lines = []
    for one in findings:
        where = f"{plain(file)}:{one.get('line', 0)}:{one.get('column', 0)}"
        lines.append(f"{where}: {one.get('severity', '')} {one.get('code', '')}: {plain(str(one.get('message', '')))}")
        if one.get("fix"):
            lines.append(f"    {plain(str(one['fix']))}")
    return lines
