"""Two tenants with equal keys against a plain model: no sequence of calls shows one the other's data (hostile S9)."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.base.errors import ConditionRefused
from millrace.ports.documents import (
    ABSENT,
    EXISTS,
    Delete,
    Documents,
    Index,
    IndexKey,
    Item,
    Key,
    Put,
    Range,
    Table,
    TenantScope,
    Update,
)
from tests.conformance.documents.builders import all_rows

_numbers = itertools.count()

PARTITIONS = [("a",), ("a", "b"), ("a#b",), ("a%23b",), ("%2f", "../"), ("../x",)]
SORTS = ["1", "#", "a#b", "ž"]
TENANTS = ["{}", "{}#a", "{}#", "{}%23a"]

steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "new", "update", "delete", "must", "add"]),
        st.integers(0, len(TENANTS) - 1),
        st.sampled_from(PARTITIONS),
        st.sampled_from(SORTS),
        st.integers(0, 9),
    ),
    max_size=12,
)


def _op(kind: str, key: Key, number: int):
    indexes = {Index.LIST: IndexKey(key.partition, key.sort)} if number % 2 else {}
    return {
        "put": Put(Item(key, {"n": number}, indexes)),
        "new": Put(Item(key, {"n": number}, indexes), ABSENT),
        "update": Update(key, set={"n": number}),
        "delete": Delete(key),
        "must": Update(key, add={"n": number}, when=EXISTS),
        "add": Update(key, add={"n": number}),
    }[kind]


def _modelled(model: dict, kind: str, name: tuple, number: int) -> bool:
    """Applies a step to the model; False where the store must refuse."""
    now = model.get(name)
    if (kind == "new" and now is not None) or (kind == "must" and now is None):
        return False
    if kind in ("put", "new"):
        model[name] = (number, bool(number % 2))
    elif kind == "update":
        model[name] = (number, now is not None and now[1])
    elif kind == "delete":
        model.pop(name, None)
    else:
        before, indexed = now or (0, False)
        model[name] = (before + number, indexed)
    return True


def _page(documents: Documents, scope: TenantScope, partition: tuple[str, ...], cursor: str | None):
    return documents.query(scope, Table.HISTORY, partition, within=Range(limit=3), cursor=cursor)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_tenants_with_equal_keys_never_see_each_other(documents: Documents, steps: list) -> None:
    base = f"run{next(_numbers)}"
    scopes = [TenantScope(name.format(base)) for name in TENANTS]
    model: dict[tuple, tuple[int, bool]] = {}
    for kind, who, partition, sort, number in steps:
        expected = _modelled(model, kind, (who, partition, sort), number)
        ops = [_op(kind, Key(Table.HISTORY, partition, sort), number)]
        if expected:
            documents.write(scopes[who], ops)
        else:
            with pytest.raises(ConditionRefused):
                documents.write(scopes[who], ops)
    touched = {(partition, sort) for _, _, partition, sort, _ in steps}
    for who, scope in enumerate(scopes):
        for partition in {partition for partition, _ in touched}:
            wanted = {sort: held[0] for (w, p, sort), held in model.items() if (w, p) == (who, partition)}
            listed = {sort: held[0] for (w, p, sort), held in model.items() if (w, p) == (who, partition) and held[1]}
            rows = all_rows(partial(_page, documents, scope, partition))
            entries = documents.query_index(scope, Table.HISTORY, Index.LIST, partition).rows
            assert wanted == {row.item.key.sort: row.item.attrs["n"] for row in rows}
            assert listed == {row.item.key.sort: row.item.attrs["n"] for row in entries}
            assert {scope.tenant} >= {row.tenant for row in [*rows, *entries]}
        asked = sorted(touched)
        found = documents.batch_get(scope, [Key(Table.HISTORY, partition, sort) for partition, sort in asked])
        assert [model.get((who, *name), (None,))[0] for name in asked] == [one and one.attrs["n"] for one in found]
