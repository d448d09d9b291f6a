"""Made values fit their schemas, are the same every time, and end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from millrace.services.mocking.values import Unmade, make
from millrace.spec import validate_input
from tests.unit.mocking.schemas import CARELESS, SATISFIABLE

SLOW = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
NODE = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Node"}}}


def fits(schema: Any, value: Any) -> bool:
    return validate_input({"properties": {"v": {"$ref": "#/$defs/Whole"}}, "$defs": whole(schema)}, {"v": value}).valid


def whole(schema: Any) -> dict[str, Any]:
    shared = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    inner = {key: item for key, item in schema.items() if key != "$defs"} if isinstance(schema, dict) else schema
    return {**shared, "Whole": inner}


@SLOW
@given(SATISFIABLE)
def test_a_value_is_made_for_every_schema_that_some_value_fits_and_it_fits(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert fits(schema, make(schema))


@SLOW
@given(CARELESS)
def test_whatever_is_made_fits_however_odd_the_schema_is(schema: Any) -> None:
    try:
        value = make(schema)
    except Unmade:
        return
    assert fits(schema, value)


@SLOW
@given(SATISFIABLE)
def test_the_same_schema_gives_the_same_value(schema: dict[str, Any]) -> None:
    assert make(schema) == make(schema)


@pytest.mark.parametrize(
    ("expected", "schema"),
    [
        ("said", {"type": "string", "examples": ["said"], "default": "usual"}),
        ("usual", {"type": "string", "default": "usual", "enum": ["first", "usual"]}),
        ("first", {"enum": ["first", "second"]}),
        (4, {"const": 4}),
        ("usual", {"type": "string", "examples": [5], "default": "usual"}),
        ("string", {"type": "string", "default": 5}),
        ("2026-01-01T12:00:00Z", {"type": "string", "format": "date-time"}),
        ("user1@example.com", {"type": "string", "format": "email"}),
        ("AA-0000", {"type": "string", "pattern": r"^[A-Z]{2}-\d{4}$"}),
        (6, {"type": "integer", "minimum": 4, "multipleOf": 3}),
        (0, {"type": "integer", "maximum": 0}),
        (-3, {"type": "integer", "exclusiveMaximum": -2}),
        (0.5, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        (True, {"type": "boolean"}),
        (None, {"type": "null"}),
        ("string", {"type": ["null", "string"]}),
        ({}, {}),
        (["string"], {"type": "array", "items": {"type": "string"}}),
        ([1, 2, 3], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 3}),
        ([1, "string"], {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}),
        ([7], {"type": "array", "contains": {"const": 7}}),
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "integer"}}}),
        ({"b": 1}, {"properties": {"a": False, "b": {"type": "integer"}}}),
        ({"property1": {}, "property2": {}}, {"type": "object", "minProperties": 2}),
        (
            {"x-": {}},
            {"type": "object", "minProperties": 1, "patternProperties": {"^x-": {}}, "additionalProperties": False},
        ),
        (
            {"a": 1, "b": 1},
            {"required": ["a"], "dependentRequired": {"a": ["b"]}, "additionalProperties": {"const": 1}},
        ),
        ({"a": 1}, {"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]}),
        (2, {"anyOf": [False, {"const": 2}]}),
        (1, {"allOf": [{"enum": [2, 1.0, 3]}, {"enum": [1, 4]}]}),
        ({}, {"properties": {"a": {"const": 1}}, "dependentRequired": {"a": ["b"]}, "additionalProperties": False}),
        (1, {"allOf": [{"type": "number"}, {"type": "integer"}]}),
    ],
    ids=str,
)
def test_a_schema_says_its_value_or_has_a_plain_one_made(expected: Any, schema: Any) -> None:
    assert expected == make(schema)


def test_an_object_that_would_fit_two_of_oneof_loses_what_may_be_missing() -> None:
    cat = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    dog = {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}
    assert {"a": "string"} == make({"oneOf": [cat, dog]})


def test_a_schema_that_leads_back_to_itself_is_entered_twice_at_most() -> None:
    node = {"type": "object", "required": ["v"], "properties": {"v": {"const": 1}, "next": {"$ref": "#/$defs/Node"}}}
    assert {"v": 1, "next": {"v": 1}} == make({"$ref": "#/$defs/Node", "$defs": {"Node": node}})


def test_a_way_out_of_a_schema_that_leads_back_to_itself_is_taken() -> None:
    way = {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
    node = {**NODE, "properties": {"next": way}}
    assert {"next": None} == make({"$ref": "#/$defs/Node", "$defs": {"Node": node}})


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "string", "minLength": 10_000_000},
        {"type": "array", "minItems": 10_000_000},
        {"type": "string", "pattern": "^a$", "minLength": 5},
        {"allOf": [{"type": "string"}, {"type": "object"}]},
        {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
        {
            "$ref": "#/$defs/Node",
            "$defs": {
                "Node": {
                    **NODE,
                    "required": ["next", "kids"],
                    "properties": {
                        "next": {"$ref": "#/$defs/Node"},
                        "kids": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/Node"}},
                    },
                }
            },
        },
    ],
    ids=str,
)
def test_what_nothing_fits_is_not_made_and_making_ends(schema: Any) -> None:
    with pytest.raises(Unmade):
        make(schema)


def test_what_is_only_for_writing_is_left_out() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}, "secret": {"type": "string", "writeOnly": True}}}
    assert {"a": 1} == make(schema)
    assert {"a": 1, "secret": "string"} == make({**schema, "required": ["secret"]})


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300))
def test_a_list_of_unique_items_is_as_long_as_it_has_to_be(length: int) -> None:
    schema = {"type": "array", "uniqueItems": True, "minItems": length, "items": {"type": "string", "maxLength": 2}}
    assert max(1, length) == len(set(make(schema)))


def test_a_wide_schema_that_refers_to_itself_everywhere_is_made_within_its_steps() -> None:
    names = [f"N{number}" for number in range(12)]
    shared = {
        one: {"type": "object", "properties": {other: {"$ref": f"#/$defs/{other}"} for other in names}} for one in names
    }
    schema = {"$ref": "#/$defs/N0", "$defs": shared}
    assert fits(schema, make(schema))


def test_where_everything_leads_to_everything_a_value_still_has_more_than_it_must() -> None:
    names = [f"N{number}" for number in range(12)]
    kids = {other: {"$ref": f"#/$defs/{other}"} for other in names}
    shared = {one: {"type": "object", "required": ["id"], "properties": {"id": {"const": 1}, **kids}} for one in names}
    made = make({"$ref": "#/$defs/N0", "$defs": shared})
    assert {"id", *names} == set(made)
    assert {"id": 1} == made["N0"]
