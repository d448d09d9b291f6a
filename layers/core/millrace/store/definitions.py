"""Definitions: immutable versions of workflows and reusable tasks, and the one item per name that may change.

Items, all below (tenant, table definitions); ``n`` is the namespace:

    ("names", kind, n)             sort name            head: latest and active version, side data, etag
    ("definition", kind, n, name)  sort version#NNNNNNNNNN  version record
                                   sort source#NNNNNNNNNN   the source text as sent
                                   sort document#NNNNNNNNNN canonical JSON of the document
                                   sort label#L             which revision the label L names
                                   sort content#H           which revision has the content hash H
    ("references", kind, n, name, revision, hash)  see `millrace.store.references`

A version never changes. The head is the route item of architecture §7: it says which version new starts get, and
its etag counts every change of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct, field

from millrace.base.canonical import parse_json
from millrace.base.errors import BlobMissing
from millrace.ports.documents import Documents, Item, Key, Range, Table, TenantScope

Kind = Literal["workflow", "task"]
_READ_DEPTH: Final = 128


class Version(Struct, frozen=True):
    """One immutable version. ``created_at`` in ms since the epoch; ``parent`` is the revision that was the latest
    when this one was published, 0 for the first; ``media`` is that of the source text; ``write_id`` is
    the writer's own mark."""

    kind: Kind
    namespace: str
    name: str
    revision: int
    label: str
    content_hash: str
    behaviour_hash: str
    created_by: str
    created_at: int
    parent: int
    message: str
    media: str
    write_id: str = ""


class Side(Struct, frozen=True):
    """What describes a definition without changing what it does; seeded by each new version."""

    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class Head(Struct, frozen=True):
    """The state of a name. ``active`` is the revision that new starts get, 0 while none is active; ``deleted`` marks a
    name that was deleted: its versions stay for the executions that have them, and a publish brings it back."""

    kind: Kind
    namespace: str
    name: str
    latest: int
    latest_label: str
    active: int
    active_label: str
    etag: int
    updated_by: str
    updated_at: int
    side: Side = Side()
    deleted: bool = False


def head_key(kind: Kind, namespace: str, name: str) -> Key:
    return Key(Table.DEFINITIONS, ("names", kind, namespace), name)


def item_key(kind: Kind, namespace: str, name: str, sort: str) -> Key:
    return Key(Table.DEFINITIONS, ("definition", kind, namespace, name), sort)


def version_sort(revision: int) -> str:
    return f"version#{revision:010d}"


def source_sort(revision: int) -> str:
    return f"source#{revision:010d}"


def document_sort(revision: int) -> str:
    return f"document#{revision:010d}"


class Definitions:
    """The reads. Holds no state of its own; writes are in `millrace.store.publishing`."""

    def __init__(self, documents: Documents, scope: TenantScope, namespace: str) -> None:
        self.documents = documents
        self.scope = scope
        self.namespace = namespace

    def head(self, kind: Kind, name: str) -> Head | None:
        item = self.documents.get(self.scope, head_key(kind, self.namespace, name))
        return None if item is None else _head(item)

    def heads(self, kind: Kind, *, limit: int, cursor: str | None = None) -> tuple[list[Head], str | None]:
        """By name, ascending. Raises InvalidRequest on a cursor that was not made by this list."""
        page = self.documents.query(
            self.scope, Table.DEFINITIONS, ("names", kind, self.namespace), within=Range(limit=limit), cursor=cursor
        )
        return [_head(row.item) for row in page.rows], page.cursor

    def version(self, kind: Kind, name: str, revision: int) -> Version | None:
        item = self._item(kind, name, version_sort(revision))
        return None if item is None else _version(item)

    def many_heads(self, kind: Kind, names: Sequence[str]) -> dict[str, Head]:
        """The heads of those names that exist."""
        items = self.documents.batch_get(self.scope, [head_key(kind, self.namespace, name) for name in names])
        return {item.key.sort: _head(item) for item in items if item is not None}

    def many_versions(self, kind: Kind, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Version]:
        """The versions of those (name, revision) that exist."""
        keys = [item_key(kind, self.namespace, name, version_sort(revision)) for name, revision in wanted]
        found = (_version(item) for item in self.documents.batch_get(self.scope, keys) if item is not None)
        return {(version.name, version.revision): version for version in found}

    def revision_of_label(self, kind: Kind, name: str, label: str) -> int | None:
        return _revision(self._item(kind, name, f"label#{label}"))

    def revision_of_content(self, kind: Kind, name: str, content_hash: str) -> int | None:
        return _revision(self._item(kind, name, f"content#{content_hash}"))

    def versions(
        self, kind: Kind, name: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Version], str | None]:
        """Newest first. Raises InvalidRequest on a cursor that was not made by this list."""
        page = self.documents.query(
            self.scope,
            Table.DEFINITIONS,
            ("definition", kind, self.namespace, name),
            within=Range(prefix="version#", reverse=True, limit=limit),
            cursor=cursor,
        )
        return [_version(row.item) for row in page.rows], page.cursor

    def labels(self, kind: Kind, name: str) -> dict[str, int]:
        """Every label of a name and its revision."""
        found: dict[str, int] = {}
        cursor: str | None = None
        while True:
            page = self.documents.query(
                self.scope,
                Table.DEFINITIONS,
                ("definition", kind, self.namespace, name),
                within=Range(prefix="label#"),
                cursor=cursor,
            )
            for row in page.rows:
                found[row.item.key.sort.removeprefix("label#")] = _number(row.item, "revision")
            cursor = page.cursor
            if cursor is None:
                return found

    def source(self, version: Version) -> str:
        """The source text as published, with its comments. Raises BlobMissing when the item is gone."""
        return self._body(version, source_sort(version.revision)).decode()

    def document(self, version: Version) -> Any:
        """The canonical document. Raises BlobMissing when the item is gone."""
        return parse_json(self._body(version, document_sort(version.revision)), depth=_READ_DEPTH)

    def _body(self, version: Version, sort: str) -> bytes:
        item = self._item(version.kind, version.name, sort)
        body = None if item is None else item.attrs.get("body")
        if not isinstance(body, bytes):
            raise BlobMissing(f"{version.kind} {version.name} revision {version.revision} has no {sort.split('#')[0]}")
        return body

    def _item(self, kind: Kind, name: str, sort: str) -> Item | None:
        return self.documents.get(self.scope, item_key(kind, self.namespace, name, sort))


def _head(item: Item) -> Head:
    attrs: Mapping[str, Any] = item.attrs
    return Head(
        kind=attrs["kind"],
        namespace=attrs["namespace"],
        name=item.key.sort,
        latest=_number(item, "latest"),
        latest_label=attrs["latestLabel"],
        active=_number(item, "active"),
        active_label=attrs.get("activeLabel", ""),
        etag=_number(item, "etag"),
        updated_by=attrs["updatedBy"],
        updated_at=_number(item, "updatedAt"),
        deleted=attrs.get("deleted", 0) == 1,
        side=Side(
            description=attrs.get("description", ""),
            owner=attrs.get("owner", ""),
            tags=tuple(attrs.get("tags", ())),
            categories=tuple(attrs.get("categories", ())),
            labels=dict(attrs.get("labels", {})),
        ),
    )


def _version(item: Item) -> Version:
    attrs: Mapping[str, Any] = item.attrs
    return Version(
        kind=attrs["kind"],
        namespace=attrs["namespace"],
        name=attrs["name"],
        revision=_number(item, "revision"),
        label=attrs["label"],
        content_hash=attrs["contentHash"],
        behaviour_hash=attrs["behaviourHash"],
        created_by=attrs["createdBy"],
        created_at=_number(item, "createdAt"),
        parent=_number(item, "parent"),
        message=attrs["message"],
        media=attrs["media"],
        write_id=attrs.get("writeId", ""),
    )


def _number(item: Item, name: str) -> int:
    value: Any = item.attrs[name]
    return int(value)


def _revision(item: Item | None) -> int | None:
    return None if item is None else _number(item, "revision")
