"""Bodies as DynamoDB holds them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.dynamodb import feed_records
from millrace.adapters.dynamodb.marshal import SMALL, packed, unpacked, wire
from millrace.adapters.keys import Address
from millrace.base.errors import Corrupt
from millrace.ports.documents import Item, Key, Table, TenantScope

SCOPE = TenantScope("t")


@given(st.binary() | st.builds(lambda head, more: head + more * 400, st.binary(max_size=2), st.binary(max_size=4)))
def test_a_body_comes_back_as_it_was(body: bytes) -> None:
    assert body == unpacked(packed(body))
    assert len(packed(body)) <= len(body) + 1


@pytest.mark.parametrize("first", [b"\0", b"\1", b"x"])
@pytest.mark.parametrize("length", [0, SMALL - 2, SMALL - 1, 4 * SMALL])
def test_a_body_that_begins_like_a_mark_comes_back_too(first: bytes, length: int) -> None:
    assert first + b"a" * length == unpacked(packed(first + b"a" * length))


def test_a_body_is_made_smaller_from_the_size_on_at_which_that_can_save_a_unit() -> None:
    assert (SMALL - 1, True) == (len(packed(b"a" * (SMALL - 1))), len(packed(b"a" * SMALL)) < 50)


def test_a_body_that_cannot_be_made_smaller_is_kept_as_it_is() -> None:
    noise = b"{" + b"".join(bytes([number * 167 % 251, number * 89 % 241]) for number in range(300))
    assert noise == packed(noise)


def test_a_body_that_is_damaged_says_so() -> None:
    with pytest.raises(Corrupt, match="cannot be decompressed"):
        unpacked(packed(b"a" * SMALL)[:-3])


def test_a_record_of_the_stream_holds_the_body_itself() -> None:
    body = b'{"events":[]}' * 100
    key = Key(Table.HISTORY, ("log", "x"), "0")
    held = wire(SCOPE, Address(Table.HISTORY, "t#log#x", "0"), Item(key, {"body": body, "count": 1}, feed=True))
    image = {**held, "body": {"B": base64.b64encode(held["body"]["B"]).decode()}}
    record = {
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:1:table/history/stream/1",
        "dynamodb": {"NewImage": image, "SequenceNumber": "7"},
    }
    (found,) = feed_records({"Records": [record]}, {Table.HISTORY: "history"})
    assert (body, 7) == (found.item.attrs["body"], found.sequence)
