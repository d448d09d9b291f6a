"""What is too deep, too long or too much ends in a typed error, after a bounded number of steps."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from millrace.base.errors import ExpressionError
from millrace.base.limits import EXPRESSION_CHARS
from millrace.expr import Fuel, compile_expression, compile_template
from millrace.expr.faults import NOWHERE
from millrace.expr.values import equal, json_text, weigh


def reason(source: str, env: dict[str, Any] | None = None, fuel: Fuel | None = None) -> str:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(env or {}, fuel=fuel)
    return str(caught.value.facts["reason"])


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "opening", ["(", "[", "{'a':", "!(", "-(", "true?", "x[", "size(", "x.map(i,", "1+(", "1??(", "not ("]
)
def test_a_hundred_thousand_openings_are_too_much(opening: str) -> None:
    assert reason(opening * 100_000) == "size"
    assert reason((opening * 5_000)[:EXPRESSION_CHARS]) in {"depth", "shadowing"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("+".join(["1"] * 8_000), 8_000),
        ("*".join(["1"] * 8_000), 1),
        ("1" + "-1" * 8_000, -7_999),
        ("!" * 16_000 + "true", True),
        ("- " * 8_000 + "1", 1),
        ("&&".join(["true"] * 2_500), True),
        ("||".join(["false"] * 2_000), False),
        ("??".join(["null"] * 2_500), None),
        ("false?1:" * 2_000 + "2", 2),
        ("not " * 4_000 + "true", True),
        ("''" + ".trim()" * 2_000, ""),
        ("==".join(["true"] * 2_501), True),
        ("[" + "1," * 8_000 + "]", [1] * 8_000),
    ],
    ids=range(13),
)
def test_a_chain_may_be_as_long_as_an_expression(source: str, expected: Any) -> None:
    assert expected == compile_expression(source).evaluate({})


def test_the_deepest_expression_needs_little_of_the_interpreters_stack() -> None:
    def frames() -> int:
        frame: FrameType | None = sys._getframe()
        count = 0
        while frame is not None:
            frame, count = frame.f_back, count + 1
        return count

    before = sys.getrecursionlimit()
    inner = "(true && 1 + 2 * -(" * 10
    sources = [
        "(" * 63 + "1" + ")" * 63,
        "[" * 62 + "1" + "]" * 62,
        "size([x.map(i, " * 1 + "1" + ")])",
        inner + "1" + "))" * 10,
    ]
    try:
        sys.setrecursionlimit(frames() + 420)
        for source in sources:
            try:
                compile_expression(source).evaluate({"x": []})
            except ExpressionError as error:
                assert error.facts["reason"] == "type"
    finally:
        sys.setrecursionlimit(before)


def test_nesting_counts_operators_as_well_as_brackets() -> None:
    assert "depth" == reason("-(1+" * 40 + "1" + ")" * 40)
    assert 1 == compile_expression("(" * 63 + "1" + ")" * 63).evaluate({})


def test_half_a_surrogate_pair_is_no_character() -> None:
    assert "syntax" == reason("'\ud800'")
    assert "syntax" == reason("\ud800")
    assert "syntax" == reason("1 + \x00")


def test_nested_loops_run_out_of_fuel() -> None:
    source = "x.all(a, x.all(b, x.all(c, x.all(d, a + b + c + d >= 0))))"
    assert "fuel" == reason(source, {"x": list(range(100))})


@pytest.mark.parametrize(
    "source",
    [
        "x.map(a, 1)",
        "x.map(a, true, a)",
        "x.filter(a, true)",
        "x.all(a, true)",
        "x.exists(a, false)",
        "x.exists_one(a, false)",
    ],
)
def test_every_round_of_a_loop_takes_fuel(source: str) -> None:
    assert "fuel" == reason(source, {"x": list(range(100))}, Fuel(150))
    few = Fuel(500)
    compile_expression(source).evaluate({"x": list(range(100))}, fuel=few)
    assert few.steps < 500 - 200


def test_fuel_that_runs_out_is_not_absorbed() -> None:
    assert "fuel" == reason("x.exists(a, x.exists(b, a == b + 5000)) || true", {"x": list(range(2000))})
    assert "fuel" == reason("x.exists(a, x.exists(b, b < 0)) ?? 1", {"x": list(range(2000))})


def test_an_evaluation_without_enough_steps_does_not_begin() -> None:
    assert "fuel" == reason("x + 1", {"x": 1}, Fuel(1))


@pytest.mark.parametrize(
    "source",
    [
        "[1,2,3,4,5,6,7,8].map(a, x + x)",
        "x + x + x + x + x + x",
        "[x, x, x, x, x, x].join(x)",
        "[x, x, x, x, x]",
        "{'a': [x, x, x], 'b': [x, x]}",
        "[x.upperAscii(), x.lowerAscii(), x.trim(), x.substring(0), x.upperAscii()]",
        "[[x, x, x], [x, x, x]]",
    ],
)
def test_data_that_grows_beyond_the_limit_is_an_error(source: str) -> None:
    assert "size" == reason(source, {"x": "a" * 1_000_000})


@pytest.mark.parametrize("source", ["x.replace('', x)", "x.replace('a', x)", "x.split('') + x.split('') + x.split('')"])
def test_pieces_that_grow_beyond_the_limit_are_an_error(source: str) -> None:
    assert "size" == reason(source, {"x": "a" * 200_000})


def test_a_small_value_that_repeats_itself_without_end_is_an_error() -> None:
    doubling = "[1]" + "".join(".map(a, [a, a, a, a])" for _ in range(40))
    assert reason(doubling) in {"size", "depth"}
    deep = "[1]" + ".map(a, [a])" * 200
    assert "depth" == reason(deep)
    squares = "[[1]]" + ".map(a, a + a)" * 60
    assert reason(squares) in {"size", "fuel"}


def test_copying_a_large_value_many_times_is_an_error() -> None:
    template = compile_template(["{{x}}"] * 20)
    assert [[1]] * 20 == template.render({"x": [1]})
    with pytest.raises(ExpressionError, match="larger"):
        template.render({"x": ["a" * 1000] * 1000})


def test_data_nested_beyond_reason_is_an_error_where_it_is_looked_into() -> None:
    env = {"x": nested(5_000), "y": nested(5_000)}
    assert "depth" == reason("x == y", env)
    assert "depth" == reason("x in [y]", env)
    assert "depth" == reason("[x]", env)
    assert env["x"] is compile_expression("x").evaluate(env)
    with pytest.raises(ExpressionError, match="nested"):
        compile_template("a{{x}}").render(env)
    with pytest.raises(ExpressionError, match="nested"):
        compile_template(nested(100))


def test_comparing_long_texts_takes_fuel() -> None:
    text = "a" * 1_000_000
    assert "fuel" == reason("y.all(i, x == z)", {"x": text, "z": text + "", "y": list(range(100))})
    assert "fuel" == reason("y.all(i, x <= z)", {"x": text, "z": text + "", "y": list(range(100))})


def test_an_integer_of_more_digits_than_json_may_hold_has_no_text() -> None:
    assert "overflow" == reason("string(x)", {"x": 10**5000})
    assert "overflow" == reason("string(x)", {"x": float("inf")})


def test_a_pattern_too_long_or_with_half_a_character_is_refused() -> None:
    assert "regex" == reason("'a'.matches(x)", {"x": "a" * 2000})
    assert "regex" == reason("'a'.matches(x)", {"x": "\ud800"})
    assert "regex" == reason("x.matches('a')", {"x": "\ud800"})


def test_a_pattern_that_backtracks_elsewhere_takes_linear_steps_here() -> None:
    fuel = Fuel()
    assert compile_expression("x.matches('^(a+)+$')").evaluate({"x": "a" * 100_000 + "b"}, fuel=fuel) is False
    assert fuel.steps > 900_000


def test_what_is_no_json_value_is_told_apart() -> None:
    env = {"x": {1, 2}, "y": object()}
    assert "type" == reason("x.a", env)
    assert "type" == reason("y + 1", env)
    assert "type" == reason("type(y)", env)
    with pytest.raises(ExpressionError, match="not a JSON value"):
        compile_template("a{{y}}").render(env)
    assert compile_expression("x == y").evaluate(env) is False


def test_weight_counts_shared_parts_as_often_as_they_occur() -> None:
    part = ["abc"] * 10
    assert weigh([part, part], 1000, {}) == 3 + 2 * weigh(part, 1000, {})
    assert weigh([part] * 10, 20, {}) > 20
    assert weigh({"ab": True}, 1000, {}) == 5
    assert weigh(nested(5_000), 10**9, {}) == -1


def test_a_list_of_unequal_length_is_unequal_at_no_cost() -> None:
    fuel = Fuel()
    assert not equal([1] * 10, [1] * 11, fuel, NOWHERE)
    assert Fuel().steps == fuel.steps
    assert '{"a":[1,"\\u0001"],"b":null}' == json_text({"b": None, "a": [1, "\x01"]}, fuel, NOWHERE)


def test_a_missing_field_that_is_absorbed_is_not_explained() -> None:
    class Counting(dict[str, Any]):
        looks = 0

        def __iter__(self) -> Any:
            Counting.looks += 1
            return super().__iter__()

    env = {"x": Counting({f"key{number}": number for number in range(100)}), "y": list(range(50))}
    assert [0] * 50 == compile_expression("y.map(i, x.kez ?? 0)").evaluate(env)
    assert 0 == Counting.looks
    assert "unknown-field" == reason("x.kez", env)
    assert Counting.looks > 0
