"""Sizes at each boundary, one byte below, at, and above; in one byte per character and in more."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from millrace.base.errors import BlobCorrupt, BlobMissing, InvalidRequest, TooLarge
from millrace.base.limits import INLINE_VALUE_BYTES, SEGMENT_BYTES, VALUE_BYTES
from millrace.driver.values import ValueCodec, load_value, with_secrets
from millrace.engine import events as ev
from millrace.expr import SecretRef, SecretText
from millrace.ports.documents import Table
from millrace.ports.runners import Exchange
from millrace.services.get_execution import get_execution

from .runs import CALLER, SCOPE, Local, Script, call

LETTERS = ["x", "é", "€", "😀"]


def sized(bytes_: int, letter: str) -> str:
    """A text whose JSON has exactly this many bytes."""
    width = len(letter.encode())
    count, rest = divmod(bytes_ - 2, width)
    return letter * count + "x" * rest


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_value_over_64_kib_of_utf8_lies_in_the_blob_store_and_a_smaller_one_does_not(letter: str, extra: int) -> None:
    text = sized(INLINE_VALUE_BYTES + extra, letter)
    local = Local(Script({"a": [text]}))
    execution = local.begin([call("a"), call("b", "a", input={"n": "{{size(tasks.a.output)}}"})])
    body = local.finish(execution)
    (event,) = (e for e in local.events(execution, ev.AttemptFinished) if e.path == "a")
    assert (INLINE_VALUE_BYTES + extra, extra > 0) == (event.output.size, bool(event.output.blob))
    assert (text, {"n": len(text)}) == (body["tasks"]["a"]["output"], body["tasks"]["b"]["input"])


@pytest.mark.parametrize("letter", ["x", "€"])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_value_over_16_mib_is_a_permanent_failure_of_exactly_one_attempt(letter: str, extra: int) -> None:
    local = Local(Script({"a": [lambda _attempt: sized(VALUE_BYTES + extra, letter)]}))
    retry = {"maxAttempts": 5, "interval": "1ms", "retryOn": ["*"]}
    execution = local.begin([call("a", retry=retry)])
    local.drive(execution)
    (finished,) = local.events(execution, ev.AttemptFinished)
    if extra > 0:
        assert ("too-large", 1) == (finished.failure.kind, len(local.script.performed))
    else:
        assert (VALUE_BYTES + extra, None) == (finished.output.size, finished.failure)


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_commit_around_256_kib_becomes_as_many_segments_as_it_needs(letter: str, extra: int) -> None:
    """Five outputs below the claim check, together at the boundary of one segment."""
    part = SEGMENT_BYTES // 5 + extra
    local = Local(Script({f"t{n}": [sized(part, letter)] for n in range(5)}))
    execution = local.begin([call(f"t{n}") for n in range(5)])
    body = local.finish(execution)
    bodies = [
        len(row.item.attrs["body"])  # type: ignore[arg-type]
        for row in local.documents.query(SCOPE, Table.HISTORY, ("log", execution, "0")).rows
    ]
    assert max(bodies) <= SEGMENT_BYTES
    assert [sized(part, letter)] * 5 == [body["output"][f"t{n}"] for n in range(5)]


def test_more_results_than_one_transaction_holds_are_all_committed() -> None:
    """Eighty outputs of 60 KiB: 5 MB in one group commit."""
    local = Local(Script({f"t{n}": [str(n) + "x" * 60_000] for n in range(80)}))
    execution = local.begin([call(f"t{n}") for n in range(80)])
    local.finish(execution)
    body = get_execution(local.platform, CALLER, execution, room=None)  # more than is shown unless asked for
    assert ("succeeded", [f"{n}x" for n in range(80)]) == (
        body["status"],
        [body["output"][f"t{n}"][: len(str(n)) + 1] for n in range(80)],
    )


# the codec


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, "", "é", [], {}, {"$ref": "x", "blob": ["a"]}, {"sha256": "", "size": 1}]
)
def test_what_goes_through_the_codec_comes_back_as_it_was(value: Any) -> None:
    local = Local()
    assert value == load_value(local.blobs, SCOPE, ValueCodec("x").encode(value))


def test_secrets_stand_beside_a_value_and_never_in_it() -> None:
    codec = ValueCodec("x")
    text = SecretText(("Bearer ", SecretRef("crm")))
    stored = codec.encode({"a": text, "b": [1]})
    plain = stored.decoded()
    assert {"a": None, "b": [1]} == plain
    assert [(("a",), ("Bearer ", ("crm",)))] == [(site.path, site.parts) for site in stored.secrets]
    restored = with_secrets(plain, stored.secrets)
    assert restored["a"] == text
    assert plain is with_secrets(plain, ())


def test_a_value_that_is_missing_or_damaged_is_an_error_of_its_own() -> None:
    local = Local()
    codec = ValueCodec("x")
    stored = codec.encode("y" * 70_000)
    ((key, data),) = codec.blobs.items()
    with pytest.raises(BlobMissing):
        load_value(local.blobs, SCOPE, stored)
    for damaged in (data[:-1], data.replace(b"y", b"z", 1), b""):
        local.blobs.put(SCOPE, key, damaged)
        with pytest.raises(BlobCorrupt) as caught:
            load_value(local.blobs, SCOPE, stored)
        assert stored.sha256 == caught.value.facts["sha256"]
    local.blobs.put(SCOPE, key, data)
    assert "y" * 70_000 == load_value(local.blobs, SCOPE, stored)


def test_what_cannot_be_stored_says_how_large_it_was() -> None:
    with pytest.raises(TooLarge) as caught:
        ValueCodec("x").encode("x" * VALUE_BYTES)
    assert {"limit": VALUE_BYTES, "size": VALUE_BYTES + 2} == caught.value.facts
    with pytest.raises(InvalidRequest):
        ValueCodec("x").encode(float("inf"))


def test_blobs_are_keyed_under_their_execution_by_content() -> None:
    codec = ValueCodec("x1")
    one, other = codec.encode("y" * 70_000), codec.encode("y" * 70_000)
    assert [("execution", "x1", "value", one.sha256)] == list(codec.blobs)
    assert one == other


@pytest.mark.parametrize(
    ("body", "expected"), [(b"", None), ("é".encode(), "é"), (b"\xff", {"base64": base64.b64encode(b"\xff").decode()})]
)
def test_bodies_of_an_exchange_are_text_or_base64(body: bytes, expected: Any) -> None:
    found = ValueCodec("x").exchange(Exchange("GET", "https://a.example", response_body=body))
    assert found is not None
    assert expected == (found.response_body and found.response_body.decoded())
    assert ValueCodec("x").exchange(None) is None
