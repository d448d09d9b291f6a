"""Reading: a pool of connections, and the statements of range queries."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from millrace.adapters.keys import Listing
from millrace.adapters.sqlite import rows
from millrace.adapters.sqlite.database import Database, translated
from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import Page, Row

_LAST_CHAR: Final = "\U0010ffff"
_FROM_ITEM: Final = (
    "SELECT tab, pk, sk, attrs, body, indexes, expires, feed FROM item AS i WHERE i.tab = ? AND i.pk = ?"
)
# CROSS JOIN makes SQLite walk the entries first, which gives the order without sorting.
_FROM_ENTRY: Final = (
    "SELECT i.tab, i.pk, i.sk, i.attrs, i.body, i.indexes, i.expires, i.feed, e.sort"
    " FROM entry AS e CROSS JOIN item AS i"
    " ON i.tab = e.tab AND i.pk = e.item_pk AND i.sk = e.item_sk WHERE e.tab = ? AND e.name = ? AND e.pk = ?"
)


def above(prefix: str) -> str | None:
    """The least text above everything that begins with ``prefix``; None when there is none."""
    kept = prefix.rstrip(_LAST_CHAR)
    if not kept:
        return None
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)


def statement(listing: Listing) -> tuple[str, list[str | int]]:
    """SQL and its arguments; it asks for one row more than the page holds, to know whether that is the end."""
    within = listing.within
    if listing.index is None:
        text, order = _FROM_ITEM, ["i.sk"]
        values: list[str | int] = [listing.table.value, listing.partition]
    else:
        text, order = _FROM_ENTRY, ["e.sort", "e.item_pk", "e.item_sk"]
        values = [listing.table.value, listing.index.value, listing.partition]
    ceiling = None if within.prefix is None else above(within.prefix)
    for operator, bound in ((">=", within.prefix), ("<", ceiling), (">=", within.first), ("<=", within.last)):
        if bound is not None:
            text += f" AND {order[0]} {operator} ?"
            values.append(bound)
    if listing.after is not None:
        marks = ", ".join("?" for _ in order)
        text += f" AND ({', '.join(order)}) {'<' if within.reverse else '>'} ({marks})"
        values.extend(listing.after)
    text += " ORDER BY " + ", ".join(f"{name}{' DESC' if within.reverse else ''}" for name in order) + " LIMIT ?"
    values.append(within.limit + 1)
    return text, values


class Readers:
    """Hands a connection to one thread at a time and keeps it for the next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreUnavailable("the local store is closed")
        try:
            connection = self._take()
            try:
                yield connection
            except sqlite3.Error:
                connection.close()
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)
        except sqlite3.Error as error:
            raise translated(error, self._database.path) from error

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._database.reader()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()

    def page(self, listing: Listing) -> Page:
        if listing.empty:
            return Page(())
        text, values = statement(listing)
        with self.connection() as connection:
            found = connection.execute(text, values).fetchall()
        limit = listing.within.limit
        page = tuple([Row(*rows.item(row[:8])) for row in found[:limit]])
        if len(found) <= limit:
            return Page(page)
        last = found[limit - 1]
        return Page(page, listing.cursor((last[2],) if listing.index is None else (last[8], last[1], last[2])))

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()
