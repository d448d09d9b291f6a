"""OpenAPI schemas as JSON Schemas (2020-12): each shared schema converted once, and put together per task.

References stay references, below ``$defs`` of the schema that needs them, so cycles and deep nesting cost nothing.
What a task's schema leads to is taken in by distance until a number of bytes is used; what is further away is
``{}``, which fits everything, and noted.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from millrace.base.canonical import dumps
from millrace.services.openapi.graph import InPlaceGraph
from millrace.services.openapi.keywords import IN_PLACE, NAMED, PLAIN, SILENT, small
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import Document
from millrace.spec.plain_schema import MANY, ONE

Side = Literal["request", "response"]
DEPTH: Final = 16
"""Levels of schemas written inside one another; references begin anew."""
LEVELS: Final = 24
"""References that lead on from one another."""
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Piece(Struct, frozen=True):
    """A converted schema, the names of ``$defs`` it refers to in order, and its size as canonical JSON in bytes."""

    schema: Any
    refs: tuple[str, ...]
    size: int


OPEN: Final = Piece({}, (), 2)


class Schemas:
    """The schemas of one document. Pieces are kept and shared, so they must not be changed."""

    def __init__(self, document: Document, notes: Notes) -> None:
        self._document = document
        self._notes = notes
        self._names: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self._pieces: dict[tuple[str, Side], Piece] = {}
        self._graph = InPlaceGraph(self._in_place)

    def piece(self, raw: Any, where: str, side: Side) -> Piece:
        """A schema that stands at ``where``. On the request side read-only fields are not required and fields have no
        defaults, since those are the server's to fill in; on the response side write-only fields are not required."""
        return self._convert(raw, where, side, None)

    def assemble(self, root: Piece, budget: int, side: Side, where: str) -> tuple[Any, dict[str, Any]]:
        """The schema of a piece, and the ``$defs`` it needs, together within about ``budget`` bytes."""
        if root.size > budget:
            self._cut(where)
            return {}, {}
        used = root.size
        found: dict[str, Any] = {}
        queue = deque((name, 1) for name in root.refs)
        while queue:
            name, level = queue.popleft()
            if name in found:
                continue
            piece = self._shared(name, side)
            used += len(name) + 4
            if used + piece.size > budget or level > LEVELS:
                found[name] = {}
                self._cut(where)
                continue
            used += piece.size
            found[name] = piece.schema
            queue.extend((further, level + 1) for further in piece.refs)
        return root.schema, dict(sorted(found.items()))

    def kind(self, raw: Any) -> str:
        """The one type of a schema, null aside; ``any`` where it does not tell."""
        for _ in range(DEPTH):
            try:
                raw = self._document.resolve(raw)
            except LookupError:
                return "any"
            if not isinstance(raw, dict):
                return "any"
            kinds = raw.get("type")
            kinds = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
            named = [kind for kind in kinds if kind != "null"]
            if len(named) == 1 and isinstance(named[0], str):
                return named[0] if named[0] in ("array", "object", "string", "integer", "number", "boolean") else "any"
            if named:
                return "any"
            if isinstance(raw.get("properties"), dict):
                return "object"
            if "items" in raw:
                return "array"
            parts = raw.get("allOf") or _not_null(raw.get("anyOf") or raw.get("oneOf"))
            if not isinstance(parts, list) or not parts:
                return "any"
            raw = parts[0]
        return "any"

    def fields(self, raw: Any) -> tuple[list[str], bool]:
        """The declared properties of an object schema, ``allOf`` included, and whether it takes others by name."""
        names: dict[str, None] = {}
        open_ = False
        left, seen = [raw], 0
        while left and seen < LEVELS:
            seen += 1
            try:
                one = self._document.resolve(left.pop(0))
            except LookupError:
                continue
            if not isinstance(one, dict):
                continue
            if isinstance(one.get("properties"), dict):
                names.update(dict.fromkeys(one["properties"]))
            open_ = open_ or one.get("additionalProperties") not in (None, False) or "patternProperties" in one
            open_ = open_ or any(key in one for key in ("anyOf", "oneOf"))
            left += one["allOf"] if isinstance(one.get("allOf"), list) else []
        return list(names), open_ or not names or bool(left)

    def _cut(self, where: str) -> None:
        self._notes.add("schema-cut", where, "the schema is too large; its more distant parts are left open")

    def _shared(self, name: str, side: Side) -> Piece:
        found = self._pieces.get((name, side))
        if found is None:
            reference = self._references[name]
            found = self._convert(self._document.find(reference), reference[1:], side, name)
            self._pieces[(name, side)] = found
        return found

    def _name(self, reference: str) -> str:
        """The name below ``$defs`` of what a reference leads to. Raises LookupError when it leads nowhere."""
        name = self._names.get(reference)
        if name is None:
            if not isinstance(self._document.find(reference), dict | bool):
                raise LookupError(f"the reference {reference[:120]} does not lead to a schema")
            name = _NAME.sub("_", reference.rsplit("/", 1)[-1])[:48] or "root"
            if name in self._references or not reference.startswith("#/components/schemas/"):
                name = f"{name}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}"
            self._names[reference] = name
            self._references[name] = reference
        return name

    def _in_place(self, name: str) -> Iterator[str]:
        """The references that apply to the same value as the schema called ``name``, as the document writes them."""
        left: list[tuple[Any, int]] = [(self._document.find(self._references[name]), 0)]
        while left:
            raw, depth = left.pop()
            if not isinstance(raw, dict) or depth > DEPTH:
                continue
            if isinstance(raw.get("$ref"), str):
                try:
                    yield self._name(raw["$ref"])
                except LookupError:
                    continue
            for key in IN_PLACE:
                part = raw.get(key)
                inner = part if isinstance(part, list) else list(part.values()) if key in NAMED and part else [part]
                left += [(item, depth + 1) for item in inner]

    def _convert(self, raw: Any, where: str, side: Side, source: str | None) -> Piece:
        made = _Conversion(self, self._document, self._notes, side, source)
        schema = made.schema(raw, where, 0, in_place=True)
        return Piece(schema, tuple(made.refs), len(dumps(schema)))

    def reference(self, target: str, where: str, source: str | None, *, in_place: bool) -> str:
        """The name of a reference's target, empty (with a note) when it cannot stay."""
        try:
            name = self._name(target)
        except LookupError as error:
            self._notes.add("reference", where, f"{error}; any value fits there")
            return ""
        refused = self._graph.refused(source, name) if in_place else ""
        if refused:
            said = "applies itself" if refused == "cycle" else "applies too many others"
            self._notes.add(f"schema-{refused}", where, f"the schema {target[:120]} {said}; any value fits there")
            return ""
        return name


class _Conversion:
    """One schema on its way; ``refs`` collects the names it refers to."""

    def __init__(self, schemas: Schemas, document: Document, notes: Notes, side: Side, source: str | None) -> None:
        self._schemas, self._notes, self._side, self._source = schemas, notes, side, source
        self._old = document.version == "3.0"
        self.refs: dict[str, None] = {}

    def schema(self, raw: Any, where: str, depth: int, *, in_place: bool) -> Any:
        if isinstance(raw, bool):
            return raw
        if not isinstance(raw, dict):
            self._notes.add("schema", where, "this is not a schema; any value fits there")
            return {}
        if depth > DEPTH:
            self._notes.add("schema-deep", where, "nested too deep; any value fits there")
            return {}
        out: dict[str, Any] = {}
        if isinstance(raw.get("$ref"), str):
            name = self._schemas.reference(raw["$ref"], where, self._source, in_place=in_place)
            if name:
                self.refs[name] = None
                out["$ref"] = f"#/$defs/{name}"
            if self._old:
                return {"anyOf": [out, {"type": "null"}]} if raw.get("nullable") is True else out
        for key, value in raw.items():
            here = below(where, key)
            if key in PLAIN:
                self._plain(out, key, value, here)
            elif key in ONE or key in MANY or key in NAMED:
                inner = in_place and key in IN_PLACE
                self._inner(out, key, value, here, depth + 1, in_place=inner)
            elif key in ("const", "default"):
                self._constant(out, key, value, depth, here)
            elif key not in SILENT and key != "$ref" and not str(key).startswith("x-"):
                self._notes.add("keyword", here, f"the keyword {str(key)[:60]} is not supported and left out")
        self._mend(out, raw)
        return {"anyOf": [out, {"type": "null"}]} if self._nullable(out, raw) else out

    def _plain(self, out: dict[str, Any], key: str, value: Any, here: str) -> None:
        if self._old and key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            return  # 3.0 says with a flag what `_mend` writes as a number
        kept = PLAIN[key](value)
        if kept is None:
            if key not in ("description", "title"):
                self._notes.add("keyword-value", here, f"this value of {key} cannot be used and is left out")
        elif kept != []:
            out[key] = kept

    def _constant(self, out: dict[str, Any], key: str, value: Any, depth: int, here: str) -> None:
        if key == "default" and self._side == "request" and depth:
            return
        if small(value):
            out[key] = value
        else:
            self._notes.add("keyword-value", here, f"this value of {key} is too large and left out")

    def _inner(self, out: dict[str, Any], key: str, value: Any, here: str, depth: int, *, in_place: bool) -> None:
        if key in ONE and isinstance(value, dict | bool):
            out[key] = self.schema(value, here, depth, in_place=in_place)
        elif key in MANY and isinstance(value, list) and value:
            out[key] = [
                self.schema(item, below(here, index), depth, in_place=in_place) for index, item in enumerate(value)
            ]
        elif key in NAMED and isinstance(value, dict):
            patterned = key == "patternProperties"
            out[key] = {
                name: self.schema(item, below(here, name), depth, in_place=in_place)
                for name, item in value.items()
                if not patterned or PLAIN["pattern"](name) is not None
            }
            if len(out[key]) < len(value):
                self._notes.add("keyword-value", here, "a pattern cannot be used and is left out")
        elif value not in ([], {}):
            self._notes.add("keyword-value", here, f"this value of {key} cannot be used and is left out")

    def _mend(self, out: dict[str, Any], raw: dict[str, Any]) -> None:
        if self._old:
            for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
                if raw.get(exclusive) is True and limit in out:
                    out[exclusive] = out.pop(limit)
        if "example" in raw and "examples" not in out and small(raw["example"]):
            out["examples"] = [raw["example"]]
        mark = "readOnly" if self._side == "request" else "writeOnly"
        fields = raw.get("properties")
        if "required" in out and isinstance(fields, dict):
            out["required"] = [name for name in out["required"] if not _marked(fields.get(name), mark)]
            if not out["required"]:
                del out["required"]

    def _nullable(self, out: dict[str, Any], raw: dict[str, Any]) -> bool:
        """Whether null has to be allowed around the schema; where a type stands, it is allowed inside."""
        if not self._old or raw.get("nullable") is not True:
            return False
        if not isinstance(out.get("type"), str) or any(key in out for key in IN_PLACE):
            return bool(out)
        out["type"] = [out["type"], "null"]
        if "enum" in out and None not in out["enum"]:
            out["enum"] = [*out["enum"], None]
        return False


def _not_null(choices: Any) -> list[Any]:
    """The one choice that is not null, where there is exactly one: how many generators write an optional value."""
    found = [item for item in choices if item != {"type": "null"}] if isinstance(choices, list) else []
    return found if len(found) == 1 else []


def _marked(schema: Any, mark: str) -> bool:
    return isinstance(schema, dict) and schema.get(mark) is True
