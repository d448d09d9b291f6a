"""What a dry run says: which tasks would run with which arguments, and which hang on what is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.cli.output import Output, plain

COLUMNS: Final = ("TASK", "TYPE", "STATUS", "WHAT")


def print_plan(output: Output, planned: Mapping[str, Any]) -> None:
    """The tasks of a dry run as a table."""
    output.say(f"{plain(planned['workflow'])} {plain(planned['version'])}: nothing was called, stored or waited for")
    rows = [[task["id"], task["type"], task["status"], _what(task)] for task in planned["tasks"]]
    output.table(COLUMNS, rows)


def _what(task: Mapping[str, Any]) -> str:
    """What a task would do, or why it would not, in a few words."""
    request = task.get("request")
    parts = [f"{request.get('method', 'GET')} {request.get('url', '')}"] if isinstance(request, dict) else []
    parts += [f"workflow {task['workflow']}"] if "workflow" in task else []
    parts += [f"{task['iterations']} iterations"] if "iterations" in task else []
    parts += [f"case {task['case']}"] if "case" in task else []
    waiting, skip, error = (task.get(key) or {} for key in ("waiting", "skip", "error"))
    parts += [" ".join(str(waiting[key]) for key in ("kind", "signal") if waiting.get(key))] if waiting else []
    parts += [str(skip["reason"])] if skip else []
    parts += [str(error["message"])] if error else []
    parts += [f"after {', '.join(task['after'])}"] if task.get("after") else []
    parts += [f"if {task['condition']}"] if isinstance(task.get("condition"), str) else []
    return "; ".join(parts)
