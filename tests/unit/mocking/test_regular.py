"""Texts that patterns match, over the syntax that RE2 takes; and numbers of every kind of bound."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.services.mocking.numbers import numbers
from millrace.services.mocking.regular import texts_of
from millrace.services.mocking.texts import texts
from millrace.spec.patterns import found

PATTERNS = {
    r"^a|b$": "a",
    r"^(?P<year>\d{4})-(?:0[1-9]|1[0-2])$": "0000-01",
    r"^[^a-z\d]+$": "A",
    r"^[]a]$": "a",
    r"^[a\]-]{3}$": "aaa",
    r"^[[:alpha:][:digit:]_]{2,}$": "aa",
    r"^\x41\x{42}\t\.\w\W\s\S\D$": "AB\t.a  a" + "a",
    r"^\p{Lu}\pN\P{Lu}?$": "A0",
    r"^(ab)*?c+?d?$": "c",
    r"^x{2}y{1,3}z{0,}$": "xxy",
    r"^(?i:abc)\b$": "abc",
    r"\Aab\z": "ab",
    "": "",
}


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_a_pattern_gives_texts_that_match(pattern: str) -> None:
    made = list(islice(texts_of(pattern), 20))
    assert PATTERNS[pattern] == made[0] or found(pattern, made[0])
    assert all(found(pattern, text) for text in made)


@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "[z-a]", "[a-\\d]", "(" * 40 + ")" * 40, "\\", "\\x{zz}", "[[:x"])
def test_a_pattern_that_cannot_be_read_gives_no_text_or_others_that_are_held_against_it(pattern: str) -> None:
    assert len(list(islice(texts_of(pattern), 5))) in (0, 5)


def test_a_pattern_whose_texts_are_very_long_gives_none() -> None:
    assert [] == list(islice(texts_of("((a{999}){999}){999}"), 1))


@given(st.integers(0, 60))
def test_repetitions_are_used_until_a_text_is_long_enough(least: int) -> None:
    assert least <= len(next(texts([{"minLength": least, "pattern": "^[a-f]+(-[a-f]+)*$"}])))


NUMBERS: list[tuple[dict[str, Any], list[int | float]]] = [
    ({}, [1.5, 2.5, 3.5]),
    ({"minimum": 5}, [5, 6, 7]),
    ({"maximum": 5}, [5, 4, 3]),
    ({"minimum": 1, "maximum": 2}, [1, 2, 1.5]),
    ({"exclusiveMinimum": 1, "maximum": 2}, [2, 1.5]),
    ({"multipleOf": 0.5, "minimum": -1, "maximum": 0}, [0, -0.5, -1]),
    ({"multipleOf": 4, "minimum": 1, "maximum": 3}, []),
]


@pytest.mark.parametrize(("schema", "expected"), NUMBERS, ids=str)
def test_numbers_begin_with_the_plainest(schema: dict[str, Any], expected: list[int | float]) -> None:
    assert expected == list(islice(numbers([schema], whole=False), len(expected) or 1))


@given(st.integers(-99, 99), st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_every_multiple_between_two_bounds_is_found(low: int, width: int, one: int, other: int) -> None:
    schemas: list[dict[str, Any]] = [{"minimum": low, "multipleOf": one}, {"maximum": low + width, "multipleOf": other}]
    expected = {n for n in range(low, low + width + 1) if n % one == 0 and n % other == 0}
    assert expected == set(numbers(schemas, whole=True))


def test_no_number_is_larger_than_a_store_can_hold() -> None:
    assert [] == list(numbers([{"minimum": 10.0**300}], whole=True))
    assert Fraction(1, 2) == Fraction(next(numbers([{"exclusiveMinimum": 0, "exclusiveMaximum": 1}], whole=False)))
