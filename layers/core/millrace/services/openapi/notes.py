"""What an import could not carry over, and where in the document it stands.

A document of thousands of operations repeats its mistakes, so a note is kept once per place, and after so many of
them they are only counted.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

KEPT: Final = 500
"""Notes that are kept with their text."""
REFUSED: Final = 1_000
"""The same, counting notes of refused operations."""
_WORDS: Final = 300


class Note(Struct, frozen=True):
    """``where`` is a JSON Pointer into the document. A ``refused`` note means that no task was made."""

    code: str
    where: str
    message: str
    refused: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "where": self.where, "message": self.message, "refused": self.refused}


class Notes:
    """A bounded list of notes in the order in which they were first made."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self.kept: list[Note] = []
        self.omitted = 0

    def add(self, code: str, where: str, message: str, *, refused: bool = False) -> None:
        """Adds a note unless the place has one with this code."""
        if (code, where) in self._seen:
            return
        self._seen.add((code, where))
        if len(self.kept) >= KEPT and not (refused and len(self.kept) < REFUSED):
            self.omitted += 1
            return
        self.kept.append(Note(code, where[:_WORDS], message[:_WORDS], refused))


def below(where: str, *parts: str | int) -> str:
    """A JSON Pointer (RFC 6901) extended by keys or positions."""
    return where + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
