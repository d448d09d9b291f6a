"""The answers of an operation: which statuses are a success, and what the body of one looks like."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from millrace.services.openapi.bodies import JSON, TEXT, media_name
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import Document, mapping
from millrace.services.openapi.schemas import OPEN, Piece, Schemas

_STATUS: Final = re.compile(r"[1-5](?:[0-9]{2}|XX)", re.IGNORECASE)
_BINARY: Final = {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]}


class Answers(Struct, frozen=True):
    """``codes`` as an http task writes them; ``bodies`` one schema for each different body of a success; ``accept``
    the media type to ask for, empty for the task's own choice."""

    codes: tuple[int | str, ...]
    bodies: tuple[Piece, ...]
    accept: str


def read_answers(document: Document, schemas: Schemas, notes: Notes, raw: Any, where: str) -> Answers:
    """2xx where they are declared, otherwise 3xx, otherwise every 2xx with the body of ``default``."""
    responses = {str(key): item for key, item in mapping(raw).items()}
    good = sorted(key.lower() for key in responses if _STATUS.fullmatch(key) and key[0] == "2")
    if not good:
        good = sorted(key.lower() for key in responses if _STATUS.fullmatch(key) and key[0] == "3")
    bodies: list[Piece] = []
    accept = ""
    for key in good or [key for key in responses if key == "default"]:
        name = next(name for name in responses if name.lower() == key)
        piece, media = _body(document, schemas, notes, responses[name], below(where, name))
        accept = accept or media
        if piece not in bodies:
            bodies.append(piece)
    codes = tuple(int(key) if key.isdigit() else key for key in good) or ("2xx",)
    return Answers(codes, tuple(bodies) or (OPEN,), accept)


def _body(document: Document, schemas: Schemas, notes: Notes, raw: Any, where: str) -> tuple[Piece, str]:
    try:
        response = mapping(document.resolve(raw))
    except LookupError as error:
        notes.add("response", where, f"the response cannot be read: {error}; any body fits")
        return OPEN, ""
    content = mapping(response.get("content"))
    if not content:
        return Piece({"type": "null"}, (), 15) if "content" not in response else OPEN, ""
    for name in content:
        media = media_name(str(name))
        if JSON.fullmatch(media):
            here = below(where, "content", str(name), "schema")
            accept = media if media != "application/json" and "*" not in media else ""
            return schemas.piece(mapping(content[name]).get("schema", {}), here, "response"), accept
    first = str(next(iter(content)))
    media = media_name(first)
    accept = media if re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", media) else ""
    if TEXT.fullmatch(media):
        return Piece({"type": "string"}, (), 17), accept
    return Piece(_BINARY, (), 90), accept
