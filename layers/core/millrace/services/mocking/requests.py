"""Whether a request is one that its operation takes: its parameters, each read as its style says, and its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from millrace.services.mocking.bodies import check_body
from millrace.services.mocking.exchange import Fault, Misfit, Request
from millrace.services.mocking.shapes import Shapes
from millrace.services.mocking.spelling import Typed, from_cookies, from_header, from_path, from_query, typed
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.operations import Operation
from millrace.services.openapi.parameters import Parameter, Unmappable, read_parameters, style_of
from millrace.services.openapi.references import Document, mapping
from millrace.spec.input_check import Judge

FAULTS: Final = 20
"""Faults told of one parameter or body."""


class _Expected(Struct, frozen=True):
    """A parameter made ready: ``fields`` are the kinds of the declared properties of an object, ``judge`` holds its
    schema, ``shape`` is that."""

    one: Parameter
    kind: str
    style: str
    explode: bool
    fields: dict[str, str]
    items: str
    shape: dict[str, Any]
    judge: Judge

    @property
    def needed(self) -> bool:
        return self.one.place == "path" or self.one.value.get("required") is True


class Judgement:
    """Judges requests for one operation. Made once, since making its schemas takes time."""

    def __init__(self, document: Document, shapes: Shapes, operation: Operation) -> None:
        self._document, self._shapes, self._operation = document, shapes, operation
        try:
            found = read_parameters(
                document,
                Notes(),
                shared=(operation.item.get("parameters"), below(operation.item_where, "parameters")),
                own=(operation.value.get("parameters"), below(operation.where, "parameters")),
            )
        except Unmappable:  # nothing is known of its parameters, so everything fits
            found = []
        self._expected = [self._ready(one) for one in found]

    def check(self, request: Request, variables: Mapping[str, str]) -> None:
        """Raises Misfit: 400 for parameters and for a body that is not there or cannot be read, 415 for its media
        type, 422 for a body that does not fit its schema."""
        faults = [fault for one in self._expected for fault in _faults(one, request, variables)]
        if faults:
            raise Misfit(400, faults)
        check_body(self._document, self._shapes, self._operation, request)

    def _ready(self, one: Parameter) -> _Expected:
        content = mapping(one.value.get("content"))
        plain = "schema" not in one.value and bool(content)
        raw = {"type": "string"} if plain else one.value.get("schema", {})
        style, explode = style_of(one.value, one, Notes())
        kind = self._shapes.kind(raw)
        shape = self._shapes.whole(raw, below(one.where, "schema"), "request")
        fields = self._shapes.properties(raw) if kind == "object" else {}
        items = self._shapes.items(raw) if kind == "array" else "any"
        return _Expected(one, kind, style, explode, fields, items, shape, Judge(shape))


def _faults(expected: _Expected, request: Request, variables: Mapping[str, str]) -> list[Fault]:
    one = expected.one
    value = _value(expected, request, variables)
    if value is None:
        return [Fault(one.place, one.name, "", "is required")] if expected.needed else []
    if value == "" and one.value.get("allowEmptyValue") is True:
        return []
    return [Fault(one.place, one.name, at, said) for at, said in expected.judge.faults(value)[:FAULTS]]


def _value(expected: _Expected, request: Request, variables: Mapping[str, str]) -> Any:
    """The value of a parameter, None where it is not in the request."""
    one, kind, spelled = expected.one, expected.kind, _typed(expected)
    fields = list(expected.fields)
    if one.place == "path":
        text = variables.get(one.name)
        if text is None:
            return None
        return from_path(text, kind, spelled, name=one.name, style=expected.style, explode=expected.explode)
    if one.place == "header":
        text = request.headers.get(one.name.lower())
        return None if text is None else from_header(text, kind, spelled, explode=expected.explode)
    if one.place == "cookie":
        return from_cookies(request.cookies, kind, spelled, name=one.name, explode=expected.explode, fields=fields)
    return from_query(
        request.pairs, kind, spelled, name=one.name, style=expected.style, explode=expected.explode, fields=fields
    )


def _typed(expected: _Expected) -> Typed:
    """How texts become values: by the types of properties and items; where a schema names no type, the first reading
    that fits."""

    def value(text: str, name: str) -> Any:
        if expected.kind == "object":
            return typed(text, expected.fields.get(name, "string"))
        if expected.kind == "array":
            return typed(text, expected.items)
        if expected.kind != "any":
            return typed(text, expected.kind)
        readings = [text, typed(text, "boolean"), typed(text, "number")]
        return next((one for one in readings if expected.judge.fits(expected.shape, one)), text)

    return value
