"""What changed between two editions of a document, change by change, and whether it breaks anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.services.openapi import Options, compare
from millrace.services.openapi.drift import RULES
from millrace.services.openapi.schema_drift import CHANGES, schema_changes
from millrace.spec import validate_input
from tests.unit.openapi.builders import one_operation, only

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "size": {"enum": ["s", "m"]},
        "count": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


SHORTER = {"type": "string", "maxLength": 9}


def changed(**fields: Any) -> dict[str, Any]:
    return {**OLD, "properties": {**OLD["properties"], **fields}}


def without(name: str) -> dict[str, Any]:
    return {**OLD, "properties": {key: item for key, item in OLD["properties"].items() if key != name}}


CASES: list[tuple[Any, str, bool, str, bool]] = [
    (without("size"), "input-removed", True, "output-field-removed", True),
    (changed(more={}), "input-added", False, "output-field-added", False),
    (changed(more={}) | {"required": ["name", "more"]}, "required-input-added", True, "output-field-added", False),
    ({**OLD, "required": ["name", "size"]}, "input-now-required", True, "output-field-now-required", False),
    ({**OLD, "required": []}, "input-now-optional", False, "output-field-now-optional", True),
    (changed(count={"type": "number"}), "input-type-widened", False, "output-type-widened", True),
    (changed(count={"type": "string"}), "input-type-changed", True, "output-type-changed", True),
    (changed(count={}), "input-type-widened", False, "output-type-widened", True),
    (changed(count=False), "input-type-narrowed", True, "output-type-narrowed", False),
    (changed(size={"enum": ["s"]}), "input-enum-narrowed", True, "output-enum-narrowed", False),
    (changed(size={"enum": ["s", "m", "l"]}), "input-enum-widened", False, "output-enum-widened", True),
    (changed(size={"enum": ["s", "l"]}), "input-enum-changed", True, "output-enum-changed", True),
    (changed(size={}), "input-enum-widened", False, "output-enum-widened", True),
    (
        changed(name={"type": "string", "maxLength": 9}),
        "input-limits-tightened",
        True,
        "output-limits-tightened",
        False,
    ),
    (changed(name={"type": "string"}), "input-limits-loosened", False, "output-limits-loosened", True),
    (
        changed(name={"type": "string", "maxLength": 20, "minLength": 1}),
        "input-limits-tightened",
        True,
        "output-limits-tightened",
        False,
    ),
    (
        changed(name={"type": "string", "maxLength": 20, "pattern": "a"}),
        "input-limits-tightened",
        True,
        "output-limits-tightened",
        False,
    ),
    (
        changed(tags={"type": "array", "items": {"type": "integer"}}),
        "input-type-changed",
        True,
        "output-type-changed",
        True,
    ),
    (changed(count={"type": "integer", "not": {}}), "schema-changed", True, "schema-changed", True),
]


@pytest.mark.parametrize(("new", "rule", "breaking", "_out", "_broken"), CASES)
def test_a_change_of_an_input_breaks_its_senders_when_it_gets_narrower(
    new: Any, rule: str, breaking: bool, _out: str, _broken: bool
) -> None:
    assert [(rule, breaking)] == [(one.rule, one.breaking) for one in schema_changes(OLD, new, side="input")]


@pytest.mark.parametrize(("new", "_in", "_breaking", "rule", "breaking"), CASES)
def test_a_change_of_an_output_breaks_its_readers_when_it_gets_wider(
    new: Any, _in: str, _breaking: bool, rule: str, breaking: bool
) -> None:
    assert [(rule, breaking)] == [(one.rule, one.breaking) for one in schema_changes(OLD, new, side="output")]


def test_references_are_followed_and_cycles_end() -> None:
    def tree(kind: str) -> dict[str, Any]:
        node = {"type": "object", "properties": {"n": {"type": kind}, "next": {"$ref": "#/$defs/Node"}}}
        return {"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}

    assert [] == schema_changes(tree("string"), tree("string"), side="input")
    assert [("input-type-changed", "input.root.n")] == [
        (one.rule, one.where) for one in schema_changes(tree("string"), tree("integer"), side="input")
    ]


def test_references_in_a_circle_end() -> None:
    loop = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert [] == schema_changes(loop, {}, side="input")


def test_changes_are_bounded() -> None:
    many: dict[str, Any] = {"properties": {f"f{n}": {} for n in range(3 * CHANGES)}}
    assert CHANGES == len(schema_changes(many, {}, side="input"))


def test_very_deep_schemas_are_compared_as_far_as_they_are_kept() -> None:
    old: Any = {"type": "string"}
    new: Any = {"type": "integer"}
    for _ in range(60):
        old, new = {"items": old}, {"items": new}
    assert [] == schema_changes(old, new, side="input")


PLAIN = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(
            st.sampled_from("abc"),
            st.fixed_dictionaries(
                {},
                optional={
                    "type": st.sampled_from(["string", "integer", "number", ["string", "null"]]),
                    "maximum": st.integers(0, 3),
                    "maxLength": st.integers(0, 2),
                },
            ),
            max_size=3,
        ),
        "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
        "additionalProperties": st.just(False),
    }
)
INPUTS = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 4) | st.sampled_from(["", "xx", "xxx"]))


@given(PLAIN, PLAIN, INPUTS)
@settings(max_examples=400, deadline=None)
def test_without_a_breaking_change_every_input_that_fitted_still_fits(old: Any, new: Any, value: Any) -> None:
    broken = any(change.breaking for change in schema_changes(old, new, side="input"))
    assert broken or not validate_input(old, value).valid or validate_input(new, value).valid


@pytest.mark.parametrize(
    ("more", "options", "rule", "breaking"),
    [
        ({"responses": {"201": {"description": "ok"}}}, Options(), "success-codes-changed", True),
        ({"security": [{"Key": []}]}, Options(), "auth-changed", True),
        ({}, Options(server="https://other.example"), "address-changed", False),
        ({"summary": "Do it"}, Options(), "description-changed", False),
        ({"deprecated": True}, Options(), "deprecated", False),
    ],
)
def test_a_change_of_the_request_is_named(more: dict[str, Any], options: Options, rule: str, breaking: bool) -> None:
    scheme = {"components": {"securitySchemes": {"Key": {"type": "http", "scheme": "bearer"}}}}
    old = only(one_operation(doc=scheme)).document
    found = compare(old, only(one_operation(doc=scheme, **more), options).document)
    assert (rule, breaking) in [(one.rule, one.breaking) for one in found]
    assert {one.rule for one in found} <= RULES.keys()


def test_a_request_spelled_otherwise_and_a_new_check_of_answers_are_named() -> None:
    parameter = {"name": "p", "in": "query", "schema": {"type": "array", "items": {}}}
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}
    old = only(one_operation(parameters=[parameter], responses=answer)).document
    spelled = only(one_operation(parameters=[{**parameter, "explode": False}], responses=answer)).document
    checked = only(one_operation(parameters=[parameter], responses=answer), Options(check_responses=True)).document
    assert {"request-changed", "address-changed"} == {one.rule for one in compare(old, spelled)}
    assert ["response-check-changed"] == [one.rule for one in compare(old, checked)]
    assert [] == compare(old, old)


def test_every_rule_that_is_given_is_documented() -> None:
    given_rules = {rule for case in CASES for rule in (case[1], case[3])}
    assert given_rules <= RULES.keys()


def test_the_reference_page_lists_every_rule_with_its_meaning() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "openapi-import.md").read_text()
    assert [] == [rule for rule, meaning in RULES.items() if f"| `{rule}` | {meaning} |" not in page]
