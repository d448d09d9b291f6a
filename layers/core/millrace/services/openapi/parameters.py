"""The parameters of an operation: one input each, and where and how it is spelled in the request."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct, field

from millrace.base.headers import RESERVED_HEADERS
from millrace.services.openapi import styles
from millrace.services.openapi.encoding import field as read
from millrace.services.openapi.encoding import whole
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import Document, mapping, sequence, words
from millrace.services.openapi.schemas import Piece, Schemas

IGNORED: Final = frozenset({"accept", "authorization", "content-type"})
"""Header parameters that OpenAPI says to ignore: bodies, answers and security schemes decide them."""
MOST: Final = 200
"""Parameters of one operation."""
_INPUT: Final = re.compile(r"[A-Za-z0-9_.$:@\[\]-]{1,100}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SCALAR: Final = {"type": "string"}


class Unmappable(Exception):
    """No task can be made; the note says why."""

    def __init__(self, code: str, where: str, message: str) -> None:
        super().__init__(message)
        self.code, self.where, self.message = code, where, message


class Spelling(Struct):
    """What the parameters add to a task. ``path`` maps a template variable to the text that stands for it; ``query``
    and ``headers`` are the blocks of an http task; ``raw`` and ``cookies`` are expressions of text, empty where
    there is nothing to send."""

    inputs: dict[str, Piece] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    example: dict[str, Any] = field(default_factory=dict)


class Parameter(Struct, frozen=True):
    """``value`` is the Parameter Object, which stands at ``where``; ``place`` is its ``in``."""

    value: dict[str, Any]
    where: str
    name: str
    place: str


def spell_parameters(
    document: Document,
    schemas: Schemas,
    notes: Notes,
    *,
    shared: tuple[Any, str],
    own: tuple[Any, str],
    taken: frozenset[str],
    omit: frozenset[str],
) -> Spelling:
    """``shared`` and ``own`` are the parameters of the path and of the operation, which replace shared ones of the
    same name and place, each with their JSON Pointer; ``taken`` are names that inputs cannot have, ``omit`` query
    parameters that something else sets.

    Raises Unmappable when a required parameter cannot be read.
    """
    every = read_parameters(document, notes, shared=shared, own=own)
    found = [one for one in every if not (one.place == "query" and one.name in omit)]
    names = _input_names(found, taken)
    spelling = Spelling()
    for one in found:
        _spell(spelling, one, names[(one.place, one.name)], document, schemas, notes)
    return spelling


def read_parameters(
    document: Document, notes: Notes, *, shared: tuple[Any, str], own: tuple[Any, str]
) -> list[Parameter]:
    """The parameters of an operation, those of its own in place of shared ones (each list with its JSON Pointer).

    Raises Unmappable when one cannot be read.
    """
    found: dict[tuple[str, str], Parameter] = {}
    for value, where in (shared, own):
        for index, item in enumerate(sequence(value)[:MOST]):
            one = _read(document, notes, item, below(where, index))
            if one is not None:
                found[(one.place, one.name)] = one
    return list(found.values())


def _read(document: Document, notes: Notes, item: Any, where: str) -> Parameter | None:
    try:
        value = document.resolve(item)
    except LookupError as error:
        raise Unmappable("parameter", where, f"a parameter cannot be read: {error}") from None
    value = mapping(value)
    name, place = value.get("name"), value.get("in")
    if not isinstance(name, str) or not isinstance(place, str) or place not in styles.STYLES or not name:
        notes.add("parameter", where, "this is not a parameter of OpenAPI 3; left out")
        return None
    if not name.isprintable() or len(name) > 200:
        raise Unmappable("parameter", where, "a parameter's name holds control characters, or is very long")
    if place == "header" and name.lower() in IGNORED:
        return None
    if place == "header" and (name.lower() in RESERVED_HEADERS or not _HEADER.fullmatch(name)):
        notes.add("header", where, f"the header {name[:60]} cannot be set by a task; left out")
        return None
    return Parameter(value, where, name, place)


def _input_names(found: list[Parameter], reserved: frozenset[str]) -> dict[tuple[str, str], str]:
    """A parameter's own name where it is the only one of that name, else its place before it."""
    wanted = [one.name for one in found]
    names: dict[tuple[str, str], str] = {}
    taken = {*reserved}
    for one in found:
        plain = one.name if _INPUT.fullmatch(one.name) else re.sub(r"[^A-Za-z0-9_.-]+", "_", one.name)[:100]
        name = plain
        if wanted.count(one.name) > 1 or name in taken:
            name = f"{one.place}_{plain}"
        number = 2
        while name in taken:
            name, number = f"{one.place}_{plain}_{number}", number + 1
        taken.add(name)
        names[(one.place, one.name)] = name
    return names


def _spell(spelling: Spelling, one: Parameter, name: str, document: Document, schemas: Schemas, notes: Notes) -> None:
    value = one.value
    schema, where = value.get("schema", _SCALAR), below(one.where, "schema")
    if "schema" not in value and mapping(value.get("content")):
        media = next(iter(value["content"]))
        schema = {"type": "string", "contentMediaType": media}
        notes.add("parameter-content", one.where, f"the input {name} is text that holds {media[:60]}, ready to be sent")
    kind = schemas.kind(schema)
    style, explode = style_of(value, one, notes)
    needed = one.place == "path" or value.get("required") is True
    piece = schemas.piece(schema, where, "request")
    spelling.inputs[name] = _not_empty(piece) if one.place == "path" else piece
    spelling.about[name] = words(value.get("description"), 500)
    if needed:
        spelling.required.append(name)
    example = _example(document, value)
    if example is not None:
        spelling.example[name] = example
    base = read("input", name, safe=False)
    safe = read("input", name, safe=not needed)
    if one.place == "path":
        spelling.path[one.name] = whole(styles.in_path(base, kind, name=one.name, style=style, explode=explode))
    elif one.place == "header":
        text = styles.in_header(base, kind, explode=explode)
        spelling.headers[one.name] = whole(_perhaps(text, safe, needed, "null")) if kind in _PARTED else whole(safe)
    elif one.place == "cookie":
        text = styles.in_cookie(base, kind, name=one.name, explode=explode)
        spelling.cookies.append(_perhaps(text, safe, needed, "''"))
    else:
        _query(spelling, one, (kind, style, explode), (base, safe, needed), schemas, schema)


_PARTED: Final = frozenset({"array", "object"})


def _query(
    spelling: Spelling,
    one: Parameter,
    how: tuple[str, str, bool],
    reads: tuple[str, str, bool],
    schemas: Schemas,
    schema: Any,
) -> None:
    (kind, style, explode), (base, safe, needed) = how, reads
    reserved = one.value.get("allowReserved") is True
    if styles.query_block(kind, explode=explode, reserved=reserved):
        spelling.query[one.name] = whole(safe)
        return
    if kind == "object" and not reserved and (style == "deepObject" or (style == "form" and explode)):
        fields, more = schemas.fields(schema)
        keys = {f"{one.name}[{item}]" if style == "deepObject" else item: item for item in fields}
        if not more and not keys.keys() & spelling.query.keys() and all(item.isprintable() for item in fields):
            spelling.query.update({key: whole(read(safe, item, safe=True)) for key, item in keys.items()})
            return
    text = styles.in_query(base, kind, name=one.name, style=style, explode=explode, reserved=reserved)
    empty = f"size({base}) == 0 ? '' : " if kind in _PARTED else ""
    spelling.raw.append(_perhaps(f"({empty}{text})", safe, needed, "''"))


def _perhaps(text: str, safe: str, needed: bool, otherwise: str) -> str:
    return text if needed else f"{safe} == null ? {otherwise} : {text}"


def style_of(value: dict[str, Any], one: Parameter, notes: Notes) -> tuple[str, bool]:
    """The style of a parameter and whether it is exploded, by default or as it says."""
    known = styles.STYLES[one.place]
    style = value.get("style", known[0])
    if style not in known:
        notes.add("style", below(one.where, "style"), f"{one.place} has no style {str(style)[:40]}; read as {known[0]}")
        style = known[0]
    explode = value.get("explode")
    return style, explode if isinstance(explode, bool) else style in ("form", "deepObject")


def _not_empty(piece: Piece) -> Piece:
    """A text in a path must not be empty, nor one of the segments that lead upwards: either would call another path."""
    schema = piece.schema
    if not isinstance(schema, dict) or schema.get("type", "string") != "string" or "not" in schema:
        return piece
    more = {"minLength": max(1, schema.get("minLength", 1)), "not": {"enum": [".", ".."]}}
    return Piece({**schema, **more}, piece.refs, piece.size + 48)


def _example(document: Document, value: dict[str, Any]) -> Any:
    if "example" in value:
        return value["example"]
    for example in mapping(value.get("examples")).values():
        try:
            return mapping(document.resolve(example)).get("value")
        except LookupError:
            return None
    return mapping(value.get("schema")).get("example")


def raw_query(spelling: Spelling) -> str:
    """The end of the URL that holds the parameters of ``raw``: empty, or a question mark and one expression."""
    if not spelling.raw:
        return ""
    return "?" + whole(f"[{', '.join(spelling.raw)}].filter(p, p != '').join('&')")


def cookie_header(spelling: Spelling) -> str:
    """The value of the Cookie header: a list of one text, or of none where no cookie is given."""
    parts = ", ".join(spelling.cookies)
    return whole(f"[[{parts}].filter(c, c != '').join('; ')].filter(c, c != '')")
