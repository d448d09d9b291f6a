"""Conditional writes: which conditions hold, and that a refused list writes nothing."""

from __future__ import annotations

import pytest

from millrace.base.errors import ConditionRefused, InvalidRequest
from millrace.ports.documents import ABSENT, EXISTS, AnyOf, Check, Delete, Documents, Put, Require, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put

STORED = {"n": 5, "s": "m", "t": True, "f": False, "z": None, "l": [1], "body": b"x"}

HOLDS = [
    (Check("exists"), True),
    (Check("absent"), False),
    (Check("present", "n"), True),
    (Check("present", "z"), True),
    (Check("present", "body"), True),
    (Check("present", "gone"), False),
    (Check("missing", "gone"), True),
    (Check("missing", "z"), False),
    (Check("eq", "n", 5), True),
    (Check("eq", "n", 6), False),
    (Check("eq", "n", "5"), False),
    (Check("eq", "s", "m"), True),
    (Check("eq", "t", True), True),
    (Check("eq", "t", 1), False),
    (Check("eq", "f", 0), False),
    (Check("eq", "z", None), True),
    (Check("eq", "gone", None), False),
    (Check("eq", "l", "x"), False),
    (Check("ne", "n", 5), False),
    (Check("ne", "n", 6), True),
    (Check("ne", "n", "5"), True),
    (Check("ne", "t", 1), True),
    (Check("ne", "gone", 5), False),
    (Check("lt", "n", 6), True),
    (Check("lt", "n", 5), False),
    (Check("lt", "n", "6"), False),
    (Check("lt", "gone", 6), False),
    (Check("le", "n", 5), True),
    (Check("le", "n", 4), False),
    (Check("gt", "n", 4), True),
    (Check("gt", "n", 5), False),
    (Check("gt", "s", 0), False),
    (Check("ge", "n", 5), True),
    (Check("ge", "n", 6), False),
    (Check("lt", "s", "n"), True),
    (Check("gt", "s", "Z"), True),
    (AnyOf((Check("eq", "n", 1), Check("eq", "n", 5))), True),
    (AnyOf((Check("absent"), Check("eq", "n", 1))), False),
    (AnyOf((Check("missing", "gone"), Check("absent"))), True),
]


@pytest.mark.parametrize(("condition", "expected"), HOLDS, ids=lambda value: str(value))
def test_a_condition_on_a_stored_item(documents: Documents, scope: TenantScope, condition, expected: bool) -> None:
    documents.write(scope, [put("a", STORED)])
    future = documents.submit(scope, [Update(key("a"), set={"w": 1}, when=(condition,))])
    assert (None if expected else ConditionRefused) == (future.exception(30) and type(future.exception()))
    assert (STORED | {"w": 1} if expected else STORED) == attrs(documents, scope, key("a"))


@pytest.mark.parametrize("op", ["exists", "present", "eq", "ne", "lt", "le", "gt", "ge"])
def test_every_other_condition_is_false_of_an_absent_item(documents: Documents, scope: TenantScope, op) -> None:
    with pytest.raises(ConditionRefused):
        documents.write(scope, [put("a", {}, Check(op, "n", 0))])
    assert documents.get(scope, key("a")) is None


def test_absent_and_missing_hold_of_an_absent_item(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {}, *ABSENT)])
    documents.write(scope, [put("b", {}, Check("missing", "n"))])
    with pytest.raises(ConditionRefused):
        documents.write(scope, [put("a", {"n": 1}, *ABSENT)])
    assert attrs(documents, scope, key("a")) == {}


def test_all_conditions_of_an_operation_must_hold(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"n": 1, "m": 1})])
    with pytest.raises(ConditionRefused):
        documents.write(scope, [Delete(key("a"), (Check("eq", "n", 1), Check("eq", "m", 2)))])
    documents.write(scope, [Delete(key("a"), (Check("eq", "n", 1), Check("eq", "m", 1)))])
    assert documents.get(scope, key("a")) is None


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_a_refused_operation_is_named_and_nothing_is_written(
    documents: Documents, scope: TenantScope, position: int
) -> None:
    documents.write(scope, [put("x", {"n": 1})])
    ops = [put("a"), Update(key("b"), add={"n": 1}), Delete(key("x"))]
    refused = Require(key("guard"), EXISTS)
    ops.insert(position, refused)
    with pytest.raises(ConditionRefused) as caught:
        documents.write(scope, ops)
    assert position == caught.value.index
    assert [attrs(documents, scope, key(sort)) for sort in ("a", "b", "x")] == [None, None, {"n": 1}]


def test_a_single_refused_put_is_operation_zero(documents: Documents, scope: TenantScope) -> None:
    with pytest.raises(ConditionRefused) as caught:
        documents.write(scope, [put("a", {}, *EXISTS)])
    assert caught.value.index == 0


def test_a_require_writes_nothing(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("guard", {"open": True})])
    documents.write(scope, [Require(key("guard"), (Check("eq", "open", True),)), put("a", {"n": 1})])
    documents.write(scope, [Require(key("nobody"), ABSENT)])
    assert [attrs(documents, scope, key(s)) for s in ("guard", "a", "nobody")] == [{"open": True}, {"n": 1}, None]


def test_a_whole_list_of_25_is_written_at_once(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put(f"{number:02}", {"n": number}, *ABSENT) for number in range(25)])
    assert list(range(25)) == [
        one.attrs["n"] for one in documents.batch_get(scope, [key(f"{number:02}") for number in range(25)])
    ]


def test_an_add_under_a_condition_is_refused_without_counting(documents: Documents, scope: TenantScope) -> None:
    assert documents.add(scope, key("a"), {"n": 1}, when=ABSENT) == {"n": 1}
    with pytest.raises(ConditionRefused):
        documents.add(scope, key("a"), {"n": 1}, when=(Check("lt", "n", 1),))
    assert attrs(documents, scope, key("a")) == {"n": 1}


BAD = [
    [Put(item("a"), (AnyOf(()),))],
    [Put(item("a"), (Check("eq", "", 1),))],
    [Put(item("a"), (Check("lt", "n", True),))],
    [Put(item("a"), (Check("ge", "n", None),))],
    [Put(item("a"), (Check("eq", "_pk", "x"),))],
    [Put(item("a"), (Check("eq", "n", 1.5),))],
    [Require(key("a"), ())],
    [put("a"), put("a")],
    [put("a"), Delete(key("a"))],
    [Update(key("a"), set={"n": 1}, add={"n": 1})],
    [Update(key("a"), set={"n": 1}, remove=("n",))],
    [Update(key("a"), add={"n": True})],
    [Update(key("a"), add={"n": 1.0})],
    [],
]


@pytest.mark.parametrize("ops", BAD, ids=range(len(BAD)))
def test_a_malformed_write_is_refused_before_it_is_sent(documents: Documents, scope: TenantScope, ops) -> None:
    with pytest.raises(InvalidRequest):
        documents.write(scope, ops)
    assert documents.get(scope, key("a")) is None
