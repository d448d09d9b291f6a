"""How key parts become one text, and how a page cursor is made: the same for every adapter of Documents.

Parts are joined by ``#`` after ``%`` and ``#`` inside them have been percent-encoded, so that ("a#b", "c") and
("a", "b#c") stay apart and a prefix of one tenant's key never matches another's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from msgspec import Struct

from millrace.base.errors import InvalidRequest
from millrace.ports.documents import Index, Range, Table


def encode(parts: Sequence[str]) -> str:
    """One text for these parts; different parts never give the same text (the empty tuple aside)."""
    return "#".join([part.replace("%", "%25").replace("#", "%23") for part in parts])


def decode(text: str) -> tuple[str, ...]:
    """The parts that `encode` was given (at least one)."""
    return tuple([part.replace("%23", "#").replace("%25", "%") for part in text.split("#")])


class Address(Struct, frozen=True):
    """Where an item lies: the partition text begins with the tenant."""

    table: Table
    partition: str
    sort: str

    @property
    def tenant(self) -> str:
        return decode(self.partition)[0]


class Listing(Struct, frozen=True):
    """A checked query: a partition of a table, or of one of its indexes, and the range wanted of it."""

    table: Table
    partition: str
    index: Index | None
    within: Range
    after: tuple[str, ...] | None

    @property
    def empty(self) -> bool:
        """Whether the bounds alone say that nothing can match (DynamoDB refuses such a query)."""
        first, last = self.within.first, self.within.last
        return last is not None and (last == "" or (first is not None and first > last))

    def cursor(self, position: Sequence[str]) -> str:
        """An opaque cursor that continues this listing after ``position``, and no other listing."""
        text = json.dumps([self._binding(), *position], ensure_ascii=True, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _binding(self) -> str:
        within = self.within
        facts = (self.table, self.index, self.partition, within.first, within.last, within.prefix, within.reverse)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def position(self, cursor: str) -> tuple[str, ...]:
        """What `cursor` was given. Raises InvalidRequest when the text is another listing's, or nobody's."""
        width = 1 if self.index is None else 3
        try:
            parts = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            parts = None
        whole = isinstance(parts, list) and len(parts) == width + 1 and all(isinstance(part, str) for part in parts)
        if not whole or parts[0] != self._binding():
            raise InvalidRequest(
                "the cursor does not belong to this listing",
                hint="use the cursor of the page before, with the same filters, or start without one",
            )
        return tuple(parts[1:])
