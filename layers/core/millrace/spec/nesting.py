"""Where tasks stand in a raw document: in its lists, and inside other tasks, however deep.

What reads documents before they are models (aliases, spelling, hashes) walks this one list of places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millrace.spec.findings import Path


def task_paths(value: Any) -> Iterator[Path]:
    """The path of every mapping that is a task, in document order, each before those inside it."""
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict) or value.get("kind", "Workflow") != "Workflow":
        return
    stack: list[tuple[Path, Any]] = [
        *reversed(_listed(spec.get("finally"), ("spec", "finally"))),
        *reversed(_handler(spec.get("onFailure"), ("spec", "onFailure"))),
        *reversed(_listed(spec.get("tasks"), ("spec", "tasks"))),
    ]
    while stack:
        path, task = stack.pop()
        yield path
        stack.extend(reversed(_inside(task, path)))


def bare_places(value: Any) -> Iterator[Path]:
    """The places of a document that take an expression without braces: the conditions of its tasks, the cases of a
    switch, the match of an event."""
    tasks: list[Path] = [*task_paths(value)]
    if isinstance(value, dict) and value.get("kind") == "WorkflowTask":
        tasks = [("spec",)]
    for path in tasks:
        yield (*path, "condition")
        yield (*path, "event", "match")
        task = value
        for part in path:
            task = task.get(part) if isinstance(task, dict) else task[part]
        held = task if isinstance(task, dict) else {}
        for key, name, below in (("dependsOn", "condition", held), ("cases", "when", held.get("switch"))):
            listed = below.get(key) if isinstance(below, dict) else None
            inside = ("switch", key) if key == "cases" else (key,)
            for index in range(len(listed)) if isinstance(listed, list) else ():
                yield (*path, *inside, index, name)


def _listed(tasks: Any, path: Path) -> list[tuple[Path, Any]]:
    if not isinstance(tasks, list):
        return []
    return [((*path, index), task) for index, task in enumerate(tasks) if isinstance(task, dict)]


def _handler(raw: Any, path: Path) -> list[tuple[Path, Any]]:
    if not isinstance(raw, dict):
        return []
    return _listed(raw.get("tasks"), (*path, "tasks")) if raw.keys() == {"tasks"} else [(path, raw)]


def _inside(task: dict[str, Any], path: Path) -> list[tuple[Path, Any]]:
    found = _listed(task.get("tasks"), (*path, "tasks"))
    switch = task.get("switch")
    if isinstance(switch, dict):
        cases = switch.get("cases")
        for index, case in enumerate(cases if isinstance(cases, list) else ()):
            if isinstance(case, dict):
                found += _listed(case.get("tasks"), (*path, "switch", "cases", index, "tasks"))
        default = switch.get("default")
        if isinstance(default, dict):
            found += _listed(default.get("tasks"), (*path, "switch", "default", "tasks"))
    fallback = task.get("fallback")
    if isinstance(fallback, dict) and isinstance(fallback.get("task"), dict):
        found.append(((*path, "fallback", "task"), fallback["task"]))
    return found
