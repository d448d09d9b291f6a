"""Judging inputs and the schemas they are judged by."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.spec import schema_problems, validate_input
from millrace.spec.input_check import Judge

SCHEMA = {
    "type": "object",
    "required": ["email", "age"],
    "properties": {
        "email": {"type": "string", "description": "Where to write to", "pattern": "@"},
        "age": {"type": ["integer", "null"]},
        "size": {"type": "number", "default": 5, "maximum": 10},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "home": {"type": "object", "required": ["street"], "properties": {"street": True, "city": {"default": "x"}}},
        "one": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "any": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "no": False,
    },
    "additionalProperties": False,
}
GOOD = {"email": "a@b", "age": 1}


def test_missing_inputs_are_named_with_type_and_description() -> None:
    expected = {
        "valid": False,
        "missingInputs": [
            {"name": "email", "type": "string", "description": "Where to write to"},
            {"name": "age", "type": "integer or null", "description": ""},
        ],
        "invalidInputs": [],
        "suggestedPrompt": "Please provide email (string): Where to write to; age (integer or null).",
    }
    assert expected == validate_input(SCHEMA, {}).to_json()


def test_only_what_is_missing_is_named() -> None:
    assert ["age"] == [item.name for item in validate_input(SCHEMA, {"email": "a@b"}).missing_inputs]


def test_a_missing_input_below_another_has_a_dotted_name() -> None:
    assert [("home.street", "any")] == [
        (item.name, item.type) for item in validate_input(SCHEMA, {**GOOD, "home": {}}).missing_inputs
    ]


@pytest.mark.parametrize(
    ("name", "value", "path", "expected", "got"),
    [
        ("email", "x", "/email", "text that matches @", 'the text "x"'),
        ("age", "x", "/age", "integer or null", 'the text "x"'),
        ("size", 11, "/size", "maximum the number 10", "the number 11"),
        ("kind", "c", "/kind", "one of a, b", 'the text "c"'),
        ("tags", ["x", 1], "/tags/1", "string", "the number 1"),
        ("one", [], "/one", "exactly one of the allowed shapes", "a list"),
        ("any", [], "/any", "one of the allowed shapes", "a list"),
        ("emial", 1, "/emial", "only declared inputs", "another name"),
    ],
)
def test_an_invalid_input_says_what_was_expected_and_what_was_there(
    name: str, value: object, path: str, expected: str, got: str
) -> None:
    found = validate_input(SCHEMA, {**GOOD, name: value})
    assert [(name, path, expected, got)] == [(i.name, i.path, i.expected, i.got) for i in found.invalid_inputs]
    assert found.suggested_prompt.startswith(f"Please correct: {found.invalid_inputs[0].message.rstrip('.')}")
    assert {"name", "path", "message", "expected", "got"} == set(found.to_json()["invalidInputs"][0])


def test_defaults_are_filled_in_and_never_shared() -> None:
    given_input = {**GOOD, "home": {"street": 1}}
    first, second = validate_input(SCHEMA, given_input), validate_input(SCHEMA, given_input)
    assert {**GOOD, "home": {"street": 1, "city": "x"}, "size": 5, "tags": []} == first.value
    assert first.value["tags"] is not second.value["tags"]
    assert {**GOOD, "home": {"street": 1}} == given_input


def test_an_input_that_is_no_object_is_invalid() -> None:
    assert [("input", "")] == [(item.name, item.path) for item in validate_input(SCHEMA, 5).invalid_inputs]


def test_an_input_that_is_never_allowed_is_invalid() -> None:
    found = validate_input(SCHEMA, {**GOOD, "no": 1}).invalid_inputs
    assert ["a value of another kind"] == [item.expected for item in found]


def test_a_required_rule_on_a_shape_that_is_no_object_schema_still_names_the_input() -> None:
    schema = {"required": ["x"], "properties": {"x": True}}
    assert ["x"] == [item.name for item in validate_input(schema, {}).missing_inputs]


def test_patterns_of_names_and_other_names_are_judged() -> None:
    schema = {
        "patternProperties": {"^n_": {"type": "number"}},
        "properties": {"a": True},
        "additionalProperties": {"type": "string"},
    }
    found = validate_input(schema, {"n_x": "5", "a": 1, "b": "x", "c": 1})
    assert ["/c", "/n_x"] == [item.path for item in found.invalid_inputs]
    closed = {**schema, "additionalProperties": False}
    assert ["/b"] == [item.path for item in validate_input(closed, {"n_x": 5, "b": "x"}).invalid_inputs]
    assert validate_input(schema, 5).valid
    assert validate_input({"pattern": "x"}, 5).valid


def test_a_schema_without_end_is_an_invalid_input_and_no_crash() -> None:
    schema = {"properties": {"x": {"allOf": [{"$ref": "#/properties/x"}]}}}
    assert ["the schema refers to itself without end for this input"] == [
        item.message for item in validate_input(schema, {"x": 1}).invalid_inputs
    ]


def test_a_pattern_that_would_take_exponential_time_takes_linear_time() -> None:
    schema = {"properties": {"x": {"pattern": "^(a+)+$"}}}
    assert not validate_input(schema, {"x": "a" * 100_000 + "!"}).valid


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"$ref": "https://x.example"}, ("$ref",)),
        ({"$ref": "#"}, ("$ref",)),
        ({"$ref": "#/x"}, ("$ref",)),
        ({"$ref": "#anchor"}, ("$ref",)),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, ("$defs", "a", "$ref")),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, ("properties", "a", "pattern")),
        ({"patternProperties": {"(?<!x)": {}}}, ("patternProperties",)),
        ({"allOf": [{}, {"pattern": "(" + "x" * 300}]}, ("allOf", 1, "pattern")),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",)),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",)),
        ({"type": "strin"}, ("type",)),
        (5, ()),
        ({"properties": {"a": {"minimum": "x" * 500}}}, ("properties", "a", "minimum")),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_where_it_is_wrong(schema: object, path: tuple[object, ...]) -> None:
    assert path == schema_problems(schema)[0][0]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        SCHEMA,
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
        {"allOf": [{"$ref": "#/allOf/1"}, {"type": "string"}]},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"$ref": "#/$defs/c"}, "c": True}},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"enum": [{"$ref": "https://x.example"}], "default": {"pattern": "("}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"properties": {"tree": {"type": "array", "items": {"$ref": "#"}}}},
    ],
)
def test_a_schema_that_can_be_used_has_no_problems(schema: object) -> None:
    assert [] == schema_problems(schema)


def test_a_pattern_that_is_no_text_is_left_to_the_meta_schema() -> None:
    assert [("pattern",)] == [path for path, _, _ in schema_problems({"pattern": 5})]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
        max_leaves=8,
    )
)
def test_any_input_is_judged_without_an_exception(value: object) -> None:
    found = validate_input(SCHEMA, value)
    assert found.valid == (not found.missing_inputs and not found.invalid_inputs)


def test_a_description_that_is_a_sentence_ends_once() -> None:
    schema = {"required": ["id"], "properties": {"id": {"type": "integer", "description": "Number of the user."}}}
    assert "Please provide id (integer): Number of the user." == validate_input(schema, {}).suggested_prompt


def test_a_judge_says_where_a_value_does_not_fit_and_what_is_there() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "integer"}, "c.d": {"type": "array", "items": {"maxLength": 1}}},
        "additionalProperties": False,
    }
    found = Judge(schema).faults({"a": "x", "c.d": ["y", "zz"], "cd": 1})
    assert [
        ("/a", 'is the text "x", expected integer'),
        ("/b", "is required"),
        ("/c.d/1", 'is the text "zz", expected maxLength the number 1'),
        ("/cd", 'is not expected: "cd" is not declared. Did you mean "c.d"?'),
    ] == sorted(found)


def test_a_judge_holds_parts_whose_references_lead_into_the_whole() -> None:
    judge = Judge({"$defs": {"Short": {"maxLength": 2}}})
    assert [True, False] == [judge.fits({"$ref": "#/$defs/Short"}, text) for text in ("ab", "abc")]


def test_a_judge_ends_where_a_schema_judges_without_end() -> None:
    endless = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    judge = Judge(endless)
    assert [("", "leads through the schema without end")] == judge.faults(1)
    assert not judge.fits(endless, 1)
