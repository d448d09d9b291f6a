"""Two schemas compared: what changed, and whether it breaks those who relied on the first.

Of an input, what becomes narrower breaks its senders; of an output, what becomes wider breaks its readers. The two
are the same comparison read in opposite directions (the input is contravariant, the output covariant).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from millrace.services.openapi.references import mapping, sequence

Side = Literal["input", "output"]
CHANGES: Final = 100
"""Changes reported for one schema."""
DEPTH: Final = 24
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_EXACT: Final = ("pattern", "format", "multipleOf", "const", "uniqueItems")
_CHOICES: Final = ("allOf", "anyOf", "oneOf", "not", "additionalProperties", "patternProperties", "prefixItems")


class Change(Struct, frozen=True):
    """One difference. ``rule`` is stable, ``where`` a place such as ``input.body.name``."""

    rule: str
    breaking: bool
    where: str
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "breaking": self.breaking, "where": self.where, "message": self.message}


def schema_changes(old: Any, new: Any, *, side: Side) -> list[Change]:
    """At most CHANGES differences between two schemas of a task, references followed inside each."""
    found = []
    for change in _Comparison(old, new, side).changes():
        found.append(change)
        if len(found) >= CHANGES:
            break
    return found


class _Comparison:
    def __init__(self, old: Any, new: Any, side: Side) -> None:
        self._old, self._new, self._side = old, new, side
        self._seen: set[tuple[str, str]] = set()

    def changes(self) -> Iterator[Change]:
        yield from self._walk(self._old, self._new, self._side, 0)

    def _walk(self, old: Any, new: Any, where: str, depth: int) -> Iterator[Change]:
        pair = (_target(old), _target(new))
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        old, new = _followed(old, self._old), _followed(new, self._new)
        if old == new and not any(pair) and not _refers(old):
            return
        if depth > DEPTH:
            return
        old, new = _plain(old), _plain(new)
        yield from self._types(old, new, where)
        yield from self._enums(old, new, where)
        yield from self._limits(old, new, where)
        yield from self._fields(old, new, where, depth)
        if isinstance(old.get("items"), dict) or isinstance(new.get("items"), dict):
            yield from self._walk(old.get("items", {}), new.get("items", {}), f"{where}[]", depth + 1)
        for key in _CHOICES:
            if old.get(key) != new.get(key):
                yield Change("schema-changed", True, where, f"{key} of {where} changed")

    def _narrows(self, narrower: bool, wider: bool) -> bool:
        return narrower if self._side == "input" else wider

    def _types(self, old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[Change]:
        was, now = _types(old), _types(new)
        if was == now:
            return
        narrower, wider = not was <= now, not now <= was
        word = "changed" if narrower and wider else "narrowed" if narrower else "widened"
        said = f"{where} was {_said(was)} and is {_said(now)}"
        yield Change(f"{self._side}-type-{word}", self._narrows(narrower, wider), where, said)

    def _enums(self, old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[Change]:
        was, now = _values(old), _values(new)
        if was == now:
            return
        narrower = now is not None and (was is None or bool(was - now))
        wider = was is not None and (now is None or bool(now - was))
        word = "changed" if narrower and wider else "narrowed" if narrower else "widened"
        said = f"{where} allows other values than before"
        yield Change(f"{self._side}-enum-{word}", self._narrows(narrower, wider), where, said)

    def _limits(self, old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[Change]:
        narrower = wider = False
        for keys, sign in ((_UPPER, 1), (_LOWER, -1)):
            for key in keys:
                was, now = _bound(old.get(key), sign), _bound(new.get(key), sign)
                narrower, wider = narrower or now < was, wider or now > was
        for key in _EXACT:
            if old.get(key) != new.get(key):
                narrower, wider = narrower or key in new, wider or key in old
        if narrower or wider:
            word = "tightened" if narrower else "loosened"
            said = f"the limits of {where} are not what they were"
            yield Change(f"{self._side}-limits-{word}", self._narrows(narrower, wider), where, said)

    def _fields(self, old: dict[str, Any], new: dict[str, Any], where: str, depth: int) -> Iterator[Change]:
        was, now = mapping(old.get("properties")), mapping(new.get("properties"))
        needed = {item for item in sequence(old.get("required")) if isinstance(item, str)}
        needs = {item for item in sequence(new.get("required")) if isinstance(item, str)}
        given = self._side == "input"
        for name in was.keys() - now.keys():
            yield Change(f"{_noun(given)}-removed", True, f"{where}.{name}", f"{where}.{name} is gone")
        for name in now.keys() - was.keys():
            if given and name in needs:
                said = f"{where}.{name} is new and required"
                yield Change("required-input-added", True, f"{where}.{name}", said)
            else:
                yield Change(f"{_noun(given)}-added", False, f"{where}.{name}", f"{where}.{name} is new")
        told = was.keys() ^ now.keys()  # of these, being there or not has been said
        for name in sorted(needs - needed - told):
            yield Change(f"{_noun(given)}-now-required", given, f"{where}.{name}", f"{where}.{name} is required now")
        for name in sorted(needed - needs - told):
            said = f"{where}.{name} is optional now"
            yield Change(f"{_noun(given)}-now-optional", not given, f"{where}.{name}", said)
        for name in sorted(was.keys() & now.keys()):
            yield from self._walk(was[name], now[name], f"{where}.{name}", depth + 1)


def _noun(given: bool) -> str:
    return "input" if given else "output-field"


def _target(schema: Any) -> str:
    return str(schema["$ref"]) if isinstance(schema, dict) and isinstance(schema.get("$ref"), str) else ""


def _followed(schema: Any, root: Any) -> Any:
    """A schema with the reference it consists of followed, into ``$defs`` of its root."""
    for _ in range(DEPTH):
        target = _target(schema)
        if not target.startswith("#/$defs/"):
            return schema
        schema = mapping(mapping(root).get("$defs")).get(target.removeprefix("#/$defs/"), {})
    return {}


def _refers(schema: Any) -> bool:
    """Whether something inside is said elsewhere, where it may have changed."""
    return "'$ref'" in str(schema)


def _plain(schema: Any) -> dict[str, Any]:
    if isinstance(schema, dict):
        return schema
    return {} if schema is not False else {"type": []}


def _types(schema: dict[str, Any]) -> frozenset[str]:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        kinds = [kinds]
    if not isinstance(kinds, list):
        kinds = ["array", "boolean", "null", "number", "object", "string"]
    named = frozenset(kind for kind in kinds if isinstance(kind, str))
    return named | {"integer"} if "number" in named else named


def _said(kinds: frozenset[str]) -> str:
    return "anything" if len(kinds) > 6 else " or ".join(sorted(kinds)) or "nothing"


def _values(schema: dict[str, Any]) -> frozenset[str] | None:
    values = schema.get("enum")
    return frozenset(map(repr, values)) if isinstance(values, list) else None


def _bound(value: Any, sign: int) -> float:
    return sign * value if type(value) in (int, float) else float("inf")
