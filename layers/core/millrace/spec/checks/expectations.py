"""Checks of what tests expect: names that exist, and nothing that contradicts itself or the graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise

from msgspec import Struct

from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.models.testing import Expected, ExpectedTask
from millrace.spec.outcomes import EARLY
from millrace.spec.task_names import TaskNames

_ENDS = {
    "skip": {"skipped"},
    "error": {"failed", "cancelled"},
    "output": {"succeeded"},
    "output_contains": {"succeeded"},
}
"""What a task must have become for what is expected of it to exist."""


class Expectations(Struct, frozen=True):
    """``needs`` is what each task waits for, by id; ``dead`` are the tasks that never run; ``knows`` and ``attempted``
    add a finding and answer False for a task that does not exist, and for one that asks for nothing."""

    report: Report
    needs: Mapping[str, Collection[str]]
    names: TaskNames
    dead: Collection[str]
    knows: Callable[[str, Path], bool]
    attempted: Callable[[str, Path, str], bool]

    def judge(self, expect: Expected, path: Path) -> None:
        """What one test expects, which stands at ``path``."""
        self._end(expect, path)
        if expect.failed_task is not None:
            self.knows(expect.failed_task, (*path, "failedTask"))
        for name, task in expect.tasks.items():
            at: Path = (*path, "tasks", name)
            if self.knows(name, at):
                self._task(name, task, at)
            if task.skip is not None and task.skip.origin is not None:
                self.knows(task.skip.origin, (*at, "skip", "origin"))
        for name, calls in expect.calls.items():
            at = (*path, "calls", name)
            if not self.knows(name, at) or calls.count == 0 or not self.attempted(name, at, "a call of"):
                continue
            if name in expect.not_called:
                self._impossible(f'"{name}" is to be called and not to be called', at, "Keep one of them.")
        for index, name in enumerate(expect.not_called):
            self.knows(name, (*path, "notCalled", index))
        self._order(expect.order, (*path, "order"))

    def _impossible(self, message: str, path: Path, fix: str) -> None:
        self.report.add("impossible-test", message, path, fix=fix)

    def _end(self, expect: Expected, path: Path) -> None:
        both = {"output", "output_contains"} & expect.model_fields_set
        if len(both) == 2:
            message = "output and outputContains are both expected"
            self._impossible(message, (*path, "outputContains"), "Keep one of them.")
        if both and expect.status != "succeeded":
            message = f"an execution that is {expect.status} has no output"
            self._impossible(message, path, "Take the output out of expect.")
        if expect.status == "succeeded" and (expect.error is not None or expect.failed_task is not None):
            message = "an execution that succeeds has neither an error nor a failedTask"
            self._impossible(message, path, "Write status: failed.")

    def _task(self, name: str, task: ExpectedTask, path: Path) -> None:
        given = task.model_fields_set
        if {"output", "output_contains"} <= given:
            message = "output and outputContains are both expected"
            self._impossible(message, (*path, "outputContains"), "Keep one of them.")
        for key, ends in _ENDS.items():
            if task.status is not None and task.status not in ends and key in given:
                self._impossible(f"a task that is {task.status} has no {key}", path, "Correct the status.")
        if name in self.dead and task.status not in (None, "skipped"):
            message = f'"{name}" can never be {task.status}: it never runs'
            self._impossible(message, path, "Expect skipped, or let the task run.")

    def _order(self, order: tuple[str, ...], path: Path) -> None:
        for index, name in enumerate(order):
            if self.knows(name, (*path, index)) and name in order[:index]:
                self._impossible(f'"{name}" is in the order twice', (*path, index), "Name it once.")
        for index, (first, then) in enumerate(pairwise(order)):
            if first != then and then in self._before(first):
                message = f'"{first}" cannot finish before "{then}", which it waits for'
                self._impossible(message, (*path, index), "Turn them round.")

    def _before(self, name: str) -> set[str]:
        """The tasks that have always finished when this one has."""
        found: set[str] = set()
        left = [name]
        while left:
            here = left.pop()
            if any(task.get("triggerRule") in EARLY for task in self.names.tasks.get(here, ())):
                continue
            above = [need for need in self.needs.get(here, ()) if need not in found]
            found.update(above)
            left += above
        return found
