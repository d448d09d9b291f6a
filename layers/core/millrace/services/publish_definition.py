"""Publishing: a checked document becomes an immutable version, once, whoever else publishes at the same moment."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import sha256
from millrace.base.errors import (
    ConditionRefused,
    Conflict,
    InvalidRequest,
    OutcomeUnknown,
    VersionLabelTaken,
)
from millrace.base.ids import Millis
from millrace.ports.documents import Op, Table
from millrace.services.caller import Caller
from millrace.services.checked_document import Checked, Media, check_document, refuse
from millrace.services.definition_json import version_json
from millrace.services.platform import Platform
from millrace.services.precondition import check_match
from millrace.services.reserved_names import RESERVED
from millrace.services.transform_check import check_transform
from millrace.services.version_range import FIRST, next_patch
from millrace.spec import Workflow, WorkflowTask, behaviour_hash, content_hash, references
from millrace.store.definitions import Definitions, Head, Kind, Side, Version
from millrace.store.idempotency import Claim, checked_key, earlier_answer, record
from millrace.store.publishing import Draft, Stamp, activate, next_version, publish
from millrace.store.references import Use

_TRIES: Final = 100


class Publication(Struct, frozen=True):
    """How a document is to be published. ``name`` is the one the address gives, None where it gives none; ``route``
    is the method and path that an idempotency key belongs to; ``if_match`` an If-Match header, empty for none;
    ``label`` is the version label of a document that names none, None for the next patch."""

    source: bytes
    media: Media
    name: str | None = None
    activate: bool = True
    message: str = ""
    if_match: str = ""
    idempotency_key: str | None = None
    route: str = ""
    label: str | None = None


class Published(Struct, frozen=True):
    """``created`` is False when the same content was published before. A repeated request with the same key gets the
    first one's answer. ``body`` is JSON; ``etag`` is that of the definition after the request."""

    created: bool
    body: dict[str, Any]
    etag: str


def publish_definition(platform: Platform, caller: Caller, kind: Kind, publication: Publication) -> Published:
    """Publishes a document. Raises InvalidDocument with findings, InvalidRequest, VersionLabelTaken,
    PreconditionFailed, IdempotencyMismatch, TooLarge."""
    checked = check_document(platform, caller, kind, publication.source, publication.media)
    if not checked.valid or checked.document is None:
        raise refuse(checked)
    document = checked.document
    _check_name(publication, document.metadata.name)
    definitions = checked.definitions
    draft = _draft(kind, document, checked, publication)
    claim = _claim(definitions.namespace, kind, publication)
    for _ in range(_TRIES):
        now = platform.clock.now()
        earlier = earlier_answer(platform.documents, caller.scope, claim, now=now) if claim else None
        if earlier is not None:
            return Published(**earlier)
        head = definitions.head(kind, draft.name)
        check_match(publication.if_match, head)
        try:
            this = _Try(definitions, draft, publication, claim, caller.principal, now, platform.ids.new())
            return _attempt(this, head, checked)
        except ConditionRefused:
            continue  # another publisher was first: read again
    raise Conflict(f"too many others publish {draft.name} at this moment", hint="Try again in a moment.")


_RANGED: Final = frozenset({"taskRef", "workflowRef"})


class _Try(Struct, frozen=True):
    definitions: Definitions
    draft: Draft
    publication: Publication
    claim: Claim | None
    by: str
    now: Millis
    write_id: str


def _attempt(this: _Try, head: Head | None, checked: Checked) -> Published:
    """One try against the head that was read. Raises ConditionRefused when it has moved on."""
    existing = this.definitions.revision_of_content(this.draft.kind, this.draft.name, this.draft.content_hash)
    if head is not None and existing is not None:
        version = this.definitions.version(this.draft.kind, this.draft.name, existing)
        if version is not None:
            return _unchanged(this, head, version, checked)
    label = _label(this, head, checked.document)
    now_active = this.publication.activate
    etag = 1 if head is None else head.etag + 1
    stamp = Stamp(this.by, this.now, this.write_id)
    version = next_version(this.definitions, this.draft, head, label=label, stamp=stamp)
    body = version_json(version) | {"active": now_active, "findings": checked.findings_json()}
    answer = Published(created=True, body=body, etag=str(etag))
    try:
        publish(this.definitions, this.draft, version, head, activate=now_active, also=_kept(this, answer))
    except (ConditionRefused, OutcomeUnknown):
        # A lost acknowledgement of our own write looks like another's win; what stands there tells them apart.
        stored = this.definitions.version(version.kind, version.name, version.revision)
        if stored is None or stored.write_id != version.write_id:
            raise
    return answer


def _unchanged(this: _Try, head: Head, version: Version, checked: Checked) -> Published:
    """The content is there already: nothing is published, and at most the route moves to it."""
    if head.deleted and not this.publication.activate:
        raise Conflict(
            f"the {head.kind} {head.name} was deleted, and this content is its revision {version.revision}",
            hint="Publish it with activate=true, which brings it back.",
        )
    moves = this.publication.activate and head.active != version.revision
    etag = head.etag + 1 if moves else head.etag
    active = moves or head.active == version.revision
    body = version_json(version) | {"active": active, "findings": checked.findings_json()}
    answer = Published(created=False, body=body, etag=str(etag))
    also = _kept(this, answer)
    if moves:
        activate(this.definitions, head, version, by=this.by, now=this.now, also=also)
    elif also:
        this.definitions.documents.write(this.definitions.scope, also)
    return answer


def _kept(this: _Try, answer: Published) -> tuple[Op, ...]:
    if this.claim is None:
        return ()
    kept = {"created": answer.created, "body": answer.body, "etag": answer.etag}
    return (record(this.claim, kept, now=this.now),)


def _label(this: _Try, head: Head | None, document: Workflow | WorkflowTask | None) -> str:
    """The label of the version to be: the document's, else the publication's, else the next free patch."""
    wanted = (document.spec.version if document is not None else None) or this.publication.label
    if wanted is None:
        if head is None:
            return FIRST
        return next_patch(head.latest_label, this.definitions.labels(this.draft.kind, this.draft.name))
    taken = this.definitions.revision_of_label(this.draft.kind, this.draft.name, wanted)
    if taken is not None:
        holder = this.definitions.version(this.draft.kind, this.draft.name, taken)
        if holder is not None and holder.content_hash == this.draft.content_hash:
            raise ConditionRefused("the same content was published at this moment")
        raise VersionLabelTaken(
            f"version {wanted} of {this.draft.name} is published already, with other content",
            hint="Raise spec.version, or leave it out to get the next patch.",
            facts={"version": wanted},
        )
    return wanted


def _draft(kind: Kind, document: Workflow | WorkflowTask, checked: Checked, publication: Publication) -> Draft:
    spec, metadata = document.spec, document.metadata
    return Draft(
        kind=kind,
        name=metadata.name,
        document=checked.value,
        source=publication.source,
        media=publication.media,
        content_hash=content_hash(checked.value),
        behaviour_hash=behaviour_hash(checked.value),
        side=Side(
            description=spec.description or "",
            owner=metadata.owner or "",
            tags=spec.tags,
            categories=_categories(document),
            labels=metadata.labels,
        ),
        uses=_uses(document),
        message=publication.message,
    )


def _categories(document: Workflow | WorkflowTask) -> tuple[str, ...]:
    if isinstance(document, Workflow):
        return document.spec.categories
    return (document.spec.category,) if document.spec.category else ()


def _uses(document: Workflow | WorkflowTask) -> tuple[Use, ...]:
    """What the document refers to; tasks and workflows are indexed by their names, whatever the range."""
    uses = []
    for found in references(document, check_transform=check_transform):
        target, _, selector = found.name.partition("@") if found.kind in _RANGED else (found.name, "", "")
        uses.append(Use(found.path, found.kind, target, found.fields, selector))
    return tuple(uses)


def _check_name(publication: Publication, name: str) -> None:
    if publication.name is not None and publication.name != name:
        raise InvalidRequest(
            f"the address says {publication.name} and the document {name}",
            hint="Make metadata.name equal to the name in the address; a definition is not renamed.",
        )
    if name in RESERVED:
        raise InvalidRequest(
            f"{name!r} is a word of the API and cannot be a name", hint="Choose another metadata.name."
        )


def _claim(namespace: str, kind: Kind, publication: Publication) -> Claim | None:
    if publication.idempotency_key is None:
        return None
    key = checked_key(publication.idempotency_key)
    decided_by = [
        namespace,
        publication.name,
        publication.activate,
        publication.message,
        publication.if_match,
        publication.media,
        sha256(publication.source),
    ]
    return Claim(Table.DEFINITIONS, publication.route or f"publish {kind}", key, sha256(decided_by))
