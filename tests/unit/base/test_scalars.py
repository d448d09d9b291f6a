"""Durations, percentages, money and criteria."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.errors import InvalidRequest
from millrace.base.scalars import (
    MAX_DURATION_MS,
    Criterion,
    format_duration,
    parse_criterion,
    parse_duration,
    parse_money,
    parse_percent,
)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("3d", 259_200_000),
        ("1w", 604_800_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("1.5s", 1_500),
        ("7 years", 7 * 365 * 86_400_000),
        ("2 months", 60 * 86_400_000),
        ("1 Minute", 60_000),
        ("PT10M", 600_000),
        ("P1DT2H", 93_600_000),
        ("PT0.5S", 500),
        ("P1Y2M1W", (365 + 60 + 7) * 86_400_000),
        (30, 30_000),
        ("30", 30_000),
        (0, 0),
    ],
)
def test_a_duration_is_whole_milliseconds(text: object, milliseconds: int) -> None:
    assert milliseconds == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "PT", "P", "-5s", -1, 1.5, None, True, "5 lightyears", "ms", "5mss", "1s2", "0.1ms", "101 years", "5s x"],
)
def test_what_is_no_duration_is_refused_with_what_is_accepted(text: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_duration(text)
    assert "500ms, 30s, 5m" in caught.value.hint


@given(st.integers(0, MAX_DURATION_MS))
def test_a_formatted_duration_is_read_back(milliseconds: int) -> None:
    assert milliseconds == parse_duration(format_duration(milliseconds))


@pytest.mark.parametrize(
    ("value", "words"), [(None, "null"), (True, "true"), (1.5, "1.5"), ({"a": [None]}, '{"a": [null]}'), ("ä", "'ä'")]
)
def test_a_message_shows_a_value_in_the_words_of_json(value: object, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_duration(value)
    assert f"{words}: not a duration" == caught.value.message


def test_a_long_text_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_duration("x" * 1000)
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(("text", "fraction"), [("10%", "0.1"), ("0.5 %", "0.005"), ("100%", "1")])
def test_a_percentage_is_an_exact_fraction(text: str, fraction: str) -> None:
    assert Decimal(fraction) == parse_percent(text)


@pytest.mark.parametrize(("text", "dollars"), [("$0.50", "0.50"), ("12", "12"), ("$ 3.000000001", "3.000000001")])
def test_money_is_an_exact_decimal(text: str, dollars: str) -> None:
    assert Decimal(dollars) == parse_money(text)


@pytest.mark.parametrize("parse", [parse_percent, parse_money, parse_criterion])
@pytest.mark.parametrize("value", ["", "x", "-1%", "$x", "1e3", 0.5, None, "<", "<x", "<$x", "<5 lightyears"])
def test_other_scalars_are_refused(parse: Callable[[object], object], value: object) -> None:
    with pytest.raises(InvalidRequest):
        parse(value)


@pytest.mark.parametrize(
    ("text", "operator", "bound", "unit"),
    [
        ("<1%", "<", "0.01", "fraction"),
        ("<500ms", "<", "500", "ms"),
        ("<= $0.50", "<=", "0.50", "usd"),
        (">0.95", ">", "0.95", "number"),
        ("!=3", "!=", "3", "number"),
    ],
)
def test_a_criterion_has_an_operator_a_bound_and_a_unit(text: str, operator: str, bound: str, unit: str) -> None:
    criterion = parse_criterion(text)
    assert (operator, Decimal(bound), unit) == (criterion.operator, criterion.bound, criterion.unit)


@pytest.mark.parametrize(
    ("operator", "held"),
    [("<", [1]), ("<=", [1, 2]), (">", [3]), (">=", [2, 3]), ("==", [2]), ("!=", [1, 3])],
)
def test_a_criterion_holds_as_its_operator_says(operator: str, held: list[int]) -> None:
    criterion = Criterion(operator, Decimal(2), "number")
    assert held == [value for value in (1, 2, 3) if criterion.holds(value)]
