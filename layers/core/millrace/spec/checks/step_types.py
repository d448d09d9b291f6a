"""Checks of what the steps of a transform do with the fields of their items, as far as schemas tell what those are.

Each step is judged with the shape that the steps before it leave. Where that is not known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from millrace.expr import Read, ReadPath
from millrace.expr.inference import infer
from millrace.expr.signatures import BOOL, NULL, NUMBER, TEXT, Kinds, worded
from millrace.spec.checks.expressions import nowhere
from millrace.spec.checks.operands import json_types, kinds_of, report_misuses
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment, Environments
from millrace.spec.findings import Path, Severity
from millrace.spec.produced import mapped, object_shape
from millrace.spec.shapes import ANYTHING, Shape, Verdict, constant_shape, follow, items_of
from millrace.spec.sites import Site, Sites, is_alone, texts
from millrace.spec.source import Source
from millrace.spec.tree import Tree

_INDEX: Final = Shape.of({"type": "integer"})
_TEXT: Final = Shape.of({"type": "string"})
_ITEMS: Final = ("items",)
_FIGURES: Final[Mapping[str, Shape]] = {
    "avg": Shape.of({"type": ["number", "null"]}),
    "count": Shape.of({"type": "integer"}),
    "sum": Shape.of({"type": "number"}),
}
_SAME: Final = frozenset({"filter", "sort", "limit", "distinct"})
_MAKING: Final = frozenset({"map", "select", "groupBy", "aggregate"})
_FATAL: Final = frozenset({"filter", "map"})
"""Steps that fail where a field is missing; the others have a place for items without it."""
_WANTS: Final[Mapping[str, tuple[Kinds, str, str]]] = {
    "test": (BOOL, "keeps items by true or false", "Compare it with something, as in item.name != ''."),
    "sum": (NUMBER, "adds numbers up", "Convert it first, as in of: double(price)."),
    "extreme": (NUMBER | BOOL | TEXT, "compares numbers or texts", "Take a field of it."),
}
"""What a role takes, beside null where items without a value do not count."""


class Items:
    """What expressions of a step can read: the item as ``shape`` tells, its position, and what is around the task."""

    def __init__(self, environment: Environment, shape: Shape) -> None:
        self._environment = environment
        self._shape = shape

    def follow(self, path: ReadPath) -> Shape | None:
        """The shape at a path; None where nothing can be."""
        if path.root == "item":
            return follow(self._shape, path.segments).shape
        return _INDEX if path.root == "index" else self._environment.follow(path).shape

    def lost(self, path: ReadPath) -> Verdict | None:
        """Why no item can have what a path leads to; None where one may."""
        verdict = follow(self._shape, path.segments) if path.root == "item" else None
        return verdict if verdict is not None and verdict.shape is None else None

    def kinds(self, path: ReadPath) -> Kinds | None:
        return kinds_of(self.follow(path))

    def kinds_taken(self, taken: Any) -> Kinds | None:
        """The kinds of a value that a step takes (`millrace.engine.transforms.taken`)."""
        if taken.expression is None:
            return self.kinds(ReadPath("item", taken.names))
        return infer(taken.expression, self.kinds).kinds

    def shape_taken(self, taken: Any) -> Shape:
        """The shape of such a value: that of the path, if it is one."""
        if taken.expression is None:
            return self.follow(ReadPath("item", taken.names)) or ANYTHING
        reads = taken.expression.reads
        if len(reads) == 1 and reads[0].length == taken.expression.length:
            return self.follow(reads[0].path) or ANYTHING
        kinds = self.kinds_taken(taken)
        return ANYTHING if kinds is None else Shape.of({"type": sorted(json_types(kinds))})


def check_step_types(
    report: Report, sites: Sites, environment: Callable[[int], Environment], items: Callable[[int], Shape]
) -> None:
    """The steps of every transform; ``items`` gives the shape of what a task works on, by its index."""
    for task, path, plan in sites.plans:
        shape, made = items(task), False  # once items are made anew, `check_strays` says which fields they lack
        group: tuple[Shape, bool] | None = None
        for step in getattr(plan, "steps", ()):
            known, anew = group if group is not None and step.op == "aggregate" else (shape, made)
            seen = Items(environment(task), known)
            place = (*path, step.index, step.op)
            raw = report.source.at(place)
            for taken in step.takes:
                inside = next((at for at, text in texts(raw) if text == taken.text), ())
                if anew or not _lost(report, taken, (*place, *inside), task, step.op, seen):
                    _judge(report, taken, (*place, *inside), task, step.op, seen)
            group = (shape, made) if step.op == "groupBy" else group if step.op in _SAME else None
            made = made or step.op in _MAKING
            shape = _after(step, raw, shape, seen)


def given_by(plan: Any, path: Path, source: Source, environment: Environment, items: Shape) -> Shape:
    """The shape of what the steps of a transform make of items of this shape."""
    shape = items
    for step in plan.steps:
        shape = _after(step, source.at((*path, step.index, step.op)), shape, Items(environment, shape))
    return shape if plan.gives == "map" else Shape.of({"type": "array", "items": shape})


def items_given(tree: Tree, sites: Sites, environments: Environments) -> Callable[[int], Shape]:
    """The shape of the items of a task's input, as far as that is a constant or a path to what has a schema."""
    whole = {(site.task, site.inside): site.expression for site in sites.sites if site.use == "input" and site.whole}

    def shape(task: int) -> Shape:
        environment, given = environments.of(task), tree.tasks[task].task.input
        if (task, ()) in whole:
            return items_in(environment.shape(whole[task, ()]))
        if (task, _ITEMS) in whole:
            return items_of(environment.shape(whole[task, _ITEMS]))
        return items_in(mapped(given))

    return shape


def items_in(given: Shape) -> Shape:
    """The shape of the items of an input of this shape."""
    return items_of(follow(given, _ITEMS).shape or ANYTHING)


def _lost(report: Report, taken: Any, path: Path, task: int, op: str, seen: Items) -> bool:
    """Whether a value is taken from where no item has anything, by the schema of what the transform is given."""
    site = Site(path, task, "block", taken.expression, taken.text, whole=True)
    if taken.expression is None:
        reads = [Read(ReadPath("item", taken.names), 0, len(taken.text))]
    else:
        reads = list(taken.expression.reads)
    found = False
    for read in reads:
        verdict = seen.lost(read.path)
        if verdict is not None:
            code, message, fix, names = nowhere(report, read.path, verdict, "unknown-field")
            severity: Severity = "error" if op in _FATAL and verdict.index not in read.tolerated else "warning"
            report.add_at(site, read.offset, code, message, fix=fix, names=names, severity=severity)
            found = True
    return found


def _judge(report: Report, taken: Any, path: Path, task: int, op: str, seen: Items) -> None:
    """One value that a step takes (`millrace.engine.transforms.taken`)."""
    offset = 0
    site = Site(path, task, "block", taken.expression, taken.text, whole=True)
    if taken.expression is not None:
        offset = taken.expression.offset
        inferred = infer(taken.expression, seen.kinds)
        if inferred.misuses:
            report_misuses(report, site, inferred)
            return
    wanted, does, fix = _WANTS.get(taken.role, (None, "", ""))
    kinds = seen.kinds_taken(taken)
    if wanted is None or kinds is None:
        return
    counted = kinds if taken.role == "test" else kinds - NULL
    if counted and not counted & wanted:
        message = f"{op} {does}, and {taken.text} is {worded(counted)}"
        report.add_at(site, offset, "operand-type", message, fix=fix)


def _after(step: Any, raw: Any, shape: Shape, seen: Items) -> Shape:
    """The shape of the items that a step leaves."""
    if step.op in _SAME:
        return shape
    if step.op == "map":
        whole = {one.place: one for one in step.takes if is_alone(one.text, one.expression)}
        return _rendered(raw, (), whole, seen)
    if step.op == "select":
        return object_shape({one.name: seen.shape_taken(one) for one in step.takes})
    if step.op == "groupBy":
        return object_shape({"key": ANYTHING, "items": Shape.of({"type": "array", "items": shape})})
    if step.op == "aggregate":
        ops = {name: figure if isinstance(figure, str) else figure["op"] for name, figure in raw.items()}
        return object_shape({"key": ANYTHING, **{name: _FIGURES.get(op, ANYTHING) for name, op in ops.items()}})
    return ANYTHING


def _rendered(value: Any, place: tuple[str | int, ...], whole: Mapping[tuple[Any, ...], Any], seen: Items) -> Shape:
    """The shape of a value in which texts are templates; ``whole`` holds those that are one expression."""
    if isinstance(value, dict):
        return object_shape({key: _rendered(below, (*place, key), whole, seen) for key, below in value.items()})
    if isinstance(value, list):
        below = [_rendered(one, (*place, index), whole, seen) for index, one in enumerate(value)]
        return Shape.of({"type": "array", "prefixItems": below, "items": False})
    if place in whole:
        return seen.shape_taken(whole[place])
    return _TEXT if isinstance(value, str) else constant_shape(value)
