"""Range queries over sort keys, and paging."""

from __future__ import annotations

import pytest

from millrace.base.errors import InvalidRequest
from millrace.ports.documents import Documents, Index, IndexKey, Range, SystemScope, Table, TenantScope, Update
from tests.conformance.documents.builders import all_rows, item, key, sorts

SORTS = ["a", "a#", "a#1", "a#2", "aa", "b", "b\U0010ffff", "bz", "Z", "ž", "￿", "\U0001f40e"]
ORDERED = sorted(SORTS, key=lambda text: text.encode())

RANGES = [
    (Range(), ORDERED),
    (Range(reverse=True), ORDERED[::-1]),
    (Range(first="a#1"), [text for text in ORDERED if text.encode() >= b"a#1"]),
    (Range(last="a#1"), [text for text in ORDERED if text.encode() <= b"a#1"]),
    (Range(first="a#", last="b"), ["a#", "a#1", "a#2", "aa", "b"]),
    (Range(first="a#", last="b", reverse=True), ["b", "aa", "a#2", "a#1", "a#"]),
    (Range(first="b", last="a"), []),
    (Range(last=""), []),
    (Range(first="", last="Z"), ["Z"]),
    (Range(prefix="a#"), ["a#", "a#1", "a#2"]),
    (Range(prefix="a#", reverse=True), ["a#2", "a#1", "a#"]),
    (Range(prefix=""), ORDERED),
    (Range(prefix="b"), ["b", "bz", "b\U0010ffff"]),
    (Range(prefix="b\U0010ffff"), ["b\U0010ffff"]),
    (Range(prefix="zz"), []),
]


@pytest.mark.parametrize(("within", "expected"), RANGES, ids=range(len(RANGES)))
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_range_gives_its_items_in_byte_order_whatever_the_page(
    documents: Documents, scope: TenantScope, within: Range, expected: list[str], limit: int
) -> None:
    documents.batch_put(scope, [item(text) for text in SORTS])
    paged = Range(within.first, within.last, within.prefix, within.reverse, limit)
    rows = all_rows(lambda cursor: documents.query(scope, Table.HISTORY, ("thing",), within=paged, cursor=cursor))
    assert expected == sorts(rows)


def test_a_page_that_ends_the_listing_has_no_cursor(documents: Documents, scope: TenantScope) -> None:
    documents.batch_put(scope, [item(f"{number}") for number in range(4)])
    first = documents.query(scope, Table.HISTORY, ("thing",), within=Range(limit=2))
    assert sorts(first) == ["0", "1"]
    second = documents.query(scope, Table.HISTORY, ("thing",), within=Range(limit=2), cursor=first.cursor)
    assert (sorts(second), second.cursor) == (["2", "3"], None)


def test_rows_are_whole_and_name_their_tenant(documents: Documents, scope: TenantScope) -> None:
    whole = item("a", {"n": 1, "body": b"x"}, indexes={Index.LIST: IndexKey(("p",), "s")})
    documents.batch_put(scope, [whole])
    for page in (
        documents.query(scope, Table.HISTORY, ("thing",)),
        documents.query_index(scope, Table.HISTORY, Index.LIST, ("p",)),
    ):
        assert [(scope.tenant, whole)] == [(row.tenant, row.item) for row in page.rows]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (("a#b", "c"), ("a", "b#c")),
        (("a", "b"), ("a#b",)),
        (("a%23b",), ("a#b",)),
        (("a", ""), ("a",)),
        (("a/b",), ("a", "b")),
        (("K",), ("\u212a",)),
    ],
)
def test_parts_never_run_together(documents: Documents, scope: TenantScope, mine, theirs) -> None:
    documents.batch_put(scope, [item("s", {"n": 1}, *mine)])
    assert sorts(documents.query(scope, Table.HISTORY, theirs)) == []
    assert documents.get(scope, key("s", *theirs)) is None
    assert mine == documents.query(scope, Table.HISTORY, mine).rows[0].item.key.partition


def test_a_cursor_of_another_listing_is_refused(documents: Documents, scope: TenantScope, other: TenantScope) -> None:
    for tenant in (scope, other):
        documents.batch_put(tenant, [item(f"{number}") for number in range(3)])
    cursor = documents.query(scope, Table.HISTORY, ("thing",), within=Range(limit=1)).cursor
    for ask in (
        lambda text: documents.query(other, Table.HISTORY, ("thing",), cursor=text),
        lambda text: documents.query(scope, Table.DEFINITIONS, ("thing",), cursor=text),
        lambda text: documents.query(scope, Table.HISTORY, ("thing",), within=Range(reverse=True), cursor=text),
        lambda text: documents.query_index(scope, Table.HISTORY, Index.LIST, ("thing",), cursor=text),
    ):
        with pytest.raises(InvalidRequest):
            ask(cursor)


@pytest.mark.parametrize("cursor", ["", "x", "é", "W10=", "bnVsbA==", "W1tbW1tb", "eyJhIjoxfQ=="])
def test_a_made_up_cursor_is_refused(documents: Documents, scope: TenantScope, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        documents.query(scope, Table.HISTORY, ("thing",), cursor=cursor)


@pytest.mark.parametrize("within", [Range(limit=0), Range(prefix="a", first="a"), Range(prefix="a", last="b")])
def test_a_senseless_range_is_refused(documents: Documents, scope: TenantScope, within: Range) -> None:
    with pytest.raises(InvalidRequest):
        documents.query(scope, Table.HISTORY, ("thing",), within=within)


def test_an_index_lists_by_its_own_key_and_pages_through_ties(documents: Documents, scope: TenantScope) -> None:
    documents.batch_put(
        scope,
        [item(f"{number}", {}, indexes={Index.STATUS: IndexKey(("run",), "same")}) for number in range(5)]
        + [item("x", {}, indexes={Index.STATUS: IndexKey(("run",), "later")})],
    )

    def rows(reverse: bool):
        within = Range(reverse=reverse, limit=2)
        return all_rows(
            lambda cursor: documents.query_index(
                scope, Table.HISTORY, Index.STATUS, ("run",), within=within, cursor=cursor
            )
        )

    assert sorts(rows(reverse=False))[0] == "x"
    assert sorted("01234") == sorted(sorts(rows(reverse=False))[1:])
    assert sorted("01234x") == sorted(sorts(rows(reverse=True)))


def test_an_update_moves_and_removes_index_entries_and_leaves_the_others(
    documents: Documents, scope: TenantScope
) -> None:
    def listed(index: Index, name: str) -> list[str]:
        return sorts(documents.query_index(scope, Table.HISTORY, index, (name,)))

    both = {Index.STATUS: IndexKey(("run",), "1"), Index.WORKFLOW: IndexKey(("w",), "1")}
    documents.batch_put(scope, [item("a", {}, indexes=both)])
    documents.write(scope, [Update(key("a"), indexes={Index.STATUS: IndexKey(("done",), "2")})])
    assert (
        listed(Index.STATUS, "run"),
        listed(Index.STATUS, "done"),
        listed(Index.WORKFLOW, "w"),
    ) == ([], ["a"], ["a"])
    documents.write(scope, [Update(key("a"), indexes={Index.STATUS: None, Index.LIST: IndexKey(("l",), "x")})])
    assert (listed(Index.STATUS, "done"), listed(Index.WORKFLOW, "w"), listed(Index.LIST, "l")) == ([], ["a"], ["a"])
    assert {Index.WORKFLOW, Index.LIST} == set(documents.get(scope, key("a")).indexes)
    documents.batch_put(scope, [item("a")])
    assert (listed(Index.WORKFLOW, "w"), listed(Index.LIST, "l")) == ([], [])


def test_the_live_index_spans_tenants_and_takes_the_system_scope_alone(
    documents: Documents, scope: TenantScope, other: TenantScope
) -> None:
    shard = f"{scope.tenant}-shard"
    for tenant in (scope, other):
        documents.batch_put(tenant, [item("a", {}, indexes={Index.LIVE: IndexKey((shard,), tenant.tenant)})])
    page = documents.query_index(SystemScope(), Table.HISTORY, Index.LIVE, (shard,))
    assert sorted([scope.tenant, other.tenant]) == sorted(row.tenant for row in page.rows)
    with pytest.raises(InvalidRequest):
        documents.query_index(scope, Table.HISTORY, Index.LIVE, (shard,))
    with pytest.raises(InvalidRequest):
        documents.query_index(SystemScope(), Table.HISTORY, Index.LIST, (shard,))


def test_an_index_range_is_bounded_by_its_sort_key(documents: Documents, scope: TenantScope) -> None:
    documents.batch_put(
        scope, [item(f"{9 - n}", {}, indexes={Index.LIST: IndexKey(("p",), f"s{n}")}) for n in range(6)]
    )

    def listed(within: Range) -> list[str]:
        return sorts(documents.query_index(scope, Table.HISTORY, Index.LIST, ("p",), within=within))

    assert listed(Range(first="s1", last="s2")) == ["8", "7"]
    assert listed(Range(prefix="s")) == ["9", "8", "7", "6", "5", "4"]
    assert listed(Range(first="s4", reverse=True)) == ["4", "5"]
