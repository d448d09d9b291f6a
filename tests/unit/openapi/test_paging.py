"""An operation that gives its list in pages becomes a task that reads them, where one reading is left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.openapi.builders import codes, errors, one_operation, only, sent

THING = {"type": "object", "properties": {"id": {"type": "integer"}}}
LIST = {"type": "array", "items": THING}
TEXT = {"type": "string"}
YES = {"type": "boolean"}
WHOLE = {"type": "integer"}


def listed(body: Any, *query: tuple[str, Any], headers: Any = None, **more: Any) -> Any:
    """An operation with query parameters that answers with a body."""
    answer: dict[str, Any] = {"description": "ok", "content": {"application/json": {"schema": body}}}
    if headers:
        answer["headers"] = headers
    parameters = [{"name": name, "in": "query", "schema": schema} for name, schema in query]
    return one_operation(parameters=parameters, responses={"200": answer}, **more)


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def wide(depth: int) -> dict[str, Any]:
    """An object of objects with ten fields each, and in the deepest one something that looks like a cursor."""
    more = {"nextCursor": TEXT} if depth == 0 else {"z": wide(depth - 1)}
    return fields(**{f"f{number}": wide(depth - 1) if depth else TEXT for number in range(9)}, **more)


WIDE = fields(**{f"a{number}": wide(1) for number in range(40)})
URL = {"type": "string", "format": "uri"}
CLEAR: list[tuple[str, Any, dict[str, Any]]] = [
    ("a Link header", listed(LIST, headers={"Link": {"schema": TEXT}}), {"strategy": "link"}),
    (
        "a Link header beside page numbers",
        listed(LIST, ("page", WHOLE), ("per_page", WHOLE), headers={"link": {}}),
        {"strategy": "link"},
    ),
    ("the next address", listed(fields(data=LIST, next=URL)), {"strategy": "next", "items": "data", "path": "next"}),
    (
        "an address of OData",
        listed({"type": "object", "properties": {"value": LIST, "@odata.nextLink": TEXT}}),
        {"strategy": "next", "items": "value", "path": "/@odata.nextLink"},
    ),
    (
        "a link in links",
        listed(fields(items=LIST, _links=fields(next=fields(href=TEXT)))),
        {"strategy": "next", "items": "items", "path": "_links.next.href"},
    ),
    (
        "a cursor",
        listed(fields(items=LIST, nextCursor=TEXT), ("cursor", TEXT), ("limit", {**WHOLE, "maximum": 100})),
        {"strategy": "cursor", "items": "items", "path": "nextCursor", "param": "cursor", "limit": 100,
         "limitParam": "limit"},
    ),
    (
        "a cursor above objects that hold very many objects",
        listed(fields(items=LIST, nextCursor=TEXT, about=WIDE), ("cursor", TEXT)),
        {"strategy": "cursor", "items": "items", "path": "nextCursor", "param": "cursor"},
    ),
    (
        "a cursor further down",
        listed(fields(members=LIST, meta=fields(next_page_token=TEXT, has_more=YES)), ("pageToken", TEXT)),
        {"strategy": "cursor", "items": "members", "path": "meta.next_page_token", "param": "pageToken",
         "more": "meta.has_more"},
    ),
    (
        "an offset",
        listed(fields(items=LIST, total=WHOLE), ("offset", WHOLE), ("limit", {**WHOLE, "default": 20})),
        {"strategy": "offset", "items": "items", "param": "offset", "total": "total", "limit": 20,
         "limitParam": "limit"},
    ),
    ("page numbers", listed(LIST, ("page", WHOLE), ("q", TEXT)), {"strategy": "page", "param": "page"}),
    (
        "page numbers from 0",
        listed(fields(content=LIST, errors={"type": "array"}), ("page", {**WHOLE, "minimum": 0}), ("size", WHOLE)),
        {"strategy": "page", "items": "content", "param": "page", "start": 0},
    ),
    (
        "an answer put together",
        listed({"allOf": [fields(next_token=TEXT), fields(things=LIST)]}, ("next_token", TEXT)),
        {"strategy": "cursor", "items": "things", "path": "next_token", "param": "next_token"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "block"), [one[1:] for one in CLEAR], ids=[one[0] for one in CLEAR])
def test_one_way_to_the_next_page_becomes_the_paging_of_the_task(value: Any, block: dict[str, Any]) -> None:
    task = only(value)
    spec = task.document["spec"]
    assert block == spec["request"]["paging"]
    assert [] == errors(task)
    assert set() == {block.get("param"), block.get("limitParam")} & set(spec["inputSchema"]["properties"])
    body = spec["outputSchema"]["properties"]["body"]
    assert ["items", "complete"] == body["required"]
    assert {"type": "object", "properties": {"id": {"type": "integer"}}} == body["properties"]["items"]["items"]
    assert {"type": "integer"} == spec["outputSchema"]["properties"]["pages"]


UNCLEAR: list[tuple[str, Any]] = [
    ("two ways on", listed(fields(items=LIST), ("page", WHOLE), ("offset", WHOLE))),
    ("a cursor that no answer gives", listed(fields(items=LIST), ("cursor", TEXT))),
    ("two cursors", listed(fields(items=LIST, nextCursor=TEXT, nextToken=TEXT), ("cursor", TEXT))),
    ("two next addresses", listed(fields(items=LIST, next=URL, nextUrl=TEXT))),
    ("two lists", listed(fields(one=LIST, two=LIST), ("page", WHOLE))),
]


@pytest.mark.parametrize("value", [one[1] for one in UNCLEAR], ids=[one[0] for one in UNCLEAR])
def test_what_is_not_clear_is_noted_and_left_to_people(value: Any) -> None:
    assert {"paging"} == codes(value)
    assert "paging" not in only(value).document["spec"]["request"]


NONE: list[tuple[str, Any]] = [
    ("no parameter", listed(fields(items=LIST))),
    ("a page that is a text", listed(LIST, ("page", TEXT))),
    ("a page of something else", listed(fields(title=TEXT), ("page", WHOLE))),
    ("another method", listed(LIST, ("page", WHOLE), method="post")),
    ("no JSON", one_operation(responses={"200": {"description": "ok", "content": {"text/plain": {}}}})),
    ("two answers", one_operation(responses={"200": {"description": "a"}, "202": {"description": "b"}})),
    ("an answer that leads to nothing", one_operation(responses={"200": {"$ref": "#/gone"}})),
]


@pytest.mark.parametrize("value", [one[1] for one in NONE], ids=[one[0] for one in NONE])
def test_an_operation_without_pages_stays_as_it_is(value: Any) -> None:
    assert "paging" not in codes(value)
    assert "paging" not in only(value).document["spec"]["request"]


def test_parameters_that_have_nothing_to_do_with_pages_are_still_sent() -> None:
    task = only(listed(LIST, ("page", WHOLE), ("q", TEXT)))
    assert {"q"} == set(task.document["spec"]["inputSchema"]["properties"])
    request = task.document["spec"]["request"]
    assert {"q"} == set(request["query"])
    del request["paging"]
    assert "q=shoes" in str(sent(task, {"q": "shoes"}).url)
