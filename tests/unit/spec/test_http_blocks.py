"""What the blocks of an http task accept: signatures that can be checked, pages that can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from millrace.spec import WorkflowTask, check_task, load
from millrace.spec.tasks.http import HTTP, HttpRequest


def problem(**request: Any) -> str:
    """The first thing that is wrong with a request, empty when nothing is."""
    try:
        HttpRequest.model_validate({"url": "https://a.test/", **request})
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""


def hmac(**more: Any) -> str:
    return problem(auth={"hmac": {"key": {"secretRef": "k"}, "header": "X-Sig", **more}})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ""),
        ({"signed": ["method", "host", "path", "query", "target", "body", "bodyHash", "header:x-a"]}, ""),
        ({"signed": ["timestamp", "body"], "timestampHeader": "X-T"}, ""),
        ({"signed": ["timestamp", "body"], "format": "t={timestamp},v1={signature}"}, ""),
        ({"signed": ["timestamp"]}, "auth.hmac: the timestamp is signed and not sent, so nobody can check it"),
        ({"signed": []}, "auth.hmac.signed: "),
        ({"signed": ["moon"]}, "auth.hmac.signed.0: 'moon' cannot be signed"),
        ({"signed": ["header:a b"]}, "auth.hmac.signed.0: 'a b' is not a header name"),
        ({"format": "none"}, "auth.hmac.format: 'none' does not say where the signature goes"),
        ({"format": "{signature}{key}"}, "auth.hmac.format: "),
        ({"header": "a b"}, "auth.hmac.header: 'a b' is not a header name"),
        ({"timestampHeader": "x-sig"}, "auth.hmac: header and timestampHeader are the same"),
        ({"algorithm": "md5"}, "auth.hmac.algorithm: "),
    ],
)
def test_a_signature_that_nobody_could_check_is_refused(more: dict[str, Any], said: str) -> None:
    assert said[:60] == hmac(**more)[: len(said[:60])]
    assert bool(said) is bool(hmac(**more))


def paging(**block: Any) -> str:
    return problem(paging=block)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"strategy": "link"}, ""),
        ({"strategy": "link", "hosts": ["b.test:8080"], "items": "a.b", "maxPages": 1, "maxItems": 1}, ""),
        ({"strategy": "next", "path": "/links/next"}, ""),
        ({"strategy": "cursor", "path": "data.-1.id", "param": "after", "more": "has_more"}, ""),
        ({"strategy": "offset", "param": "o", "start": 0, "limit": 10, "limitParam": "n", "total": "t"}, ""),
        ({"strategy": "page", "param": "p", "start": 0}, ""),
        ({"strategy": "moon"}, "paging.strategy: "),
        ({"strategy": "next"}, "paging: paging by next needs path"),
        ({"strategy": "cursor", "path": "c"}, "paging: paging by cursor needs param"),
        ({"strategy": "link", "path": "x"}, "paging: paging by link takes no path"),
        ({"strategy": "cursor", "path": "c", "param": "c", "hosts": ["b.test"]}, "paging: paging by cursor takes no"),
        ({"strategy": "offset", "param": "o", "limit": 10}, "paging: limit and limitParam go together"),
        ({"strategy": "page", "param": "p", "limit": 10, "limitParam": "p"}, "paging: param and limitParam are"),
        ({"strategy": "link", "items": "a..b"}, "paging.items: 'a..b' is not a path"),
        ({"strategy": "link", "items": "a[0]"}, "paging.items: 'a[0]' is not a path"),
        ({"strategy": "link", "hosts": ["https://b.test"]}, "paging.hosts.0: 'https://b.test' is not a host"),
        ({"strategy": "link", "maxPages": 0}, "paging.maxPages: "),
        ({"strategy": "link", "maxPages": 1_001}, "paging.maxPages: "),
        ({"strategy": "link", "maxItems": 100_001}, "paging.maxItems: "),
        ({"strategy": "page", "param": "p", "start": -1}, "paging.start: "),
    ],
)
def test_pages_that_could_not_be_read_are_refused(block: dict[str, Any], said: str) -> None:
    assert said == paging(**block)[: len(said)]
    assert bool(said) is bool(paging(**block))


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
def test_pages_are_read_with_get_alone(method: str) -> None:
    assert "pages are read with GET" in problem(method=method, paging={"strategy": "link"})
    assert "" == problem(method="GET", paging={"strategy": "link"})


@pytest.mark.parametrize(
    ("block", "query", "fine"),
    [
        ({"strategy": "page", "param": "p"}, {"p": 1}, False),
        ({"strategy": "page", "param": "p"}, {"q": 1}, True),
        ({"strategy": "cursor", "path": "c", "param": "c"}, {"c": "x"}, True),
        ({"strategy": "cursor", "path": "c", "param": "c", "limit": 9, "limitParam": "n"}, {"n": 1}, False),
        ({"strategy": "cursor", "path": "c", "param": "c", "limit": 9, "limitParam": "n"}, {"c": "x", "n": 1}, False),
    ],
)
def test_a_parameter_is_set_in_one_place(block: dict[str, Any], query: dict[str, Any], fine: bool) -> None:
    assert fine is (problem(paging=block, query=query) == "")


def test_the_shape_of_pages_is_known_before_they_are_read() -> None:
    one = HttpRequest.model_validate({"url": "https://a.test/", "responseSchema": {"type": "array"}})
    many = HttpRequest.model_validate({"url": "https://a.test/", "paging": {"strategy": "link"}})
    single, paged = HTTP.output_schema(one), HTTP.output_schema(many)
    assert single is not None
    assert paged is not None
    assert ({"type": "array"}, False) == (single["properties"]["body"], "pages" in single["properties"])
    assert ["status", "headers", "body", "pages", "durationMs"] == paged["required"]
    assert {"items", "complete"} == set(paged["properties"]["body"]["properties"])


@pytest.mark.parametrize(
    ("auth", "path"),
    [
        ({"oauth2": {"tokenUrl": "https://b.test/", "clientId": "me", "clientSecret": "plain"}}, "clientSecret"),
        ({"hmac": {"key": "plain", "header": "X-Sig"}}, "key"),
        ({"oauth2": {"tokenUrl": "https://b.test/", "clientId": "me", "clientSecret": "{{secrets.c}}"}}, ""),
        ({"oauth2": {"tokenUrl": "https://b.test/", "clientId": "me", "clientSecret": {"secretRef": "c"}}}, ""),
        ({"hmac": {"key": {"secretRef": "c"}, "header": "X-Sig"}}, ""),
    ],
)
def test_a_credential_in_plain_sight_is_found(auth: dict[str, Any], path: str) -> None:
    assert ([("plain-secret", path)] if path else []) == findings(auth)


def test_the_address_of_a_token_endpoint_is_judged_like_any_other() -> None:
    auth = {"oauth2": {"tokenUrl": "auth.test/token", "clientId": "me", "clientSecret": "{{secrets.c}}"}}
    assert [("bad-url", "tokenUrl")] == findings(auth)


def findings(auth: dict[str, Any]) -> list[tuple[str, Any]]:
    """Code and last key of every finding in a task with this auth block."""
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "WorkflowTask",
        "metadata": {"name": "t"},
        "spec": {"type": "http", "request": {"url": "https://a.test/", "auth": auth}},
    }
    loaded = load(json.dumps(document).encode(), media="json")
    assert isinstance(loaded.document, WorkflowTask)
    assert loaded.source is not None
    return [(one.code, one.path[-1]) for one in check_task(loaded.document, loaded.source)]


def test_a_request_proves_itself_in_one_way() -> None:
    both = {"bearer": "{{secrets.a}}", "hmac": {"key": "{{secrets.b}}", "header": "X-Sig"}}
    assert "auth: auth names 2 ways" in problem(auth=both)
