from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.api.bodies import media_of, parsed, raw_body
from millrace.api.current import Media
from millrace.base.canonical import dumps
from millrace.base.errors import InvalidDocument, InvalidRequest, MillraceError, TooLarge, UnsupportedMedia
from millrace.base.limits import REQUEST_BYTES

MEDIA: list[Media] = ["json", "yaml"]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(alphabet=st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet=st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "kind",
    ["", "application/json", "application/x-www-form-urlencoded", "Application/JSON; charset=UTF-8", "a/b+json"],
)
def test_json_is_the_default_and_what_the_form_type_of_curl_means(kind: str) -> None:
    assert "json" == media_of(kind)


@pytest.mark.parametrize("kind", ["application/yaml", "text/x-yaml", "text/yaml; charset=utf-8", "application/a+yaml"])
def test_yaml_types_mean_yaml(kind: str) -> None:
    assert "yaml" == media_of(kind)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "image/png", "application/json; charset=utf-16"])
def test_other_types_and_charsets_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMedia):
        media_of(kind)


def test_the_base64_flag_is_honoured() -> None:
    assert b"\xff{" == raw_body({"body": base64.b64encode(b"\xff{").decode(), "isBase64Encoded": True})
    assert b"e30=" == raw_body({"body": "e30=", "isBase64Encoded": False})


def test_broken_base64_is_an_error_of_the_request() -> None:
    with pytest.raises(InvalidRequest, match="base64"):
        raw_body({"body": "!!", "isBase64Encoded": True})


def test_a_lone_surrogate_in_the_event_is_an_error_of_the_request() -> None:
    with pytest.raises(InvalidRequest, match="surrogate"):
        raw_body({"body": '"\ud800"'})


def test_a_body_that_is_no_text_is_an_error_of_the_request() -> None:
    with pytest.raises(InvalidRequest, match="not text"):
        raw_body({"body": {"a": 1}})


def test_a_body_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert REQUEST_BYTES == len(raw_body({"body": "x" * REQUEST_BYTES}))
    with pytest.raises(TooLarge) as caught:
        raw_body({"body": "x" * (REQUEST_BYTES + 1)})
    assert REQUEST_BYTES + 1 == caught.value.facts["size"]


def test_an_empty_body_is_none() -> None:
    assert parsed(b"", "json") is None
    assert parsed(b" \n", "yaml") is None


def test_a_form_is_never_decoded_and_the_hint_names_the_yaml_type() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(b"input=1&input=2", "json")
    assert "application/yaml" in caught.value.hint
    assert 1 == caught.value.facts["line"]


@given(PLAIN)
def test_every_json_value_arrives_as_it_was_sent(value: object) -> None:
    if value is not None:
        assert value == parsed(dumps(value), "json")


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 10_000,
        b'{"a": NaN}',
        b"1e999",
        b"9" * 5_000,
        b'{"a": 1, "a": 2}',
        b'"\\ud800"',
        b"\xff",
        b"{",
    ],
)
def test_hostile_json_is_refused_with_a_position(text: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(text, "json")
    assert {"line", "column"} <= set(caught.value.facts)


def test_a_yaml_body_is_read_by_the_rules_of_documents() -> None:
    assert {"on": "no", "n": 10} == parsed(b"on: no\nn: 10\n", "yaml")


def test_broken_yaml_is_refused_with_a_finding() -> None:
    with pytest.raises(InvalidDocument) as caught:
        parsed(b"a: [", "yaml")
    assert 1 == len(caught.value.facts["findings"])


@given(st.binary(max_size=200), st.sampled_from(MEDIA))
def test_no_bytes_make_the_reader_raise_anything_else(data: bytes, media: Media) -> None:
    try:
        parsed(data, media)
    except MillraceError as error:
        assert error.message
