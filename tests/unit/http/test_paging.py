"""Lists that come in pages: every strategy to its end, the limits, and services that lie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http import Caps
from millrace.adapters.http.bodypaths import find
from millrace.adapters.http.links import link_to
from millrace.adapters.http.paging import Pager, with_parameter
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.transport import Request, Response
from millrace.adapters.http.urls import parse_url
from millrace.expr.secrets import SecretRef, SecretText
from millrace.ports.runners import Outcome, TaskFailed
from millrace.spec.tasks.http_paging import Paging
from tests.unit.http.servers import KEY, Answer, Rig, Seen, reply, reply_json, serve, slug

ALL = list(range(25))


def query_of(head: str) -> dict[str, str]:
    target = head.split(" ", 2)[1]
    return {name: values[-1] for name, values in parse_qs(urlsplit(target).query, keep_blank_values=True).items()}


def served(page: Callable[[dict[str, str], int], Any]) -> Answer:
    """A service whose answer is made from the query and its own port: a value, or a value and a Link header."""

    async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        port = int(head.lower().split("host: a.test:")[1].split("\r\n")[0])
        value = page(query_of(head), port)
        value, link = value if isinstance(value, tuple) else (value, "")
        await reply_json(value, headers=[("Link", link)] if link else [])(head, body, writer)

    return answer


def read(
    answer: Answer, paging: dict[str, Any], *, caps: Caps = Caps(), **config: Any
) -> tuple[Outcome | TaskFailed, Seen]:
    async def go() -> tuple[Outcome | TaskFailed, Seen]:
        async with serve(answer) as seen, Rig(seen.port, caps=caps) as rig:
            rig.secret("key", "secret-key-1", "a.test")
            try:
                whole = {"url": f"http://a.test:{seen.port}/list", "paging": paging, **config}
                return await rig.run(whole), seen
            except TaskFailed as failed:
                return failed, seen

    return asyncio.run(go())


def items(outcome: Outcome | TaskFailed) -> list[Any]:
    assert isinstance(outcome, Outcome), outcome.failure
    found: list[Any] = outcome.output["body"]["items"]
    return found


def by_link(query: dict[str, str], port: int) -> Any:
    at = int(query.get("at", "0"))
    link = f'<http://a.test:{port}/list?at={at + 10}>; rel="next"' if at + 10 < len(ALL) else '<x>; rel="prev"'
    return ALL[at : at + 10], link


def by_next(query: dict[str, str], port: int) -> Any:
    at = int(query.get("at", "0"))
    return {"data": ALL[at : at + 10], "links": {"next": f"/list?at={at + 10}" if at + 10 < len(ALL) else None}}


def by_cursor(query: dict[str, str], port: int) -> Any:
    at = int(query.get("after", "0"))
    return {"data": {"rows": ALL[at : at + 10]}, "cursor": str(at + 10) if at + 10 < len(ALL) else ""}


def by_offset(query: dict[str, str], port: int) -> Any:
    at, size = int(query["offset"]), min(int(query.get("size", "7")), 10)
    return {"rows": ALL[at : at + size], "count": len(ALL), "hasMore": at + size < len(ALL)}


def by_page(query: dict[str, str], port: int) -> Any:
    page = int(query["p"])
    return ALL[(page - 1) * 10 : page * 10]


@pytest.mark.parametrize(
    ("page", "paging", "pages"),
    [
        (by_link, {"strategy": "link"}, 3),
        (by_next, {"strategy": "next", "path": "links.next", "items": "data"}, 3),
        (by_next, {"strategy": "next", "path": "/links/next", "items": "/data"}, 3),
        (by_cursor, {"strategy": "cursor", "path": "cursor", "param": "after", "items": "data.rows"}, 3),
        (by_offset, {"strategy": "offset", "param": "offset", "items": "rows"}, 5),
        (by_offset, {"strategy": "offset", "param": "offset", "items": "rows", "total": "count"}, 4),
        (by_offset, {"strategy": "offset", "param": "offset", "items": "rows", "more": "hasMore"}, 4),
        (
            by_offset,
            {"strategy": "offset", "param": "offset", "items": "rows", "limit": 500, "limitParam": "size"},
            4,
        ),
        (by_page, {"strategy": "page", "param": "p"}, 4),
    ],
    ids=["link", "next", "next-pointer", "cursor", "offset", "offset-total", "offset-more", "offset-capped", "page"],
)
def test_a_list_is_read_to_its_end(page: Any, paging: dict[str, Any], pages: int) -> None:
    outcome, seen = read(served(page), paging)
    assert ALL == items(outcome)
    assert isinstance(outcome, Outcome)
    assert {"status", "headers", "body", "pages", "durationMs"} == set(outcome.output)
    assert (200, True, pages) == (
        outcome.output["status"],
        outcome.output["body"]["complete"],
        outcome.output["pages"],
    )
    assert (pages, pages) == (len(seen.requests), outcome.usage.requests)


def test_a_page_number_ends_where_the_total_is_reached() -> None:
    def page(query: dict[str, str], port: int) -> Any:
        return {"rows": by_page(query, port), "meta": {"total": len(ALL)}}

    outcome, seen = read(served(page), {"strategy": "page", "param": "p", "items": "rows", "total": "meta.total"})
    assert (ALL, 3) == (items(outcome), len(seen.requests))


@pytest.mark.parametrize(("start", "expected"), [(0, 0), (3, 3), (None, 1)])
def test_counting_begins_where_it_is_told_to(start: int | None, expected: int) -> None:
    more = {} if start is None else {"start": start}
    _, seen = read(served(lambda query, port: []), {"strategy": "page", "param": "p", **more})
    assert {"p": str(expected)} == query_of(seen.requests[0][0])


def test_the_last_entry_of_a_page_may_be_its_cursor() -> None:
    def page(query: dict[str, str], port: int) -> Any:
        rows = [{"id": n} for n in ALL if n > int(query.get("after", "-1"))][:10]
        return {"data": rows, "has_more": bool(rows) and rows[-1]["id"] < ALL[-1]}

    paging = {"strategy": "cursor", "path": "data.-1.id", "param": "after", "items": "data", "more": "has_more"}
    outcome, seen = read(served(page), paging)
    assert ([{"id": n} for n in ALL], 3) == (items(outcome), len(seen.requests))


def test_a_first_cursor_may_stand_in_the_query() -> None:
    paging = {"strategy": "cursor", "path": "cursor", "param": "after", "items": "data.rows"}
    outcome, seen = read(served(by_cursor), paging, query={"after": 20, "q": "a b"})
    assert (ALL[20:], {"after": "20", "q": "a b"}) == (items(outcome), query_of(seen.requests[0][0]))


@pytest.mark.parametrize(
    ("limits", "got", "asked", "complete"),
    [
        ({"maxPages": 2}, 20, 2, False),
        ({"maxPages": 3}, 25, 3, True),
        ({"maxItems": 15}, 15, 2, False),
        ({"maxItems": 20}, 20, 2, False),
        ({"maxItems": 25}, 25, 3, True),
        ({"maxItems": 24}, 24, 3, False),
        ({"maxItems": 1}, 1, 1, False),
    ],
)
def test_a_limit_ends_the_reading_and_says_so(limits: dict[str, int], got: int, asked: int, complete: bool) -> None:
    outcome, seen = read(served(by_link), {"strategy": "link", **limits})
    assert (ALL[:got], asked) == (items(outcome), len(seen.requests))
    assert isinstance(outcome, Outcome)
    assert complete is outcome.output["body"]["complete"]


def test_every_page_has_a_key_of_its_own_that_is_the_same_on_every_attempt() -> None:
    for _ in range(2):
        _, seen = read(served(by_link), {"strategy": "link"})
        assert [KEY, f"{KEY}-2", f"{KEY}-3"] == [seen.header("idempotency-key", n) for n in range(3)]
    _, seen = read(served(by_link), {"strategy": "link"}, headers={"Idempotency-Key": "mine"})
    assert ["mine"] * 3 == [seen.header("idempotency-key", n) for n in range(3)]


def test_a_key_in_the_query_goes_along_with_links_that_leave_it_out() -> None:
    auth = {"apiKey": {"name": "k", "in": "query", "value": SecretText((SecretRef("key"),))}}
    outcome, seen = read(served(by_link), {"strategy": "link"}, auth=auth)
    assert ALL == items(outcome)
    assert ["secret-key-1"] * 3 == [query_of(head)["k"] for head, _ in seen.requests]
    assert isinstance(outcome, Outcome)
    assert outcome.exchange is not None
    assert "secret-key-1" not in outcome.exchange.url


def test_a_signature_is_made_for_every_page() -> None:
    auth = {"hmac": {"key": {"secretRef": "key"}, "header": "X-Sig", "signed": ["target"]}}
    outcome, seen = read(served(by_link), {"strategy": "link"}, auth=auth)
    assert ALL == items(outcome)
    assert 3 == len({seen.header("x-sig", n) for n in range(3)})


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("http://b.test:{port}/list", "paging-host"),
        ("http://a.test:1/list", "paging-host"),
        ("//b.test/list", "paging-host"),
        ("http://a.test:{port}/list", "paging-loop"),
        ("/list", "paging-loop"),
        ("file:///etc/passwd", "scheme"),
        ("http://u@a.test:{port}/", "userinfo"),
    ],
)
def test_a_link_that_leads_astray_is_refused(link: str, code: str) -> None:
    def page(query: dict[str, str], port: int) -> Any:
        return {"data": [1], "next": link.format(port=port)}

    outcome, seen = read(served(page), {"strategy": "next", "path": "next", "items": "data"})
    assert isinstance(outcome, TaskFailed)
    assert (code, False, 1) == (outcome.failure.code, outcome.failure.retryable, len(seen.requests))


def elsewhere(paging: dict[str, Any], *hosts: str, **config: Any) -> tuple[Outcome | TaskFailed, list[str]]:
    """A list whose second page is at b.test, and the lines that b.test got."""

    async def go() -> tuple[Outcome | TaskFailed, list[str]]:
        async with serve(reply_json([2])) as other:
            first = reply_json([1], headers=[("Link", f"<http://b.test:{other.port}/two>; rel=next")])
            async with serve(first) as seen, Rig(seen.port, other.port) as rig:
                rig.secret("key", "secret-key-1", *hosts)
                told = {**paging, "hosts": [host.format(port=other.port) for host in paging.get("hosts", [])]}
                try:
                    url = f"http://a.test:{seen.port}/"
                    return await rig.run({"url": url, "paging": told, **config}), [head for head, _ in other.requests]
                except TaskFailed as failed:
                    return failed, [head for head, _ in other.requests]

    return asyncio.run(go())


@pytest.mark.parametrize("host", ["b.test", "b.test:{port}"])
def test_a_link_may_lead_to_a_host_that_is_named(host: str) -> None:
    outcome, got = elsewhere({"strategy": "link", "hosts": [host]})
    assert ([1, 2], 1) == (items(outcome), len(got))


def test_a_secret_goes_along_only_where_it_is_bound() -> None:
    config = {"headers": {"x-key": SecretText((SecretRef("key"),))}}
    outcome, got = elsewhere({"strategy": "link", "hosts": ["b.test"]}, "a.test", **config)
    assert isinstance(outcome, TaskFailed)
    assert (("blocked", "secret-host", False), []) == (slug(outcome), got)
    outcome, got = elsewhere({"strategy": "link", "hosts": ["b.test"]}, "a.test", "b.test", **config)
    assert ([1, 2], True) == (items(outcome), "secret-key-1" in got[0])


def test_a_named_host_is_not_left_for_plain_http() -> None:
    pager = Pager(Paging(strategy="link", hosts=("b.test",)), cap=1_000, key=KEY)
    first = pager.begin(Request("GET", parse_url("https://a.test/"), (), b""))
    page = Response(200, (("link", "<http://b.test/>; rel=next"),), b"[]", 2, "")
    with pytest.raises(Refused) as caught:
        pager.take([], url=first.url, response=page)
    assert ("blocked", "paging-host") == (caught.value.failure.kind, caught.value.failure.code)


def test_links_that_go_round_in_a_ring_end() -> None:
    def page(query: dict[str, str], port: int) -> Any:
        return [1], f"<?at={(int(query.get('at', '0')) + 1) % 3}>; rel=next"

    outcome, seen = read(served(page), {"strategy": "link"})
    assert isinstance(outcome, TaskFailed)
    assert ("schema", "paging-loop", False) == slug(outcome)
    assert len(seen.requests) <= 4


def test_a_cursor_that_comes_again_ends() -> None:
    paging = {"strategy": "cursor", "path": "c", "param": "c", "items": "d"}
    outcome, seen = read(served(lambda query, port: {"d": [1], "c": "same"}), paging)
    assert isinstance(outcome, TaskFailed)
    assert (("schema", "paging-loop", False), 2) == (slug(outcome), len(seen.requests))


def test_a_service_that_ignores_the_offset_is_found_out() -> None:
    outcome, seen = read(served(lambda query, port: ALL), {"strategy": "offset", "param": "offset"})
    assert isinstance(outcome, TaskFailed)
    assert (("schema", "paging-loop", False), 2) == (slug(outcome), len(seen.requests))


@pytest.mark.parametrize(
    ("value", "paging", "code"),
    [
        ({"data": 1}, {"strategy": "link", "items": "data"}, "paging-items"),
        ({}, {"strategy": "link"}, "paging-items"),
        ({"data": []}, {"strategy": "link", "items": "rows"}, "paging-items"),
        ({"d": [], "n": 7}, {"strategy": "next", "path": "n", "items": "d"}, "paging-next"),
        ({"d": [], "n": {}}, {"strategy": "cursor", "path": "n", "param": "n", "items": "d"}, "paging-next"),
        ({"d": [], "n": True}, {"strategy": "cursor", "path": "n", "param": "n", "items": "d"}, "paging-next"),
    ],
)
def test_a_page_of_another_shape_is_a_failure(value: Any, paging: dict[str, Any], code: str) -> None:
    outcome, _ = read(reply_json(value), paging)
    assert isinstance(outcome, TaskFailed)
    assert ("schema", code, False) == slug(outcome)


@pytest.mark.parametrize("end", [None, "", False])
def test_a_list_ends_without_a_link_or_cursor(end: Any) -> None:
    for paging in ({"strategy": "next"}, {"strategy": "cursor", "param": "n"}):
        outcome, seen = read(reply_json({"d": [1], "n": end}), {**paging, "path": "n", "items": "d"})
        assert ([1], 1) == (items(outcome), len(seen.requests))


def test_the_bytes_of_all_pages_together_are_bounded() -> None:
    def page(query: dict[str, str], port: int) -> Any:
        return {"d": ["x" * 400], "n": str(len(query.get("c", "")) + 1) * (len(query.get("c", "")) + 1)}

    paging = {"strategy": "cursor", "path": "n", "param": "c", "items": "d"}
    outcome, seen = read(served(page), paging, caps=Caps(response_bytes=1_500))
    assert isinstance(outcome, TaskFailed)
    assert (("too-large", "response-bytes", False), 4) == (slug(outcome), len(seen.requests))


def test_a_page_that_fails_fails_the_attempt() -> None:
    async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        await (reply(status="503 X") if "at=20" in head else served(by_link))(head, body, writer)

    outcome, seen = read(answer, {"strategy": "link"})
    assert isinstance(outcome, TaskFailed)
    assert (("http", "503", True), 3) == (slug(outcome), len(seen.requests))


def test_every_page_is_checked_against_the_schema() -> None:
    schema = {"type": "array", "items": {"type": "integer", "maximum": 15}}
    outcome, seen = read(served(by_link), {"strategy": "link"}, responseSchema=schema)
    assert isinstance(outcome, TaskFailed)
    assert (("schema", "response-schema", False), 2) == (slug(outcome), len(seen.requests))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"method": "POST"}, "pages are read with GET"),
        ({"paging": {"strategy": "moon"}}, "paging.strategy"),
        ({"paging": {"strategy": "cursor"}}, "paging by cursor needs"),
        ({"paging": []}, "paging of an http request must be an object"),
    ],
)
def test_paging_that_cannot_be_used_is_told_before_anything_is_sent(config: dict[str, Any], said: str) -> None:
    outcome, seen = (
        read(reply_json([]), {"strategy": "link"}, **config)
        if "paging" not in config
        else read(reply_json([]), config["paging"])
    )
    assert isinstance(outcome, TaskFailed)
    assert (("task", "config", False), []) == (slug(outcome), seen.requests)
    assert said in outcome.failure.message


def test_pages_are_asked_for_one_after_the_other() -> None:
    under_way: list[int] = [0, 0]

    async def answer(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0)
        await served(by_link)(head, body, writer)
        under_way[0] -= 1

    outcome, _ = read(answer, {"strategy": "link"})
    assert (ALL, 1) == (items(outcome), under_way[1])


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<a>; rel="next"', "a"),
        ("<a>;rel=next", "a"),
        ('<a>; REL="NEXT"', "a"),
        ('<p>; rel=prev, <a>; rel="start next"', "a"),
        ('<a,b;c>; title="x, <y>; rel=next"; rel=next', "a,b;c"),
        ('<p>; rel=prev; rel=next, <a>; rel="next"', "a"),
        ('<p>; anchor="#x"; rel=next, <a>; rel=next', "a"),
        ('<p>; title="\\"; rel=next", <a>; rel=next', "a"),
        ("<a>; rel=next; x", "a"),
        (" , ,<a> ; rel = next", "a"),
        ('<a>; rel="nexts"', ""),
        ("<a>", ""),
        ("a; rel=next", ""),
        ("<a; rel=next", ""),
        ("", ""),
        ('<a>; title="open; rel=next', ""),
    ],
)
def test_a_link_header_is_read_as_its_standard_says(header: str, target: str) -> None:
    assert target == link_to(header, "next")


@given(st.text(st.sampled_from('<>;,="\\ relnextanchor'), max_size=200))
def test_any_link_header_can_be_read(header: str) -> None:
    assert isinstance(link_to(header, "next"), str)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", {"a": {"b.c": [1, {"d": 2}]}, "": 3, "~/": 4}),
        ("a", {"b.c": [1, {"d": 2}]}),
        ("/a/b.c/0", 1),
        ("/a/b.c/1/d", 2),
        ("/a/b.c/-1/d", 2),
        ("/", 3),
        ("/~0~1", 4),
        ("a.b", None),
        ("a.0", None),
        ("/a/b.c/2", None),
        ("/a/b.c/-3", None),
        ("/a/b.c/01", None),
        ("/a/b.c/x", None),
        ("/a/b.c/0/x", None),
    ],
)
def test_a_path_finds_what_is_there(path: str, found: Any) -> None:
    assert found == find({"a": {"b.c": [1, {"d": 2}]}, "": 3, "~/": 4}, path)


@given(
    st.dictionaries(st.text("ab+ %&é", min_size=1, max_size=4), st.text("ab+ %&é", max_size=4), max_size=4),
    st.text("ab+ %&é", min_size=1, max_size=4),
    st.text("ab+ %&é", max_size=4),
)
def test_a_parameter_replaces_its_namesakes_and_nothing_else(before: dict[str, str], name: str, value: str) -> None:
    from urllib.parse import urlencode

    url = with_parameter(parse_url(f"https://a.test/x?{urlencode(before)}"), name, value)
    query = parse_qs(url.target.partition("?")[2], keep_blank_values=True)
    assert {**{key: [text] for key, text in before.items()}, name: [value]} == query


def test_the_output_of_pages_is_json() -> None:
    outcome, _ = read(served(by_link), {"strategy": "link"})
    assert isinstance(outcome, Outcome)
    assert outcome.output == json.loads(json.dumps(outcome.output))
