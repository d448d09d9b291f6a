"""Laws of transforms that the optimiser stands on."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.errors import ExpressionError, TransformError
from millrace.engine.transforms import compile_transform

pytestmark = pytest.mark.repeats

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a", "b"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
rows = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3), max_size=8)
whole_rows = st.lists(st.fixed_dictionaries({"a": st.integers(-3, 3), "b": st.integers(-3, 3)}), max_size=8)
orders = st.sampled_from(["asc", "desc"])
conditions = st.sampled_from(["a > 0", "b != 1", "a + b == 0", "a in [1, 2]", "true", "a * b < 2"])
steps = st.lists(
    st.sampled_from(
        [
            {"filter": "(a ?? 0) == 1"},
            {"map": {"a": "{{item.b ?? item.a ?? 1}}", "b": "{{index}}"}},
            {"select": ["a", "b"]},
            {"sort": "a"},
            {"sort": {"by": "b", "order": "desc"}},
            {"limit": 2},
            {"limit": {"offset": 1}},
            {"groupBy": "a"},
            {"distinct": "a"},
            {"distinct": True},
            {"flatten": "a"},
            {"flatten": True},
            {"join": {"with": "{{input.o}}", "on": "a"}},
            {"join": {"with": "{{input.o}}", "on": "a", "type": "left", "as": "c"}},
            {"aggregate": {"n": "count", "s": {"op": "sum", "of": "a"}, "m": {"op": "max", "of": "b"}}},
        ]
    ),
    max_size=4,
)


def run(items: list[Any], *chain: dict[str, Any], other: Any = None) -> Any:
    return compile_transform(list(chain)).apply(items, {"input": {"o": other}})


@settings(max_examples=300, deadline=None)
@given(steps, st.lists(values, max_size=5) | rows, rows)
def test_a_transform_gives_a_value_or_a_typed_error_and_changes_nothing(
    chain: list[Any], items: list[Any], other: Any
) -> None:
    before = copy.deepcopy((items, other))
    try:
        found = run(items, *chain, other=other)
        assert json.dumps(found) == json.dumps(run(items, *chain, other=other))
    except (ExpressionError, TransformError) as error:
        assert "step" in error.facts
    assert before == (items, other)


@given(rows, orders)
def test_sort_is_stable_and_a_permutation(items: list[Any], order: str) -> None:
    marked = [{**item, "at": index} for index, item in enumerate(items)]
    found = run(marked, {"sort": {"by": "a", "order": order}})
    assert sorted(range(len(items))) == sorted(item["at"] for item in found)
    assert found == run(found, {"sort": {"by": "a", "order": order}})
    keys = [json.dumps(item.get("a", "missing"), sort_keys=True) for item in found]
    for (one, left), (two, right) in pairwise(zip(keys, found, strict=True)):
        if one == two:
            assert left["at"] < right["at"]


@given(whole_rows, conditions, conditions)
def test_two_filters_are_one_with_both_conditions(items: list[Any], one: str, two: str) -> None:
    assert run(items, {"filter": one}, {"filter": two}) == run(items, {"filter": f"({one}) && ({two})"})
    assert run(items, {"filter": one}, {"filter": two}) == run(items, {"filter": two}, {"filter": one})


@given(whole_rows, conditions, orders)
def test_a_filter_may_go_before_a_sort(items: list[Any], condition: str, order: str) -> None:
    sort = {"sort": {"by": "b", "order": order}}
    assert run(items, sort, {"filter": condition}) == run(items, {"filter": condition}, sort)


@given(rows)
def test_distinct_is_idempotent(items: list[Any]) -> None:
    for step in ({"distinct": True}, {"distinct": "a"}):
        assert run(items, step) == run(items, step, step)


@given(rows, st.integers(0, 9), st.integers(0, 9))
def test_two_limits_are_the_smaller_one(items: list[Any], one: int, two: int) -> None:
    assert run(items, {"limit": min(one, two)}) == run(items, {"limit": one}, {"limit": two})


@given(rows)
def test_groups_hold_every_item_once(items: list[Any]) -> None:
    groups = run(items, {"groupBy": "a"})
    assert sorted(map(json.dumps, items)) == sorted(json.dumps(item) for group in groups for item in group["items"])
    assert [len(group["items"]) for group in groups] == [
        row["n"] for row in run(items, {"groupBy": "a"}, {"aggregate": {"n": "count"}})
    ]


@given(rows, rows)
def test_an_inner_join_is_a_left_join_without_the_unmatched(items: list[Any], other: list[Any]) -> None:
    inner = run(items, {"join": {"with": "{{input.o}}", "on": "a", "as": "m"}}, other=other)
    left = run(items, {"join": {"with": "{{input.o}}", "on": "a", "as": "m", "type": "left"}}, other=other)
    assert inner == [row for row in left if row["m"] is not None]
