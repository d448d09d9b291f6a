"""Whether what a test mocks could come from the task: an output is held against the schema that the task declares.

A mock that no task could give lets a test pass that proves nothing. What is declared is the `outputSchema` of a
reusable task, and the `responseSchema` of a request, for the body of its answer; other types declare nothing about what
they get from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from millrace.services.workflow_tests.judging import Mismatch
from millrace.spec import Workflow, WorkflowTask, schema_problems, validate_input
from millrace.spec.models.testing import Case
from millrace.spec.task_names import task_id
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tree import Placed, tree_of

_POSITION: Final = re.compile(r"\[(?:[0-9]+|\*)\]")


class Declared:
    """What the tasks of one workflow declare about their outputs. ``tasks`` are the reusable ones by reference."""

    def __init__(self, workflow: Workflow, tasks: Mapping[str, WorkflowTask]) -> None:
        self._tasks = tasks
        tree = tree_of(workflow)
        self._placed = {tree.label(placed.index): placed for placed in tree.tasks}

    def misfits(self, case: Case) -> Iterator[Mismatch]:
        """A mismatch for every mocked output that does not fit, in the order of the test."""
        for name, results in case.tasks.items():
            for placed in self._meant(name):
                for index, result in enumerate(results):
                    if "output" in result.model_fields_set:
                        yield from self._judged(f"mocks.{name}[{index}].output", placed, result.output)

    def _meant(self, name: str) -> list[Placed]:
        """The tasks that a path or an id stands for; one of those that are generated is not known."""
        plain = _POSITION.sub("", name)
        if plain in self._placed:
            return [self._placed[plain]]
        return [] if "/" in plain else [one for label, one in self._placed.items() if task_id(label) == plain]

    def _judged(self, at: str, placed: Placed, output: Any) -> Iterator[Mismatch]:
        task = placed.task
        document = self._tasks.get(task.task_ref) if task.task_ref is not None else None
        if document is not None and document.spec.output_schema is not None:
            yield from _misfit(at, document.spec.output_schema, output)
            return
        block = task.block if document is None else document.spec.block
        schema = block.response_schema if isinstance(block, HttpRequest) and block.paging is None else None
        if isinstance(schema, dict) and isinstance(output, dict) and "body" in output:
            yield from _misfit(f"{at}.body", schema, output["body"])


def _misfit(at: str, schema: dict[str, Any], value: Any) -> Iterator[Mismatch]:
    if schema_problems(schema):
        return
    checked = validate_input(schema, value)
    lines = [f"{one.name} is required" for one in checked.missing_inputs]
    lines += [one.message for one in checked.invalid_inputs]
    lines = [f"it{line.removeprefix('input')}" if line.startswith("input is ") else line for line in lines]
    if lines:
        message = f"{at}: the task declares another output: {lines[0]}"
        yield Mismatch(at, message, schema, value, tuple(lines))
