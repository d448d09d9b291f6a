"""What is taken as valid at a glance is valid by the metaschema, and what people write is taken so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, SchemaError

from millrace.spec.plain_schema import is_plain

TEXT = (["", "a text"], [None, 1, ["a"], {}])
FLAG = ([True, False], [None, 0, "true"])
LIST = ([[], [1, "a", None]], [None, {}, "a"])
NUMBER = ([0, -1, 1.5], [None, True, "1"])
COUNT = ([0, 7], [None, True, -1, 1.5, "1"])
SCHEMA = ([True, False, {}, {"type": "string"}], [None, 1, "string", [], {"type": "text"}])
SCHEMAS = ([[{}], [True, {"type": "null"}]], [None, [], {}, [1], [{}, {"minLength": -1}]])
NAMED = ([{}, {"a": True, "b": {"type": "array"}}], [None, [], {"a": 1}, {"a": {"items": 3}}])
KEYWORDS: dict[str, tuple[list[Any], list[Any]]] = {
    **dict.fromkeys(["$comment", "contentEncoding", "contentMediaType", "description", "format", "title"], TEXT),
    **dict.fromkeys(["deprecated", "readOnly", "uniqueItems", "writeOnly"], FLAG),
    **dict.fromkeys(["enum", "examples"], LIST),
    **dict.fromkeys(["exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum"], NUMBER),
    **dict.fromkeys(["maxContains", "maxItems", "maxLength", "maxProperties"], COUNT),
    **dict.fromkeys(["minContains", "minItems", "minLength", "minProperties"], COUNT),
    **dict.fromkeys(
        ["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"], SCHEMA
    ),
    **dict.fromkeys(["allOf", "anyOf", "oneOf", "prefixItems"], SCHEMAS),
    **dict.fromkeys(["$defs", "dependentSchemas", "properties"], NAMED),
    "$ref": (["#", "#/$defs/a-b.c_1"], [None, 1, {}]),
    "$schema": (["https://json-schema.org/draft/2020-12/schema"], [None, 1]),
    "const": ([None, 1, {}], []),
    "default": ([None, 1, {}], []),
    "multipleOf": ([1, 0.1], [0, -1, True, "1"]),
    "pattern": (["^a+$"], [None, 1, "("]),
    "required": ([[], ["a", "b"]], [None, "a", [1], ["a", "a"]]),
    "type": (["string", ["string", "null"]], [None, "text", [], ["text"], ["null", "null"], [1]]),
    "x-anything": ([None, {"type": 1}], []),
}


def valid(schema: Any) -> bool:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_with_a_value_it_may_have_is_plain_and_one_that_it_may_not_have_is_not(keyword: str) -> None:
    good, bad = ([{keyword: value} for value in values] for values in KEYWORDS[keyword])
    assert [(True, True)] * len(good) == [(is_plain(schema), valid(schema)) for schema in good]
    assert [(False, False)] * len(bad) == [(is_plain(schema), valid(schema)) for schema in bad]


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://a.example/b"},
        {"patternProperties": {"^a": {}}},
        {"dependentRequired": {"a": ["b"]}},
        {"minLength": 2.0},
        {"$ref": "#/$defs/a%20b"},
    ],
    ids=str,
)
def test_a_valid_schema_with_rare_keywords_or_values_is_left_to_the_metaschema(schema: Any) -> None:
    assert (False, True) == (is_plain(schema), valid(schema))


@pytest.mark.parametrize(("levels", "plain"), [(64, True), (65, False)])
def test_a_schema_is_not_followed_without_end(levels: int, plain: bool) -> None:
    schema: Any = {}
    for _ in range(levels):
        schema = {"items": schema}
    assert plain == is_plain(schema)


def schemas() -> st.SearchStrategy[Any]:
    """Schemas in schemas with up to four keywords each, and a wrong value here and there."""
    rare = st.integers(0, 9).map(lambda number: number == 0)

    def some(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        below = {
            id(SCHEMA): inner,
            id(SCHEMAS): st.lists(inner, min_size=1, max_size=3),
            id(NAMED): st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        }
        pairs = [
            st.tuples(
                st.just(keyword),
                st.one_of(
                    rare.flatmap(lambda wrong, shape=shape: st.sampled_from((wrong and shape[1]) or shape[0])),
                    below.get(id(shape), st.nothing()),
                ),
            )
            for keyword, shape in KEYWORDS.items()
        ]
        return st.lists(st.one_of(pairs), max_size=4).map(dict)

    return st.recursive(some(st.booleans()), some, max_leaves=4)


@given(schemas())
def test_what_is_plain_is_valid(schema: Any) -> None:
    event(f"plain: {is_plain(schema)}")
    assert not is_plain(schema) or valid(schema)
