"""Sizes at the limit pass; one byte more is refused, and nothing is cut off."""

from __future__ import annotations

import pytest

from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import ATTRIBUTE_DEPTH, ITEM_BYTES, KEY_PARTITION_BYTES, KEY_SORT_BYTES
from millrace.ports.documents import Documents, Index, IndexKey, Item, Key, Put, Table, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put

UNITS = ["x", "ž", "🐎"]


def text(size: int, unit: str) -> str:
    """A text of exactly ``size`` bytes, made of ``unit`` with plain letters to fill."""
    width = len(unit.encode())
    return unit * (size // width) + "y" * (size % width)


@pytest.mark.parametrize("unit", UNITS)
def test_a_partition_key_of_2048_bytes_passes_and_of_2049_does_not(
    documents: Documents, scope: TenantScope, unit: str
) -> None:
    room = KEY_PARTITION_BYTES - len(scope.tenant) - 1
    documents.write(scope, [Put(Item(key("a", text(room, unit)), {"n": 1}))])
    assert attrs(documents, scope, key("a", text(room, unit))) == {"n": 1}
    with pytest.raises(TooLarge) as caught:
        documents.write(scope, [Put(Item(key("a", text(room + 1, unit))))])
    assert (caught.value.facts["limit"], caught.value.facts["size"]) == (2048, 2049)


@pytest.mark.parametrize("unit", UNITS)
def test_a_sort_key_of_1024_bytes_passes_and_of_1025_does_not(
    documents: Documents, scope: TenantScope, unit: str
) -> None:
    documents.write(scope, [put(text(KEY_SORT_BYTES, unit), {"n": 1})])
    assert attrs(documents, scope, key(text(KEY_SORT_BYTES, unit))) == {"n": 1}
    with pytest.raises(TooLarge):
        documents.write(scope, [put(text(KEY_SORT_BYTES + 1, unit))])
    with pytest.raises(TooLarge):
        documents.get(scope, key(text(KEY_SORT_BYTES + 1, unit)))


def test_index_keys_have_the_same_limits(documents: Documents, scope: TenantScope) -> None:
    documents.batch_put(scope, [item("a", indexes={Index.LIST: IndexKey(("p",), "s" * 1024)})])
    with pytest.raises(TooLarge):
        documents.batch_put(scope, [item("a", indexes={Index.LIST: IndexKey(("p",), "s" * 1025)})])
    with pytest.raises(TooLarge):
        documents.write(scope, [Update(key("a"), indexes={Index.LIST: IndexKey(("p" * 2048,), "s")})])


def _filled(scope: TenantScope, unit: str, spare: int) -> dict:
    overhead = len("_pk") + len("_sk") + len(f"{scope.tenant}#thing") + len("a") + len("v") + len("body")
    half = (ITEM_BYTES - overhead) // 2
    return {"v": text(half, unit), "body": b"b" * (ITEM_BYTES - overhead - half + spare)}


@pytest.mark.parametrize("unit", UNITS)
def test_an_item_of_400000_bytes_passes_and_of_400001_does_not(
    documents: Documents, scope: TenantScope, unit: str
) -> None:
    exact = _filled(scope, unit, 0)
    documents.write(scope, [put("a", exact)])
    assert exact == attrs(documents, scope, key("a"))
    for send in (
        lambda: documents.write(scope, [put("a", _filled(scope, unit, 1))]),
        lambda: documents.batch_put(scope, [item("a", _filled(scope, unit, 1))]),
        lambda: documents.write(scope, [Update(key("a"), set=_filled(scope, unit, 1))]),
    ):
        with pytest.raises(TooLarge) as caught:
            send()
        assert (caught.value.facts["limit"], caught.value.facts["size"]) == (400_000, 400_001)
    assert exact == attrs(documents, scope, key("a"))


def test_an_update_cannot_grow_an_item_far_beyond_the_limit(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"v": "x" * 399_000})])
    with pytest.raises(TooLarge):
        documents.write(scope, [Update(key("a"), set={"w": "x" * 20_000})])
    assert list(attrs(documents, scope, key("a"))) == ["v"]


def test_a_write_of_26_operations_is_refused(documents: Documents, scope: TenantScope) -> None:
    with pytest.raises(TooLarge) as caught:
        documents.write(scope, [put(f"{number}") for number in range(26)])
    assert caught.value.facts == {"limit": 25, "size": 26, "unit": "operations"}
    assert documents.get(scope, key("0")) is None


def test_a_write_of_4_mib_passes_and_a_byte_more_is_refused(documents: Documents, scope: TenantScope) -> None:
    fixed = len("_pk_sk") + len(f"{scope.tenant}#thing") + len("00") + len("body")
    sizes = [390_000 - fixed] * 10 + [4 * 1024 * 1024 - 3_900_000 - fixed]

    def puts(last: int) -> list[Put]:
        wanted = [*sizes[:-1], sizes[-1] + last]
        return [put(f"{number:02}", {"body": b"b" * size}) for number, size in enumerate(wanted)]

    with pytest.raises(TooLarge) as caught:
        documents.write(scope, puts(1))
    assert (caught.value.facts["limit"], caught.value.facts["size"]) == (4_194_304, 4_194_305)
    assert documents.get(scope, key("00")) is None
    documents.write(scope, puts(0))
    assert sizes[-1] == len(attrs(documents, scope, key("10"))["body"])


def _nested(levels: int) -> list:
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_nesting_of_32_levels_passes_and_of_33_does_not(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"v": _nested(ATTRIBUTE_DEPTH)})])
    assert {"v": _nested(ATTRIBUTE_DEPTH)} == attrs(documents, scope, key("a"))
    for levels in (ATTRIBUTE_DEPTH + 1, 50_000):
        with pytest.raises(TooLarge):
            documents.write(scope, [put("a", {"v": _nested(levels)})])


BAD_ATTRS = [
    {"v": 1.5},
    {"v": float("nan")},
    {"v": 10**38},
    {"v": -(10**38)},
    {"v": "\ud800"},
    {"v": ["\udfff"]},
    {"v": {"\ud800": 1}},
    {"v": {"": 1}},
    {"v": {1: 1}},
    {"v": (1, 2)},
    {"v": {1, 2}},
    {"v": b"bytes"},
    {"v": [b"bytes"]},
    {"v": bytearray(b"x")},
    {"": 1},
    {"_pk": "x"},
    {"_ttl": 1},
    {1: 1},
]


@pytest.mark.parametrize("bad", BAD_ATTRS, ids=range(len(BAD_ATTRS)))
def test_an_attribute_that_no_store_can_hold_is_refused(documents: Documents, scope: TenantScope, bad) -> None:
    with pytest.raises(InvalidRequest):
        documents.write(scope, [put("a", bad)])
    with pytest.raises(InvalidRequest):
        documents.write(scope, [Update(key("a"), set=bad)])
    assert documents.get(scope, key("a")) is None


BAD_KEYS = [
    Key(Table.HISTORY, ("a",), ""),
    Key(Table.HISTORY, ("a\0b",), "s"),
    Key(Table.HISTORY, ("a",), "s\0"),
    Key(Table.HISTORY, ("\ud800",), "s"),
    Key(Table.HISTORY, ("a",), "\udfff"),
]


@pytest.mark.parametrize("bad", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_key_that_no_store_can_hold_is_refused(documents: Documents, scope: TenantScope, bad: Key) -> None:
    with pytest.raises(InvalidRequest):
        documents.write(scope, [Put(Item(bad))])
    with pytest.raises(InvalidRequest):
        documents.get(scope, bad)


def test_an_empty_tenant_and_a_senseless_expiry_are_refused(documents: Documents, scope: TenantScope) -> None:
    with pytest.raises(InvalidRequest):
        documents.get(TenantScope(""), key("a"))
    with pytest.raises(InvalidRequest):
        documents.batch_put(scope, [item("a", expires_at=-1)])
