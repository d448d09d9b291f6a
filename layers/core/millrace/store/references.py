"""The reference index: what a version refers to, and what refers to a thing, read in both directions.

A reference is written twice, under the version that holds it and under its target. A version with many references
writes them before the transaction that publishes it; they name the content hash as well as the revision, and a
reader ignores every reference whose version was not published with that hash. So a publisher that lost a race
leaves nothing that anybody sees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from millrace.base.canonical import dumps, parse_json
from millrace.ports.documents import Documents, Item, Key, Range, Table, TenantScope
from millrace.store.definitions import Definitions, Kind, Version, item_key, version_sort

_CHUNK_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Use:
    """One use: the task path that refers (empty for the workflow itself), to what, and the exact fields it reads."""

    path: str
    kind: str
    target: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsedBy:
    """A published version and the uses it makes of one target."""

    kind: Kind
    name: str
    revision: int
    uses: tuple[Use, ...]


def reference_items(version: Version, uses: Iterable[Use]) -> list[Item]:
    """Both directions of every use, grouped by target and cut at 200 kB an item."""
    items: list[Item] = []
    ordered = sorted(uses, key=lambda use: (use.kind, use.target, use.path))
    for (kind, target), group in itertools.groupby(ordered, key=lambda use: (use.kind, use.target)):
        for number, chunk in enumerate(_chunks(list(group))):
            body = dumps([[use.path, list(use.fields)] for use in chunk])
            forward = Key(Table.DEFINITIONS, _forward(version), f"{kind}\t{target}\t{number:05d}")
            backward = Key(
                Table.DEFINITIONS,
                ("used-by", version.namespace, kind, target),
                f"{version.kind}\t{version.name}\t{version.revision:010d}\t{version.content_hash}\t{number:05d}",
            )
            items += [Item(forward, {"body": body}), Item(backward, {"body": body})]
    return items


def uses_of(documents: Documents, scope: TenantScope, version: Version) -> list[Use]:
    """What a published version refers to, ordered by kind, target and path."""
    found = []
    for item in _all(documents, scope, _forward(version)):
        kind, target, _ = item.key.sort.split("\t")
        found += _decode(item, kind, target)
    return found


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
        uses = tuple(_decode(item, kind, target))
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


def _decode(item: Item, kind: str, target: str) -> list[Use]:
    body = item.attrs["body"]
    rows: list[Any] = parse_json(body) if isinstance(body, bytes) else []
    return [Use(path, kind, target, tuple(fields)) for path, fields in rows]


def _chunks(uses: list[Use]) -> Iterator[list[Use]]:
    chunk: list[Use] = []
    size = 0
    for use in uses:
        weight = len(dumps([use.path, list(use.fields)]))
        if chunk and size + weight > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(use)
        size += weight
    yield chunk


def _all(documents: Documents, scope: TenantScope, partition: tuple[str, ...]) -> Iterator[Item]:
    cursor: str | None = None
    while True:
        page = documents.query(scope, Table.DEFINITIONS, partition, within=Range(), cursor=cursor)
        yield from (row.item for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return
