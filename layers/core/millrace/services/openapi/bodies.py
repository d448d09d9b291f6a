"""The request body of an operation as a body, form or text of an http task."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct, field

from millrace.services.openapi import styles
from millrace.services.openapi.encoding import encoded_text, plain, whole
from millrace.services.openapi.encoding import field as read
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.parameters import Unmappable
from millrace.services.openapi.references import Document, mapping
from millrace.services.openapi.schemas import Piece, Schemas

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = re.compile(r"(?:application|text)/(?:json|[a-z0-9.+-]+\+json)|\*/\*|application/\*")
TEXT: Final = re.compile(r"text/.*|application/(?:xml|graphql|x-ndjson|yaml|[a-z0-9.+-]+\+(?:xml|yaml))")
_PLAIN: Final = "text/plain"
# Without braces: the type is written into a header, where braces would begin an expression.
_MEDIA: Final = re.compile(r"[A-Za-z0-9!#$&^_.+*-]{1,100}/[A-Za-z0-9!#$&^_.+*-]{1,100}(?:;[ -z|~]{0,100})?")


class Body(Struct):
    """``request`` and ``headers`` are added to the http task; ``piece`` is the schema of the input ``body``."""

    piece: Piece
    required: bool
    request: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    example: Any = None


def media_name(text: str) -> str:
    """A media type without parameters, in lower case."""
    return text.split(";", 1)[0].strip().lower()


def read_body(document: Document, schemas: Schemas, notes: Notes, raw: Any, where: str) -> Body | None:
    """None where the operation has none. Raises Unmappable when it needs one that an http task cannot send."""
    if raw is None:
        return None
    try:
        value = mapping(document.resolve(raw))
    except LookupError as error:
        raise Unmappable("request-body", where, f"the request body cannot be read: {error}") from None
    content = {str(key): mapping(item) for key, item in mapping(value.get("content")).items()}
    required = value.get("required") is True
    chosen = _choose(content)
    if chosen is None:
        if not content:
            return None
        names = ", ".join(list(content)[:4])[:120]
        if required:
            raise Unmappable("media-type", where, f"an http task cannot send {names}")
        notes.add("media-type", where, f"the optional body is left out, since an http task cannot send {names}")
        return None
    media = content[chosen]
    here = below(where, "content", chosen)
    schema = media.get("schema", {})
    piece = schemas.piece(schema, below(here, "schema"), "request")
    body = Body(piece, required, example=_example(document, media))
    name = media_name(chosen)
    if len(content) > 1:
        notes.add("media-choice", where, f"of {len(content)} media types, {chosen[:80]} is sent")
    if name == FORM:
        _form(body, schemas, notes, schema, media, here)
    elif JSON.fullmatch(name):
        body.request["body"] = whole(read("input", "body", safe=not required))
        if name != "application/json" and "*" not in name:
            body.headers["Content-Type"] = chosen
    else:
        _text(body, chosen, notes, here, schemas.kind(schema))
    return body


def _choose(content: dict[str, dict[str, Any]]) -> str | None:
    """The media type to send: plain JSON, then any JSON, a form, text."""
    ranked = sorted((rank, key) for key in content if _MEDIA.fullmatch(key) and (rank := _rank(media_name(key))))
    return ranked[0][1] if ranked else None


def _rank(name: str) -> int:
    """Lower is better; 0 for what an http task cannot send."""
    if JSON.fullmatch(name):
        return 1 if name == "application/json" else 2
    if TEXT.fullmatch(name):
        return 4 if name == _PLAIN else 5
    return 3 if name == FORM else 0


def _text(body: Body, chosen: str, notes: Notes, here: str, kind: str) -> None:
    body.request["bodyText"] = whole(read("input", "body", safe=not body.required))
    if "*" not in chosen and media_name(chosen) != _PLAIN:
        body.headers["Content-Type"] = chosen
    if kind != "string":
        body.piece = Piece({"type": "string"}, (), 17)
        if kind != "any":
            notes.add("body-text", here, f"the input body is text that holds {chosen[:80]}, ready to be sent")


def _form(body: Body, schemas: Schemas, notes: Notes, schema: Any, media: dict[str, Any], here: str) -> None:
    """A field for each declared property; where others may be given as well, the whole form as text."""
    fields, more = schemas.fields(schema)
    base = read("input", "body", safe=not body.required)
    if more or not all(name.isprintable() for name in fields):
        value = read("input", "body", safe=False)
        text = f"{value}.map(k, {encoded_text('k')} + '=' + {encoded_text(f'{value}[k]')}).join('&')"
        body.request["bodyText"] = whole(text if body.required else f"{base} == null ? null : {text}")
        body.headers["Content-Type"] = FORM
        return
    encoding = mapping(media.get("encoding"))
    form = {}
    for name in fields:
        rule = mapping(encoding.get(name))
        given = read(base, name, safe=True)
        if rule.get("explode") is False:
            value = read(read("input", "body", safe=False), name, safe=False)
            mark = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(str(rule.get("style")), ",")
            text = styles.joined(value, "array", item=mark, pair="", spell=plain)
            form[name] = whole(f"{given} == null ? null : {text}")
            continue
        if "contentType" in rule or rule.get("style") == "deepObject":
            notes.add("form-encoding", below(here, "encoding", name), f"the field {name[:60]} is sent as plain text")
        form[name] = whole(given)
    body.request["form"] = form


def _example(document: Document, media: dict[str, Any]) -> Any:
    if "example" in media:
        return media["example"]
    for example in mapping(media.get("examples")).values():
        try:
            return mapping(document.resolve(example)).get("value")
        except LookupError:
            return None
    return mapping(media.get("schema")).get("example")
