"""What imported tasks send is what mocks read: every style, both directions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.services.mocking.exchange import Request
from millrace.services.mocking.service import Mock
from millrace.services.openapi import read_openapi
from tests.unit.openapi.builders import document, only, operation, sent

pytestmark = pytest.mark.repeats

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(
    lambda text: text not in (".", "..")
)
PLAIN = st.text("abcXYZ0189-_~é", min_size=1, max_size=6)
PLACES = [
    *(("path", style, explode) for style in ("simple", "label", "matrix") for explode in (False, True)),
    *(("query", style, explode) for style in ("form", "spaceDelimited", "pipeDelimited") for explode in (False, True)),
    ("query", "deepObject", True),
    *(("header", "simple", explode) for explode in (False, True)),
    *(("cookie", "form", explode) for explode in (False, True)),
]
KINDS = ("integer", "text", "list", "object")


def values(kind: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if kind == "integer":
        return st.integers(-(10**9), 10**9)
    if kind == "text":
        return texts
    if kind == "list":
        return st.lists(texts, min_size=1, max_size=3)
    return st.fixed_dictionaries({"n": st.integers(0, 99)}, optional={"t": texts})


def schema_of(kind: str, value: Any) -> dict[str, Any]:
    """A schema that only this value fits: whatever else is read is refused."""
    if kind == "object":
        properties = {"n": {"type": "integer"}, "t": {"type": "string"}}
        return {"type": "object", "properties": properties, "const": value}
    kinds = {"integer": {"type": "integer"}, "text": {"type": "string"}}
    return {**kinds.get(kind, {"type": "array", "items": {"type": "string"}}), "const": value}


@pytest.mark.parametrize(("place", "style", "explode"), PLACES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_parameter_comes_out_as_it_went_in(place: str, style: str, explode: bool, kind: str, data: Any) -> None:
    if kind == "list" and style == "deepObject":
        return
    # An exploded label cannot tell a dot of a value from the one between values, and headers have no escape.
    # Where values are delimited by a space or a pipe, that is spelled as the same character of a value is.
    narrow = place in ("header", "cookie") or style in ("label", "spaceDelimited", "pipeDelimited")
    value = data.draw(values(kind, PLAIN.filter(str.isascii) if narrow else TEXT))
    parameter = {"name": "p", "in": place, "required": True, "style": style, "explode": explode}
    path = "/a/{p}" if place == "path" else "/a"
    whole = document({path: {"get": operation(parameters=[{**parameter, "schema": schema_of(kind, value)}])}})
    open_ = {key: item for key, item in schema_of(kind, value).items() if key != "const"}
    task = only(document({path: {"get": operation(parameters=[{**parameter, "schema": open_}])}}))
    request = sent(task, {"p": value})
    parts = urlsplit(str(request.url))
    headers = {name.lower(): text for name, text in request.headers}
    one = Mock(read_openapi(json.dumps(whole).encode()))
    answer = one.answer(Request("GET", parts.path, parts.query, headers))
    assert 200 == answer.status, answer.body


@pytest.mark.parametrize(
    ("status", "query", "schema"),
    [
        (200, "p=true", {"type": "boolean"}),
        (400, "p=True", {"type": "boolean"}),
        (200, "p=1.5e3", {"type": "number"}),
        (400, "p=0x10", {"type": "number"}),
        (200, "p=5", {"anyOf": [{"type": "integer"}, {"const": "all"}]}),
        (200, "p=all", {"anyOf": [{"type": "integer"}, {"const": "all"}]}),
        (400, "p=some", {"anyOf": [{"type": "integer"}, {"const": "all"}]}),
        (400, "", {"type": "string"}),
        (400, "p=", {"type": "string", "minLength": 1}),
        (200, "p=%E4", {"type": "string"}),
        (400, "p=1,x", {"type": "array", "items": {"type": "integer"}}),
    ],
    ids=str,
)
def test_texts_are_read_by_the_type_of_the_schema(status: int, query: str, schema: Any) -> None:
    parameter = {"name": "p", "in": "query", "required": True, "explode": False, "schema": schema}
    one = Mock(read_openapi(json.dumps(document({"/a": {"get": operation(parameters=[parameter])}})).encode()))
    assert status == one.answer(Request("GET", "/a", query)).status


def test_a_parameter_with_content_is_any_text_and_an_empty_one_may_be_allowed() -> None:
    parameters = [
        {"name": "filter", "in": "query", "required": True, "content": {"application/json": {"schema": {}}}},
        {"name": "flag", "in": "query", "allowEmptyValue": True, "schema": {"type": "boolean"}},
    ]
    one = Mock(read_openapi(json.dumps(document({"/a": {"get": operation(parameters=parameters)}})).encode()))
    assert 200 == one.answer(Request("GET", "/a", "filter=%7B%7D&flag")).status
    assert 400 == one.answer(Request("GET", "/a", "flag=true")).status
