"""What a mock answers: which operation, which response, which example, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.errors import InvalidRequest
from tests.unit.mocking.builders import PET, ask, json_body, mock, said

NAMED = {"cat": {"value": {"name": "Tom"}}, "dog": {"$ref": "#/components/examples/dog"}, "far": {"externalValue": "x"}}
PETS: dict[str, Any] = {
    "/pets": {
        "get": {
            "operationId": "listPets",
            "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}],
            "responses": {"200": json_body({"type": "array", "items": PET})},
        },
        "post": {
            "operationId": "addPet",
            "requestBody": {"required": True, **json_body(PET)},
            "responses": {"201": json_body(PET), "default": json_body({}, example={"error": "no"})},
        },
    },
    "/pets/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "get": {
            "operationId": "getPet",
            "responses": {
                "404": json_body({}, example={"error": "gone"}),
                "200": json_body(PET, examples=NAMED),
                "5XX": json_body({}, example={"error": "down"}),
            },
        },
        "delete": {"responses": {"204": {"description": "gone"}}},
    },
    "/pets/mine": {"get": {"responses": {"200": json_body({"const": "mine"})}}},
    "/files/{name}.{kind}": {
        "get": {
            "parameters": [
                {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
                {"name": "kind", "in": "path", "required": True, "schema": {"enum": ["png", "tar.gz"]}},
            ],
            "responses": {"200": {"description": "", "content": {"image/png": {"schema": {"type": "string"}}}}},
        }
    },
}
DOG = {"examples": {"dog": {"value": {"name": "Rex"}}}}
SHOP = mock(PETS, components=DOG)


def test_an_answer_is_the_first_example_of_the_usual_response() -> None:
    answer = ask(SHOP, "/pets/7")
    assert (200, {"name": "Tom"}, "example cat") == (answer.status, said(answer), answer.source)
    assert "GET /pets/{id}" == answer.operation
    assert {"content-type": "application/json", "millrace-mock": "example cat"} == dict(answer.headers)


def test_without_an_example_a_value_is_made() -> None:
    answer = ask(SHOP, "/pets")
    assert ([{"name": "string", "age": 1}], "made") == (said(answer), answer.source)


def test_the_path_of_a_server_may_stand_before_the_path() -> None:
    assert said(ask(SHOP, "/pets/7")) == said(ask(SHOP, "/v1/pets/7"))


def test_the_path_of_a_server_may_have_variables_with_defaults() -> None:
    servers = [{"url": 7}, {"url": "http://[::1/y"}, {"url": "/{v}/shop", "variables": {"v": {"default": "v3"}}}]
    one = mock({"/a": {"get": {"responses": {"200": json_body({"const": 1})}}}}, servers=servers)
    assert [200, 200, 404] == [ask(one, target).status for target in ("/a", "/v3/shop/a", "/v4/shop/a")]


def test_a_concrete_path_comes_before_one_with_variables() -> None:
    assert "mine" == said(ask(SHOP, "/pets/mine"))


@pytest.mark.parametrize(
    ("status", "target"), [(200, "/files/a.png"), (200, "/files/a.tar.gz"), (400, "/files/a.gif"), (404, "/files/a")]
)
def test_a_segment_may_hold_several_variables(status: int, target: str) -> None:
    assert status == ask(SHOP, target).status


def test_a_response_without_content_has_no_body() -> None:
    answer = ask(SHOP, "/pets/7", "DELETE")
    assert (204, b"", "empty") == (answer.status, answer.body, answer.source)


@pytest.mark.parametrize(
    ("prefer", "status", "body", "source"),
    [
        ("code=404", 404, {"error": "gone"}, "example"),
        ("code=503", 503, {"error": "down"}, "example"),
        ("example=dog", 200, {"name": "Rex"}, "example dog"),
        ('return=minimal, code=200; example="dog"', 200, {"name": "Rex"}, "example dog"),
        ("code=teapot", 200, {"name": "Tom"}, "example cat"),
    ],
)
def test_a_request_may_prefer_another_answer(prefer: str, status: int, body: Any, source: str) -> None:
    answer = ask(SHOP, "/pets/7", prefer=prefer)
    assert (status, body, source) == (answer.status, said(answer), answer.source)


@pytest.mark.parametrize(
    ("target", "prefer", "said_"),
    [
        ("/pets/7", "code=202", "GET /pets/{id} declares no answer 202; it has 404, 200, 5XX"),
        ("/pets/7", "example=fox", "GET /pets/{id} has no example 'fox'; it has cat, dog"),
        ("/pets", "example=fox", "GET /pets has no example 'fox'; it has none with a name"),
    ],
)
def test_an_answer_that_is_not_there_is_refused_with_those_that_are(target: str, prefer: str, said_: str) -> None:
    answer = ask(SHOP, target, prefer=prefer)
    assert (400, said_) == (answer.status, said(answer)["detail"])


def test_a_failure_that_nothing_is_declared_of_may_be_asked_for() -> None:
    answer = ask(SHOP, "/pets", prefer="code=429")
    assert (429, "GET /pets was told to answer 429") == (answer.status, said(answer)["detail"])


def test_default_stands_for_every_code_that_is_not_declared() -> None:
    assert {"error": "no"} == said(ask(SHOP, "/pets", "POST", {"name": "x"}, prefer="code=409"))


def test_an_order_holds_until_a_request_prefers_something_else() -> None:
    ordered = mock(PETS, ["getPet=404", "GET /pets=500"], components=DOG)
    assert [404, 200, 500, 201] == [
        ask(ordered, "/pets/7").status,
        ask(ordered, "/pets/7", prefer="code=200").status,
        ask(ordered, "/pets").status,
        ask(ordered, "/pets", "POST", {"name": "x"}).status,
    ]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("getPet", "is no answer of an operation"),
        ("getPet=99", "is no answer of an operation"),
        ("getDog=404", "has no operation 'getDog'"),
        ("getPet=202", "declares no answer 202"),
        ("getPet=200:fox", "has no example 'fox'"),
        ("DELETE /pets/{id}=204:fox", "since its answer has no body"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_at_once(order: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        mock(PETS, [order], components=DOG)


@pytest.mark.parametrize(
    ("target", "nearest"), [("/pet/7", "GET /pets/{id}"), ("/v1/pets/7/toys", "GET /pets/{id}"), ("/petz", "GET /pets")]
)
def test_an_unknown_path_is_404_with_the_nearest_operation(target: str, nearest: str) -> None:
    answer = ask(SHOP, target)
    assert (404, nearest) == (answer.status, said(answer)["nearest"][0])


def test_an_unknown_path_that_resembles_nothing_names_nothing() -> None:
    assert [] == said(ask(SHOP, "/" + "x" * 5000))["nearest"]


def test_an_unknown_method_is_405_with_those_that_there_are() -> None:
    answer = ask(SHOP, "/pets/7", "PUT")
    assert (405, "DELETE, GET") == (answer.status, answer.headers["allow"])


def test_head_is_answered_as_get() -> None:
    assert ask(SHOP, "/pets/7").headers == ask(SHOP, "/pets/7", "HEAD").headers


@pytest.mark.parametrize(
    ("status", "request_", "fault"),
    [
        (400, ("/pets?limit=many", "GET"), ("query", "limit", "", 'is the text "many", expected integer')),
        (400, ("/pets?limit=101", "GET"), ("query", "limit", "", "is the number 101, expected maximum the number 100")),
        (400, ("/pets/tom", "GET"), ("path", "id", "", 'is the text "tom", expected integer')),
        (400, ("/pets", "POST"), ("body", "body", "", "is required")),
        (422, ("/pets", "POST", {"age": 3}), ("body", "body", "/name", "is required")),
        (
            422,
            ("/pets", "POST", {"name": "x", "age": "3"}),
            ("body", "body", "/age", 'is the text "3", expected integer'),
        ),
    ],
)
def test_what_the_operation_does_not_take_is_refused_with_where_and_what(
    status: int, request_: Any, fault: tuple[str, ...]
) -> None:
    answer = ask(SHOP, *request_)
    (found,) = said(answer)["errors"]
    assert (status, fault) == (answer.status, (found["in"], found["name"], found["at"], found["problem"]))
    assert found["problem"] in said(answer)["detail"]


def test_a_body_that_is_no_json_is_400_and_one_of_another_type_415() -> None:
    broken = ask(SHOP, "/pets", "POST", b'{"name": ', content_type="application/json")
    other = ask(SHOP, "/pets", "POST", b"name=x", content_type="application/x-www-form-urlencoded")
    assert (400, 415) == (broken.status, other.status)
    assert "cannot be read: not valid JSON" in said(broken)["detail"]
    assert "expected application/json" in said(other)["detail"]


def test_a_refusal_comes_before_a_preference() -> None:
    assert 400 == ask(SHOP, "/pets/tom", prefer="code=404").status


def test_any_credential_is_accepted_and_none_is_needed() -> None:
    secured = mock(
        {"/a": {"get": {"security": [{"key": []}], "responses": {"200": json_body({"const": 1})}}}},
        components={"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    )
    assert [200, 200] == [ask(secured, "/a").status, ask(secured, "/a", authorization="Bearer x").status]


def test_where_no_value_can_be_made_the_answer_says_so() -> None:
    answer = ask(mock({"/a": {"get": {"responses": {"200": json_body({"enum": [1], "type": "string"})}}}}), "/a")
    assert (501, "Add an example to the response.") == (answer.status, said(answer)["hint"])


def test_a_form_is_read_by_the_types_of_its_fields() -> None:
    form = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "t": {"type": "array", "items": {"type": "integer"}}},
    }
    body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    one = mock({"/a": {"post": {"requestBody": body, "responses": {"200": {"description": ""}}}}})
    kind = "application/x-www-form-urlencoded"
    assert [200, 422] == [
        ask(one, "/a", "POST", text, content_type=kind).status for text in (b"n=1&t=2&t=3", b"n=1&t=2&t=x")
    ]


@pytest.mark.parametrize(
    ("status", "declared", "body", "media"),
    [
        (200, {"$ref": "#/nowhere"}, b"x", "text/plain"),
        (200, {"content": {}}, b"x", "text/plain"),
        (200, {"content": {"application/json": {}}}, b"x", "application/json"),
        (200, {"content": {"multipart/form-data": {"schema": PET}}}, b"x", "multipart/form-data; boundary=y"),
        (200, {"content": {"application/*": {"schema": {"const": 1}}}}, b"1", "application/hal+json"),
        (200, {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 2}}}}, b"xy", "text/plain"),
        (422, {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 2}}}}, b"xyz", "text/plain"),
        (400, {"content": {"text/plain": {"schema": {"type": "string"}}}}, b"\xff", "text/plain"),
        (200, {"content": {"application/xml": {"schema": PET}}}, b"<pet/>", "application/xml"),
        (415, {"content": {"application/xml": {"schema": PET}}}, b"{}", "application/json"),
    ],
    ids=str,
)
def test_bodies_are_judged_as_far_as_they_can_be_read(status: int, declared: Any, body: bytes, media: str) -> None:
    one = mock({"/a": {"post": {"requestBody": declared, "responses": {"200": {"description": ""}}}}})
    assert status == ask(one, "/a", "POST", body, content_type=media).status


@pytest.mark.parametrize(
    ("content", "body", "media"),
    [
        ({"text/plain": {"schema": {"type": "string"}}}, b"string", "text/plain; charset=utf-8"),
        ({"text/csv": {"example": "a,b"}}, b"a,b", "text/csv; charset=utf-8"),
        ({"application/xml": {"schema": {"type": "object"}}}, b"", ""),
        ({"application/hal+json": {"example": {"a": 1}}}, b'{"a":1}', "application/hal+json"),
        ({"*/*": {"example": [1]}}, b"[1]", "application/json"),
        ({"text/html": {}, "application/json": {"example": 1}}, b"1", "application/json"),
    ],
    ids=str,
)
def test_bodies_of_other_media_types_are_texts_or_nothing(content: Any, body: bytes, media: str) -> None:
    one = mock({"/a": {"get": {"responses": {"200": {"description": "", "content": content}}}}})
    answer = ask(one, "/a")
    assert (200, body, media) == (answer.status, answer.body, answer.headers.get("content-type", ""))


def test_the_media_type_that_is_accepted_is_answered() -> None:
    content = {"application/json": {"example": 1}, "text/csv": {"example": "a,b"}}
    one = mock({"/a": {"get": {"responses": {"200": {"description": "", "content": content}}}}})
    assert [b"a,b", b"a,b", b"1"] == [ask(one, "/a", accept=kind).body for kind in ("text/csv", "text/*", "*/*")]


def test_declared_headers_come_with_the_answer_but_none_that_lead_on() -> None:
    headers = {
        "X-Rate": {"schema": {"type": "integer", "minimum": 5}},
        "X-Said": {"example": "so", "schema": {"type": "string"}},
        "X-Odd": {"schema": {"enum": [1], "type": "string"}},
        "Link": {"schema": {"type": "string"}},
        "bad name": {"schema": {"type": "string"}},
    }
    one = mock({"/a": {"get": {"responses": {"200": {"description": "", "headers": headers}}}}})
    assert {"X-Rate": "5", "X-Said": "so", "millrace-mock": "empty"} == dict(ask(one, "/a").headers)


def paged(parameter: str, properties: dict[str, Any], kind: str = "integer") -> Any:
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": {"const": 7}}, **properties}}
    query = [{"name": parameter, "in": "query", "schema": {"type": kind}}]
    return mock({"/a": {"get": {"parameters": query, "responses": {"200": json_body(schema)}}}})


@pytest.mark.parametrize(
    ("one", "first", "behind"),
    [
        (paged("page", {"total": {"type": "integer"}}), {"items": [7], "total": 1}, "page=2"),
        (paged("offset", {"hasMore": {"type": "boolean"}}), {"items": [7], "hasMore": False}, "offset=1"),
        (paged("cursor", {"nextCursor": {"type": "string"}}, "string"), {"items": [7]}, "cursor=x"),
    ],
    ids=["page", "offset", "cursor"],
)
def test_a_list_in_pages_has_one_page(one: Any, first: Any, behind: str) -> None:
    assert first == said(ask(one, "/a"))
    assert [] == said(ask(one, f"/a?{behind}"))["items"]


def test_a_list_that_is_the_whole_body_has_one_page_and_other_examples_stay_as_they_are() -> None:
    query = [{"name": "page", "in": "query", "schema": {"type": "integer", "default": 0}}]
    schema = {"type": "array", "items": {"const": 7}}
    one = mock({"/a": {"get": {"parameters": query, "responses": {"200": json_body(schema)}}}})
    assert [[7], [7], []] == [said(ask(one, target)) for target in ("/a", "/a?page=0", "/a?page=1")]
    odd = mock({"/a": {"get": {"parameters": query, "responses": {"200": json_body(schema, example={"no": "list"})}}}})
    assert {"no": "list"} == said(ask(odd, "/a?page=1"))


def test_the_address_of_the_next_page_is_taken_out() -> None:
    links = {"type": "object", "properties": {"next": {"type": "string", "format": "uri"}, "self": {"const": "x"}}}
    schema = {"type": "object", "properties": {"data": {"type": "array", "items": {"const": 7}}, "links": links}}
    one = mock({"/a": {"get": {"responses": {"200": json_body(schema)}}}})
    assert {"data": [7], "links": {"self": "x"}} == said(ask(one, "/a"))


def test_parameters_that_cannot_be_read_do_not_stop_the_answer() -> None:
    parameters = [{"$ref": "#/components/parameters/nowhere"}]
    one = mock({"/a": {"get": {"parameters": parameters, "responses": {"200": json_body({"const": 1})}}}})
    assert 1 == said(ask(one, "/a"))


@pytest.mark.parametrize(
    "responses", [None, 5, {}, {"200": {"$ref": "#/nowhere"}}, {"200": 5}, {"banana": {}}], ids=str
)
def test_an_operation_without_readable_responses_answers_with_nothing(responses: Any) -> None:
    answer = ask(mock({"/a": {"get": {"responses": responses}}}), "/a")
    assert (200, b"") == (answer.status, answer.body)


def test_thousands_of_operations_are_read_before_the_first_answer_is_made() -> None:
    paths = {f"/r{number}/{{id}}/x": PETS["/pets/{id}"] for number in range(3000)}
    one = mock(paths, components=DOG)
    assert (6000, {"name": "Tom"}) == (one.operations, said(ask(one, "/r2999/7/x")))
