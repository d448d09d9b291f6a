"""Values that fit a JSON Schema (2020-12), made from the schema alone: the same schema gives the same value everywhere.

Making and judging are apart. What is made follows the schema's keywords one by one, and tries the next choice where
that leads nowhere; every value is then held against the schema as a whole, so that one which is given away fits. A
schema that leads back to itself is entered once; below, objects have what they need and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from millrace.base.canonical import dumps
from millrace.services.mocking.conjuncts import Conjuncts, Plain, Way, kinds, of_item, of_property, together
from millrace.services.mocking.numbers import numbers
from millrace.services.mocking.texts import texts
from millrace.spec.input_check import Judge

TRIES: Final = ((6, False), (3, False), (1, False), (3, True), (0, True))
"""Levels on which objects have all that is declared, and whether every part is held against its own schema too: finds
what fits at greater cost."""
DEEPEST: Final = 40
STEPS: Final = 6_000
"""Schemas looked at in one try: a large answer has some hundred."""
MOST_ITEMS: Final = 1_000
_OTHERS: Final = 16
"""Values tried for one part of a value that does not fit yet."""


class Unmade(Exception):
    """No value was found."""


class _Spent(Exception):
    pass


def make(schema: Any, *, hidden: str = "writeOnly") -> Any:
    """The value that a schema has to say: its example, default or first allowed value, otherwise one that is made.

    ``schema`` may hold ``$defs``; optional properties marked with the keyword ``hidden`` are left out. Raises Unmade
    when nothing is found that fits.
    """
    for levels, checked in TRIES:
        maker = _Maker(schema, levels, hidden, checked=checked)
        try:
            for value in islice(maker.values(schema, 0, frozenset()), _OTHERS):
                if maker.fits(schema, value):
                    return value
        except _Spent:
            continue
    raise Unmade


class _Maker:
    def __init__(self, schema: Any, levels: int, hidden: str, *, checked: bool) -> None:
        self._judge = Judge(schema if isinstance(schema, dict) else {})
        self._conjuncts = Conjuncts(schema.get("$defs", {}) if isinstance(schema, dict) else {})
        self._levels, self._hidden, self._checked = levels, hidden, checked
        self._left = STEPS

    def fits(self, schema: Any, value: Any) -> bool:
        return self._judge.fits(schema, value)

    def values(self, schema: Any, level: int, entered: frozenset[str]) -> Iterator[Any]:
        """Different values, none of them twice. Raises _Spent after STEPS."""
        self._left -= 1
        if self._left <= 0:
            raise _Spent
        if level > DEEPEST:
            return
        seen: set[bytes] = set()
        for value, said in self._candidates(schema, level, entered):
            mark = _mark(value)
            if mark in seen or ((said or self._checked) and not self.fits(schema, value)):
                continue
            seen.add(mark)
            yield value

    def _candidates(self, schema: Any, level: int, entered: frozenset[str]) -> Iterator[tuple[Any, bool]]:
        """Values, and whether the document says them."""
        ways = self._conjuncts.ways(schema, entered)
        for key in ("examples", "default"):
            for way in ways:
                for one in way.schemas:
                    found = one.get(key, []) if key == "examples" else [one[key]] if key in one else []
                    yield from ((value, True) for value in found)
        for way in ways:
            allowed = _allowed(way)
            if allowed is not None:
                yield from ((value, True) for value in allowed)
                continue
            below = entered | way.names
            bare = level >= self._levels or not way.names.isdisjoint(entered)
            for kind in kinds(way.schemas):
                yield from ((value, False) for value in self._of_kind(kind, way.schemas, level, below, bare=bare))

    def _of_kind(
        self, kind: str, schemas: tuple[Plain, ...], level: int, entered: frozenset[str], *, bare: bool
    ) -> Iterator[Any]:
        if kind == "null":
            yield None
        elif kind == "boolean":
            yield from (True, False)
        elif kind == "string":
            yield from texts(schemas)
        elif kind == "object":
            yield from self._objects(schemas, level, entered, bare=bare)
        elif kind == "array":
            yield from self._arrays(schemas, level, entered, bare=bare)
        else:
            yield from numbers(schemas, whole=kind == "integer")

    def _objects(
        self, schemas: tuple[Plain, ...], level: int, entered: frozenset[str], *, bare: bool
    ) -> Iterator[dict[str, Any]]:
        needed = _needed(schemas)
        declared = dict.fromkeys(name for one in schemas for name in one.get("properties", ()))
        optional = [name for name in declared if name not in needed and not self._is_hidden(schemas, name)]
        least = max((one.get("minProperties", 0) for one in schemas), default=0)
        most = min((one["maxProperties"] for one in schemas if "maxProperties" in one), default=_ANY_NUMBER)
        wanted = [[]] if bare else [optional, []]
        for also in wanted:
            names = [name for name in declared if name in needed or name in also]
            names += [name for name in needed if name not in declared]
            made = self._object(schemas, names, needed, level, entered)
            if made is None:
                continue
            for name in reversed(also):
                if len(made) > most and name in made:
                    del made[name]
            spare = [name for name in (*optional, *self._further(schemas, entered, level)) if name not in made]
            for name in spare[: max(0, least - len(made))]:
                made |= self._object(schemas, [name], {}, level, entered) or {}
            _complete(made, schemas)
            yield made
            for name in list(made):
                for other in islice(self.values(of_property(schemas, name), level + 1, entered), 1, _OTHERS):
                    yield {**made, name: other}

    def _object(
        self, schemas: tuple[Plain, ...], names: list[str], needed: dict[str, None], level: int, entered: frozenset[str]
    ) -> dict[str, Any] | None:
        """An object with these properties, without those optional ones that cannot be made."""
        made: dict[str, Any] = {}
        for name in names:
            for value in self.values(of_property(schemas, name), level + 1, entered):
                made[name] = value
                break
            else:
                if name in needed:
                    return None
        return made

    def _is_hidden(self, schemas: tuple[Plain, ...], name: str) -> bool:
        parts = [one.get("properties", {}).get(name) for one in schemas]
        return any(isinstance(part, dict) and part.get(self._hidden) is True for part in parts)

    def _further(self, schemas: tuple[Plain, ...], entered: frozenset[str], level: int) -> list[str]:
        """Names that objects may have beside the declared ones."""
        rules = [one["propertyNames"] for one in schemas if "propertyNames" in one]
        patterns = [pattern for one in schemas for pattern in one.get("patternProperties", {})]
        asked = [{"type": "string"}, *rules]
        names = [f"property{number}" for number in range(1, 17)]
        if rules:
            names = list(islice(self.values(together(asked), level + 1, entered), _OTHERS))
        for pattern in patterns:
            names += islice(self.values(together([*asked, {"pattern": pattern}]), level + 1, entered), _OTHERS)
        return [name for name in names if of_property(schemas, name) is not False]

    def _arrays(
        self, schemas: tuple[Plain, ...], level: int, entered: frozenset[str], *, bare: bool
    ) -> Iterator[list[Any]]:
        least = max((one.get("minItems", 0) for one in schemas), default=0)
        most = min((one["maxItems"] for one in schemas if "maxItems" in one), default=MOST_ITEMS)
        first = max((len(one.get("prefixItems", ())) for one in schemas), default=0)
        must = [part for one in schemas if "contains" in one for part in [one["contains"]] * one.get("minContains", 1)]
        unique = any(one.get("uniqueItems") is True for one in schemas)
        usual = max(least, len(must), 0 if bare else max(first, 1))
        if max(least, len(must)) > min(most, MOST_ITEMS):
            return
        for length in dict.fromkeys([min(usual, most), max(least, len(must)), *range(least, min(most, least + 4) + 1)]):
            made = self._array(schemas, length, must, level, entered, unique=unique)
            if made is None:
                continue
            yield made
            for index in range(min(len(made), 4)):
                for other in islice(self.values(of_item(schemas, index), level + 1, entered), 1, _OTHERS):
                    if not unique or all(_mark(other) != _mark(item) for item in made):
                        yield [*made[:index], other, *made[index + 1 :]]

    def _array(
        self,
        schemas: tuple[Plain, ...],
        length: int,
        must: list[Any],
        level: int,
        entered: frozenset[str],
        *,
        unique: bool,
    ) -> list[Any] | None:
        made: list[Any] = []
        taken: set[bytes] = set()
        streams: dict[bytes, Iterator[Any]] = {}
        for index in range(length):
            rule = of_item(schemas, index)
            if index >= length - len(must):
                rule = together([rule, must[index - length + len(must)]])
            if unique:
                stream = streams.setdefault(dumps(rule), self.values(rule, level + 1, entered))
            else:
                stream = self.values(rule, level + 1, entered)
            value = next((item for item in stream if not unique or _mark(item) not in taken), _NOTHING)
            if value is _NOTHING:
                return None
            made.append(value)
            taken.add(_mark(value))
        return made


_NOTHING: Final = object()
_ANY_NUMBER: Final = 1_000_000


def _needed(schemas: tuple[Plain, ...]) -> dict[str, None]:
    """The required properties, and those that they ask for (``dependentRequired``)."""
    left = [name for one in schemas for name in one.get("required", ())]
    found: dict[str, None] = {}
    while left:
        name = left.pop(0)
        if name not in found:
            found[name] = None
            left += [other for one in schemas for other in one.get("dependentRequired", {}).get(name, ())]
    return found


def _allowed(way: Way) -> list[Any] | None:
    """The values that ``const`` and ``enum`` leave, None where neither stands."""
    lists = [
        [one["const"]] if "const" in one else one["enum"] for one in way.schemas if "const" in one or "enum" in one
    ]
    if not lists:
        return None
    marks = [{_mark(value) for value in found} for found in lists[1:]]
    return [value for value in lists[0] if all(_mark(value) in mark for mark in marks)]


def _complete(made: dict[str, Any], schemas: tuple[Plain, ...]) -> None:
    """Take out what asks for other properties that are not there, as often as needed."""
    rules = [(name, asked) for one in schemas for name, asked in one.get("dependentRequired", {}).items()]
    lacking = [name for name, asked in rules if name in made and any(other not in made for other in asked)]
    while lacking:
        for name in lacking:
            made.pop(name, None)
        lacking = [name for name, asked in rules if name in made and any(other not in made for other in asked)]


def _mark(value: Any) -> bytes:
    """Equal for values that JSON Schema takes as equal: 1 and 1.0 are."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return dumps(value)
