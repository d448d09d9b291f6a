"""Delete: nothing new starts with a name, and it is in no list. Its versions stay, so that executions which have begun
end as they would have, and publishing or activating one of them brings the name back.

Who refers to the name is told first: without ``force`` a name in use stays. A publish that comes in between may still
leave a reference to it; a start of that is refused, as where a task was never published.
"""

from __future__ import annotations

from typing import Any, Final

from millrace.base.errors import ConditionRefused, Conflict, OutcomeUnknown
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head
from millrace.services.platform import Platform
from millrace.services.precondition import check_match
from millrace.services.times import rfc3339
from millrace.store.definitions import Definitions, Kind
from millrace.store.publishing import delete
from millrace.store.references import used_by

AFFECTED: Final = 200
"""Definitions listed at most."""
_TRIES: Final = 100
_REFERENCE: Final[dict[Kind, str]] = {"task": "taskRef", "workflow": "workflowRef"}


def delete_definition(
    platform: Platform, caller: Caller, kind: Kind, name: str, *, if_match: str = "", force: bool = False
) -> dict[str, Any]:
    """``{kind, name, namespace, deletedAt, deletedBy, affected}``; ``affected`` lists ``{kind, name, distance}``: the
    active definitions that refer to the name, and those that refer to them, nearest first.

    Raises NotFound, PreconditionFailed, and Conflict with ``affected`` when there are any and ``force`` is not given.
    """
    definitions = definitions_of(platform, caller)
    unsure = False
    for _ in range(_TRIES):
        head = find_head(definitions, kind, name, deleted=unsure)
        affected = _affected(definitions, kind, name)
        now = head.updated_at
        if not head.deleted:  # else it was our own write, whose acknowledgement was lost
            check_match(if_match, head)
            if affected and not force:
                first = affected[0]
                raise Conflict(
                    f"the {kind} {name} is used by the {first['kind']} {first['name']}"
                    + (f", and {len(affected) - 1} more" if len(affected) > 1 else ""),
                    hint="Change them first, or delete it with force=true: what starts then fails.",
                    facts={"affected": affected},
                )
            now = platform.clock.now()
            try:
                delete(definitions, head, by=caller.principal, now=now)
            except ConditionRefused:
                continue  # somebody else was first: read again
            except OutcomeUnknown:
                unsure = True
                continue
        return {
            "kind": kind,
            "name": name,
            "namespace": caller.namespace,
            "deletedAt": rfc3339(now),
            "deletedBy": caller.principal,
            "affected": affected,
        }
    raise Conflict(f"too many others change {name} at this moment", hint="Try again in a moment.")


def _affected(definitions: Definitions, kind: Kind, name: str) -> list[dict[str, Any]]:
    """Whose active version leads to a definition, over any number of steps."""
    seen = {(kind, name)}
    found: list[dict[str, Any]] = []
    level = [(kind, name)]
    distance = 0
    while level and len(found) < AFFECTED:
        distance += 1
        users = {
            (user.kind, user.name): None
            for held, target in level
            for user in used_by(definitions, _REFERENCE[held], target)
            if (user.kind, user.name) not in seen and _is_active(definitions, user.kind, user.name, user.revision)
        }
        level = list(users)
        seen.update(level)
        found += [{"kind": held, "name": target, "distance": distance} for held, target in level]
    return found[:AFFECTED]


def _is_active(definitions: Definitions, kind: Kind, name: str, revision: int) -> bool:
    head = definitions.head(kind, name)
    return head is not None and head.active == revision
