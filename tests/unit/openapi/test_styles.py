"""Every style of the OpenAPI table, against a serialiser written from the table."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.openapi.builders import codes, converted, errors, header, one_operation, only, sent, spec_of

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(
    lambda text: text not in (".", "..")
)
ASCII = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=6)
FIELDS = ("R", "G", "b-c", "in")
SCHEMAS: dict[str, Any] = {
    "scalar": {},
    "array": {"type": "array", "items": {}},
    "object": {"type": "object", "properties": {name: {} for name in FIELDS}},
    "open": {"type": "object", "additionalProperties": True},
}


def values(texts: st.SearchStrategy[str]) -> dict[str, st.SearchStrategy[Any]]:
    """Values that fit the schemas of those names."""
    scalar = texts | st.integers(-(10**9), 10**9) | st.booleans()
    return {
        "scalar": scalar,
        "array": st.lists(scalar, min_size=1, max_size=3),
        "object": st.dictionaries(st.sampled_from(FIELDS), scalar, min_size=1, max_size=3),
        "open": st.dictionaries(texts, scalar, min_size=1, max_size=3),
    }


VALUES = values(TEXT)
STYLES = [("path", style) for style in ("simple", "label", "matrix")] + [
    ("query", style) for style in ("form", "spaceDelimited", "pipeDelimited", "deepObject")
]


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def enc(value: Any) -> str:
    return quote(text(value), safe="")


def flat(value: Any, between: str, pair: str, spell: Any = enc) -> str:
    if isinstance(value, dict):
        return between.join(spell(key) + pair + spell(item) for key, item in value.items())
    return between.join(map(spell, value)) if isinstance(value, list) else spell(value)


def reference_path(value: Any, style: str, explode: bool) -> str:
    pair = "=" if explode else ","
    if style == "simple":
        return flat(value, ",", pair)
    if style == "label":
        return "." + flat(value, "." if explode else ",", pair)
    if explode and isinstance(value, list):
        return "".join(f";p={enc(item)}" for item in value)
    if explode and isinstance(value, dict):
        return ";" + flat(value, ";", "=")
    return ";p=" + flat(value, ",", ",")


def reference_query(value: Any, style: str, explode: bool) -> list[str]:
    if isinstance(value, dict) and style == "deepObject":
        return [f"p%5B{enc(key)}%5D={enc(item)}" for key, item in value.items()]
    if isinstance(value, dict) and explode:
        return [f"{enc(key)}={enc(item)}" for key, item in value.items()]
    if isinstance(value, list) and explode:
        return [f"p={enc(item)}" for item in value]
    mark = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(style, ",")
    return ["p=" + flat(value, mark, mark)]


def parameter(place: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": "p", "in": place, "required": True, "schema": schema, **more}


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize(("place", "style"), STYLES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_parameter_is_spelled_as_the_table_says(
    place: str, style: str, kind: str, explode: bool, data: st.DataObject
) -> None:
    value = data.draw(VALUES[kind])
    path = "/things/{p}/end" if place == "path" else "/things"
    declared = parameter(place, SCHEMAS[kind], style=style, explode=explode)
    target = sent(only(one_operation(path, parameters=[declared])), {"p": value}).url.target
    if place == "path":
        assert f"/v1/things/{reference_path(value, style, explode)}/end" == target
    else:
        found = target.partition("?")[2].replace("+", "%20").split("&")
        assert sorted(reference_query(value, style, explode)) == sorted(found)


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", SCHEMAS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_header_is_spelled_as_the_table_says(kind: str, explode: bool, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind])
    declared = parameter("header", SCHEMAS[kind], explode=explode) | {"name": "X-P"}
    request = sent(only(one_operation(parameters=[declared])), {"X-P": value})
    assert flat(value, ",", "=" if explode else ",", text) == header(request, "X-P")


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", SCHEMAS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_cookie_is_spelled_as_a_form(kind: str, explode: bool, data: st.DataObject) -> None:
    value = data.draw(values(ASCII)[kind])
    request = sent(only(one_operation(parameters=[parameter("cookie", SCHEMAS[kind], explode=explode)])), {"p": value})
    expected = "; ".join(reference_query(value, "form", explode))
    assert expected == header(request, "Cookie")


@given(st.dictionaries(st.sampled_from("abcdef"), VALUES["scalar"]))
@settings(max_examples=30, deadline=None)
def test_optional_parameters_that_are_not_given_are_not_sent(given_values: dict[str, Any]) -> None:
    array = {"type": "array", "items": {}}
    parameters = [
        {"name": "a", "in": "query", "schema": {}},
        {"name": "b", "in": "query", "schema": array, "explode": False},
        {"name": "c", "in": "header", "schema": {}},
        {"name": "d", "in": "header", "schema": array},
        {"name": "e", "in": "cookie", "schema": {}},
        {"name": "f", "in": "query", "schema": {}, "allowReserved": True},
    ]
    value = {name: [item] if name in "bd" else item for name, item in given_values.items()}
    request = sent(only(one_operation(parameters=parameters)), value)
    pieces = request.url.target.partition("?")[2].split("&")
    assert {name for name in value if name in "abf"} == {piece[0] for piece in pieces if piece}
    assert {name for name in value if name in "cd"} == {key for key, _ in request.headers if len(key) == 1}
    assert ("e" in value) is (header(request, "Cookie") is not None)


def test_reserved_characters_are_kept_where_the_document_allows_them() -> None:
    task = only(one_operation(parameters=[parameter("query", {"type": "string"}, allowReserved=True)]))
    assert "/v1/things?p=/a?b:c%26d%23%25%2B" == sent(task, {"p": "/a?b:c&d#%+"}).url.target


def test_an_empty_array_sends_nothing() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    task = only(one_operation(parameters=[parameter("query", schema, explode=False)]))
    assert "/v1/things?" == sent(task, {"p": []}).url.target


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_takes_no_value_that_would_call_another_path(value: str) -> None:
    task = only(one_operation("/things/{p}", parameters=[parameter("path", {"type": "string"})]))
    with pytest.raises(AssertionError):
        sent(task, {"p": value})


def test_parameters_of_one_name_become_inputs_named_after_their_places() -> None:
    schema = {"type": "string"}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": schema},
        {"name": "id", "in": "query", "schema": schema},
        {"name": "body", "in": "query", "schema": schema},
        {"name": "tags[]", "in": "query", "schema": schema},
        {"name": "x y'z", "in": "query", "schema": schema},
    ]
    body = {"content": {"application/json": {"schema": schema}}}
    task = only(one_operation("/a/{id}", "put", parameters=parameters, requestBody=body))
    assert ["path_id", "query_id", "query_body", "tags[]", "x_y_z", "body"] == list(
        task.document["spec"]["inputSchema"]["properties"]
    )
    request = sent(task, {"path_id": "1", "query_id": "2", "query_body": "3", "tags[]": "4", "x_y_z": "5", "body": "6"})
    assert "/v1/a/1?id=2&body=3&tags%5B%5D=4&x+y%27z=5" == request.url.target
    assert b'"6"' == request.body
    assert [] == errors(task)


def test_a_parameter_of_the_operation_replaces_that_of_its_path() -> None:
    value = one_operation(parameters=[parameter("query", {"type": "integer"}) | {"required": False}])
    value["paths"]["/things"]["parameters"] = [parameter("query", {"type": "string"})]
    schema = spec_of(value)["inputSchema"]
    assert ({"p": {"type": "integer"}}, False) == (schema["properties"], "required" in schema)


def test_a_parameter_with_content_is_text_that_is_ready_to_be_sent() -> None:
    declared = {"name": "p", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}
    value = one_operation(parameters=[declared])
    assert {"parameter-content"} == codes(value)
    assert "/v1/things?p=%7B%7D" == sent(only(value), {"p": "{}"}).url.target


def test_headers_that_are_decided_elsewhere_are_left_out() -> None:
    names = ("Accept", "Authorization", "Content-Type", "Host", "bad name")
    value = one_operation(parameters=[{"name": name, "in": "header", "schema": {}} for name in names])
    assert {} == spec_of(value)["inputSchema"]["properties"]
    notes = converted(value)[1].notes.kept
    assert ["/paths/~1things/get/parameters/3", "/paths/~1things/get/parameters/4"] == [note.where for note in notes]


def test_an_unknown_style_is_read_as_the_default_and_noted() -> None:
    value = one_operation(parameters=[parameter("query", {"type": "string"}, style="matrix")])
    assert {"style"} == codes(value)
    assert "/v1/things?p=x" == sent(only(value), {"p": "x"}).url.target


@pytest.mark.parametrize("item", [{"in": "query"}, {"name": "a", "in": "body"}, 7, {"name": "", "in": "query"}])
def test_what_is_no_parameter_is_noted(item: Any) -> None:
    assert {"parameter"} == codes(one_operation(parameters=[item]))
