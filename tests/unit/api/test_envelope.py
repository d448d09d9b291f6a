from __future__ import annotations

import pytest

from millrace.api.envelope import HEADERS, PATH_CHARS, QUERY_NAMES, checked_headers, checked_path, checked_query
from millrace.base.errors import InvalidRequest, TooLarge


def test_a_plain_path_passes() -> None:
    assert "/api/v1/workflows/a-b/versions/1.2.3~x" == checked_path({"path": "/api/v1/workflows/a-b/versions/1.2.3~x"})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "api",
        "/api//v1",
        "/api/v1/",
        "/api/v1/workflows/..",
        "/api/../health",
        "/api/./v1",
        "/api/v1/workflows%2fa",
        "/api/v1/workflows/%00",
        "/api/v1/a;b",
        "/api/v1/a\x00",
        "/api/v1/a\n",
        "/api/v1/a#b",
        "/api/v1/ａ",
        None,
        7,
    ],
)
def test_a_path_with_anything_but_plain_segments_is_refused(path: object) -> None:
    with pytest.raises(InvalidRequest):
        checked_path({"path": path})


def test_a_path_of_the_limit_passes_and_a_longer_one_does_not() -> None:
    assert PATH_CHARS == len(checked_path({"path": "/" + "a" * (PATH_CHARS - 1)}))
    with pytest.raises(TooLarge):
        checked_path({"path": "/" + "a" * PATH_CHARS})


APPROVALS = "/api/v1/executions/01m82nppx74p50npka8427phd4/approvals/"


@pytest.mark.parametrize(
    "sent",
    [
        "loop%5B0%5D%2Fok.x",
        "loop%5b0%5d%2fok.x",
        "loop[0]%2Fok.x",
        "loop[0]/ok.x",
    ],
)
def test_the_path_of_a_task_is_one_segment_however_a_gateway_spells_it(sent: str) -> None:
    assert APPROVALS + "loop%5B0%5D%2Fok.x" == checked_path({"path": APPROVALS + sent})


def test_the_plain_path_of_a_task_stays_as_it_is() -> None:
    assert APPROVALS + "sign-off_2.b" == checked_path({"path": APPROVALS + "sign-off_2.b"})


@pytest.mark.parametrize(
    "sent",
    ["..", "a/..", "a%2F..%2Fb", "a%252Fb", "%ff", "a%00", "a[x]", "a[0", "a//b", "a/", "a%", "%61%3Bb", "ａ", "a%0A"],
)
def test_what_cannot_be_the_path_of_a_task_is_refused(sent: str) -> None:
    with pytest.raises(InvalidRequest, match="the path of a task"):
        checked_path({"path": APPROVALS + sent})


def test_a_query_is_read_from_either_map() -> None:
    assert {"a": "1"} == checked_query({"multiValueQueryStringParameters": {"a": ["1"]}})
    assert {"a": "1"} == checked_query({"queryStringParameters": {"a": "1", "b": None}})
    assert {} == checked_query({"queryStringParameters": None})


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        checked_query({"multiValueQueryStringParameters": {"a": ["1", "2"]}})


@pytest.mark.parametrize("bad", ["\x00", "a\nb", "\ud800", "\x7f"])
def test_control_characters_in_a_query_are_refused(bad: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_query({"queryStringParameters": {"a": bad}})
    with pytest.raises(InvalidRequest):
        checked_query({"queryStringParameters": {bad: "a"}})


def test_bulk_in_the_query_and_the_headers_is_refused() -> None:
    with pytest.raises(TooLarge):
        checked_query({"queryStringParameters": {f"n{i}": "" for i in range(QUERY_NAMES + 1)}})
    with pytest.raises(TooLarge):
        checked_query({"queryStringParameters": {"a": "x" * 9000}})
    with pytest.raises(TooLarge):
        checked_headers({"headers": {f"n{i}": "" for i in range(HEADERS + 1)}})
    with pytest.raises(TooLarge):
        checked_headers({"headers": {"a": "x" * 40_000}})


def test_header_names_lose_their_case_and_repeated_values_are_joined() -> None:
    assert {"x-a": "1, 2"} == checked_headers({"multiValueHeaders": {"X-A": ["1"], "x-a": ["2"]}})
