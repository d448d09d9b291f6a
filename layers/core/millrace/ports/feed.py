"""The Feed port: committed items marked ``feed``, in order per partition, at least once.

Consumers keep their own checkpoint (the sequence of the last record they have fully handled) and must be
idempotent: a record may come again after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from millrace.ports.documents import Item


class FeedRecord(Struct, frozen=True):
    sequence: int
    tenant: str
    item: Item


class Feed(Protocol):
    def read(self, *, after: int, limit: int = 100) -> Sequence[FeedRecord]:
        """Records with a sequence above ``after``, in order."""
        ...

    def trim(self, *, through: int) -> None:
        """Forget records up to and including this sequence."""
        ...
