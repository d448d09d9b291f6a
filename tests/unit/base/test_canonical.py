"""One JSON in, one JSON out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.canonical import content_hash, dumps, parse_json, sha256
from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import INTEGER_DIGITS, JSON_NODES

LARGEST = 10**INTEGER_DIGITS - 1
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4), max_leaves=20
)


@given(VALUES)
def test_what_is_written_is_read_back_with_its_types(value: object) -> None:
    assert repr(value) == repr(_like(value, parse_json(dumps(value))))


def _like(value: object, read: object) -> object:
    """``read`` with its keys in the order of ``value``: order of keys is not part of a value."""
    if isinstance(value, dict) and isinstance(read, dict):
        return {key: _like(item, read[key]) for key, item in value.items()}
    if isinstance(value, list) and isinstance(read, list):
        return [_like(one, other) for one, other in zip(value, read, strict=True)]
    return read


@given(VALUES)
def test_equal_values_have_equal_bytes_whatever_the_order_of_keys(value: object) -> None:
    assert dumps(value) == dumps(json.loads(json.dumps(value, sort_keys=True)))


@given(st.text())
def test_any_text_is_read_or_refused_with_a_position(text: str) -> None:
    try:
        parse_json(text)
    except InvalidRequest as error:
        assert {"line", "column"} == set(error.facts)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_json(data)
    except InvalidRequest as error:
        assert error.facts["line"] >= 1


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (b'{"a":1,"b":{"a":1,\n"a":2}}', 2, 1, "given twice"),
        (b'{"a":1,"b":[{"c":1},{"c":1,"\\u0063" : 2}]}', 1, 28, "given twice"),
        (b"[" * 100_000, 1, 65, "deeper than 64"),
        (b"[" * 100_000 + b"]" * 100_000, 1, 65, "deeper than 64"),
        (b'{"a":' * 100_000, 1, 321, "deeper than 64"),
        (b"[1,\nNaN]", 2, 1, "NaN"),
        (b"-Infinity", 1, 1, "-Infinity"),
        (b"[1e999]", 1, 2, "does not fit"),
        (b"[1" + b"0" * 400 + b".5]", 1, 2, "does not fit"),
        (b"9" * 5_000, 1, 1, "38 digits"),
        (b'"\\ud800"', 1, 2, "surrogate"),
        (b'"\\ude00"', 1, 2, "surrogate"),
        (b'"\\ud800\\n\\ude00"', 1, 2, "surrogate"),
        (b'["\\ud83d\\ude00", "a\\ud83d"]', 1, 20, "surrogate"),
        (b"\xef\xbb\xbf1", 1, 1, "byte order mark"),
        (b'["\n\xff"]', 2, 1, "UTF-8"),
        ('"\ud800"', 1, 2, "surrogate"),
        (b"[1,]", 1, 4, "expecting value"),
        (b'"a', 1, 1, "unterminated"),
        (b'"' * 100_001, 1, 3, "extra data"),
    ],
)
def test_hostile_text_is_refused_where_it_stands(text: bytes | str, line: int, column: int, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(text)
    assert {"line": line, "column": column} == caught.value.facts
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"-0", "0"),
        (b"-0.0", "-0.0"),
        (b"1.0", "1.0"),
        (b"9007199254740993", "9007199254740993"),
        (b'"\\ud83d\\ude00"', repr("\U0001f600")),
        (b'"\\\\ud800"', repr("\\ud800")),
        (b'{"$ref":1,"__type":"lc"}', "{'$ref': 1, '__type': 'lc'}"),
        (b"0." + b"1" * 60, "0.1111111111111111"),
        (b'["' + b"[" * 100 + b'"]', repr(["[" * 100])),
        (b"[" * 64 + b"]" * 64, "[" * 64 + "]" * 64),
    ],
)
def test_unusual_text_keeps_its_value(text: bytes, value: str) -> None:
    assert value == repr(parse_json(text))


def test_brackets_beyond_the_depth_that_do_not_nest_are_read() -> None:
    assert [[]] * 500 == parse_json(dumps([[]] * 500))


def test_a_mismatched_bracket_among_many_is_a_syntax_error() -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        parse_json("[" + "[}" * 100)


def test_more_values_than_the_limit_are_too_large() -> None:
    with pytest.raises(TooLarge) as caught:
        parse_json("[" + "1," * JSON_NODES + "1]")
    assert JSON_NODES == caught.value.facts["limit"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), "nan is not a JSON number, at /"),
        ([1, {"a": float("inf")}], "inf is not a JSON number, at /1/a"),
        (10**INTEGER_DIGITS, "more than 38 digits, at /"),
        (["\ud800"], "lone surrogate, at /0"),
        ({"\udc00": 1}, "lone surrogate, at /"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: object, error: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        dumps(value)
    assert error in caught.value.message


@pytest.mark.parametrize("value", [{1: 2}, [b"x"], {"a": {1, 2}}, [object()], type("Text", (str,), {})("x")])
def test_what_json_has_no_word_for_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_a_ring_is_refused_and_does_not_overflow_the_stack() -> None:
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(InvalidRequest, match="nested deeper"):
        dumps(ring)


def test_a_tuple_is_written_as_a_list() -> None:
    assert b"[1,[2]]" == dumps((1, (2,)))


def test_long_digits_in_text_are_no_integer() -> None:
    assert b'"' + b"1" * 50 + b'"' == dumps("1" * 50)


def test_hashes_of_a_value_and_of_its_bytes_are_equal() -> None:
    assert sha256(b'{"a":1,"b":2}') == sha256({"b": 2, "a": 1}) == content_hash({"a": 1, "b": 2})
