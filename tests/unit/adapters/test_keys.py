"""Laws of key texts, path segments and cursors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.keys import Listing, decode, encode
from millrace.adapters.names import part, segment
from millrace.ports.documents import Index, Range, Table

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
tricky = st.text(st.sampled_from("#%235a/."), max_size=6)
parts = st.lists(texts | tricky, min_size=1, max_size=4).map(tuple)


@given(parts)
def test_parts_come_back_from_their_text(given_parts: tuple[str, ...]) -> None:
    assert given_parts == decode(encode(given_parts))


@given(parts, parts)
def test_a_tenants_text_is_the_prefix_of_its_own_keys_only(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert encode((*other, "x")).startswith(encode(one) + "#") == (one == (*other, "x")[: len(one)])


@given(texts.filter(bool) | tricky.filter(bool))
def test_a_segment_is_a_plain_file_name_that_gives_the_part_back(text: str) -> None:
    name = segment(text)
    assert text == part(name)
    assert name == name.lower()
    assert not name.startswith(".")
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-_.%")


@given(st.lists(texts, min_size=3, max_size=3), st.booleans())
def test_a_cursor_gives_its_position_back(position: list[str], reverse: bool) -> None:
    for index, width in ((None, 1), (Index.LIST, 3)):
        listing = Listing(Table.HISTORY, "t#p", index, Range(reverse=reverse), None)
        assert tuple(position[:width]) == listing.position(listing.cursor(position[:width]))
