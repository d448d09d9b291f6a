"""The writes on definitions: publishing a version and moving the route, each one transaction.

The head's etag is the fence of every write: a writer that read an older head is refused, reads again and tries
again. A revision number is therefore taken by exactly one version and none is lost.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from millrace.base.canonical import dumps
from millrace.base.errors import TooLarge
from millrace.base.limits import ITEM_BYTES, TRANSACTION_OPS
from millrace.ports.documents import ABSENT, Attr, Check, Condition, Item, Op, Put, Update
from millrace.store.definitions import (
    Definitions,
    Head,
    Kind,
    Side,
    Version,
    document_sort,
    head_key,
    item_key,
    source_sort,
    version_sort,
)
from millrace.store.references import Use, reference_items

_OVERHEAD: Final = 4096  # keys and attributes beside the body


class Draft(Struct, frozen=True):
    """A checked document about to become a version. ``document`` is canonical data, ``source`` the text as sent."""

    kind: Kind
    name: str
    document: object
    source: bytes
    media: str
    content_hash: str
    behaviour_hash: str
    side: Side
    uses: tuple[Use, ...]
    message: str = ""


class Stamp(Struct, frozen=True):
    """Who writes, when (ms since the epoch), and an id by which a writer knows its own write again."""

    by: str
    at: int
    write_id: str


def next_version(definitions: Definitions, draft: Draft, head: Head | None, *, label: str, stamp: Stamp) -> Version:
    """The version that a draft becomes after ``head``, not yet written."""
    return Version(
        kind=draft.kind,
        namespace=definitions.namespace,
        name=draft.name,
        revision=1 if head is None else head.latest + 1,
        label=label,
        content_hash=draft.content_hash,
        behaviour_hash=draft.behaviour_hash,
        created_by=stamp.by,
        created_at=stamp.at,
        write_id=stamp.write_id,
        parent=0 if head is None else head.latest,
        message=draft.message,
        media=draft.media,
    )


def publish(
    definitions: Definitions,
    draft: Draft,
    version: Version,
    head: Head | None,
    *,
    activate: bool,
    also: tuple[Op, ...] = (),
) -> None:
    """Writes a version and makes it the latest, and the active one if asked.

    ``also`` are operations of the same transaction (at most 3). Raises ConditionRefused when the head has moved on,
    the label or content exists, or one of ``also`` is refused; nothing was published then. Raises TooLarge.
    """
    ops = [_head_update(definitions, version, head, draft.side, activate=activate), *_items(version, draft), *also]
    references = reference_items(version, draft.uses)
    if len(ops) + len(references) <= TRANSACTION_OPS:
        ops += [Put(item) for item in references]
    else:
        definitions.documents.batch_put(definitions.scope, references)
    definitions.documents.write(definitions.scope, ops)


def activate(
    definitions: Definitions, head: Head, version: Version, *, by: str, now: int, also: tuple[Op, ...] = ()
) -> None:
    """Makes a version the one that new starts get. Raises ConditionRefused when the head has moved on."""
    update = Update(
        head_key(head.kind, definitions.namespace, head.name),
        set={"active": version.revision, "activeLabel": version.label, "updatedBy": by, "updatedAt": now, "deleted": 0},
        add={"etag": 1},
        when=(Check("eq", "etag", head.etag),),
    )
    definitions.documents.write(definitions.scope, [update, *also])


def delete(definitions: Definitions, head: Head, *, by: str, now: int) -> None:
    """Marks a name as deleted; nothing of it is active then, and nothing of it is lost. Raises ConditionRefused when
    the head has moved on."""
    update = Update(
        head_key(head.kind, definitions.namespace, head.name),
        set={"active": 0, "activeLabel": "", "updatedBy": by, "updatedAt": now, "deleted": 1},
        add={"etag": 1},
        when=(Check("eq", "etag", head.etag),),
    )
    definitions.documents.write(definitions.scope, [update])


def _head_update(
    definitions: Definitions, version: Version, head: Head | None, side: Side, *, activate: bool
) -> Update:
    changed: dict[str, Attr] = {
        "kind": version.kind,
        "namespace": version.namespace,
        "latest": version.revision,
        "latestLabel": version.label,
        "updatedBy": version.created_by,
        "updatedAt": version.created_at,
        "deleted": 0,
        "description": side.description,
        "owner": side.owner,
        "tags": list(side.tags),
        "categories": list(side.categories),
        "labels": dict(side.labels),
    }
    if activate:
        changed |= {"active": version.revision, "activeLabel": version.label}
    elif head is None or head.deleted:
        changed |= {"active": 0, "activeLabel": ""}
    when: tuple[Condition, ...] = ABSENT if head is None else (Check("eq", "etag", head.etag),)
    return Update(head_key(version.kind, definitions.namespace, version.name), set=changed, add={"etag": 1}, when=when)


def _items(version: Version, draft: Draft) -> list[Op]:
    def put(sort: str, attrs: dict[str, Attr], *, feed: bool = False) -> Put:
        key = item_key(version.kind, version.namespace, version.name, sort)
        return Put(Item(key, attrs, feed=feed), when=ABSENT)

    document = dumps(draft.document)
    for what, body in (("source", draft.source), ("canonical form", document)):
        if len(body) + _OVERHEAD > ITEM_BYTES:
            raise TooLarge(
                f"the {what} of the document is larger than {ITEM_BYTES - _OVERHEAD} bytes",
                hint="Move parts of it into reusable tasks.",
                facts={"limit": ITEM_BYTES - _OVERHEAD, "size": len(body)},
            )
    record: dict[str, Attr] = {
        "kind": version.kind,
        "namespace": version.namespace,
        "name": version.name,
        "revision": version.revision,
        "label": version.label,
        "contentHash": version.content_hash,
        "behaviourHash": version.behaviour_hash,
        "createdBy": version.created_by,
        "createdAt": version.created_at,
        "parent": version.parent,
        "message": version.message,
        "writeId": version.write_id,
        "media": version.media,
    }
    return [
        put(version_sort(version.revision), record, feed=True),
        put(source_sort(version.revision), {"body": draft.source}),
        put(document_sort(version.revision), {"body": document}),
        put(f"label#{version.label}", {"revision": version.revision}),
        put(f"content#{version.content_hash}", {"revision": version.revision}),
    ]
