"""The shapes of everything an expression can read: inputs, constants, and what the tasks put out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.expr import ReadPath
from millrace.spec.models import Task, Workflow, WorkflowTask
from millrace.spec.registry import find_type
from millrace.spec.scopes import TASK_FIELDS
from millrace.spec.shapes import ANYTHING, Shape, Verdict, constant_shape, follow, json_type
from millrace.spec.tasks.event import EVENT_SCHEMA

_EXECUTION: Final = Shape.of(
    {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "workflow": {"type": "string"},
            "version": {},
            "startedAt": {},
            "mode": {"type": "string"},
        },
        "additionalProperties": False,
    }
)
_TRIGGER: Final = Shape.of(
    {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "id": {}, "slot": {}, "delivery": {}},
        "additionalProperties": False,
    }
)
_EVENT: Final = Shape.of(EVENT_SCHEMA)
_FIELDS: Final = {
    "status": Shape.of({"type": "string"}),
    "attempts": Shape.of({"type": "integer"}),
    "durationMs": Shape.of({"type": "integer"}),
    "error": ANYTHING,
}


class Environment:
    """What paths lead to. Paths below ``tasks`` begin with a task id and one of `TASK_FIELDS`."""

    def __init__(self, roots: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> None:
        self._roots = roots
        self._outputs = outputs
        self._seen: dict[ReadPath, Verdict] = {}

    def follow(self, path: ReadPath, own_output: Shape = ANYTHING) -> Verdict:
        """The verdict on one read; ``own_output`` is what ``output`` means where it is in scope."""
        if path.root == "output":
            return follow(own_output, path.segments)
        found = self._seen.get(path)
        if found is None:
            found = self._seen[path] = self._task(path) if path.root == "tasks" else self._root(path)
        return found

    def _root(self, path: ReadPath) -> Verdict:
        return follow(self._roots.get(path.root, ANYTHING), path.segments)

    def _task(self, path: ReadPath) -> Verdict:
        if len(path.segments) < 2:
            return Verdict(ANYTHING)
        task, name, *rest = path.segments
        if name not in TASK_FIELDS:
            return Verdict(None, 1, tuple(sorted(TASK_FIELDS)))
        below = self._outputs.get(str(task), ANYTHING) if name == "output" else _FIELDS[str(name)]
        verdict = follow(below, rest)
        return verdict if verdict.shape is not None else Verdict(None, verdict.index + 2, verdict.known, verdict.reason)


def workflow_environment(workflow: Workflow, tasks: Mapping[str, WorkflowTask]) -> Environment:
    """What the expressions of a workflow can read."""
    spec = workflow.spec
    roots = {
        "input": Shape.of(spec.input),
        "config": constant_shape(spec.config),
        "execution": _EXECUTION,
        "trigger": _TRIGGER,
        "event": _EVENT,
    }
    outputs: dict[str, Shape] = {}
    for task in spec.tasks:
        outputs.setdefault(task.id, _mapped(task.output) if task.output is not None else produced(task, tasks))
    return Environment(roots, outputs)


def task_environment(document: WorkflowTask) -> Environment:
    """What the expressions inside a reusable task can read."""
    roots = {"input": Shape.of(document.spec.input_schema), "execution": _EXECUTION, "event": _EVENT}
    return Environment(roots, {})


def produced(task: Task, tasks: Mapping[str, WorkflowTask]) -> Shape:
    """The shape of what a task produces, before its own output mapping."""
    if task.task_ref is None:
        return _typed(task.type, task.block)
    document = tasks.get(task.task_ref)
    if document is None:
        return ANYTHING
    if document.spec.output_schema is not None:
        return Shape.of(document.spec.output_schema)
    return _typed(document.spec.type, document.spec.block)


def _typed(name: str | None, block: Any) -> Shape:
    kind = find_type(name) if name is not None else None
    schema = kind.output_schema(block) if kind is not None else None
    if schema is None:
        return ANYTHING
    return Shape.of(_rooted(schema))


def _rooted(schema: dict[str, Any]) -> dict[str, Any]:
    """A response schema sits below the output's; its references count from itself, so it is kept apart."""
    body = schema.get("properties", {}).get("body")
    if isinstance(body, dict) and "$ref" in str(body):
        return {**schema, "properties": {**schema["properties"], "body": {}}}
    return schema


def _mapped(mapping: Any) -> Shape:
    """The shape of an output mapping: its keys are known, of its templates only that they are there."""
    return Shape.of(_mapping_schema(mapping))


def _mapping_schema(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        properties = {key: _mapping_schema(item) for key, item in value.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    if (isinstance(value, str) and "{{" in value) or isinstance(value, list):
        return {}
    return {"type": json_type(value)}
