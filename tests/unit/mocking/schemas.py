"""Strategies of JSON Schemas: those that some value fits, and those that are put together without care."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from millrace.services.mocking.texts import FORMATS

PATTERNS = (
    r"^[A-Z]{2}-\d{4}$",
    r"^(?:red|green|blue)$",
    r"^\w+@\w+\.example$",
    r"[0-9a-f]{8}",
    r"^x-",
    r"^[^\s/]+/[^\s/]+$",
    r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])$",
    r"^\x41\tz*$",
    r"(?i)^abc$",
    r"^\p{Lu}[[:alpha:]]*\.?$",
)
NAMES = st.sampled_from(("id", "name", "kids", "a/b", "x-y", "größe"))
Schema = dict[str, Any]


@st.composite
def texts(draw: st.DrawFn) -> Schema:
    kind = draw(st.sampled_from(("plain", "format", "length", "pattern", "enum")))
    if kind == "format":
        return {"type": "string", "format": draw(st.sampled_from(sorted(FORMATS)))}
    if kind == "length":
        least = draw(st.integers(0, 40))
        return {"type": "string", "minLength": least, "maxLength": least + draw(st.integers(0, 5))}
    if kind == "pattern":
        return {"type": "string", "pattern": draw(st.sampled_from(PATTERNS[:9]))}
    if kind == "enum":
        return {"enum": draw(st.lists(st.text(max_size=4), min_size=1, max_size=3))}
    return {"type": "string"}


@st.composite
def numbers(draw: st.DrawFn) -> Schema:
    schema: Schema = {"type": draw(st.sampled_from(("integer", "number")))}
    step = draw(st.sampled_from((None, 1, 3, 7)))
    if step is not None:
        schema["multipleOf"] = step
    if draw(st.booleans()):
        low = draw(st.integers(-50, 50))
        schema[draw(st.sampled_from(("minimum", "exclusiveMinimum")))] = low
        schema[draw(st.sampled_from(("maximum", "exclusiveMaximum")))] = low + 10
    elif draw(st.booleans()):
        schema["maximum"] = draw(st.integers(-50, 50))
    return schema


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    schema["minProperties"] = draw(st.integers(0, len(properties)))
    if draw(st.booleans()):
        schema["maxProperties"] = max(len(required), schema["minProperties"])
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    return schema


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    if draw(st.booleans()):
        return {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": draw(st.integers(0, 9))}
    least = draw(st.integers(0, 3))
    schema = {"type": "array", "items": draw(inner), "minItems": least, "maxItems": least + draw(st.integers(0, 2))}
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, min_size=1, max_size=3))
    return schema


@st.composite
def combined(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    kind = draw(st.sampled_from(("anyOf", "oneOf", "allOf", "nullable", "if", "not", "node")))
    if kind == "anyOf":
        return {"anyOf": draw(st.lists(inner, min_size=1, max_size=3))}
    if kind == "oneOf":
        return {"oneOf": [_tagged("cat", draw(inner)), _tagged("dog", draw(inner))]}
    if kind == "allOf":
        return {"allOf": [_tagged("cat", draw(inner)), {"properties": {"age": draw(numbers())}, "required": ["age"]}]}
    if kind == "nullable":
        return {"anyOf": [draw(inner), {"type": "null"}]}
    if kind == "if":
        return {"if": {"type": "string"}, "then": {"minLength": 3}, "else": {"type": "integer"}}
    if kind == "not":
        return {"not": {"type": "object"}}
    return {"$ref": "#/$defs/Node"}


def _tagged(tag: str, value: Schema) -> Schema:
    return {"type": "object", "properties": {"tag": {"const": tag}, "value": value}, "required": ["tag"]}


def _with_node(schema: Schema) -> Schema:
    """The schema, with one beside it that leads back to itself."""
    kids = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    node = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}, "kids": kids}}
    return {**schema, "$defs": {"Node": {**node, "required": ["v"]}}}


SATISFIABLE: st.SearchStrategy[Schema] = st.recursive(
    texts() | numbers() | st.just({"type": "boolean"}) | st.just({}),
    lambda inner: objects(inner) | arrays(inner) | combined(inner),
    max_leaves=12,
).map(_with_node)

_LOOSE: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(("string", "integer", "number", "boolean", "null", "array", "object"))
    | st.lists(st.sampled_from(("string", "integer", "null", "object")), min_size=1, max_size=2, unique=True),
    "minimum": st.integers(-3, 3),
    "exclusiveMaximum": st.floats(-3, 3),
    "multipleOf": st.sampled_from((0.01, 0.5, 2, 1e-9, 1e300)),
    "minLength": st.integers(0, 5),
    "maxLength": st.integers(0, 5),
    "pattern": st.sampled_from(PATTERNS),
    "format": st.sampled_from(("email", "uuid", "unheard-of")),
    "minItems": st.integers(0, 3),
    "maxItems": st.integers(0, 3),
    "uniqueItems": st.booleans(),
    "minProperties": st.integers(0, 3),
    "maxProperties": st.integers(0, 3),
    "required": st.lists(NAMES, max_size=3, unique=True),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    "enum": st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=3), min_size=1, max_size=3),
    "const": st.none() | st.integers() | st.text(max_size=3),
    "examples": st.lists(st.integers() | st.text(max_size=3), max_size=2),
    "default": st.none() | st.integers() | st.text(max_size=3),
}


def _loose(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(NAMES, inner, max_size=3)
    several = st.lists(inner, min_size=1, max_size=3)
    parts: dict[str, st.SearchStrategy[Any]] = {
        "properties": named,
        "additionalProperties": inner | st.booleans(),
        "patternProperties": st.dictionaries(st.sampled_from((r"^x-", r"^[a-z]+$")), inner, max_size=2),
        "propertyNames": st.just({"pattern": "^[a-z]"}) | st.just({"maxLength": 3}),
        "dependentSchemas": named,
        "items": inner | st.booleans(),
        "prefixItems": several,
        "contains": inner,
        "minContains": st.integers(0, 3),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.just("#/$defs/Node"),
    }
    return st.fixed_dictionaries({}, optional=parts | _LOOSE)


CARELESS: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({}, optional=_LOOSE) | st.booleans(), _loose, max_leaves=6
).map(lambda schema: _with_node(schema) if isinstance(schema, dict) else schema)
