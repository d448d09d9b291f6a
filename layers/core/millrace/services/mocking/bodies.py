"""The body of a request against the media types and schemas that its operation declares."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from millrace.base.canonical import parse_json
from millrace.base.errors import MillraceError
from millrace.services.mocking.exchange import Fault, Misfit, Request, pairs_of
from millrace.services.mocking.shapes import Shapes
from millrace.services.mocking.spelling import typed
from millrace.services.openapi.bodies import FORM, JSON, TEXT, media_name
from millrace.services.openapi.notes import below
from millrace.services.openapi.operations import Operation
from millrace.services.openapi.references import Document, mapping
from millrace.spec.input_check import Judge

_MOST = 20


def check_body(document: Document, shapes: Shapes, operation: Operation, request: Request) -> None:
    """Raises Misfit. What cannot be judged fits: a body that nothing is declared of, parts of a multipart body, binary
    data."""
    try:
        declared = mapping(document.resolve(operation.value.get("requestBody")))
    except LookupError:
        return
    content = {str(key): mapping(value) for key, value in mapping(declared.get("content")).items()}
    if not request.body:
        if declared.get("required") is True:
            raise _misfit(400, "is required")
        return
    if not content:
        return
    sent = media_name(request.headers.get("content-type", "application/json"))
    name = next((key for key in content if is_of(sent, media_name(key))), None)
    if name is None:
        raise _misfit(415, f"is {sent[:80]}, expected {', '.join(content)[:200]}")
    schema = content[name].get("schema")
    if schema is None or not (JSON.fullmatch(sent) or TEXT.fullmatch(sent) or sent == FORM):
        return
    value = _read(request.body, sent, schema, shapes)
    if not JSON.fullmatch(sent) and sent != FORM and shapes.kind(schema) != "string":
        return  # a text that holds XML or YAML, of which only what it becomes could be judged
    where = below(operation.where, "requestBody", "content", name, "schema")
    faults = Judge(shapes.whole(schema, where, "request")).faults(value)
    if faults:
        raise Misfit(422, [Fault("body", "body", at, said) for at, said in faults[:_MOST]])


def is_of(sent: str, declared: str) -> bool:
    """Whether a media type is the declared one, in which ``*`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, declared.split("*"))), sent) is not None


def _read(body: bytes, sent: str, schema: Any, shapes: Shapes) -> Any:
    if JSON.fullmatch(sent):
        try:
            return parse_json(body)
        except MillraceError as error:
            raise _misfit(400, f"cannot be read: {error.message}") from None
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _misfit(400, f"cannot be read: byte {error.start} is not UTF-8") from None
    return _form(text, schema, shapes) if sent == FORM else text


def _form(text: str, schema: Any, shapes: Shapes) -> dict[str, Any]:
    kinds = shapes.properties(schema)
    found: dict[str, Any] = {}
    for key, value in pairs_of(text):
        name, plain = unquote_plus(key), unquote_plus(value)
        if kinds.get(name) == "array":
            found.setdefault(name, []).append(typed(plain, shapes.items(schema, name)))
        else:
            found[name] = typed(plain, kinds.get(name, "string"))
    return found


def _misfit(status: int, said: str) -> Misfit:
    return Misfit(status, [Fault("body", "body", "", said)])
