"""What each task of a workflow produces, as far as schemas tell, from the inside out.

A switch and a loop put out what the last tasks of their bodies put out, so their shapes are made of those of inner
tasks; which of these may be missing hangs on what can become of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from millrace.expr import Segment, Wild
from millrace.spec.dependencies import Graph, leaves
from millrace.spec.findings import Path
from millrace.spec.models import Task, Workflow, WorkflowTask
from millrace.spec.outcomes import Outcomes
from millrace.spec.registry import find_type
from millrace.spec.shapes import ANYTHING, Shape, constant_shape, either
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.switch import Switch
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Body, Placed, Tree

Render = Callable[[Any, Path], Shape]
ERROR: Final = Shape.of(
    {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("kind", "code", "message", "task")},
        "additionalProperties": False,
    }
)
"""What handlers, fallbacks and the entries of a loop see of a failure."""
_AT_END: Final = {
    "may-skip": 'the task "{name}" in it may be skipped',
    "may-fail": 'the task "{name}" in it may fail, and the rest goes on',
    "dead": 'the task "{name}" in it never runs',
}


class Products:
    """``shapes`` are those of what the tasks produce, before their own output mapping; ``read`` those that others see;
    ``doubts`` say why a part of an output, by its place below the output, may be missing. All by index in the tree."""

    def __init__(
        self,
        tree: Tree,
        graphs: Sequence[Graph],
        outcomes: Sequence[Outcomes],
        tasks: Mapping[str, WorkflowTask],
        workflows: Mapping[str, Workflow],
    ) -> None:
        self._tree = tree
        self._graphs = graphs
        self._outcomes = outcomes
        self._tasks = tasks
        self._workflows = workflows
        self.shapes: dict[int, Shape] = {}
        self.read: dict[int, Shape] = {}
        self.doubts: dict[int, dict[tuple[Segment, ...], str]] = {}
        for placed in reversed(tree.tasks):  # those inside a task stand behind it
            self.shapes[placed.index] = self._shape(placed)
            self.read[placed.index] = self._read(placed, lambda value, _path: mapped(value))

    def _shape(self, placed: Placed) -> Shape:
        block = placed.task.block
        if isinstance(block, Switch):
            return self._switch(placed, block)
        if isinstance(block, ForEach):
            return self._loop(placed, block)
        if isinstance(block, SubWorkflow) and block.detached:
            return object_shape({"executionId": Shape.of({"type": "string"})})
        if isinstance(block, SubWorkflow):
            child = self._workflows.get(block.workflow_ref)
            return ANYTHING if child is None or child.spec.output is None else mapped(child.spec.output)
        return produced(placed.task, self._tasks)

    def refine(self, placed: Placed, shape: Shape | None, render: Render) -> None:
        """Tell a task's shapes again, now that more is known: ``shape`` is what it produces, where that is known better
        than from its type; ``render`` gives the shape of a value with templates at a path of the document."""
        self.shapes[placed.index] = self._shape(placed) if shape is None else shape
        self.read[placed.index] = self._read(placed, render)

    def _read(self, placed: Placed, render: Render) -> Shape:
        """The shape of a task's output as others read it. What stands in may have another."""
        task = placed.task
        own = self.shapes[placed.index] if task.output is None else render(task.output, (*placed.path, "output"))
        if task.fallback is None:
            return own
        if task.fallback.inner is None:
            return either([own, render(task.fallback.value, (*placed.path, "fallback", "value"))])
        inner = self._tree.bodies[placed.inner[-1]]
        return either([own, self.read[inner.tasks[0]]])

    def _switch(self, placed: Placed, block: Switch) -> Shape:
        bodies = [self._tree.bodies[index] for index in placed.inner[: len(block.cases) + (block.default is not None)]]
        found: dict[str, list[Shape]] = {}
        doubts: dict[tuple[Segment, ...], str] = {}
        for body in bodies:
            for name, why in self._leaves(body).items():
                found.setdefault(name, []).append(self.read[body.ids[name]])
                if why:
                    doubts[(name,)] = why
        for name, shapes in found.items():
            if len(shapes) < len(block.cases) + 1:
                doubts.setdefault((name,), f'not every case has "{name}"')
        self.doubts[placed.index] = self._own(placed, doubts)
        return object_shape({name: either(shapes) for name, shapes in found.items()})

    def _loop(self, placed: Placed, block: ForEach) -> Shape:
        body = self._tree.bodies[placed.inner[0]]
        last = self._leaves(body)
        doubts: dict[tuple[Segment, ...], str] = {(Wild.ANY, "error"): "only an item that has failed has it"}
        for name, why in last.items():
            if why or block.for_each.tolerate.failures not in (0, "0%"):
                doubts[(Wild.ANY, "output", name)] = why or "some items may fail"
        self.doubts[placed.index] = self._own(placed, doubts)
        output = object_shape({name: self.read[body.ids[name]] for name in last})
        entry = object_shape({"status": Shape.of({"type": "string"}), "output": output, "error": ERROR})
        return Shape.of({"type": "array", "items": entry})

    def _own(self, placed: Placed, doubts: Mapping[tuple[Any, ...], str]) -> dict[tuple[Segment, ...], str]:
        """The doubts about an output that others see as it was produced."""
        return {} if placed.task.output is not None or placed.task.fallback is not None else dict(doubts)

    def last(self, body: Body) -> dict[str, int]:
        """The tasks whose outputs are the output of a body, by id."""
        return {name: body.ids[name] for name in leaves(body, self._graphs[body.index])}

    def _leaves(self, body: Body) -> dict[str, str]:
        """The ids whose outputs are the output of a body, and why each may be missing, if it may."""
        outcomes = self._outcomes[body.index]
        found = {}
        for name in leaves(body, self._graphs[body.index]):
            why = _AT_END.get(outcomes.at_end(name), "")
            found[name] = why.format(name=name)
        return found


def produced(task: Task, tasks: Mapping[str, WorkflowTask]) -> Shape:
    """The shape of what a task without others inside it produces, before its own output mapping."""
    if task.task_ref is None:
        return _typed(task.type, task.block)
    document = tasks.get(task.task_ref)
    if document is None:
        return ANYTHING
    if document.spec.output_schema is not None:
        return Shape.of(document.spec.output_schema)
    return _typed(document.spec.type, document.spec.block)


def mapped(value: Any) -> Shape:
    """The shape of a value with templates: its keys are known, of its templates only that they are there."""
    if isinstance(value, dict):
        return object_shape({key: mapped(item) for key, item in value.items()})
    if isinstance(value, list):
        return Shape.of({"type": "array", "prefixItems": [mapped(item) for item in value], "items": False})
    return ANYTHING if isinstance(value, str) and "{{" in value else constant_shape(value)


def object_shape(properties: Mapping[str, Shape]) -> Shape:
    return Shape.of({"type": "object", "properties": dict(properties), "additionalProperties": False})


def _typed(name: str | None, block: Any) -> Shape:
    kind = find_type(name) if name is not None else None
    schema = kind.output_schema(block) if kind is not None else None
    if schema is None:
        return ANYTHING
    properties = schema.get("properties", {})
    if "body" in properties:  # a response schema, whose references count from itself
        return Shape.of({**schema, "properties": {**properties, "body": Shape.of(properties["body"])}})
    return Shape.of(schema)
