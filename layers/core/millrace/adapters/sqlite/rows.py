"""Items as rows and rows as items, and the write operations over them.

All statements are constants; values are always bound.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from millrace.adapters import rules
from millrace.adapters.guard import BODY, index_texts
from millrace.adapters.keys import Address, decode
from millrace.ports.documents import ABSENT, Attr, Index, IndexKey, Item, Key, Op, Put, Require, Table, TenantScope

GET: Final = "SELECT tab, pk, sk, attrs, body, indexes, expires, feed FROM item WHERE tab = ? AND pk = ? AND sk = ?"
_INSERT: Final = (
    "INSERT INTO item (tab, pk, sk, attrs, body, indexes, expires, feed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_UPSERT: Final = (
    "INSERT INTO item (tab, pk, sk, attrs, body, indexes, expires, feed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET attrs = excluded.attrs, body = excluded.body, indexes = excluded.indexes,"
    " expires = excluded.expires, feed = excluded.feed"
)
_DELETE: Final = "DELETE FROM item WHERE tab = ? AND pk = ? AND sk = ?"
_ENTER: Final = "INSERT INTO entry (tab, name, pk, sort, item_pk, item_sk) VALUES (?, ?, ?, ?, ?, ?)"
_LEAVE: Final = "DELETE FROM entry WHERE tab = ? AND name = ? AND pk = ? AND sort = ? AND item_pk = ? AND item_sk = ?"
_OUTBOX: Final = "INSERT INTO outbox (tab, pk, sk, attrs, body, indexes, expires, feed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_LATE: Final = (
    "SELECT tab, pk, sk, attrs, body, indexes, expires, feed FROM item"
    " WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?"
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

Record = tuple[str, str, str, str, bytes | None, str | None, int | None, int]


def record(place: Address, item: Item) -> Record:
    attrs: dict[str, Attr] = dict(item.attrs)
    body = attrs.pop(BODY) if isinstance(attrs.get(BODY), bytes) else None
    indexes = {str(name): [key.partition, key.sort] for name, key in item.indexes.items()}
    return (
        place.table.value,
        place.partition,
        place.sort,
        _encode(attrs).decode(),
        body if isinstance(body, bytes) else None,
        _encode(indexes).decode() if indexes else None,
        item.expires_at,
        int(item.feed),
    )


def item(row: Sequence[Any]) -> tuple[str, Item]:
    """Tenant and item of a row in the order of the columns above."""
    tab, pk, sk, attrs, body, indexes, expires, feed = row
    tenant, *partition = decode(pk)
    held = _decode(attrs)
    if body is not None:
        held[BODY] = body
    keys = {}
    if indexes is not None:
        for name, (parts, sort) in _decode(indexes).items():
            keys[Index(name)] = IndexKey(tuple(parts), sort)
    return tenant, Item(Key(Table(tab), tuple(partition), sk), held, keys, expires, bool(feed))


def find(connection: sqlite3.Connection, place: Address) -> Item | None:
    row = connection.execute(GET, (place.table.value, place.partition, place.sort)).fetchone()
    return None if row is None else item(row)[1]


def _entries(scope: TenantScope, place: Address, held: Item | None) -> set[tuple[str, ...]]:
    if held is None or not held.indexes:
        return set()
    at, pk, sk = place.table.value, place.partition, place.sort
    return {(at, str(name), *index_texts(scope, name, key), pk, sk) for name, key in held.indexes.items()}


def _move_entries(
    connection: sqlite3.Connection, scope: TenantScope, place: Address, before: Item | None, now: Item | None
) -> None:
    old, new = _entries(scope, place, before), _entries(scope, place, now)
    for entry in old - new:
        connection.execute(_LEAVE, entry)
    for entry in new - old:
        connection.execute(_ENTER, entry)


def apply(connection: sqlite3.Connection, scope: TenantScope, ops: Sequence[tuple[Address, Op]]) -> list[Item | None]:
    """Applies one write list inside the caller's transaction; answers the items afterwards.

    Raises ConditionRefused, TooLarge, InvalidRequest; the caller then undoes what was applied."""
    out = []
    for index, (place, op) in enumerate(ops):
        if isinstance(op, Put) and op.when == ABSENT:
            now: Item | None = op.item
            before: Item | None = None
            row = record(place, op.item)
            if not connection.execute(_INSERT, row).rowcount:
                raise rules.refusal(index, op)
        else:
            before = find(connection, place)
            now = rules.after(scope, before, op, index)
            if now is None:
                connection.execute(_DELETE, (place.table.value, place.partition, place.sort))
            elif not isinstance(op, Require):
                row = record(place, now)
                connection.execute(_UPSERT, row)
        if now is not before:
            _move_entries(connection, scope, place, before, now)
            if now is not None and now.feed:
                connection.execute(_OUTBOX, row)
        out.append(now)
    return out


def any_late(connection: sqlite3.Connection, now: int) -> bool:
    """Whether an item expired at or before ``now``."""
    return connection.execute(_LATE, (now, 1)).fetchone() is not None


def sweep(connection: sqlite3.Connection, now: int, limit: int) -> int:
    """Removes at most ``limit`` items that expired at or before ``now``; answers how many."""
    late = connection.execute(_LATE, (now, limit)).fetchall()
    for row in late:
        tenant, gone = item(row)
        place = Address(gone.key.table, row[1], row[2])
        connection.execute(_DELETE, row[:3])
        _move_entries(connection, TenantScope(tenant), place, gone, None)
    return len(late)
