"""Single items: what is written is read back, by value."""

from __future__ import annotations

import pytest

from millrace.base.errors import InvalidRequest
from millrace.ports.documents import Delete, Documents, Index, IndexKey, Put, SystemScope, Table, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put

EVERYTHING = {
    "text": "žluťoučký 🐎 \0 #%/",
    "empty": "",
    "number": 10**38 - 1,
    "negative": -(10**38) + 1,
    "zero": 0,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, "1", True, None, [], {}],
    "map": {"$ref": {"S": "x"}, "__type": [{"N": "1"}], "a b": -1},
    "body": bytes(range(256)),
}


def test_every_kind_of_attribute_comes_back_as_it_was(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", EVERYTHING)])
    found = attrs(documents, scope, key("a"))
    assert found == EVERYTHING
    assert {name: type(value) for name, value in EVERYTHING.items()} == {n: type(v) for n, v in found.items()}
    assert [int, str, bool, type(None), list, dict] == [type(value) for value in found["list"]]


def test_an_item_keeps_its_indexes_expiry_and_feed_mark(documents: Documents, scope: TenantScope) -> None:
    whole = item("a", {"n": 1}, indexes={Index.LIST: IndexKey(("p", "q#"), "s")}, feed=True, expires_at=1_800_000_000)
    documents.write(scope, [Put(whole)])
    assert whole == documents.get(scope, whole.key)
    assert whole == documents.get(scope, whole.key, consistent=False)


def test_what_is_not_there_is_none(documents: Documents, scope: TenantScope) -> None:
    assert documents.get(scope, key("a")) is None


def test_tables_are_apart(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"n": 1})])
    assert documents.batch_get(scope, [key("a", table=Table.DEFINITIONS), key("a", table=Table.STATISTICS)]) == [
        None,
        None,
    ]


def test_a_batch_answers_in_the_order_asked_with_none_for_absent(documents: Documents, scope: TenantScope) -> None:
    documents.batch_put(scope, [item(f"{number:03}", {"n": number}) for number in range(130)])
    wanted = [key(f"{number:03}") for number in (129, 7, 500, 0, 7)] + [key(f"{number:03}") for number in range(130)]
    found = documents.batch_get(scope, wanted)
    assert [129, 7, None, 0, 7, *range(130)] == [None if one is None else one.attrs["n"] for one in found]
    assert documents.batch_get(scope, []) == []


def test_a_batch_put_replaces_and_its_last_item_of_a_key_wins(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"old": 1})])
    documents.batch_put(scope, [item("a", {"n": 1}), item("b"), item("a", {"n": 2})])
    assert attrs(documents, scope, key("a")) == {"n": 2}


def test_a_put_replaces_the_whole_item(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"old": 1, "n": 1})])
    documents.write(scope, [put("a", {"n": 2})])
    assert attrs(documents, scope, key("a")) == {"n": 2}


def test_an_update_creates_sets_adds_and_removes(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [Update(key("a"), set={"s": "x", "l": [1]}, add={"n": 2}, remove=("nothing",))])
    assert attrs(documents, scope, key("a")) == {"s": "x", "l": [1], "n": 2}
    documents.write(scope, [Update(key("a"), set={"s": "y"}, add={"n": -5, "m": 0}, remove=("l",))])
    assert attrs(documents, scope, key("a")) == {"s": "y", "n": -3, "m": 0}


def test_an_update_of_nothing_creates_an_empty_item(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [Update(key("a"))])
    assert attrs(documents, scope, key("a")) == {}


def test_an_update_keeps_the_feed_mark_and_the_expiry(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [Put(item("a", feed=True, expires_at=9))])
    documents.write(scope, [Update(key("a"), add={"n": 1})])
    assert item("a", {"n": 1}, feed=True, expires_at=9) == documents.get(scope, key("a"))


def test_a_delete_removes_and_deleting_nothing_is_no_error(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a")])
    documents.write(scope, [Delete(key("a")), Delete(key("b"))])
    assert documents.get(scope, key("a")) is None


def test_add_answers_the_new_values(documents: Documents, scope: TenantScope) -> None:
    assert documents.add(scope, key("a"), {"n": 3, "m": -1}) == {"n": 3, "m": -1}
    assert documents.add(scope, key("a"), {"n": 7}) == {"n": 10}


@pytest.mark.parametrize("before", ["text", True, None, [1]])
def test_adding_to_what_is_no_number_is_refused(documents: Documents, scope: TenantScope, before) -> None:
    documents.write(scope, [put("a", {"n": before})])
    with pytest.raises(InvalidRequest):
        documents.add(scope, key("a"), {"n": 1})
    with pytest.raises(InvalidRequest):
        documents.write(scope, [Update(key("a"), add={"n": 1}), put("b")])
    assert {"n": before} == attrs(documents, scope, key("a"))
    assert documents.get(scope, key("b")) is None


def test_a_caller_that_changes_its_own_dicts_changes_nothing_stored(documents: Documents, scope: TenantScope) -> None:
    mine = {"l": [1], "m": {"x": [2]}}
    documents.write(scope, [put("a", mine)])
    mine["l"].append(9)
    found = documents.get(scope, key("a"))
    found.attrs["m"]["x"].append(9)
    assert attrs(documents, scope, key("a")) == {"l": [1], "m": {"x": [2]}}


def test_the_system_scope_reads_and_writes_no_items(documents: Documents) -> None:
    with pytest.raises(InvalidRequest):
        documents.get(SystemScope(), key("a"))
    with pytest.raises(InvalidRequest):
        documents.query(SystemScope(), Table.HISTORY, ("thing",))
    with pytest.raises(InvalidRequest):
        documents.write(SystemScope(), [put("a")])
    with pytest.raises(InvalidRequest):
        documents.batch_put(SystemScope(), [item("a")])


def test_submit_answers_a_future_that_ends_with_the_write(documents: Documents, scope: TenantScope) -> None:
    assert documents.submit(scope, [put("a", {"n": 1})]).result(30) is None
    assert attrs(documents, scope, key("a")) == {"n": 1}
    assert isinstance(documents.submit(scope, []).exception(30), InvalidRequest)
