"""``aggregate``: many items, or each group of them, to one map of figures.

Null and missing values do not count, except that ``collect`` keeps null and ``first`` and ``last`` give it. Over no
values, ``sum`` and ``count`` are 0, ``collect`` is empty, and the others are null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, isfinite
from typing import Any, Final

from millrace.engine.transforms.keys import MISSING
from millrace.engine.transforms.selector import Selector, reads_of, select_by
from millrace.engine.transforms.step import ITEM, ItemFrame, Place, Step, fields_of
from millrace.engine.transforms.taken import Role, Taken
from millrace.expr.faults import NOWHERE
from millrace.expr.paths import ReadPath
from millrace.expr.values import INT_MAX, INT_MIN, described, kind

Figure = Callable[[list[Any], Place], Any]


def _numbers(values: list[Any], place: Place) -> list[Any]:
    """The values without null and missing ones. Raises TransformError when one is no number."""
    found = [value for value in values if value is not None and value is not MISSING]
    for value in found:
        if kind(value) not in {"int", "double"}:
            hint = "convert it first, as in of: double(price)"
            raise place.error(f"expected numbers, found {described(value)}", hint=hint)
    return found


def _total(values: Sequence[Any], place: Place) -> Any:
    if all(type(value) is int for value in values):
        total = sum(values)
        if INT_MIN <= total <= INT_MAX:
            return total
        raise place.error("the sum does not fit a 64-bit integer", hint="sum doubles: of: double(price)")
    try:
        amount = fsum(values)
    except OverflowError:
        amount = float("inf")
    if isfinite(amount):
        return amount
    raise place.error("the sum is not a finite number", hint="look for values that are too large")


def _sum(values: list[Any], place: Place) -> Any:
    return _total(_numbers(values, place), place)


def _avg(values: list[Any], place: Place) -> Any:
    numbers = _numbers(values, place)
    return float(_total(numbers, place)) / len(numbers) if numbers else None


def _count(values: list[Any], _place: Place) -> int:
    return sum(value is not None and value is not MISSING for value in values)


def _extreme(choose: Callable[[list[Any]], Any]) -> Figure:
    def figure(values: list[Any], place: Place) -> Any:
        found = [value for value in values if value is not None and value is not MISSING]
        kinds = {"number" if kind(value) in {"int", "double"} else kind(value) for value in found}
        if not kinds:
            return None
        if len(kinds) > 1 or kinds - {"number", "string", "bool"}:
            shown = ", ".join(sorted(kinds))
            raise place.error(f"cannot compare {shown}", hint="min and max need numbers only, or texts only")
        return choose(found)

    return figure


def _collect(values: list[Any], _place: Place) -> list[Any]:
    return [value for value in values if value is not MISSING]


def _end(position: int) -> Figure:
    def figure(values: list[Any], _place: Place) -> Any:
        return values[position] if values and values[position] is not MISSING else None

    return figure


FIGURES: Final[dict[str, Figure]] = {
    "avg": _avg,
    "collect": _collect,
    "count": _count,
    "first": _end(0),
    "last": _end(-1),
    "max": _extreme(max),
    "min": _extreme(min),
    "sum": _sum,
}


_ROLES: Final[dict[str, Role]] = {"sum": "sum", "avg": "sum", "min": "extreme", "max": "extreme"}


def compile_aggregate(value: Any, place: Place, *, grouped: bool) -> Step:
    """``{name: {op, of}}``; ``of`` is a field or an expression and may be left out for ``count``, ``first``, ``last``
    and ``collect``, which then mean the items. After ``groupBy``, one row per group, with its ``key``."""
    if not isinstance(value, dict) or not value:
        raise place.error("expected a map of name → {op, of}", hint="as in aggregate: {total: {op: sum, of: price}}")
    figures: dict[str, tuple[Figure, Selector | None]] = {}
    takes: list[Taken] = []
    for name, entry in value.items():
        if grouped and name == "key":
            raise place.error("key is taken: it holds the key of the group", hint="choose another name")
        options = {"op": entry} if isinstance(entry, str) else entry
        figures[str(name)] = _, of = _figure(options, place)
        if of is not None:
            takes.append(of.taken(_ROLES.get(options["op"], "value"), str(name)))

    def figure(items: list[Any], frame: ItemFrame) -> dict[str, Any]:
        row = {}
        frame.fuel.spend(len(figures) * (1 + len(items)), NOWHERE)
        for name, (compute, of) in figures.items():
            taken = items if of is None else [_value(of, index, item, frame) for index, item in enumerate(items)]
            frame.leave()
            row[name] = compute(taken, place)
        return row

    def per_group(groups: list[Any], frame: ItemFrame) -> list[Any]:
        rows = [fields_of(group, place) for group in groups]
        return [{"key": row["key"], **figure(row["items"], frame)} for row in rows]

    selectors = [of for _, of in figures.values() if of is not None]
    reads = (
        reads_of(selectors)
        if len(selectors) == len(figures) and not grouped
        else [
            *reads_of(selectors),
            ReadPath(ITEM),
        ]
    )
    names = ["key", *figures] if grouped else list(figures)
    keeps = "order count" if grouped else ""
    run = per_group if grouped else figure
    return place.made(run, reads, writes=names, keeps=keeps, needs_all=not grouped, takes=takes)


def _figure(entry: Any, place: Place) -> tuple[Figure, Selector | None]:
    options = place.options(entry, ("op", "of"), ("op",))
    op = options["op"]
    if not isinstance(op, str) or op not in FIGURES:
        raise place.error(f"there is no op {str(op)[:60]}", hint=f"ops are {', '.join(FIGURES)}")
    if "of" in options:
        return FIGURES[op], select_by(options["of"], place)
    if op in {"sum", "avg", "min", "max"}:
        raise place.error(f"{op} needs of", hint=f"as in {{op: {op}, of: price}}")
    return (_items if op == "count" else FIGURES[op]), None


def _items(values: list[Any], _place: Place) -> int:
    return len(values)


def _value(of: Selector, index: int, item: Any, frame: ItemFrame) -> Any:
    frame.enter(index, item)
    return of.take(frame)
