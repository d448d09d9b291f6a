"""Bytes into a document: both notations read alike, and no input that stops the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import OPENAPI_BYTES, OPENAPI_OPERATIONS
from millrace.services.openapi import Conversion, Options, read_openapi
from millrace.services.openapi.notes import KEPT, REFUSED, Notes
from tests.unit.openapi.builders import document, operation

HEAD = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\n"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:- ", min_size=1), inner, max_size=3),
    max_leaves=10,
)


class Quoted(yaml.SafeDumper):
    """Writes every text in quotes: what is plain text to YAML 1.1, such as 0E0, may be a number in YAML 1.2."""


Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(VALUES)
@example("0E0")
@settings(max_examples=100, deadline=None)
def test_yaml_and_json_read_the_same(value: Any) -> None:
    whole = {"openapi": "3.0.0", "x-value": value}
    assert (
        whole
        == read_openapi(json.dumps(whole).encode()).value
        == read_openapi(yaml.dump(whole, Dumper=Quoted).encode()).value
    )


def test_statuses_are_keys_of_text_and_aliases_are_shared() -> None:
    text = HEAD + "x-a: &a {200: on, 2XX: 010}\nx-b: [*a, '<<', !!str 7]\nx-c: &c word\nx-d: *c\n"
    value = read_openapi(text.encode()).value
    assert [{"200": "on", "2XX": 10}, "<<", "7"] == value["x-b"]
    assert "word" == value["x-d"]


def test_a_byte_order_mark_is_taken_off() -> None:
    assert "3.1" == read_openapi(b"\xef\xbb\xbf" + HEAD.encode()).version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"[]", "not a mapping"),
        (b"a: 1", "no key openapi"),
        (b"openapi: 2.0.0", "openapi is '2.0.0'"),
        (b"swagger: '2.0'", "a Swagger 2.0 document"),
        (b'{"openapi": "3.0.0", "paths": []}', "paths"),
        (b'{"openapi": 3}', "openapi is '3'"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b"a: 1\na: 2", "given twice"),
        (b"a: [", "not valid YAML"),
        (b"a: \x00", "not valid YAML"),
        (b"a: \xff", "not UTF-8"),
        (b"a: !!python/object:os.system x", "tag"),
        (b"<<: {a: 1}", "merge key"),
        (b"? {a: 1}\n: 2", "key must be text"),
        (b"a: &a [*a]", "inside of what it names"),
        (b"a: *b", "cannot stand here"),
        (b"a: .inf", "number"),
        (b"a: 1\n---\nb: 2", "more than one document"),
        (b"a: " + b"[" * 100_000, "nested deeper"),
        (b'{"a": ' + b"[" * 100_000, "nested deeper"),
        (b"a: &a [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\nb: &b [[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]\n"
         b"c: [[[[[[[[[[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]]]]]]]]]", "nested deeper"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_with_a_sentence(text: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read_openapi(text)


def test_a_syntax_error_says_where() -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_openapi(b"a: 1\n\nb: [1, }\n")
    assert (3, 8) == (raised.value.facts["line"], raised.value.facts["column"])


def test_a_document_of_aliases_of_aliases_is_refused_before_it_is_walked() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(TooLarge, match="values"):
        read_openapi((HEAD + "\n".join(lines)).encode())


def test_a_document_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLarge) as raised:
        read_openapi(b"x" * (OPENAPI_BYTES + 1))
    assert OPENAPI_BYTES == raised.value.facts["limit"]


def test_a_hundred_thousand_operations_are_refused_with_a_message() -> None:
    value = document({f"/p{n}": {"get": operation()} for n in range(100_000)})
    with pytest.raises(TooLarge, match=f"more than {OPENAPI_OPERATIONS} operations"):
        Conversion(read_openapi(json.dumps(value).encode()), Options())


def test_notes_are_kept_once_per_place_and_counted_past_their_limit() -> None:
    notes = Notes()
    for number in range(KEPT + 5):
        notes.add("a", f"/{number}", "said")
        notes.add("a", f"/{number}", "said again")
    for number in range(2 * REFUSED):
        notes.add("b", f"/{number}", "said", refused=True)
    assert (REFUSED, 5 + KEPT + REFUSED) == (len(notes.kept), notes.omitted)
