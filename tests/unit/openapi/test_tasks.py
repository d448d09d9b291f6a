"""What a task is made of: bodies, answers, credentials, servers, words, and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.base.errors import InvalidRequest
from millrace.expr.template import compile_template
from millrace.services.openapi import Options, operation_hash, read_openapi
from millrace.services.openapi.naming import slug, task_names
from millrace.services.openapi.tasks import Conversion
from millrace.spec import validate_input
from tests.unit.openapi.builders import (
    codes,
    converted,
    document,
    errors,
    header,
    one_operation,
    only,
    operation,
    sent,
    spec_of,
)

ROOT = Path(__file__).parents[3]
PERSON = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "tags": {"type": "array"}}}


def body(media: str, schema: Any = PERSON, *, required: bool = True, **more: Any) -> dict[str, Any]:
    return {"required": required, "content": {media: {"schema": schema, **more}}}


def test_our_own_description_becomes_tasks_without_a_finding() -> None:
    text = (ROOT / "docs" / "openapi.json").read_bytes()
    conversion = Conversion(read_openapi(text), Options())
    tasks = list(conversion.tasks())
    assert [] == [finding for task in tasks for finding in errors(task)]
    assert conversion.total == len(tasks) + sum(note.refused for note in conversion.notes.kept)


def test_a_json_body_is_the_input_body() -> None:
    task = only(one_operation(method="post", requestBody=body("application/json")))
    request = sent(task, {"body": {"name": "Ann"}})
    assert (b'{"name":"Ann"}', "application/json") == (request.body, header(request, "Content-Type"))
    assert not validate_input(task.document["spec"]["inputSchema"], {}).valid
    assert not validate_input(task.document["spec"]["inputSchema"], {"body": {}}).valid


def test_an_optional_body_may_be_left_out() -> None:
    task = only(one_operation(method="post", requestBody=body("application/json", required=False)))
    assert b"" == sent(task, {}).body


def test_a_json_type_of_its_own_name_is_sent_and_asked_for() -> None:
    media = "application/vnd.api+json"
    answer = {"200": {"description": "ok", "content": {media: {"schema": PERSON}}}}
    task = only(one_operation(method="post", requestBody=body(media), responses=answer))
    request = sent(task, {"body": {"name": "Ann"}})
    assert (media, media) == (header(request, "Content-Type"), header(request, "Accept"))


def test_a_form_has_a_field_for_each_property() -> None:
    schema = {**PERSON, "additionalProperties": False}
    encoding = {"tags": {"style": "form", "explode": False}}
    task = only(
        one_operation(method="post", requestBody=body("application/x-www-form-urlencoded", schema, encoding=encoding))
    )
    request = sent(task, {"body": {"name": "A&b", "tags": ["x", "y"]}})
    assert (b"name=A%26b&tags=x%2Cy", "application/x-www-form-urlencoded") == (
        request.body,
        header(request, "Content-Type"),
    )
    assert b"name=A" == sent(task, {"body": {"name": "A"}}).body


@pytest.mark.parametrize("required", [True, False])
def test_a_form_with_fields_of_any_name_is_sent_as_it_is_given(required: bool) -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    task = only(
        one_operation(method="post", requestBody=body("application/x-www-form-urlencoded", schema, required=required))
    )
    request = sent(task, {"body": {"a b": "c&d", "e": '"'}})
    assert (b"a%20b=c%26d&e=%22", "application/x-www-form-urlencoded") == (
        request.body,
        header(request, "Content-Type"),
    )
    assert required or b"" == sent(task, {}).body


def test_a_field_that_asks_for_another_encoding_is_noted() -> None:
    encoding = {"name": {"contentType": "application/xml"}}
    value = one_operation(method="post", requestBody=body("application/x-www-form-urlencoded", encoding=encoding))
    assert {"form-encoding"} == codes(value)


def test_text_is_sent_as_text() -> None:
    plain = only(one_operation(method="post", requestBody=body("text/plain", {"type": "string"})))
    xml = one_operation(method="post", requestBody=body("application/xml"))
    assert b"hi" == sent(plain, {"body": "hi"}).body
    request = sent(only(xml), {"body": "<a/>"})
    assert (b"<a/>", "application/xml") == (request.body, header(request, "Content-Type"))
    assert {"body-text"} == codes(xml)


def test_a_body_that_cannot_be_sent_refuses_the_operation_only_where_it_is_required() -> None:
    needed, conversion = converted(one_operation(method="post", requestBody=body("multipart/form-data")))
    assert ([], [("media-type", "/paths/~1things/post/requestBody", True)]) == (
        needed,
        [(note.code, note.where, note.refused) for note in conversion.notes.kept],
    )
    optional = one_operation(method="post", requestBody=body("multipart/form-data", required=False))
    assert ({"media-type"}, b"") == (codes(optional), sent(only(optional), {}).body)


def test_json_is_chosen_of_several_media_types() -> None:
    content = {name: {"schema": PERSON} for name in ("text/plain", "multipart/form-data", "application/json")}
    value = one_operation(method="post", requestBody={"content": content, "required": True})
    assert {"media-choice"} == codes(value)
    assert "{{input.body}}" == spec_of(value)["request"]["body"]


def test_what_cannot_be_read_of_a_request_refuses_the_operation() -> None:
    lost = {"$ref": "elsewhere.yaml#/a"}
    value = document({"/a": {"post": operation(requestBody=lost)}, "/b": {"get": operation(parameters=[lost])}})
    value["paths"]["/c"] = lost
    long = [{"name": "\x1b[31m", "in": "query", "schema": {}}]
    value["paths"]["/d"] = {"get": operation(parameters=long)}
    tasks, conversion = converted(value)
    assert [] == tasks
    assert ["path", "request-body", "parameter", "parameter"] == [note.code for note in conversion.notes.kept]
    assert all(note.refused for note in conversion.notes.kept)


def test_an_answer_that_cannot_be_read_fits_every_body() -> None:
    value = one_operation(responses={"200": {"$ref": "elsewhere.yaml#/a"}})
    assert ({"response"}, {}) == (codes(value), spec_of(value)["outputSchema"]["properties"]["body"])


def test_an_empty_request_body_is_none() -> None:
    assert {} == spec_of(one_operation(method="post", requestBody={}))["inputSchema"]["properties"]


def test_answers_become_success_codes_and_an_output_schema() -> None:
    answers = {
        "201": {"description": "made", "content": {"application/json": {"schema": PERSON}}},
        "204": {"description": "nothing"},
        "2XX": {"description": "other", "content": {"text/csv": {}}},
        "404": {"description": "no"},
        "default": {"description": "?"},
    }
    spec = spec_of(one_operation(responses=answers))
    assert [201, 204, "2xx"] == spec["request"]["successCodes"]
    assert [PERSON["type"], "null", "string"] == [
        one["type"] for one in spec["outputSchema"]["properties"]["body"]["anyOf"]
    ]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"default": {"description": "any", "content": {"application/json": {"schema": PERSON}}}}, None),
        ({"302": {"description": "elsewhere"}, "404": {"description": "no"}}, [302]),
        ({}, None),
        (None, None),
    ],
)
def test_without_a_declared_success_the_next_best_counts(answers: Any, expected: Any) -> None:
    assert expected == spec_of(one_operation(responses=answers))["request"].get("successCodes")


def test_bytes_come_as_base64() -> None:
    answers = {"200": {"description": "a picture", "content": {"image/png": {}}}}
    spec = spec_of(one_operation(responses=answers))
    assert ["base64"] == spec["outputSchema"]["properties"]["body"]["required"]
    assert "image/png" == spec["request"]["headers"]["Accept"]


def test_answers_are_checked_only_on_request() -> None:
    shared = {"components": {"schemas": {"Person": PERSON}}}
    schema = {"$ref": "#/components/schemas/Person"}
    answers = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    value = one_operation(doc=shared, responses=answers)
    assert "responseSchema" not in spec_of(value)["request"]
    task = only(value, Options(check_responses=True))
    assert {"$ref": "#/$defs/Person", "$defs": {"Person": PERSON}} == task.document["spec"]["request"]["responseSchema"]
    assert [] == errors(task)


SCHEMES: dict[str, Any] = {
    "Token": {"type": "http", "scheme": "Bearer"},
    "Login": {"type": "http", "scheme": "basic"},
    "Digest": {"type": "http", "scheme": "digest"},
    "HeaderKey": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "QueryKey": {"type": "apiKey", "in": "query", "name": "key"},
    "CookieKey": {"type": "apiKey", "in": "cookie", "name": "session"},
    "OAuth": {"type": "oauth2", "flows": {}},
    "Loop": {"$ref": "#/components/securitySchemes/Loop"},
}
SECRET = {"secretRef": "header-key"}
USER = {"secretRef": "login-username"}
PASSWORD = {"secretRef": "login-password"}


@pytest.mark.parametrize(
    ("security", "request_part", "secrets"),
    [
        ([{"Token": []}], {"auth": {"bearer": {"secretRef": "token"}}}, {"token"}),
        (
            [{"Login": []}],
            {"auth": {"basic": {"username": USER, "password": PASSWORD}}},
            {"login-username", "login-password"},
        ),
        ([{"HeaderKey": []}], {"auth": {"apiKey": {"name": "X-Key", "in": "header", "value": SECRET}}}, {"header-key"}),
        (
            [{"QueryKey": []}],
            {"auth": {"apiKey": {"name": "key", "in": "query", "value": {"secretRef": "query-key"}}}},
            {"query-key"},
        ),
        (
            [{"Token": [], "HeaderKey": [], "QueryKey": [], "CookieKey": []}],
            {
                "auth": {"bearer": {"secretRef": "token"}},
                "headers": {"X-Key": "{{secrets['header-key']}}", "Cookie": "session={{secrets['cookie-key']}}"},
                "query": {"key": "{{secrets['query-key']}}"},
            },
            {"token", "header-key", "query-key", "cookie-key"},
        ),
        ([{"OAuth": []}, {"Token": []}], {"auth": {"bearer": {"secretRef": "token"}}}, {"token"}),
        ([{}], {}, set()),
        ([{"OAuth": []}, {"Digest": []}, {"Loop": []}, {"Nowhere": []}, {"Token": [], "Login": []}], {}, set()),
    ],
)
def test_credentials_are_secrets_named_after_their_scheme(
    security: Any, request_part: dict[str, Any], secrets: set[str]
) -> None:
    value = one_operation(doc={"components": {"securitySchemes": SCHEMES}, "security": security})
    task = only(value)
    request = task.document["spec"]["request"]
    assert request_part == {key: request[key] for key in ("auth", "headers", "query") if key in request}
    assert secrets == set(task.secrets)
    assert [] == errors(task)


EVIL = "{{secrets.other}}"


def client(url: Any, *, kind: str = "clientCredentials", scheme: str = "oauth2") -> dict[str, Any]:
    """A document whose one operation asks for two scopes."""
    scopes = {"read": "reads", "write:all": "writes"}
    flows = {kind: {"tokenUrl": url, "scopes": scopes}}
    return one_operation(
        doc={"components": {"securitySchemes": {"My Login": {"type": scheme, "flows": flows}}}},
        security=[{"My Login": list(scopes)}],
    )


@pytest.mark.parametrize("url", ["https://auth.example.com/oauth/token", "https://auth.example.com:8443/token/"])
def test_client_credentials_of_oauth_ask_for_a_token_with_the_scopes_of_the_operation(url: str) -> None:
    task = only(client(url))
    who, key = {"secretRef": "my-login-client-id"}, {"secretRef": "my-login-client-secret"}
    auth = {"oauth2": {"tokenUrl": url, "clientId": who, "clientSecret": key, "scope": "read write:all"}}
    assert auth == task.document["spec"]["request"]["auth"]
    assert {"my-login-client-id", "my-login-client-secret"} == set(task.secrets)
    assert [] == errors(task)


@pytest.mark.parametrize(
    "value",
    [
        client("/token"),
        client("https://auth.example.com/token?tenant=1"),
        client("ftp://auth.example.com/token"),
        client(5),
        client("https://auth.example.com/token", kind="authorizationCode"),
        client("https://auth.example.com/token", scheme="openIdConnect"),
    ],
    ids=["relative", "query", "scheme", "number", "flow", "kind"],
)
def test_other_tokens_of_oauth_are_not_mapped(value: Any) -> None:
    task = only(value)
    assert "auth" not in task.document["spec"]["request"]
    assert [] == errors(task)


def test_braces_in_the_address_of_tokens_are_text() -> None:
    auth = spec_of(client(f"https://auth.example.com/{EVIL}"))["request"]["auth"]
    assert "https://auth.example.com/%7B%7Bsecrets.other%7D%7D" == auth["oauth2"]["tokenUrl"]


def test_a_scope_is_never_taken_for_an_expression() -> None:
    value = client("https://auth.example.com/token")
    value["paths"]["/things"]["get"]["security"] = [{"My Login": [EVIL]}]
    assert "auth" not in spec_of(value)["request"]
    value["paths"]["/things"]["get"]["security"] = [{"My Login": []}]
    assert "scope" not in spec_of(value)["request"]["auth"]["oauth2"]


def test_braces_of_a_document_never_become_expressions() -> None:
    schemes = {place: {"type": "apiKey", "in": place, "name": EVIL} for place in ("header", "query", "cookie")}
    places = {"query": EVIL, "cookie": EVIL, "path": "p"}
    parameters = [{"name": name, "in": place, "required": True, "schema": {}} for place, name in places.items()]
    fields = {"type": "object", "properties": {EVIL: {"type": "string"}}}
    parameters.append({"name": "deep", "in": "query", "style": "deepObject", "schema": fields})
    parameters.append({"name": "flat", "in": "query", "schema": {**fields, "properties": {EVIL + "2": {}}}})
    for media in (f"application/x+xml; a={EVIL}", f"application/{EVIL}+json", "application/x-www-form-urlencoded"):
        value = one_operation(
            "/}}{{/{p}",
            "post",
            doc={"components": {"securitySchemes": schemes}, "security": [{place: []} for place in schemes]},
            parameters=parameters,
            requestBody={"content": {media: {"schema": fields}}},
            responses={"200": {"description": EVIL, "content": {f"text/{EVIL}": {}}}},
            tags=[EVIL],
            summary=EVIL,
        )
        value["servers"][0]["url"] += f"/{EVIL}"
        task = only(value)
        assert {("template-key", "warning")} == {(one.code, one.severity) for one in errors(task)}
        assert {"input"} == {path.root for path in compile_template(task.document["spec"]["request"]).paths}


def test_what_cannot_authenticate_is_noted_with_its_place() -> None:
    value = one_operation(doc={"components": {"securitySchemes": SCHEMES}}, security=[{"OAuth": []}])
    notes = {note.code: note.where for note in converted(value)[1].notes.kept}
    assert "/paths/~1things/get/security/0/OAuth" == notes["security-scheme"]
    assert "/paths/~1things/get" == notes["security"]


@pytest.mark.parametrize(
    ("servers", "options", "expected"),
    [
        ([{"url": "https://a.example.com/"}], Options(), "https://a.example.com/things"),
        (
            [{"url": "https://{h}/v1", "variables": {"h": {"default": "b.example"}}}],
            Options(),
            "https://b.example/v1/things",
        ),
        ([{"url": "/v2"}], Options(document_url="https://c.example/x/api.yaml?k=1"), "https://c.example/v2/things"),
        ([{"url": "v2"}], Options(document_url="https://c.example/x/api.yaml"), "https://c.example/x/v2/things"),
        (None, Options(server="https://d.example"), "https://d.example/things"),
    ],
)
def test_requests_go_to_the_first_server(servers: Any, options: Options, expected: str) -> None:
    assert expected == spec_of(one_operation(doc={"servers": servers}), options)["request"]["url"]


def test_the_server_of_an_operation_comes_before_that_of_its_path() -> None:
    value = one_operation(servers=[{"url": "https://own.example"}])
    value["paths"]["/things"]["servers"] = [{"url": "https://path.example"}]
    assert "https://own.example/things" == spec_of(value)["request"]["url"]


@pytest.mark.parametrize("url", ["/", "ftp://a", "https://user@a.example", "https://{x}/", "javascript:alert(1)", 7])
def test_without_an_absolute_address_nothing_is_made(url: Any) -> None:
    with pytest.raises(InvalidRequest, match="absolute address"):
        converted(one_operation(doc={"servers": [{"url": url}]}))


@pytest.mark.parametrize(
    ("servers", "options", "expected"),
    [
        ([{"url": "https://a.example/v1"}], Options(server_env="API"), "{{env.API ?? 'https://a.example/v1'}}/things"),
        (
            [{"url": "https://a.example"}],
            Options(server="https://b.example", server_env="A"),
            "{{env.A ?? 'https://b.example'}}/things",
        ),
        ([{"url": "/v1"}], Options(server_env="API_URL"), "{{env.API_URL}}/things"),
    ],
)
def test_a_key_of_env_may_hold_another_address(servers: Any, options: Options, expected: str) -> None:
    task = only(one_operation(doc={"servers": servers}), options)
    assert expected == task.document["spec"]["request"]["url"]
    assert [] == errors(task)


@pytest.mark.parametrize("key", ["a-b", "1a", "a}}", "a" * 65])
def test_a_key_of_env_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="is no key of env"):
        converted(one_operation(), Options(server_env=key))


def test_a_server_that_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not the address of a server"):
        converted(one_operation(), Options(server="example.com"))


def test_braces_of_a_path_that_are_no_variables_are_constants() -> None:
    task = only(one_operation("/a}{/{}/ü x"))
    assert "/v1/a%7D%7B/%7B%7D/%C3%BC%20x" == sent(task, {}).url.target


def test_a_path_whose_variables_are_not_declared_makes_no_task() -> None:
    assert ([], {"path-parameter"}) == (converted(one_operation("/a/{b}"))[0], codes(one_operation("/a/{b}")))
    extra = one_operation("/a", parameters=[{"name": "b", "in": "path", "required": True, "schema": {}}])
    assert ([], {"path-parameter"}) == (converted(extra)[0], codes(extra))


def test_a_task_says_where_it_is_from() -> None:
    value = one_operation(tags=["Pets and more"], summary="Do\x1b[31m it", deprecated=True)
    task = only(value, Options(source="Shop", document_url="https://a.example/api.json"))
    metadata, spec = task.document["metadata"], task.document["spec"]
    assert {
        "source": "shop",
        "title": "Pet Shop",
        "version": "1.2.3",
        "operation": "GET /things",
        "operationId": "doIt",
        "deprecated": True,
        "url": "https://a.example/api.json",
    }.items() <= metadata["annotations"]["openapi"].items()
    assert {"openapi-source": "shop", "openapi-hash": operation_hash(task.document)} == metadata["labels"]
    assert ("Deprecated. Do[31m it", ["Pets and more", "deprecated"], "pets-and-more") == (
        spec["description"],
        spec["tags"],
        spec["category"],
    )


def test_an_example_is_kept_where_it_holds_everything_that_is_required() -> None:
    parameter = {"name": "p", "in": "query", "required": True, "schema": {"type": "string"}, "example": "x"}
    whole = one_operation(
        method="post", parameters=[parameter], requestBody=body("application/json", example={"name": "Ann"})
    )
    partly = one_operation(method="post", parameters=[parameter], requestBody=body("application/json"))
    named = one_operation(parameters=[{**parameter, "example": None, "examples": {"one": {"value": "y"}}}])
    del named["paths"]["/things"]["get"]["parameters"][0]["example"]
    assert {"p": "x", "body": {"name": "Ann"}} == spec_of(whole)["examples"][0]["input"]
    assert "examples" not in spec_of(partly)
    assert {"p": "y"} == spec_of(named)["examples"][0]["input"]


def test_other_methods_and_webhooks_are_noted() -> None:
    value = document({"/a": {"trace": operation()}, "x-more": {}, "b": {}}, webhooks={"new": {"post": operation()}})
    notes = converted(value)[1].notes.kept
    assert [("method", "/paths/~1a/trace", True), ("path", "/paths/b", True), ("webhooks", "/webhooks", False)] == [
        (note.code, note.where, note.refused) for note in notes
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("getUserByID", "get-user-by-id"), ("list_all", "list-all"), ("HTTPServer2Go", "http-server-2-go"), ("ü\x1b", "")],
)
def test_a_name_is_lower_case_with_hyphens(text: str, expected: str) -> None:
    assert expected == slug(text)


def test_names_do_not_collide_and_do_not_depend_on_order() -> None:
    triples = [("/b", "get", "getIt"), ("/a", "get", "get_it"), ("/c", "get", "x" * 80), ("/d", "get", "validate")]
    triples += [("/ü", "get", "日本"), ("/ö", "get", "日本")]
    names = task_names(triples, prefix="")
    assert names == task_names(reversed(triples), prefix="")
    assert len(triples) == len(set(names.values()))
    assert "get-it" == names[("/a", "get")]
    assert all(len(name) <= 63 for name in names.values())
    assert "validate" not in names.values()
    assert "shop-get-it" == task_names(triples, prefix="shop")[("/a", "get")]
