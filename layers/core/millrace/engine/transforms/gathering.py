"""``sort``, ``distinct``, ``groupBy``, ``join``: steps that compare items by keys."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from millrace.engine.transforms.keys import MISSING, group_key, sort_key
from millrace.engine.transforms.selector import Selector, reads_of, select_all
from millrace.engine.transforms.step import ITEM, ItemFrame, Place, Step, fields_of
from millrace.expr.faults import NOWHERE
from millrace.expr.paths import ReadPath
from millrace.expr.template import compile_template
from millrace.expr.values import described


def compile_sort(value: Any, place: Place) -> Step:
    """Orders by one or several keys, the first deciding. Stable; null, then missing keys come last in both orders."""
    entries = value if isinstance(value, list) else [value]
    keys: list[tuple[Selector, bool]] = []
    for entry in entries:
        options = {"by": entry} if isinstance(entry, str) else place.options(entry, ("by", "order"), ("by",))
        order = options.get("order", "asc")
        if order not in ("asc", "desc"):
            raise place.error("order is asc or desc", hint="leave it out for asc")
        keys.extend((selector, order == "desc") for selector in select_all(options["by"], place))
    if not keys:
        raise place.error("there is no key to sort by", hint="as in sort: {by: total, order: desc}")

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        frame.fuel.spend(len(keys) * len(items) * (1 + len(items).bit_length() // 4), NOWHERE)
        rows = [(_taken([key for key, _ in keys], index, item, frame), item) for index, item in enumerate(items)]
        frame.leave()
        for at in reversed(range(len(keys))):
            present = [row for row in rows if row[0][at] is not MISSING and row[0][at] is not None]
            nulls = [row for row in rows if row[0][at] is None]
            missing = [row for row in rows if row[0][at] is MISSING]
            ordered = [(sort_key(row[0][at], frame.fuel), row) for row in present]
            ordered.sort(key=lambda pair: pair[0], reverse=keys[at][1])
            rows = [row for _, row in ordered] + nulls + missing
        return [item for _, item in rows]

    reads = reads_of([key for key, _ in keys])
    takes = [key.taken("key") for key, _ in keys]
    return place.made(run, reads, keeps="items count", needs_all=True, takes=takes)


def compile_distinct(value: Any, place: Place) -> Step:
    """Keeps the first of the items that are equal, as a whole or ``by`` keys. A missing key counts as null."""
    if value is True or value is None:
        value = {}
    options = place.options(value, ("by",)) if isinstance(value, dict) else {"by": value}
    keys = select_all(options["by"], place) if "by" in options else []

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        seen: set[Hashable] = set()
        kept = []
        for index, item in enumerate(items):
            frame.fuel.spend(1, NOWHERE)
            key = _hashed(_taken(keys, index, item, frame), frame) if keys else group_key(item, frame.fuel)
            if key not in seen:
                seen.add(key)
                kept.append(item)
        return kept

    takes = [key.taken("key") for key in keys]
    return place.made(run, reads_of(keys) or [ReadPath(ITEM)], keeps="items order", needs_all=True, takes=takes)


def compile_group(value: Any, place: Place) -> Step:
    """Makes ``{key, items}`` per key, in the order in which keys first occur. A missing key counts as null.

    With a list of fields the key is a map of them.
    """
    if isinstance(value, dict):
        value = place.options(value, ("by",), ("by",))["by"]
    keys = select_all(value, place)
    composite = isinstance(value, list)
    if len({key.name for key in keys}) < len(keys):
        raise place.error("two of the fields end in the same name", hint="map them to other names first")

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        groups: dict[Hashable, dict[str, Any]] = {}
        for index, item in enumerate(items):
            frame.fuel.spend(2, NOWHERE)
            taken = [None if entry is MISSING else entry for entry in _taken(keys, index, item, frame)]
            found = groups.get(hashed := _hashed(taken, frame))
            if found is None:
                names = [key.name for key in keys]
                key = dict(zip(names, taken, strict=True)) if composite else taken[0]
                found = groups[hashed] = {"key": key, "items": []}
            found["items"].append(item)
        return list(groups.values())

    takes = [key.taken("key") for key in keys]
    reads = [*reads_of(keys), ReadPath(ITEM)]
    return place.made(run, reads, writes=["key", "items"], needs_all=True, takes=takes)


def compile_join(value: Any, place: Place) -> Step:
    """Pairs each item with every entry of ``with`` that has the same key.

    ``on`` names the key on both sides, ``left`` and ``right`` name it apart. ``type`` is ``inner`` (items without a
    match are dropped) or ``left`` (kept). The match goes under ``as``; without it, its fields are added where the
    item has none of that name. Missing and null keys match nothing.
    """
    options = place.options(value, ("with", "on", "left", "right", "type", "as"), ("with",))
    if ("on" in options) == ("left" in options or "right" in options):
        raise place.error("the key is given by on, or by left and right", hint="as in join: {with: …, on: id}")
    left = select_all(options["on"] if "on" in options else _side(options, "left", place), place)
    right = select_all(options["on"] if "on" in options else _side(options, "right", place), place)
    kind, name = options.get("type", "inner"), options.get("as")
    if kind not in ("inner", "left"):
        raise place.error("type is inner or left", hint="leave it out for inner")
    if len(left) != len(right):
        raise place.error("left and right have different numbers of keys", hint="name as many on both sides")
    if name is not None and (not isinstance(name, str) or not name):
        raise place.error("as is the name of a field", hint="as in as: customer")
    others = compile_template(options["with"], scope=place.outer)

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        table: dict[Hashable, list[Any]] = {}
        for index, entry in enumerate(_entries(others.value_in(frame), place)):
            frame.fuel.spend(2, NOWHERE)
            if (taken := _matchable(right, index, entry, frame)) is not None:
                table.setdefault(taken, []).append(entry)
        made: list[Any] = []
        for index, item in enumerate(items):
            fields = dict(fields_of(item, place))
            taken = _matchable(left, index, item, frame)
            matches = table.get(taken, []) if taken is not None else []
            frame.fuel.spend(2 + len(matches) * (1 + len(fields) // 4), NOWHERE)
            if name is not None:
                made.extend({**fields, name: match} for match in matches)
            else:
                made.extend({**fields_of(match, place), **fields} for match in matches)
            if not matches and kind == "left":
                made.append(fields if name is None else {**fields, name: None})
        return made

    reads = [*reads_of(left), *(read for site in others.sites for read in site.expression.reads)]
    outside = [read for read in reads_of(right) if (read if isinstance(read, ReadPath) else read.path).root != ITEM]
    takes = [key.taken("key") for key in left]
    reads += [*outside, ReadPath(ITEM)]
    return place.made(run, reads, writes=[name] if name else [], keeps="order", takes=takes)


def _side(options: dict[str, Any], side: str, place: Place) -> Any:
    return place.options(options, options.keys(), (side,))[side]


def _entries(value: Any, place: Place) -> list[Any]:
    if isinstance(value, list):
        return value
    raise place.error(f"with is a list, and this is {described(value)}", hint="as in with: '{{input.customers}}'")


def _taken(keys: list[Selector], index: int, item: Any, frame: ItemFrame) -> list[Any]:
    frame.enter(index, item)
    return [key.take(frame) for key in keys]


def _hashed(taken: list[Any], frame: ItemFrame) -> Hashable:
    return tuple(group_key(entry, frame.fuel) for entry in taken)


def _matchable(keys: list[Selector], index: int, item: Any, frame: ItemFrame) -> Hashable:
    taken = _taken(keys, index, item, frame)
    return None if any(entry is None or entry is MISSING for entry in taken) else _hashed(taken, frame)
