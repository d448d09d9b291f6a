"""``filter``, ``map``, ``select``, ``limit``, ``flatten``: steps that look at one item at a time."""

from __future__ import annotations

from typing import Any

from millrace.engine.transforms.keys import MISSING
from millrace.engine.transforms.selector import reads_of, select_by
from millrace.engine.transforms.step import ITEM, ItemFrame, Place, Step, fields_of
from millrace.engine.transforms.taken import Taken, by_template
from millrace.expr.expression import compile_expression
from millrace.expr.faults import NOWHERE
from millrace.expr.paths import ReadPath
from millrace.expr.template import compile_template
from millrace.expr.values import described


def compile_filter(value: Any, place: Place) -> Step:
    """Keeps the items for which a bare expression is true. Anything but true and false is an error."""
    if not isinstance(value, str):
        raise place.error(f"expected an expression, found {described(value)}", hint='as in filter: "item.total > 10"')
    expression = compile_expression(value, scope=place.scope)

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        kept = []
        for index, item in enumerate(items):
            frame.enter(index, item)
            verdict = expression.value_in(frame)
            if verdict is True:
                kept.append(item)
            elif verdict is not False:
                hint = "compare it with something, as in item.name != ''"
                raise place.error(f"the expression is true or false, and this is {described(verdict)}", hint=hint)
        return kept

    takes = [Taken("test", value, expression=expression)]
    return place.made(run, expression.reads, keeps="items order", takes=takes)


def compile_map(value: Any, place: Place) -> Step:
    """Replaces each item by a rendered value."""
    if not isinstance(value, dict | list) and not (isinstance(value, str) and "{{" in value):
        hint = f'as in map: "{{{{{value}}}}}"' if isinstance(value, str) else 'as in map: {id: "{{item.id}}"}'
        raise place.error("expected a map, a list or a text with {{ }}", hint=hint)
    template = compile_template(value, scope=place.scope)

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        made = []
        for index, item in enumerate(items):
            frame.enter(index, item)
            made.append(template.value_in(frame))
        return made

    reads = [read for site in template.sites for read in site.expression.reads]
    writes = list(value) if isinstance(value, dict) else []
    return place.made(run, reads, writes=writes, keeps="order count", takes=by_template(template, value))


def compile_select(value: Any, place: Place) -> Step:
    """Keeps some fields of each item: a list of field paths, or a map of new name → field path or expression.

    A field that an item does not have is not in the result either.
    """
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value:
        taken = [select_by(entry, place) for entry in value]
        chosen = {selector.name: selector for selector in taken}
        if len(chosen) < len(taken):
            hint = "use a map of new name → field"
            raise place.error("two of the fields end in the same name", hint=hint)
    elif isinstance(value, dict) and value:
        chosen = {str(name): select_by(entry, place) for name, entry in value.items()}
    else:
        raise place.error("expected a list of fields, or a map of new name → field", hint="as in select: [id, name]")

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        made = []
        for index, item in enumerate(items):
            frame.enter(index, item)
            fields_of(item, place)
            frame.fuel.spend(1 + len(chosen), NOWHERE)
            row = {name: selector.take(frame) for name, selector in chosen.items()}
            made.append({name: entry for name, entry in row.items() if entry is not MISSING})
        return made

    takes = [selector.taken("value", name) for name, selector in chosen.items()]
    return place.made(run, reads_of(list(chosen.values())), writes=list(chosen), keeps="order count", takes=takes)


def compile_limit(value: Any, place: Place) -> Step:
    """Keeps the first items: a count, or ``{count, offset}``; each an int from 0 or a ``{{ }}`` over outside data."""
    options = place.options(value, ("count", "offset")) if isinstance(value, dict) else {"count": value}
    if not options:
        raise place.error("neither count nor offset is given", hint="as in limit: 5")
    bounds = {name: _bound(entry, name, place) for name, entry in options.items()}

    def number(name: str, frame: ItemFrame) -> int | None:
        if name not in bounds:
            return None
        found = bounds[name].value_in(frame)
        if type(found) is not int or found < 0:
            raise place.error(f"{name} is an int from 0, and this is {described(found)}", hint="as in limit: 5")
        return found

    def run(items: list[Any], frame: ItemFrame) -> list[Any]:
        offset, count = number("offset", frame) or 0, number("count", frame)
        return items[offset:] if count is None else items[offset : offset + count]

    reads = [read for bound in bounds.values() for site in bound.sites for read in site.expression.reads]
    return place.made(run, reads, keeps="items order", needs_all=True)


def _bound(value: Any, name: str, place: Place) -> Any:
    if type(value) is not int and not (isinstance(value, str) and "{{" in value):
        raise place.error(f"{name} is an int from 0, and this is {described(value)}", hint="as in limit: 5")
    if type(value) is int and value < 0:
        raise place.error(f"{name} is an int from 0, and this is {value}", hint="as in limit: 5")
    return compile_template(value, scope=place.outer)


def compile_flatten(value: Any, place: Place) -> Step:
    """Without a field: items that are lists give way to their items, ``depth`` levels deep (1).

    With a field: one copy of an item per entry of the list in that field, the field holding the entry. Items in
    which the field is missing, null or empty give none; anything else there is an error.
    """
    if isinstance(value, str):
        value = {"field": value}
    elif type(value) is int:
        value = {"depth": value}
    elif value is True or value is None:
        value = {}
    options = place.options(value, ("field", "depth"))
    depth, name = options.get("depth", 1), options.get("field")
    if type(depth) is not int or not 1 <= depth <= 64:
        raise place.error("depth is an int from 1 to 64", hint="leave it out for one level")
    if name is not None and (not isinstance(name, str) or not name):
        raise place.error("field is the name of a field", hint="as in flatten: {field: lines}")

    def splice(items: list[Any], frame: ItemFrame) -> list[Any]:
        return _spliced(items, depth, frame)

    def unwind(items: list[Any], frame: ItemFrame) -> list[Any]:
        made: list[Any] = []
        for index, item in enumerate(items):
            frame.enter(index, item)
            fields = fields_of(item, place)
            entries = fields.get(str(name))
            if entries is None:
                continue
            if not isinstance(entries, list):
                hint = "make it a list with map first"
                raise place.error(f"{name} is not a list but {described(entries)}", hint=hint)
            entries = _spliced(entries, depth - 1, frame)
            frame.fuel.spend(1 + len(entries) * (1 + len(fields) // 4), NOWHERE)
            made.extend({**fields, str(name): entry} for entry in entries)
        return made

    if name is None:
        return place.made(splice, [ReadPath(ITEM)], writes=[], keeps="order")
    return place.made(unwind, [ReadPath(ITEM)], writes=[name], keeps="order")


def _spliced(items: list[Any], depth: int, frame: ItemFrame) -> list[Any]:
    for _ in range(depth):
        if not any(isinstance(item, list) for item in items):
            break
        made: list[Any] = []
        for item in items:
            entries = item if isinstance(item, list) else (item,)
            frame.fuel.spend(1 + len(entries), NOWHERE)
            made.extend(entries)
        items = made
    return items
