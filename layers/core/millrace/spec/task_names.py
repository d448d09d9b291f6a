"""The ids of every task of a document, wherever it stands, and whether a path can lead to one of them.

Read from the raw document, so that tasks inside other tasks are found however deep they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field

from millrace.spec.models.blocks import with_type

_INDEX: Final = re.compile(r"\[(?:[0-9]{1,9}|\*)\]$")
_LISTS: Final = frozenset({"tasks", "finally"})
_SINGLE: Final = frozenset({"fallback", "onFailure"})
"""Keys below which one task may stand without an id; its path then ends with the key."""


class TaskNames(Struct, frozen=True):
    """``tasks`` holds every raw task by id, several where an id stands in several places."""

    tasks: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def generated(self) -> bool:
        """Whether tasks are made at run time, whose ids nobody knows before."""
        return any("generate" in task for same in self.tasks.values() for task in same)

    def knows(self, path: str) -> bool:
        """Whether a path, or an id alone, can be that of a task of this document."""
        last = task_id(path)
        if last in self.tasks or last in _SINGLE:
            return True
        return "/" in path and self.generated


def task_id(path: str) -> str:
    """The id at the end of a path, without an index: ``loop[3]/ship`` is ``ship``."""
    return _INDEX.sub("", path.rpartition("/")[2])


def general(path: str) -> str:
    """A path for all iterations at once: ``loop[3]/ship`` is ``loop[*]/ship``."""
    return "/".join(_INDEX.sub("[*]", part) for part in path.split("/"))


def task_names(value: Any) -> TaskNames:
    """The tasks of a document that `load` has read; ``value`` is its plain JSON."""
    found: dict[str, list[dict[str, Any]]] = {}
    spec = value.get("spec") if isinstance(value, dict) else None
    if isinstance(spec, dict):
        for task in _walk({key: item for key, item in spec.items() if key != "tests"}):
            found.setdefault(task["id"], []).append(with_type(task))
    return TaskNames(found)


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with an id in a list of tasks, in document order."""
    stack = [value]
    while stack:
        item = stack.pop()
        if not isinstance(item, dict):
            continue
        below: list[Any] = []
        for key, inner in item.items():
            if key in _LISTS and isinstance(inner, list):
                tasks = [task for task in inner if isinstance(task, dict) and isinstance(task.get("id"), str)]
                yield from tasks
                below += tasks
            elif key in ("switch", "default") or key in _SINGLE:
                below.append(inner)
            elif key == "cases" and isinstance(inner, list):
                below += inner
        stack.extend(reversed(below))
