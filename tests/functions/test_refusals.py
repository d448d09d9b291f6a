"""What a caller is told when a request cannot be served: what was wrong, and what to send instead."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import YAML, YAML_WORKFLOW, task, workflow
from tests.functions.events import body_of, header, status

W = "/api/v1/workflows"
T = "/api/v1/tasks"
X = "/api/v1/executions"


def publish(document: Any, url: str = W, **more: Any) -> dict[str, Any]:
    return handle("POST", url, document, **more)


def start(body: Any = None, **more: Any) -> dict[str, Any]:
    return handle("POST", f"{W}/hello/executions", body or {"input": {"who": "Ann"}}, **more)


@pytest.fixture(autouse=True)
def hello(world: Platform) -> None:
    publish(YAML_WORKFLOW, headers=YAML)


@pytest.mark.parametrize("url", [W, T, f"{W}/validate", f"{T}/validate"])
def test_yaml_without_its_content_type_is_told_the_header_to_send(url: str) -> None:
    result = publish(YAML_WORKFLOW, url)
    findings = body_of(result)["findings"]
    assert ["syntax"] == [finding["code"] for finding in findings]
    assert "content-type: application/yaml" in findings[0]["fix"]


def test_a_cursor_serves_the_list_that_gave_it_and_no_other() -> None:
    for _ in range(3):
        start({"input": {"who": "Ann"}, "labels": {"team": "red"}})
    cursor = body_of(handle("GET", f"{X}?workflow=hello&limit=1"))["cursor"]
    assert 200 == status(handle("GET", f"{X}?workflow=hello&limit=2&cursor={cursor}"))
    for other in ("", "workflow=other&", "label=team:red&", "workflow=hello&since=2020-01-01T00:00:00Z&"):
        refused = handle("GET", f"{X}?{other}cursor={cursor}")
        assert (400, "invalid-request") == (status(refused), body_of(refused)["code"]), other
        assert "filters" in body_of(refused)["hint"]
    assert 400 == status(handle("GET", f"{X}?workflow=hello&namespace=other&cursor={cursor}"))


def test_pages_of_every_filter_hold_each_execution_once() -> None:
    started = [body_of(start({"input": {"who": "Ann"}, "labels": {"team": "red"}}))["id"] for _ in range(5)]
    for query in ("limit=2", "limit=2&workflow=hello", "limit=2&label=team:red", "limit=2&status=running"):
        found: list[str] = []
        cursor = ""
        while True:
            page = body_of(handle("GET", f"{X}?{query}{cursor}"))
            found += [item["id"] for item in page["items"]]
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert sorted(started) == sorted(found), query


@pytest.mark.parametrize("tag", ["garbage", "1", "'1'", '"1', '"1" "2"', '"1",,"2"', ",", "**"])
@pytest.mark.parametrize("route", ["put", "activate"])
def test_an_if_match_that_is_none_is_400_and_says_what_one_is(tag: str, route: str) -> None:
    headers = {"If-Match": tag}
    if route == "put":
        result = handle("PUT", f"{W}/hello", YAML_WORKFLOW, headers={**headers, **YAML})
    else:
        result = handle("POST", f"{W}/hello/activate", {"version": "r1"}, headers=headers)
    assert (400, "invalid-request") == (status(result), body_of(result)["code"])
    assert "ETag" in body_of(result)["hint"]


@pytest.mark.parametrize(("tag", "expected"), [('"1"', 200), (' "7" , "1" ', 200), ("*", 200), ('W/"1"', 412)])
def test_an_if_match_that_is_one_is_compared(tag: str, expected: int) -> None:
    assert expected == status(handle("POST", f"{W}/hello/activate", {"version": "r1"}, headers={"If-Match": tag}))


@pytest.mark.parametrize(("base", "document"), [(W, workflow), (T, task)])
def test_an_activation_that_is_sent_again_gets_its_first_answer(base: str, document: Any) -> None:
    name = "many"
    for number in range(1, 4):
        more = {"description": str(number)} if base == W else {"limit": number}
        publish(document(name, **more), base)
    key = {"Idempotency-Key": "k"}
    first = handle("POST", f"{base}/{name}/activate", {"version": "r1"}, headers=key)
    assert (200, 1) == (status(first), body_of(first)["activeRevision"])
    handle("POST", f"{base}/{name}/activate", {"version": "r2"})
    again = handle("POST", f"{base}/{name}/activate", {"version": "r1"}, headers=key)
    assert (first["body"], header(first, "ETag")) == (again["body"], header(again, "ETag"))
    assert 2 == body_of(handle("GET", f"{base}/{name}"))["activeRevision"]
    assert 422 == status(handle("POST", f"{base}/{name}/activate", {"version": "r3"}, headers=key))
    other = {"Idempotency-Key": "l"}
    same = handle("POST", f"{base}/{name}/activate", {"version": "r2"}, headers=other)
    assert same["body"] == handle("POST", f"{base}/{name}/activate", {"version": "r2"}, headers=other)["body"]
    assert 400 == status(
        handle("POST", f"{base}/{name}/activate", {"version": "r2"}, headers={"Idempotency-Key": "a b"})
    )


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"team": "a\x00b"}, "the label team holds a control character"),
        ({"te\x00am": "a"}, "is not a label name"),
        ({"team": "x" * 257}, "at most 256 characters"),
        ({"": "a"}, "is not a label name"),
    ],
)
def test_a_label_that_cannot_be_kept_is_refused_in_words_about_labels(labels: dict[str, str], said: str) -> None:
    result = start({"input": {"who": "Ann"}, "labels": labels})
    assert 400 == status(result)
    assert said in result["body"].replace("\\\\x00", "\\x00")
    assert "partition" not in result["body"]


@pytest.mark.parametrize(("key", "said"), [("a\x00b", "holds a control character"), ("x" * 257, "at most 256")])
def test_a_subject_key_that_cannot_be_kept_is_refused(key: str, said: str) -> None:
    result = start({"input": {"who": "Ann"}, "subjectKey": key})
    assert 400 == status(result)
    assert said in result["body"]


@pytest.mark.parametrize("identifier", ["nope", "0" * 25, "U" * 26])
def test_what_cannot_be_an_id_is_told_what_one_looks_like(identifier: str) -> None:
    result = handle("GET", f"{X}/{identifier}")
    assert 400 == status(result)
    assert "an execution id has 26 characters" in body_of(result)["detail"]
    assert "pattern" not in body_of(result)["detail"]
