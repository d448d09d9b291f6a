"""The shapes of everything an expression can read: inputs, constants, and what the tasks put out."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, Final

from millrace.expr import Expression, ReadPath
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.produced import ERROR, Products, mapped
from millrace.spec.scopes import TASK_FIELDS
from millrace.spec.shapes import ANYTHING, Shape, Verdict, constant_shape, follow, items_of
from millrace.spec.sites import Sites
from millrace.spec.tasks.event import EVENT_SCHEMA
from millrace.spec.tasks.for_each import ForEach
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
_STATUSES: Final = (
    *("succeeded", "failed", "skipped", "cancelled"),
    *("pending", "ready", "running", "ended", "retrying", "waiting", "queued", "open"),
)
"""What the engine says that a task is: its ends, and what comes before."""
_FIELDS: Final = {
    "status": Shape.of({"type": "string", "enum": [*_STATUSES]}),
    "attempts": Shape.of({"type": "integer"}),
    "durationMs": Shape.of({"type": "integer"}),
    "error": ANYTHING,
}
_ITEMS: Final = ("forEach", "items")


class Environment:
    """What paths lead to. Paths below ``tasks`` begin with a task id and one of `TASK_FIELDS`."""

    def __init__(self, roots: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> None:
        self.roots = dict(roots)
        self._outputs = outputs
        self._seen: dict[ReadPath, Verdict] | None = None

    def settle(self) -> None:
        """From now on nothing changes any more, so answers are kept."""
        self._seen = {}

    def follow(self, path: ReadPath, own_output: Shape = ANYTHING) -> Verdict:
        """The verdict on one read; ``own_output`` is what ``output`` means where it is in scope."""
        if path.root == "output":
            return follow(own_output, path.segments)
        found = None if self._seen is None else self._seen.get(path)
        if found is None:
            found = self._task(path) if path.root == "tasks" else self._root(path)
            if self._seen is not None:
                self._seen[path] = found
        return found

    def shape(self, expression: Expression) -> Shape:
        """The shape of an expression's value where it is a plain path; anything otherwise."""
        if len(expression.reads) != 1 or expression.reads[0].length != expression.length:
            return ANYTHING
        return self.follow(expression.reads[0].path).shape or ANYTHING

    def _root(self, path: ReadPath) -> Verdict:
        return follow(self.roots.get(path.root, ANYTHING), path.segments)

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
    """What the expressions of each body of a workflow can read."""

    def __init__(self, workflow: Workflow, tree: Tree, products: Products, sites: Sites) -> None:
        spec = workflow.spec
        self._tree = tree
        self._items = {site.task: site for site in sites.sites if site.whole and site.inside == _ITEMS}
        roots: dict[str, Shape] = {
            "input": Shape.of(spec.input),
            "config": constant_shape(spec.config),
            "state": mapped(spec.state),
            "execution": _EXECUTION,
            "trigger": _TRIGGER,
            "event": _EVENT,
            "error": ERROR,
        }
        self._outputs: list[ChainMap[str, Shape]] = []
        outputs = self._outputs
        self.bodies: list[Environment] = []
        for body in tree.bodies:  # one that is seen by others stands before them
            own = {name: products.read[index] for name, index in body.ids.items()}
            if body.sees is None:
                outputs.append(ChainMap(own))
                self.bodies.append(Environment(roots, outputs[-1]))
            else:
                outputs.append(outputs[body.sees].new_child(own))
                seen = {**self.bodies[body.sees].roots, **self._loop(body)}
                self.bodies.append(Environment(seen, outputs[-1]))

    def of(self, task: int | None) -> Environment:
        """What the expressions of a task can read, or those of the workflow itself."""
        return self.bodies[0 if task is None else self._tree.tasks[task].body]

    def items(self, placed: Placed, block: ForEach) -> Shape:
        """The shape of what a loop goes through."""
        site = self._items.get(placed.index)
        if site is not None:
            return self.of(placed.index).shape(site.expression)
        return mapped(block.for_each.items)

    def enter(self, body: Body) -> None:
        """Tell the names of a body again, before what it holds is judged."""
        if body.sees is not None:
            self.bodies[body.index].roots = {**self.bodies[body.sees].roots, **self._loop(body)}

    def tell(self, placed: Placed, shape: Shape) -> None:
        """What others read of a task, as it is known by now."""
        if self._tree.bodies[placed.body].ids.get(placed.task.id) == placed.index:
            self._outputs[placed.body].maps[0][placed.task.id] = shape

    def settle(self, state: Shape) -> None:
        """Everything that others read is told, and this is what ``state`` holds."""
        for environment in self.bodies:
            environment.roots["state"] = state
            environment.settle()

    def _loop(self, body: Body) -> dict[str, Shape]:
        """The names of an item and its index, where the body is that of a loop; what came of the tasks, at the end."""
        owner = None if body.owner is None else self._tree.tasks[body.owner]
        if owner is None:
            return {"execution": _ENDED}
        if not isinstance(owner.task.block, ForEach) or body.single:
            return {}
        item, index = body.roots
        return {item: items_of(self.items(owner, owner.task.block)), index: _INDEX}


def task_environment(document: WorkflowTask) -> Environment:
    """What the expressions inside a reusable task can read."""
    roots = {"input": Shape.of(document.spec.input_schema), "execution": _EXECUTION, "event": _EVENT}
    return Environment(roots, {})
