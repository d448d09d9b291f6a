"""Every step on ordinary, missing, null and mixed data, as a table; then what is refused, and where it says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.base.errors import ExpressionError, MillraceError, TransformError
from millrace.engine.transforms import compile_transform
from millrace.expr import Fuel, Scope, SecretRef, SecretText

ROWS = [
    {"id": 1, "cat": "a", "n": 3, "tags": ["x", "y"]},
    {"id": 2, "cat": "b", "n": None, "tags": []},
    {"id": 3, "cat": "a", "n": 1.5, "tags": None},
    {"id": 4, "n": 2},
]
MIXED = [3, "b", None, True, 2.5, "a", False, [2], [1], {"z": 1}, 1]
ENV = {
    "input": {
        "min": 2,
        "people": [{"id": 1, "name": "Ada"}, {"id": 1, "name": "Al"}, {"id": None, "name": "No"}, {"name": "Mo"}],
    },
    "config": {"one": 1},
}
ID: dict[str, Any] = {"map": "{{item.id}}"}


def run(items: Any, *steps: dict[str, Any], fuel: Fuel | None = None) -> Any:
    return compile_transform(list(steps)).apply(items, ENV, fuel=fuel)


def typed(value: Any) -> str:
    return json.dumps(value)


TABLE: list[tuple[str, Any, list[dict[str, Any]], Any]] = [
    ("no steps", MIXED, [], MIXED),
    ("filter", ROWS, [{"filter": "item.id > input.min"}, ID], [3, 4]),
    ("filter bare", ROWS, [{"filter": "id > 2"}, ID], [3, 4]),
    ("filter braces", ROWS, [{"filter": "{{ id > 2 }}"}, ID], [3, 4]),
    ("filter index", ROWS, [{"filter": "index % 2 == 0"}, ID], [1, 3]),
    ("filter null", ROWS, [{"filter": "(item.n ?? 0) > 1"}, ID], [1, 3, 4]),
    ("filter has", ROWS, [{"filter": "has(item.cat)"}, ID], [1, 2, 3]),
    ("filter scalars", MIXED, [{"filter": "type(item) == 'int'"}], [3, 1]),
    ("map map", ROWS, [{"limit": 1}, {"map": {"k": "{{item.id}}-{{index}}", "c": 5}}], [{"k": "1-0", "c": 5}]),
    ("map list", ROWS, [{"limit": 1}, {"map": ["{{id}}", "{{input.min}}"]}], [[1, 2]]),
    ("map text", [1, 2], [{"map": "n{{item}}"}], ["n1", "n2"]),
    (
        "select list",
        ROWS,
        [{"select": ["id", "n"]}],
        [{"id": 1, "n": 3}, {"id": 2, "n": None}, {"id": 3, "n": 1.5}, {"id": 4, "n": 2}],
    ),
    ("select missing", ROWS, [{"select": ["cat"]}], [{"cat": "a"}, {"cat": "b"}, {"cat": "a"}, {}]),
    ("select one", ROWS, [{"limit": 1}, {"select": "id"}], [{"id": 1}]),
    (
        "select renames",
        ROWS,
        [{"limit": 1}, {"select": {"k": "id", "t": "tags[0]", "s": "id + 1"}}],
        [{"k": 1, "t": "x", "s": 2}],
    ),
    ("select path", [{"a": {"b-c": 1}}, {"a": None}], [{"select": ["a.b-c"]}], [{"b-c": 1}, {}]),
    ("sort", ROWS, [{"sort": "n"}, ID], [3, 4, 1, 2]),
    ("sort desc, null last", ROWS, [{"sort": {"by": "n", "order": "desc"}}, ID], [1, 4, 3, 2]),
    ("sort missing last", ROWS, [{"sort": "cat"}, ID], [1, 3, 2, 4]),
    ("sort missing last, desc", ROWS, [{"sort": {"by": "cat", "order": "desc"}}, ID], [2, 1, 3, 4]),
    (
        "sort null before missing",
        [{}, {"a": None}, {"a": 1}],
        [{"sort": {"by": "a", "order": "desc"}}],
        [{"a": 1}, {"a": None}, {}],
    ),
    ("sort two keys", ROWS, [{"sort": ["cat", {"by": "id", "order": "desc"}]}, ID], [3, 1, 2, 4]),
    ("sort list of keys", ROWS, [{"sort": {"by": ["cat", "id"], "order": "desc"}}, ID], [2, 3, 1, 4]),
    ("sort expression missing", ROWS, [{"sort": "item.cat"}, ID], [1, 3, 2, 4]),
    ("sort expression", ROWS, [{"sort": "0 - id"}, ID], [4, 3, 2, 1]),
    ("sort texts by code point", ['a"', "a!", "a"], [{"sort": "item"}], ["a", "a!", 'a"']),
    ("sort mixed", MIXED, [{"sort": "item"}], [False, True, 1, 2.5, 3, "a", "b", [1], [2], {"z": 1}, None]),
    (
        "sort mixed desc",
        MIXED,
        [{"sort": {"by": "item", "order": "desc"}}],
        [{"z": 1}, [2], [1], "b", "a", 3, 2.5, 1, True, False, None],
    ),
    ("limit", [1, 2, 3], [{"limit": 2}], [1, 2]),
    ("limit 0", [1, 2, 3], [{"limit": 0}], []),
    ("limit beyond", [1, 2, 3], [{"limit": 9}], [1, 2, 3]),
    ("limit offset", [1, 2, 3], [{"limit": {"offset": 1}}], [2, 3]),
    ("limit both", [1, 2, 3], [{"limit": {"offset": 1, "count": 1}}], [2]),
    ("limit template", [1, 2, 3], [{"limit": "{{input.min}}"}], [1, 2]),
    (
        "groupBy",
        ROWS,
        [{"groupBy": "cat"}, {"map": {"k": "{{item.key}}", "n": "{{size(item.items)}}"}}],
        [{"k": "a", "n": 2}, {"k": "b", "n": 1}, {"k": None, "n": 1}],
    ),
    ("groupBy missing is null", [{"a": None}, {}], [{"groupBy": "a"}], [{"key": None, "items": [{"a": None}, {}]}]),
    (
        "groupBy 1 and 1.0 and true",
        [1, 1.0, True, "1"],
        [{"groupBy": "item"}, {"map": "{{size(item.items)}}"}],
        [2, 1, 1],
    ),
    (
        "groupBy fields",
        [{"a": 1, "b": 2}, {"a": 1}],
        [{"groupBy": {"by": ["a", "b"]}}, {"map": "{{item.key}}"}],
        [{"a": 1, "b": 2}, {"a": 1, "b": None}],
    ),
    (
        "groupBy containers",
        [[1], [1.0], {"a": 1}, {"a": True}],
        [{"groupBy": "item"}, {"map": "{{size(item.items)}}"}],
        [2, 1, 1],
    ),
    (
        "aggregate",
        ROWS,
        [
            {
                "aggregate": {
                    "s": {"op": "sum", "of": "n"},
                    "a": {"op": "avg", "of": "id"},
                    "c": "count",
                    "k": {"op": "count", "of": "n"},
                    "lo": {"op": "min", "of": "n"},
                    "hi": {"op": "max", "of": "n"},
                }
            }
        ],
        {"s": 6.5, "a": 2.5, "c": 4, "k": 3, "lo": 1.5, "hi": 3},
    ),
    (
        "aggregate ends",
        ROWS,
        [
            {
                "aggregate": {
                    "f": {"op": "first", "of": "cat"},
                    "l": {"op": "last", "of": "cat"},
                    "all": {"op": "collect", "of": "n"},
                }
            }
        ],
        {"f": "a", "l": None, "all": [3, None, 1.5, 2]},
    ),
    (
        "aggregate items",
        [1, 2],
        [{"aggregate": {"f": "first", "l": "last", "all": "collect"}}],
        {"f": 1, "l": 2, "all": [1, 2]},
    ),
    (
        "aggregate nothing",
        [],
        [
            {
                "aggregate": {
                    "s": {"op": "sum", "of": "n"},
                    "a": {"op": "avg", "of": "n"},
                    "c": "count",
                    "lo": {"op": "min", "of": "n"},
                    "f": "first",
                    "all": "collect",
                }
            }
        ],
        {"s": 0, "a": None, "c": 0, "lo": None, "f": None, "all": []},
    ),
    ("aggregate ints stay ints", [1, 2], [{"aggregate": {"s": {"op": "sum", "of": "item"}}}], {"s": 3}),
    (
        "aggregate to the greatest int",
        [2**63 - 2, 1],
        [{"aggregate": {"s": {"op": "sum", "of": "item"}}}],
        {"s": 2**63 - 1},
    ),
    (
        "aggregate to the least int",
        [-(2**63) + 1, -1],
        [{"aggregate": {"s": {"op": "sum", "of": "item"}}}],
        {"s": -(2**63)},
    ),
    (
        "aggregate texts",
        ["b", "a"],
        [{"aggregate": {"lo": {"op": "min", "of": "item"}, "hi": {"op": "max", "of": "item"}}}],
        {"lo": "a", "hi": "b"},
    ),
    (
        "aggregate groups",
        ROWS,
        [{"groupBy": "cat"}, {"aggregate": {"n": "count", "s": {"op": "sum", "of": "id * config.one"}}}],
        [{"key": "a", "n": 2, "s": 4}, {"key": "b", "n": 1, "s": 2}, {"key": None, "n": 1, "s": 4}],
    ),
    (
        "aggregate sorted groups",
        ROWS,
        [
            {"groupBy": "cat"},
            {"sort": {"by": "size(items)", "order": "desc"}},
            {"limit": 1},
            {"aggregate": {"n": "count"}},
        ],
        [{"key": "a", "n": 2}],
    ),
    ("flatten", [1, [2, [3]], None, []], [{"flatten": True}], [1, 2, [3], None]),
    ("flatten deeper", [1, [2, [3]], None, []], [{"flatten": 2}], [1, 2, 3, None]),
    ("flatten further than there is", [1, [2]], [{"flatten": {"depth": 9}}], [1, 2]),
    (
        "flatten field",
        ROWS,
        [{"flatten": "tags"}, {"select": ["id", "tags"]}],
        [{"id": 1, "tags": "x"}, {"id": 1, "tags": "y"}],
    ),
    ("flatten field deeper", [{"a": [[1], 2]}], [{"flatten": {"field": "a", "depth": 2}}], [{"a": 1}, {"a": 2}]),
    (
        "distinct",
        [1, 1.0, True, "1", None, None, [1], [1.0], {"a": 1}, {"a": 1}],
        [{"distinct": True}],
        [1, True, "1", None, [1], {"a": 1}],
    ),
    ("distinct by", ROWS, [{"distinct": "cat"}, ID], [1, 2, 4]),
    ("distinct by fields", ROWS, [{"distinct": {"by": ["cat", "id"]}}, ID], [1, 2, 3, 4]),
    ("distinct by missing is null", [{"a": None}, {}], [{"distinct": ["a"]}], [{"a": None}]),
    (
        "join",
        ROWS,
        [{"select": ["id"]}, {"join": {"with": "{{input.people}}", "on": "id"}}],
        [{"id": 1, "name": "Ada"}, {"id": 1, "name": "Al"}],
    ),
    (
        "join left",
        ROWS,
        [{"limit": 2}, {"select": ["id"]}, {"join": {"with": "{{input.people}}", "on": "id", "type": "left"}}],
        [{"id": 1, "name": "Ada"}, {"id": 1, "name": "Al"}, {"id": 2}],
    ),
    (
        "join as",
        [{"p": 1}, {"p": 9}],
        [{"join": {"with": [{"id": 1.0}], "left": "p", "right": "id", "type": "left", "as": "q"}}],
        [{"p": 1, "q": {"id": 1.0}}, {"p": 9, "q": None}],
    ),
    ("join null matches nothing", [{"id": None}, {}], [{"join": {"with": "{{input.people}}", "on": "id"}}], []),
    (
        "join keeps the item's own fields",
        [{"id": 1, "name": "Me"}],
        [{"join": {"with": [{"id": 1, "name": "You", "x": 1}], "on": ["id"]}}],
        [{"id": 1, "name": "Me", "x": 1}],
    ),
    (
        "join outside key",
        [{"id": 1}],
        [{"join": {"with": [{"k": 0}], "left": "id", "right": "k + config.one", "as": "m"}}],
        [{"id": 1, "m": {"k": 0}}],
    ),
]


@pytest.mark.parametrize(("items", "steps", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_every_step_does_what_the_table_says(items: Any, steps: list[dict[str, Any]], expected: Any) -> None:
    before = typed(items)
    found = run(items, *steps)
    if isinstance(expected, dict):
        assert expected == found
    assert sorted_keys(expected) == sorted_keys(found)
    assert before == typed(items)


def sorted_keys(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


REFUSED: list[tuple[str, Any]] = [
    ("no op fliter", {"fliter": "x"}),
    ("one key", {"filter": "true", "limit": 1}),
    ("one key", {}),
    ("one key", "filter"),
    ("no op 1", {1: 2}),
    ("expected an expression", {"filter": True}),
    ("expected a map, a list or a text", {"map": "item.id"}),
    ("expected a map, a list or a text", {"map": 5}),
    ("expected a list of fields", {"select": []}),
    ("expected a list of fields", {"select": 5}),
    ("same name", {"select": ["a.id", "b.id"]}),
    ("field or an expression", {"select": [5]}),
    ("field or an expression", {"select": {"a": " "}}),
    ("no key bye", {"sort": {"bye": "x"}}),
    ("no key zzzz", {"sort": {"zzzz": "x"}}),
    ("key by is missing", {"sort": {"order": "asc"}}),
    ("asc or desc", {"sort": {"by": "x", "order": "up"}}),
    ("no key to sort by", {"sort": []}),
    ("list of fields is empty", {"sort": {"by": []}}),
    ("expected a map with", {"sort": 5}),
    ("int from 0", {"limit": -1}),
    ("int from 0", {"limit": True}),
    ("int from 0", {"limit": "5"}),
    ("int from 0", {"limit": 1.5}),
    ("int from 0", {"limit": None}),
    ("neither count nor offset", {"limit": {}}),
    ("same name", {"groupBy": ["a.id", "b.id"]}),
    ("key by is missing", {"groupBy": {}}),
    ("expected a map of name", {"aggregate": {}}),
    ("expected a map of name", {"aggregate": ["sum"]}),
    ("no op sun", {"aggregate": {"x": {"op": "sun", "of": "n"}}}),
    ("no op 5", {"aggregate": {"x": {"op": 5}}}),
    ("sum needs of", {"aggregate": {"x": "sum"}}),
    ("key op is missing", {"aggregate": {"x": {"of": "n"}}}),
    ("depth is an int", {"flatten": 0}),
    ("depth is an int", {"flatten": {"depth": True}}),
    ("field is the name", {"flatten": {"field": 5}}),
    ("no key by", {"flatten": {"by": "x"}}),
    ("expected a map", {"flatten": False}),
    ("field or an expression", {"distinct": False}),
    ("key with is missing", {"join": {"on": "id"}}),
    ("by on, or by left", {"join": {"with": []}}),
    ("by on, or by left", {"join": {"with": [], "on": "a", "left": "a"}}),
    ("key right is missing", {"join": {"with": [], "left": "a"}}),
    ("inner or left", {"join": {"with": [], "on": "a", "type": "outer"}}),
    ("different numbers", {"join": {"with": [], "left": "a", "right": ["a", "b"]}}),
    ("as is the name", {"join": {"with": [], "on": "a", "as": ""}}),
]


@pytest.mark.parametrize(("message", "step"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_a_malformed_step_is_refused_when_compiled(message: str, step: Any) -> None:
    with pytest.raises(TransformError, match=message) as caught:
        compile_transform([{"limit": 1}, step])
    assert 1 == caught.value.facts["step"]


FAILING: list[tuple[str, Any, dict[str, Any], int | None]] = [
    ("item.zz is not there", ROWS, {"filter": "item.zz == 1"}, 0),
    ("true or false", ROWS, {"filter": "id"}, 0),
    ("cat is not there", ROWS, {"map": {"c": "{{cat}}"}}, 3),
    ("items that are maps", [{"a": 1}, 2], {"select": ["a"]}, 1),
    ("cannot read a.b", [{"a": 1}], {"select": ["a.b"]}, 0),
    ("cannot be applied", [1, "a"], {"sort": "item - 1"}, 1),
    ("int from 0", [1], {"limit": "{{input.people}}"}, None),
    ("int from 0", [1], {"limit": "{{0 - input.min}}"}, None),
    ("expected numbers", ROWS, {"aggregate": {"s": {"op": "sum", "of": "cat"}}}, None),
    ("expected numbers", [True], {"aggregate": {"s": {"op": "avg", "of": "item"}}}, None),
    ("64-bit", [2**62, 2**62], {"aggregate": {"s": {"op": "sum", "of": "item"}}}, None),
    ("64-bit", [-(2**63), -1], {"aggregate": {"s": {"op": "sum", "of": "item"}}}, None),
    ("not a finite", [1e308, 1e308], {"aggregate": {"s": {"op": "sum", "of": "item"}}}, None),
    ("not a finite", [float("inf"), 1.0], {"aggregate": {"s": {"op": "sum", "of": "item"}}}, None),
    ("cannot compare number, string", [1, "a"], {"aggregate": {"s": {"op": "max", "of": "item"}}}, None),
    ("cannot compare list", [[1]], {"aggregate": {"s": {"op": "min", "of": "item"}}}, None),
    ("tags is not a list", [{"tags": 5}], {"flatten": "tags"}, 0),
    ("items that are maps", [5], {"flatten": "tags"}, 0),
    ("with is a list", ROWS, {"join": {"with": "{{input.min}}", "on": "id"}}, None),
    ("items that are maps", ROWS, {"join": {"with": [1], "left": "id", "right": "item"}}, 0),
    ("a secret can only", [{"a": SecretText((SecretRef("k"),))}], {"sort": "a"}, None),
    ("a secret can only", [SecretText((SecretRef("k"),))], {"distinct": True}, None),
    ("not a JSON value", [{"a": {1, 2}}], {"distinct": "a"}, 0),
]


@pytest.mark.parametrize(("message", "items", "step", "item"), FAILING, ids=[f"{row[0]} {row[2]}" for row in FAILING])
def test_a_step_that_fails_says_which_step_and_item(
    message: str, items: Any, step: dict[str, Any], item: int | None
) -> None:
    with pytest.raises(MillraceError, match=message) as caught:
        run(items, {"limit": 9}, step)
    facts = caught.value.facts
    assert isinstance(caught.value, TransformError | ExpressionError)
    assert (1, next(iter(step))) == (facts["step"], facts["op"])
    assert item == facts.get("item")


@pytest.mark.parametrize("before", [{"filter": "true"}, {"map": "{{item}}"}, {"sort": "item"}])
def test_a_step_that_fails_as_a_whole_does_not_blame_the_last_item_of_the_step_before(before: dict[str, Any]) -> None:
    with pytest.raises(TransformError, match="int from 0") as caught:
        run([1, 2], before, {"limit": "{{0 - input.min}}"})
    assert (1, "limit", None) == tuple(caught.value.facts.get(key) for key in ("step", "op", "item"))


def test_an_expression_that_does_not_compile_says_which_step_it_stands_in() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_transform([{"limit": 1}, {"filter": "item."}])
    assert (1, "filter", "syntax") == tuple(caught.value.facts[key] for key in ("step", "op", "reason"))


def test_nothing_follows_an_aggregate_that_leaves_one_map() -> None:
    with pytest.raises(TransformError, match="comes after an aggregate"):
        compile_transform([{"aggregate": {"n": "count"}}, {"limit": 1}])
    with pytest.raises(TransformError, match="key is taken"):
        compile_transform([{"groupBy": "a"}, {"aggregate": {"key": "count"}}])
    assert "map" == compile_transform([{"aggregate": {"n": "count"}}]).gives
    assert "list" == compile_transform([{"groupBy": "a"}, {"aggregate": {"n": "count"}}, {"limit": 1}]).gives


def test_flatten_goes_as_deep_as_64_levels_and_no_deeper() -> None:
    assert [1] == run([[1]], {"flatten": 64})
    with pytest.raises(TransformError, match="from 1 to 64"):
        compile_transform([{"flatten": 65}])


COSTS: list[tuple[Any, int]] = [
    ({"filter": "n > 1"}, 12),
    ({"map": {"a": "{{n}}"}}, 4),
    ({"select": ["n", "k"]}, 12),
    ({"sort": "n"}, 4),
    ({"limit": 2}, 0),
    ({"flatten": True}, 0),
    ({"flatten": "l"}, 12),
    ({"distinct": True}, 32),
    ({"distinct": "l"}, 16),
    ({"groupBy": "k"}, 8),
    ({"aggregate": {"s": {"op": "sum", "of": "n"}}}, 5),
    ({"join": {"with": [{"k": "a"}, {"k": "b"}], "on": "k"}}, 16),
]


@pytest.mark.parametrize(("step", "cost"), COSTS, ids=[str(step) for step, _ in COSTS])
def test_what_a_step_costs_is_the_same_on_every_machine(step: dict[str, Any], cost: int) -> None:
    items = [{"n": n, "k": "ab"[n % 2], "l": [n, n + 1]} for n in range(4)]
    fuel = Fuel(1_000)
    run(items, step, fuel=fuel)
    assert cost == 1_000 - fuel.steps


WIDE: list[tuple[list[Any], int]] = [
    ([{"flatten": "l"}], 10 * (1 + 2 * 3)),
    ([{"map": "{{l}}"}, {"flatten": True}], 10 + 10 * (1 + 2)),
    ([{"map": ["{{l}}"]}, {"flatten": 2}], 10 + 10 * (1 + 1) + 10 * (1 + 2)),
    ([{"map": ["{{l}}", 1]}, {"flatten": 2}], 10 + 10 * (1 + 2) + 10 * (1 + 2) + 10 * (1 + 1)),
    ([{"join": {"with": [{"k": "a"}], "on": "k"}}], 2 + 5 * (2 + 3) + 5 * 2),
    ([{"join": {"with": [{"k": "a"}, {"k": "a"}], "on": "k", "as": "m"}}], 4 + 5 * (2 + 2 * 3) + 5 * 2),
    ([{"sort": ["n", "k"]}], 2 * 10 * (1 + 1)),
    ([{"groupBy": ["n", "k"]}], 10 * 2),
    ([{"aggregate": {"s": {"op": "sum", "of": "n"}, "c": "count"}}], 2 * (1 + 10)),
]


@pytest.mark.parametrize(("steps", "cost"), WIDE, ids=[str(steps) for steps, _ in WIDE])
def test_what_a_step_costs_grows_with_the_fields_that_it_copies(steps: list[Any], cost: int) -> None:
    more = {f"f{number}": number for number in range(6)}
    items = [{"n": n, "k": "ab"[n % 2], "l": [n, n + 1], **more} for n in range(10)]
    fuel = Fuel(1_000)
    run(items, *steps, fuel=fuel)
    assert cost == 1_000 - fuel.steps


@pytest.mark.parametrize("steps", [{"limit": 1}, None, "x", [{"limit": 1}] * 101])
def test_steps_are_a_list_of_bounded_length(steps: Any) -> None:
    with pytest.raises(TransformError, match="list of at most 100"):
        compile_transform(steps)


@pytest.mark.parametrize("items", [None, {}, "abc", 5, (1,)])
def test_items_are_a_list(items: Any) -> None:
    with pytest.raises(TransformError, match="items is a list"):
        run(items, {"limit": 1})


def test_a_plan_tells_what_it_reads_outside_of_the_items() -> None:
    plan = compile_transform(
        [
            {"filter": "total > input.min"},
            {"join": {"with": "{{tasks.a.output}}", "left": "id", "right": "k + config.one"}},
        ]
    )
    assert {"input.min", "tasks.a.output", "config.one"} == {str(path) for path in plan.paths}


def test_each_step_tells_what_it_reads_and_writes_and_leaves_alone() -> None:
    plan = compile_transform(
        [
            {"filter": "a.b > index"},
            {"map": {"x": "{{a}}", "y": "{{b}}"}},
            {"select": {"z": "x"}},
            {"sort": "z"},
            {"limit": 1},
            {"distinct": True},
            {"flatten": "z"},
            {"groupBy": "z"},
            {"aggregate": {"n": {"op": "sum", "of": "z"}}},
        ]
    )
    facts = [
        (
            step.op,
            sorted(map(str, step.reads)),
            step.writes and sorted(step.writes),
            step.keeps_items,
            step.keeps_order,
            step.keeps_count,
            step.needs_all,
        )
        for step in plan.steps
    ]
    assert [
        ("filter", ["item.a.b"], None, True, True, False, True),
        ("map", ["item.a", "item.b"], ["x", "y"], False, True, True, False),
        ("select", ["item.x"], ["z"], False, True, True, False),
        ("sort", ["item.z"], None, True, False, True, True),
        ("limit", [], None, True, True, False, True),
        ("distinct", ["item"], None, True, True, False, True),
        ("flatten", ["item"], ["z"], False, True, False, False),
        ("groupBy", ["item", "item.z"], ["items", "key"], False, False, False, True),
        ("aggregate", ["item", "item.z"], ["key", "n"], False, True, True, False),
    ] == facts


def test_the_loop_variable_of_the_place_is_not_the_item_of_a_step() -> None:
    scope = Scope(frozenset({"input", "item", "order"}))
    with pytest.raises(ExpressionError, match="item is not a name"):
        compile_transform([{"limit": "{{item.n}}"}], scope=scope)
    assert [1] == compile_transform([{"limit": "{{order.n}}"}], scope=scope).apply([1, 2], {"order": {"n": 1}})


def test_a_transform_that_takes_too_much_runs_out_of_fuel_or_room() -> None:
    with pytest.raises(ExpressionError, match="steps"):
        run(list(range(100)), {"filter": "item >= 0"}, fuel=Fuel(50))
    for step in [{"sort": "item"}, {"distinct": True}, {"groupBy": "item"}, {"aggregate": {"n": "count"}}]:
        with pytest.raises(ExpressionError, match="steps"):
            run(list(range(100)), step, fuel=Fuel(50))
    with pytest.raises(ExpressionError, match="larger"):
        run([{"a": 1}] * 1000, {"join": {"with": [{"a": 1, "text": "x" * 100_000}], "on": "a"}})
    rows = [{"a": 1}] * 4000
    with pytest.raises(ExpressionError, match="steps"):
        run(rows, {"join": {"with": rows, "on": "a"}}, fuel=Fuel(1_000_000))


def test_a_key_nested_too_deep_is_an_error() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested"):
        run([deep], {"distinct": True})
