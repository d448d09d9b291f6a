"""The shapes of everything an expression can read: inputs, constants, and what the tasks put out."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from millrace.expr import ReadPath
from millrace.spec.dependencies import Graph
from millrace.spec.models import Task, Workflow, WorkflowTask
from millrace.spec.registry import find_type
from millrace.spec.scopes import TASK_FIELDS
from millrace.spec.shapes import ANYTHING, Shape, Verdict, constant_shape, follow, json_type
from millrace.spec.tasks.event import EVENT_SCHEMA
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.switch import Switch
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Body, Placed, Tree

_ABOUT: Final[dict[str, Any]] = {
    "id": {"type": "string"},
    "workflow": {"type": "string"},
    "version": {},
    "startedAt": {},
    "mode": {"type": "string"},
}
_EXECUTION: Final = Shape.of({"type": "object", "properties": _ABOUT, "additionalProperties": False})
_TRIGGER: Final = Shape.of(
    {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "id": {}, "slot": {}, "delivery": {}},
        "additionalProperties": False,
    }
)
_ENDED: Final = Shape.of(
    {"type": "object", "properties": {**_ABOUT, "status": {"type": "string"}}, "additionalProperties": False}
)
"""What handlers at the end see: also what came of the tasks."""
_EVENT: Final = Shape.of(EVENT_SCHEMA)
_INDEX: Final = Shape.of({"type": "integer"})
_ERROR: Final = Shape.of(
    {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("kind", "code", "message", "task")},
        "additionalProperties": False,
    }
)
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


class Environments:
    """What the expressions of each body of a workflow can read, and what each task produces."""

    def __init__(
        self, workflow: Workflow, tree: Tree, graphs: Sequence[Graph], tasks: Mapping[str, WorkflowTask]
    ) -> None:
        spec = workflow.spec
        self._tree = tree
        self._graphs = graphs
        roots = {
            "input": Shape.of(spec.input),
            "config": constant_shape(spec.config),
            "state": Shape.of(_mapping_schema(spec.state)),
            "execution": _EXECUTION,
            "trigger": _TRIGGER,
            "event": _EVENT,
            "error": _ERROR,
        }
        self.produced = tuple(self._produced(placed, tasks) for placed in tree.tasks)
        outputs: list[ChainMap[str, Shape]] = []
        self.bodies: list[Environment] = []
        for body in tree.bodies:  # one that is seen by others stands before them
            own = {name: self._read(index) for name, index in body.ids.items()}
            above = ChainMap[str, Shape]() if body.sees is None else outputs[body.sees]
            outputs.append(above.new_child(own))
            self.bodies.append(Environment({**roots, **self._loop(body)}, outputs[-1]))

    def of(self, task: int | None) -> Environment:
        """What the expressions of a task can read, or those of the workflow itself."""
        return self.bodies[0 if task is None else self._tree.tasks[task].body]

    def _read(self, index: int) -> Shape:
        """The shape of a task's output as others read it. A value that stands in may have any."""
        task = self._tree.tasks[index].task
        if task.fallback is not None:
            return ANYTHING
        return self.produced[index] if task.output is None else _mapped(task.output)

    def _produced(self, placed: Placed, tasks: Mapping[str, WorkflowTask]) -> Shape:
        block = placed.task.block
        if isinstance(block, Switch):
            names = [name for inner in placed.inner for name in self._leaves(inner)]
            return Shape.of(_object_of(names))
        if isinstance(block, ForEach):
            entry = {"status": {"type": "string"}, "output": _object_of(self._leaves(placed.inner[0])), "error": {}}
            items = {"type": "object", "properties": entry, "additionalProperties": False}
            return Shape.of({"type": "array", "items": items})
        if isinstance(block, SubWorkflow) and block.detached:
            return Shape.of({"type": "object", "properties": {"executionId": {"type": "string"}}})
        return produced(placed.task, tasks)

    def _leaves(self, body: int) -> tuple[str, ...]:
        return leaves(self._tree.bodies[body], self._graphs[body])

    def _loop(self, body: Body) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for one in self._tree.around(body.index):
            if one.owner is None and one.name:
                found["execution"] = _ENDED
            holder = None if one.owner is None else self._tree.tasks[one.owner].task.block
            if isinstance(holder, ForEach) and not one.single:
                found |= {one.roots[0]: ANYTHING, one.roots[1]: _INDEX}
        return found


def leaves(body: Body, graph: Graph) -> tuple[str, ...]:
    """The ids of a body that no other task of it waits for: their outputs are the output of the body."""
    waited = {need for needs in graph.needs.values() for need in needs}
    return tuple(name for name in body.ids if name not in waited)


def _object_of(names: Sequence[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {} for name in names}, "additionalProperties": False}


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
