"""The workflow under construction: ids that are ours and unique, notes, and the tasks every importer needs."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.base.limits import TASK_ID_CHARS
from millrace.services.importers.order import Edge, Frontier, place, weight
from millrace.services.importers.reading import MOST_TASKS
from millrace.services.importers.result import Imported, Note, Path
from millrace.services.importers.spelling import slug
from millrace.spec.models import API_VERSION

_UNID: Final = re.compile(r"[^A-Za-z0-9_-]+")
_HEAVY: Final = 1_500
Task = dict[str, Any]


class TooManyTasks(Exception):
    """The document leads to more tasks than an import makes."""


class Draft:
    """Collects notes and gives out ids."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._taken: set[str] = set()

    def unmapped(self, path: Path, message: str) -> None:
        """Something that somebody has to do by hand."""
        self.notes.append(Note(path, "unmapped", message))

    def changed(self, path: Path, message: str) -> None:
        """Something that works, but not to the letter."""
        self.notes.append(Note(path, "changed", message))

    def unpinned(self, path: Path, version: Any) -> None:
        """Another workflow that is started in a ``version`` of its source, if it names one."""
        if version is not None:
            said = f"version {version!s:.40}" if isinstance(version, str | int) else "a version"
            self.changed(path, f"{said} was asked for: the active one is started, unless a range stands behind an @")

    def id(self, name: Any) -> str:
        """A task id for a name of the source. Raises TooManyTasks."""
        if len(self._taken) >= MOST_TASKS:
            raise TooManyTasks
        words = _UNID.sub("-", str(name)).strip("-_")[: TASK_ID_CHARS - 8] or "task"
        made, count = words, 1
        while made in self._taken:
            count += 1
            made = f"{words}-{count}"
        self._taken.add(made)
        return made

    def finish(self, name: Any, spec: dict[str, Any], **metadata: Any) -> Imported:
        """The document, and the notes in the order in which they were made, each once."""
        document = {
            "apiVersion": API_VERSION,
            "kind": "Workflow",
            "metadata": {"name": slug(name, "imported"), **metadata},
            "spec": {key: value for key, value in spec.items() if value not in (None, {}, [])},
        }
        return Imported(document, tuple(dict.fromkeys(self.notes)))

    def missing(self, name: str, what: str, path: Path, inputs: Any = None) -> Task:
        """A task for work that the source defines in a way of its own: a reusable task that somebody has to write."""
        reference = slug(what, "task")
        self.unmapped(path, f"{what[:80]} has no counterpart: publish a reusable task named {reference} that does it")
        task: Task = {"id": self.id(name), "taskRef": reference}
        if isinstance(inputs, dict) and inputs:
            task["input"] = inputs
        return task

    def value(self, name: str, value: Any) -> Task:
        """A task whose output is a value made from templates."""
        return {
            "id": self.id(name),
            "type": "transform",
            "input": {"items": [value]},
            "transform": [{"limit": 1}],
            "output": "{{output[0]}}",
        }

    def gathered(self, frontier: Frontier, tasks: list[Task]) -> Frontier:
        """The same frontier; a long one behind a task of its own, so that conditions do not grow with every choice."""
        if weight(frontier) <= _HEAVY:
            return frontier
        gate = place(self.value("gate", True), frontier)
        tasks.append(gate)
        return Edge(str(gate["id"]))

    def failing(self, name: str, message: str) -> Task:
        """A task that fails: a text that is no number is read as one."""
        said = message.replace("{{", "{ {")[:200]
        return {
            "id": self.id(name),
            "description": f"Fails: {said}",
            "type": "transform",
            "input": {"items": [f"failed: {said}"]},
            "transform": [{"map": "{{int(item)}}"}],
        }
