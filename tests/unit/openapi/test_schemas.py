"""Schemas of OpenAPI as JSON Schemas: every keyword judged, references kept, and nothing without an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.canonical import dumps
from millrace.base.limits import OPENAPI_TASK_BYTES
from millrace.services.openapi.graph import HEIGHT, WEIGHT, InPlaceGraph
from millrace.spec import schema_problems, validate_input
from tests.unit.openapi.builders import codes, converted, errors, one_operation, only, spec_of


def with_body(schema: Any, *, version: str = "3.0.3", shared: dict[str, Any] | None = None) -> Any:
    """An operation that takes and answers the schema."""
    content = {"application/json": {"schema": schema}}
    doc: dict[str, Any] = {"version": version, "components": {"schemas": shared or {}}}
    return one_operation(
        method="post",
        doc=doc,
        requestBody={"required": True, "content": content},
        responses={"200": {"description": "ok", "content": content}},
    )


def request_schema(schema: Any, **more: Any) -> Any:
    return spec_of(with_body(schema, **more))["inputSchema"]["properties"]["body"]


def response_schema(schema: Any, **more: Any) -> Any:
    return spec_of(with_body(schema, **more))["outputSchema"]["properties"]["body"]


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"nullable": True}, {}),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False}, {"type": "number", "maximum": 9}),
        ({"type": "string", "example": "x", "xml": {}, "x-a": 1}, {"type": "string", "examples": ["x"]}),
        ({"type": "string", "format": "date", "title": "T"}, {"type": "string", "format": "date", "title": "T"}),
        ({"enum": ["a", 1, None]}, {"enum": ["a", 1, None]}),
        ({"type": "object", "additionalProperties": {"type": "integer"}},) * 2,
        ({"allOf": [{"type": "object"}, {"required": ["a"]}]},) * 2,
        ({"minLength": 1.0, "multipleOf": 2}, {"minLength": 1, "multipleOf": 2}),
        ({"required": []}, {}),
        ({"allOf": []}, {}),
    ],
)
def test_a_schema_of_3_0_is_written_as_2020_12(old: Any, expected: Any) -> None:
    assert expected == response_schema(old)


def test_null_beside_a_combination_or_a_reference_is_a_choice() -> None:
    shared = {"A": {"type": "object"}}
    reference = {"$ref": "#/components/schemas/A"}
    null = {"type": "null"}
    assert {"anyOf": [{"$ref": "#/$defs/A"}, null]} == response_schema({**reference, "nullable": True}, shared=shared)
    combined = {"allOf": [reference], "nullable": True}
    assert {"anyOf": [{"allOf": [{"$ref": "#/$defs/A"}]}, null]} == response_schema(combined, shared=shared)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"type": ["string", "null"], "const": "a"},
        {"prefixItems": [{"type": "string"}], "items": False},
        {"if": {"type": "string"}, "then": {"minLength": 1}, "else": True},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"required": ["c"]}}},
        {"exclusiveMinimum": 3, "contains": {"type": "null"}, "minContains": 1},
        {"patternProperties": {"^a": {"type": "string"}}, "propertyNames": {"maxLength": 3}},
    ],
)
def test_a_schema_of_3_1_stays_as_it_is(schema: Any) -> None:
    assert schema == response_schema(schema, version="3.1.0")


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"required": True}, "keyword-value"),
        ({"type": "file"}, "keyword-value"),
        ({"minimum": "3"}, "keyword-value"),
        ({"pattern": "(?=a)"}, "keyword-value"),
        ({"patternProperties": {"(?=a)": {}}}, "keyword-value"),
        ({"enum": list(range(10_000))}, "keyword-value"),
        ({"enum": ["x" * 9000]}, "keyword-value"),
        ({"default": "x" * 9000}, "keyword-value"),
        ({"items": [1]}, "keyword-value"),
        ({"allOf": {"a": 1}}, "keyword-value"),
        ({"properties": [1]}, "keyword-value"),
        ({"dependentRequired": {"a": 1}}, "keyword-value"),
        ({"unevaluatedProperties": False}, "keyword"),
        ({"$id": "https://example.com/a"}, "keyword"),
        ({"items": 7}, "keyword-value"),
        ({"anyOf": [7]}, "schema"),
        (7, "schema"),
        ({"$ref": "other.yaml#/A"}, "reference"),
        ({"$ref": "../../../../etc/passwd"}, "reference"),
        ({"$ref": "https://169.254.169.254/latest"}, "reference"),
        ({"$ref": "#/components/schemas/Missing"}, "reference"),
        ({"$ref": "#anchor"}, "reference"),
        ({"$ref": "#/info/title"}, "reference"),
        ({"$ref": "#/servers/99"}, "reference"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_noted_with_its_place(schema: Any, code: str) -> None:
    value = with_body(schema, version="3.1.0")
    notes = converted(value)[1].notes.kept
    assert {code} == {note.code for note in notes}
    assert all(note.where.startswith("/paths/~1things/post/") for note in notes)
    assert [] == errors(only(value))


def test_fields_that_the_server_fills_in_need_not_be_sent() -> None:
    schema = {
        "type": "object",
        "required": ["id", "secret"],
        "properties": {"id": {"readOnly": True}, "secret": {"writeOnly": True}, "size": {"default": 3}},
    }
    sent, read = request_schema(schema), response_schema(schema)
    assert (["secret"], {}) == (sent["required"], sent["properties"]["size"])
    assert (["id"], {"default": 3}) == (read["required"], read["properties"]["size"])
    assert "required" not in request_schema({**schema, "required": ["id"]})


def test_a_cycle_through_fields_stays_a_cycle_and_judges_values() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}, "n": {"type": "integer"}}}
    schema = spec_of(with_body({"$ref": "#/components/schemas/Tree"}, shared={"Tree": tree}))["inputSchema"]
    assert validate_input(schema, {"body": {"left": {"left": {"n": 1}}}}).valid
    assert not validate_input(schema, {"body": {"left": {"left": {"n": "x"}}}}).valid


@pytest.mark.parametrize(
    "shared",
    [
        {"A": {"$ref": "#/components/schemas/A"}},
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
        {"A": {"allOf": [{"$ref": "#/components/schemas/B"}]}, "B": {"anyOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"not": {"$ref": "#/components/schemas/A"}}},
    ],
)
def test_a_schema_that_applies_itself_is_left_open_and_noted(shared: dict[str, Any]) -> None:
    value = with_body({"$ref": "#/components/schemas/A"}, shared=shared)
    assert "schema-cycle" in codes(value)
    assert [] == errors(only(value))
    assert validate_input(spec_of(value)["inputSchema"], {"body": 1}) is not None


def test_a_ladder_of_schemas_that_doubles_at_each_step_is_cut() -> None:
    shared: dict[str, Any] = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(60)
    } | {"S60": {"type": "object"}}
    value = with_body({"$ref": "#/components/schemas/S0"}, shared=shared)
    assert "schema-heavy" in codes(value)
    assert validate_input(spec_of(value)["inputSchema"], {"body": {}}).valid


def test_a_long_row_of_schemas_is_cut_and_does_not_recurse() -> None:
    shared: dict[str, Any] = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}]} for n in range(5000)}
    shared["S5000"] = {"type": "object"}
    value = with_body({"$ref": "#/components/schemas/S0"}, shared=shared)
    assert "schema-heavy" in codes(value)
    assert [] == errors(only(value))


@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=4), max_size=10))
@settings(max_examples=200, deadline=None)
def test_a_reference_is_a_cycle_exactly_where_its_target_leads_back(edges: dict[int, list[int]]) -> None:
    graph = InPlaceGraph(lambda name: map(str, edges.get(int(name), ())))

    def reach(start: int) -> set[int]:
        seen, left = {start}, [start]
        while left:
            for target in edges.get(left.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    left.append(target)
        return seen

    for source, targets in edges.items():
        for target in targets:
            assert (source in reach(target)) is (graph.refused(str(source), str(target)) == "cycle")


@pytest.mark.parametrize(("fan", "steps", "expected"), [(2, 5, ""), (2, 12, "heavy"), (1, HEIGHT, "heavy")])
def test_weight_counts_applications_and_height_their_row(fan: int, steps: int, expected: str) -> None:
    graph = InPlaceGraph(lambda name: [str(int(name) + 1)] * fan if int(name) < steps else [])
    assert {"", expected} == {graph.refused(None, str(node)) for node in range(steps)} | {""}
    assert (fan**steps > WEIGHT or steps >= HEIGHT) is bool(expected)


def test_distant_schemas_are_left_open_when_the_task_would_grow_too_large() -> None:
    names = [f"#/components/schemas/S{n}" for n in range(400)]
    shared = {
        f"S{n}": {
            "type": "object",
            "description": "word " * 60,
            "properties": {"next": {"$ref": names[(n + 1) % 400]}, "far": {"$ref": names[(n * 7) % 400]}},
        }
        for n in range(400)
    }
    value = with_body({"$ref": names[0]}, shared=shared)
    task = only(value)
    assert OPENAPI_TASK_BYTES >= len(dumps(task.document))
    assert "schema-cut" in codes(value)
    assert {} in task.document["spec"]["inputSchema"]["$defs"].values()
    assert [] == errors(task)


def test_a_schema_too_large_in_itself_is_left_open() -> None:
    schema = {"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(2000)}}
    assert {} == request_schema(schema) == response_schema(schema)
    assert {"schema-cut"} == codes(with_body(schema))


def test_deep_nesting_is_cut() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "array", "items": schema}
    assert {"schema-deep"} == codes(with_body(schema))
    assert [] == errors(only(with_body(schema)))


def test_schemas_of_one_name_from_two_places_are_kept_apart() -> None:
    shared = {"a b": {"type": "string"}, "a/b": {"type": "integer"}, "a_b": {"type": "null"}}
    fields = {"x": "#/components/schemas/a%20b", "y": "#/components/schemas/a~1b", "z": "#/components/schemas/a_b"}
    schema = {"type": "object", "properties": {key: {"$ref": target} for key, target in fields.items()}}
    found = spec_of(with_body(schema, shared=shared))["inputSchema"]
    kinds = {
        key: found["$defs"][one["$ref"].removeprefix("#/$defs/")]["type"]
        for key, one in found["properties"]["body"]["properties"].items()
    }
    assert {"x": "string", "y": "integer", "z": "null"} == kinds


KEYS = ["type", "properties", "items", "allOf", "anyOf", "not", "$ref", "enum", "required", "nullable", "pattern"]
KEYS += ["minimum", "exclusiveMinimum", "additionalProperties", "default", "examples", "A", "readOnly"]
LEAVES = ["string", "object", "(", "#/components/schemas/A"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON, st.sampled_from(["3.0.3", "3.1.0"]))
@settings(max_examples=150, deadline=None)
def test_whatever_a_schema_holds_the_task_is_valid(schema: Any, shared: Any, version: str) -> None:
    tasks, conversion = converted(json.loads(json.dumps(with_body(schema, version=version, shared={"A": shared}))))
    assert 1 == len(tasks) + sum(note.refused for note in conversion.notes.kept)
    for task in tasks:
        assert [] == schema_problems(task.document["spec"]["inputSchema"])
        assert [] == [one for one in errors(task) if one.severity == "error"]  # the schema may be nonsense


def test_a_fault_in_a_shared_schema_is_found_each_time_at_its_place() -> None:
    schema = {"$defs": {"A": {"type": "object"}, "B": {"properties": {"x": {"minimum": "3"}}}}, "type": "object"}
    for _ in range(2):
        assert [("$defs", "B", "properties", "x", "minimum")] == [path for path, _, _ in schema_problems(schema)]
    assert [("$defs",)] == [path for path, _, _ in schema_problems({"$defs": 7})]
