"""The Feed over the outbox table, which is written in the transaction that writes the items."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from millrace.adapters.sqlite import rows
from millrace.adapters.sqlite.documents import SqliteDocuments
from millrace.ports.feed import FeedRecord

_READ: Final = (
    "SELECT sequence, tab, pk, sk, attrs, body, indexes, expires, feed FROM outbox"
    " WHERE sequence > ? ORDER BY sequence LIMIT ?"
)


class SqliteFeed:
    """Sequences rise by commit order over all tenants, and never start again, also after `trim`."""

    def __init__(self, documents: SqliteDocuments) -> None:
        self._documents = documents

    def read(self, *, after: int, limit: int = 100) -> Sequence[FeedRecord]:
        with self._documents.readers.connection() as connection:
            found = connection.execute(_READ, (after, limit)).fetchall()
        return [FeedRecord(row[0], *rows.item(row[1:])) for row in found]

    def trim(self, *, through: int) -> None:
        self._documents.committer.submit(partial(_trim, through=through)).result()


def _trim(connection: sqlite3.Connection, through: int) -> None:
    connection.execute("DELETE FROM outbox WHERE sequence <= ?", (through,))
