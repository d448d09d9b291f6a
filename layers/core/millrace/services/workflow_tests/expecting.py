"""What a recorded execution lets a test expect, and what of that a test cannot show again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millrace.engine import events as ev
from millrace.services.workflow_tests.differences import ABSENT, differences
from millrace.services.workflow_tests.running import CaseResult


def expectations(execution: Mapping[str, Any], events: Sequence[ev.Event]) -> dict[str, Any]:
    """The ``expect`` of a test, from an execution as people see it and its events."""
    expect: dict[str, Any] = {"status": execution["status"]}
    if "output" in execution:
        expect["output"] = execution["output"]
    if execution.get("error"):
        expect["error"] = _error(execution["error"])
    if execution.get("failedTask"):
        expect["failedTask"] = execution["failedTask"]
    expect["tasks"] = {path: _task(task) for path, task in execution["tasks"].items()}
    order = _order(events)
    return {**expect, "order": order} if len(order) > 1 else expect


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": error["kind"], "code": error["code"]}


def _task(task: Mapping[str, Any]) -> Any:
    """A status alone where nothing else is worth saying. Of a cancelled task it is not: how far it had come is
    chance."""
    more: dict[str, Any] = {}
    if "skip" in task:
        more["skip"] = dict(task["skip"])
    if task["status"] == "failed" and "error" in task:
        more["error"] = _error(task["error"])
    if task["attempts"] > 1 and task["status"] != "cancelled":
        more["attempts"] = task["attempts"]
    return {"status": task["status"], **more} if more else task["status"]


def _order(events: Sequence[ev.Event]) -> list[str]:
    """The tasks that ended with the result of an attempt, as far as the milliseconds tell which was first."""
    ends = {event.path: event.at for event in events if isinstance(event, ev.AttemptFinished)}
    over = {event.path for event in events if isinstance(event, ev.TaskFinished) and event.status == "succeeded"}
    found: list[str] = []
    last = -1
    for path, at in sorted(((path, at) for path, at in ends.items() if path in over), key=lambda end: end[1]):
        if at > last:
            found.append(path)
            last = at
    return found


def without_mismatches(expect: Mapping[str, Any], result: CaseResult) -> dict[str, Any]:
    """``expect`` without what did not come out the same. How the execution ended is never left out."""
    left = dict(expect)
    for mismatch in result.mismatches:
        name, _, rest = mismatch.path.partition(".")
        if name == "output":
            del left["output"]
            shared = _shared(expect["output"], result.execution.get("output", ABSENT))
            if shared is not ABSENT:
                left["outputContains"] = shared
        elif name == "order":
            left.pop("order", None)
        elif name == "tasks":
            left["tasks"] = {path: task for path, task in left["tasks"].items() if not rest.startswith(f"{path}.")}
    return left


def _shared(expected: Any, actual: Any) -> Any:
    """The part of ``expected`` that ``actual`` has as well; `ABSENT` for none."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = {key: _shared(value, actual.get(key, ABSENT)) for key, value in expected.items()}
        same = {key: value for key, value in found.items() if value is not ABSENT}
        return same or ABSENT
    return ABSENT if differences(expected, actual) else expected
