"""The reference index: what a version refers to, and what refers to a thing, read in both directions.

A reference is written twice, under the version that holds it and under its target. A version with many references
writes them before the transaction that publishes it; they name the content hash as well as the revision, and a
reader ignores every reference whose version was not published with that hash. So a publisher that lost a race
leaves nothing that anybody sees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import dumps, parse_json
from millrace.ports.documents import Documents, Item, Key, Range, Table, TenantScope
from millrace.store.definitions import Definitions, Kind, Version, item_key, version_sort

INWARD: Final = frozenset({"task", "input", "config", "trigger", "execution"})
"""Kinds that stay inside one definition: nothing else can be asked who uses them."""
_CHUNK_BYTES: Final = 200_000


class Use(Struct, frozen=True):
    """One use: the task path that refers (empty for the workflow itself), to what, the exact fields it reads, and
    the version or range that the reference asks for (empty for the active version)."""

    path: str
    kind: str
    target: str
    fields: tuple[str, ...] = ()
    selector: str = ""


class UsedBy(Struct, frozen=True):
    """A published version and the uses it makes of one target."""

    kind: Kind
    name: str
    revision: int
    uses: tuple[Use, ...]


def reference_items(version: Version, uses: Iterable[Use]) -> list[Item]:
    """The forward items of all uses, and the backward items of those that leave the definition, by target; each
    item holds at most 200 kB."""
    ordered = sorted(uses, key=lambda use: (use.kind, use.target, use.path))
    items = [
        Item(Key(Table.DEFINITIONS, _forward(version), f"{number:05d}"), {"body": _encode(chunk)})
        for number, chunk in enumerate(_chunks(ordered))
    ]
    outward = [use for use in ordered if use.kind not in INWARD]
    for (kind, target), group in itertools.groupby(outward, key=lambda use: (use.kind, use.target)):
        partition = ("used-by", version.namespace, kind, target)
        place = f"{version.kind}\t{version.name}\t{version.revision:010d}\t{version.content_hash}"
        items += [
            Item(Key(Table.DEFINITIONS, partition, f"{place}\t{number:05d}"), {"body": _encode(chunk)})
            for number, chunk in enumerate(_chunks(list(group)))
        ]
    return items


def uses_of(documents: Documents, scope: TenantScope, version: Version) -> list[Use]:
    """What a published version refers to, ordered by kind, target and path."""
    return [use for item in _all(documents, scope, _forward(version)) for use in _decode(item)]


def used_by(definitions: Definitions, kind: str, target: str) -> list[UsedBy]:
    """Every published version that refers to a target, ordered by kind, name and revision."""
    partition = ("used-by", definitions.namespace, kind, target)
    rows = [(item.key.sort.split("\t"), item) for item in _all(definitions.documents, definitions.scope, partition)]
    keys = [_version_key(definitions.namespace, parts) for parts, _ in rows]
    versions = definitions.documents.batch_get(definitions.scope, keys)
    found: list[UsedBy] = []
    for (parts, item), version in zip(rows, versions, strict=True):
        if version is None or version.attrs.get("contentHash") != parts[3]:
            continue
        uses = tuple(_decode(item))
        last = found[-1] if found else None
        if last is not None and [last.kind, last.name, f"{last.revision:010d}"] == parts[:3]:
            found[-1] = UsedBy(last.kind, last.name, last.revision, last.uses + uses)
        else:
            found.append(UsedBy(_kind(parts[0]), parts[1], int(parts[2]), uses))
    return found


def _forward(version: Version) -> tuple[str, ...]:
    revision = f"{version.revision:010d}"
    return ("references", version.kind, version.namespace, version.name, revision, version.content_hash)


def _version_key(namespace: str, parts: Sequence[str]) -> Key:
    return item_key(_kind(parts[0]), namespace, parts[1], version_sort(int(parts[2])))


def _kind(text: str) -> Kind:
    return "workflow" if text == "workflow" else "task"


def _row(use: Use) -> list[Any]:
    return [use.path, use.kind, use.target, list(use.fields), use.selector]


def _encode(uses: list[Use]) -> bytes:
    return dumps([_row(use) for use in uses])


def _decode(item: Item) -> list[Use]:
    body = item.attrs["body"]
    rows: list[Any] = parse_json(body) if isinstance(body, bytes) else []
    return [Use(path, kind, target, tuple(fields), selector) for path, kind, target, fields, selector in rows]


def _chunks(uses: list[Use]) -> Iterator[list[Use]]:
    chunk: list[Use] = []
    size = 0
    for use in uses:
        weight = len(dumps(_row(use)))
        if chunk and size + weight > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(use)
        size += weight
    if chunk:
        yield chunk


def _all(documents: Documents, scope: TenantScope, partition: tuple[str, ...]) -> Iterator[Item]:
    cursor: str | None = None
    while True:
        page = documents.query(scope, Table.DEFINITIONS, partition, within=Range(), cursor=cursor)
        yield from (row.item for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return
