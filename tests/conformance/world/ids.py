"""Reading back what an id was made from."""

from __future__ import annotations

from millrace.base.ids import ALPHABET, ID_CHARS


def id_time(identifier: str) -> int:
    """The time an id was made at, in ms."""
    assert ID_CHARS == len(identifier)
    number = 0
    for char in identifier[:10]:
        number = number << 5 | ALPHABET.index(char)
    return number
