"""A definition by name and, if wanted, by version: the one look-up that every read of a definition uses."""

from __future__ import annotations

from millrace.base.errors import Conflict, NotFound
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.task_references import revision_of
from millrace.services.times import rfc3339
from millrace.store.definitions import Definitions, Head, Kind, Version


def definitions_of(platform: Platform, caller: Caller) -> Definitions:
    """The caller's definitions: of the caller's tenant and namespace, and of no other."""
    return Definitions(platform.documents, caller.scope, caller.namespace)


def find_head(definitions: Definitions, kind: Kind, name: str, *, deleted: bool = False) -> Head:
    """The state of a name; with ``deleted`` also of one that was deleted. Raises NotFound."""
    head = definitions.head(kind, name)
    if head is not None and head.deleted and not deleted:
        raise NotFound(
            f"the {kind} {name} was deleted by {head.updated_by} at {rfc3339(head.updated_at)}",
            hint=f"Activate one of its versions or publish it again: POST /api/v1/{kind}s/{name}/activate.",
        )
    if head is None:
        raise NotFound(f"there is no {kind} {name[:80]!r}", hint=f"Publish it, or list the {kind}s there are.")
    return head


def find_version(definitions: Definitions, head: Head, selector: str | None = None) -> Version:
    """The version a selector names (label, range, ``rN``, ``latest``), or without one the active version.

    Raises NotFound when the selector names nothing, Conflict when no version is active.
    """
    if selector is None and not head.active:
        raise Conflict(
            f"no version of the {head.kind} {head.name} is active",
            hint=f"Activate one: POST /api/v1/{head.kind}s/{head.name}/activate.",
        )
    revision = head.active if selector is None else revision_of(definitions, head, selector)
    version = definitions.version(head.kind, head.name, revision) if revision else None
    if version is None:
        raise NotFound(
            f"the {head.kind} {head.name} has no version {str(selector)[:80]!r}",
            hint=f"List them: GET /api/v1/{head.kind}s/{head.name}/versions.",
        )
    return version
