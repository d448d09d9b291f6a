"""A list of steps compiled into one function of items and data.

A plan is pure and can be applied any number of times, from any thread. What it costs is bounded by fuel; what it
makes, by the size of a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from millrace.base.errors import ExpressionError, TransformError
from millrace.base.limits import EXPRESSION_DEPTH, TRANSFORM_FUEL, TRANSFORM_STEPS, VALUE_BYTES
from millrace.engine.transforms.aggregate import compile_aggregate
from millrace.engine.transforms.gathering import compile_distinct, compile_group, compile_join, compile_sort
from millrace.engine.transforms.shaping import (
    compile_filter,
    compile_flatten,
    compile_limit,
    compile_map,
    compile_select,
)
from millrace.engine.transforms.step import INDEX, ITEM, ROOTS, ItemFrame, Place, Step
from millrace.engine.transforms.strays import Stray, stray_reads
from millrace.expr.faults import NOWHERE, explained, nearest
from millrace.expr.fuel import Fuel
from millrace.expr.paths import ReadPath
from millrace.expr.scope import Scope
from millrace.expr.values import check_size, described

_COMPILERS: Final[dict[str, Callable[[Any, Place], Step]]] = {
    "distinct": compile_distinct,
    "filter": compile_filter,
    "flatten": compile_flatten,
    "groupBy": compile_group,
    "join": compile_join,
    "limit": compile_limit,
    "map": compile_map,
    "select": compile_select,
    "sort": compile_sort,
}
OPS: Final = frozenset({*_COMPILERS, "aggregate"})
_KEEP_GROUPS: Final = frozenset({"filter", "sort", "limit", "distinct", "groupBy"})


@dataclass(frozen=True, slots=True)
class TransformPlan:
    """``paths`` are what the steps read besides the items; ``steps`` what each reads and writes.

    ``gives`` is ``list``, or ``map`` when the last step is an `aggregate` without `groupBy`.
    """

    steps: tuple[Step, ...]
    paths: frozenset[ReadPath]
    gives: str
    _roots: frozenset[str] = field(repr=False)

    def strays(self) -> tuple[Stray, ...]:
        """What steps read of items that have no such field by then."""
        return tuple(stray_reads(self.steps))

    def apply(self, items: Any, env: Mapping[str, Any], *, fuel: Fuel | None = None) -> Any:
        """The list (or map) that the steps make of ``items``, which is not changed.

        Raises TransformError and ExpressionError; ``facts`` of both hold ``step``, ``op`` and, where one item is at
        fault, ``item``, its position in what the step was given.
        """
        if not isinstance(items, list):
            hint = "a transform works on a list: input: {items: …}"
            raise TransformError(f"items is a list, and this is {described(items)}", hint=hint, facts={"op": "items"})
        local = {root: env[root] for root in self._roots if root in env}
        counter = Fuel(TRANSFORM_FUEL, VALUE_BYTES) if fuel is None else fuel
        frame = ItemFrame(local, counter, EXPRESSION_DEPTH)
        value: Any = items
        for step in self.steps:
            frame.leave()
            try:
                value = step.run(value, frame)
            except (ExpressionError, TransformError) as error:
                facts = {"step": step.index, "op": step.op}
                if INDEX in local:
                    facts["item"] = local[INDEX]
                error.facts.update({key: fact for key, fact in facts.items() if key not in error.facts})
                if isinstance(error, ExpressionError):
                    explained(error)
                raise
        if self.steps:
            check_size(value, VALUE_BYTES, NOWHERE)
        return value


def compile_transform(steps: list[dict[str, Any]], *, scope: Scope | None = None) -> TransformPlan:
    """Compiles ``[{op: options}, …]``. ``scope`` tells the roots besides ``item`` and ``index``.

    Raises TransformError for the shape of a step and ExpressionError for an expression in it, both with ``step`` and
    ``op`` in their facts.
    """
    if not isinstance(steps, list) or len(steps) > TRANSFORM_STEPS:
        message = f"a transform is a list of at most {TRANSFORM_STEPS} steps"
        raise TransformError(message, hint="as in transform: [{limit: 5}]")
    outer = Scope(ROOTS) if scope is None else scope
    outer = Scope(
        outer.roots - {ITEM, INDEX},
        bare=outer.bare,
        names=outer.names,
        declared=outer.declared,
        aliases=outer.aliases,
    )
    inner = Scope(
        outer.roots | {ITEM, INDEX}, bare=ITEM, names=outer.names, declared=outer.declared, aliases=outer.aliases
    )
    compiled: list[Step] = []
    shape = "list"
    for index, step in enumerate(steps):
        op, value = _named(index, step)
        place = Place(index, op, inner, outer)
        if shape == "map":
            raise place.error(
                "comes after an aggregate that left no items", hint="group first, or make it the last step"
            )
        try:
            if op == "aggregate":
                compiled.append(compile_aggregate(value, place, grouped=shape == "groups"))
            else:
                compiled.append(_COMPILERS[op](value, place))
        except ExpressionError as error:
            error.facts.update({"step": index, "op": op})
            raise
        shape = _shape_after(op, shape)
    outside = frozenset(path for step in compiled for path in step.outside)
    gives = "map" if shape == "map" else "list"
    return TransformPlan(tuple(compiled), outside, gives, frozenset(path.root for path in outside))


def _shape_after(op: str, shape: str) -> str:
    if op == "aggregate":
        return "list" if shape == "groups" else "map"
    if op == "groupBy":
        return "groups"
    return shape if op in _KEEP_GROUPS else "list"


def _named(index: int, step: Any) -> tuple[str, Any]:
    facts = {"step": index}
    if not isinstance(step, dict) or len(step) != 1:
        hint = "begin each step with a dash of its own, as in - filter: …"
        raise TransformError(f"step {index}: a step is a map with one key, its op", hint=hint, facts=facts)
    ((op, value),) = step.items()
    if op not in OPS:
        close = nearest(str(op), OPS)
        hint = f"did you mean {close}?" if close else f"ops are {', '.join(sorted(OPS))}"
        raise TransformError(f"step {index}: there is no op {str(op)[:60]}", hint=hint, facts={**facts, "op": str(op)})
    return op, value
