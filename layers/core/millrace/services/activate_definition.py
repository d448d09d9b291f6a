"""Activate: move the route of a name, so that new starts get another version. Running executions keep theirs."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from millrace.base.canonical import sha256
from millrace.base.errors import ConditionRefused, Conflict, OutcomeUnknown
from millrace.ports.documents import Table
from millrace.services.caller import Caller
from millrace.services.definition_json import head_json
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.platform import Platform
from millrace.services.precondition import check_match
from millrace.store.definitions import Kind
from millrace.store.idempotency import Claim, checked_key, earlier_answer, record
from millrace.store.publishing import activate

_TRIES: Final = 100


def activate_definition(
    platform: Platform,
    caller: Caller,
    kind: Kind,
    name: str,
    *,
    version: str,
    if_match: str = "",
    key: str | None = None,
) -> tuple[dict[str, Any], str]:
    """The state of the name afterwards, and its ETag. Activating what is active changes nothing; a request that is
    sent again with its Idempotency-Key gets the first answer, whatever was activated since.

    ``version`` is a label, range, ``rN`` or ``latest``. Raises NotFound, PreconditionFailed, IdempotencyMismatch,
    InvalidRequest.
    """
    definitions = definitions_of(platform, caller)
    claim = _claim(caller, kind, name, version, if_match, key)
    for attempt in range(_TRIES):
        now = platform.clock.now()
        earlier = earlier_answer(platform.documents, caller.scope, claim, now=now) if claim else None
        if earlier is not None:
            return earlier["body"], earlier["etag"]
        head = find_head(definitions, kind, name, deleted=True)  # which brings it back
        wanted = find_version(definitions, head, version)
        moves = wanted.revision != head.active
        if moves or not attempt:  # our own write, whose acknowledgement was lost, or another's to the same end
            check_match(if_match, head)
        after = head
        if moves:
            after = replace(head, active=wanted.revision, active_label=wanted.label, etag=head.etag + 1)
            after = replace(after, updated_by=caller.principal, updated_at=now, deleted=False)
        body, etag = head_json(after), str(after.etag)
        also = (record(claim, {"body": body, "etag": etag}, now=now),) if claim else ()
        try:
            if moves:
                activate(definitions, head, wanted, by=caller.principal, now=now, also=also)
            elif also:
                definitions.documents.write(definitions.scope, also)
        except (ConditionRefused, OutcomeUnknown):
            continue  # somebody else was first: read again
        return body, etag
    raise Conflict(f"too many others change {name} at this moment", hint="Try again in a moment.")


def _claim(caller: Caller, kind: Kind, name: str, version: str, if_match: str, key: str | None) -> Claim | None:
    if key is None:
        return None
    body = [caller.namespace, name, version, if_match]
    return Claim(Table.DEFINITIONS, f"activate {kind}", checked_key(key), sha256(body))
