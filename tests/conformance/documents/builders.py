"""Short builders for keys, items and writes."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.ports.documents import Attr, Condition, Documents, Index, IndexKey, Item, Key, Page, Put, Row, Table


def key(sort: str, *partition: str, table: Table = Table.HISTORY) -> Key:
    return Key(table, partition or ("thing",), sort)


def item(
    sort: str,
    attrs: Mapping[str, Attr] | None = None,
    *partition: str,
    indexes: Mapping[Index, IndexKey] | None = None,
    table: Table = Table.HISTORY,
    feed: bool = False,
    expires_at: int | None = None,
) -> Item:
    return Item(key(sort, *partition, table=table), attrs or {}, indexes or {}, expires_at, feed)


def put(sort: str, attrs: Mapping[str, Attr] | None = None, *when: Condition) -> Put:
    return Put(item(sort, attrs), when)


def attrs(documents: Documents, scope, wanted: Key) -> dict[str, Attr] | None:
    found = documents.get(scope, wanted)
    return None if found is None else dict(found.attrs)


def sorts(page: Page | list[Row]) -> list[str]:
    rows = page.rows if isinstance(page, Page) else page
    return [row.item.key.sort for row in rows]


def all_rows(ask) -> list[Row]:
    """Every row of a listing, page after page; ``ask`` takes the cursor."""
    rows: list[Row] = []
    cursor = None
    while True:
        page = ask(cursor)
        rows += page.rows
        cursor = page.cursor
        if cursor is None:
            return rows
