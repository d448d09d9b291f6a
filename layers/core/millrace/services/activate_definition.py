"""Activate: move the route of a name, so that new starts get another version. Running executions keep theirs."""

from __future__ import annotations

from typing import Any, Final

from millrace.base.errors import ConditionRefused, Conflict, OutcomeUnknown
from millrace.services.caller import Caller
from millrace.services.definition_json import head_json
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.platform import Platform
from millrace.services.precondition import check_match
from millrace.store.definitions import Kind
from millrace.store.publishing import activate

_TRIES: Final = 100


def activate_definition(
    platform: Platform, caller: Caller, kind: Kind, name: str, *, version: str, if_match: str = ""
) -> tuple[dict[str, Any], str]:
    """The state of the name afterwards, and its ETag. Activating what is active changes nothing.

    ``version`` is a label, range, ``rN`` or ``latest``. Raises NotFound, PreconditionFailed.
    """
    definitions = definitions_of(platform, caller)
    for attempt in range(_TRIES):
        head = find_head(definitions, kind, name)
        wanted = find_version(definitions, head, version)
        if attempt and wanted.revision == head.active:
            # Our own write, whose acknowledgement was lost, or another's to the same end.
            return head_json(head), str(head.etag)
        check_match(if_match, head)
        if wanted.revision == head.active:
            return head_json(head), str(head.etag)
        try:
            activate(definitions, head, wanted, by=caller.principal, now=platform.clock.now())
        except (ConditionRefused, OutcomeUnknown):
            continue  # somebody else was first: read again
        moved = find_head(definitions, kind, name)
        return head_json(moved), str(moved.etag)
    raise Conflict(f"too many others change {name} at this moment", hint="Try again in a moment.")
