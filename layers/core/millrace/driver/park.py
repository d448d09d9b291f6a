"""Parking: an execution in which nothing runs goes to sleep until its next timer or a message.

Send and park cannot miss each other: a sender counts the message and only then reads the token; the parker stores
its token only if the count is still the one it acted on. If it is not, the parker wakes itself. The token is never
removed: completing one that nobody waits for is harmless.

A parker that has lost its lease may know less than the log holds, or disturb a driver that runs. It parks only if
nothing was written since, and nobody else holds the lease: otherwise it would take the timer of that driver, and the
reconciler would look at the wrong time.
"""

from __future__ import annotations

import hashlib

from millrace.base.errors import ConditionRefused, OutcomeUnknown
from millrace.ports.documents import ABSENT, Check, Documents, Index, Op, Require, TenantScope, Update
from millrace.store.executions import CHECK_GRACE_MS, actor_key, lease_condition, live_index, read_actor
from millrace.store.runlog import segment_key

NEVER_MS = 400 * 24 * 3600 * 1000
"""An execution that waits for nothing but messages is still looked at by the reconciler, once in this time."""


def park_id(token: str) -> str:
    """A short name of a wait. Its token is about a kilobyte long on AWS, which is what a unit of writing pays for: the
    item that every message and every lease changes holds it once."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def park(
    documents: Documents,
    scope: TenantScope,
    execution: str,
    *,
    token: str,
    wake_at: int | None,
    seen_seq: int,
    position: int,
    owner: str,
    now: int,
) -> bool:
    """Store ``token`` as the way to wake this execution. False means: do not wait, something has come in already, or
    the log is longer than ``position`` (-1: whatever its length), or another than ``owner`` holds the lease (empty:
    whoever holds it).

    Raises StoreUnavailable; a lost acknowledgement is resolved by reading back.
    """
    check_at = (wake_at if wake_at is not None else now + NEVER_MS) + CHECK_GRACE_MS
    ops: list[Op] = [] if position < 0 else [Require(segment_key(execution, position), when=ABSENT)]
    update = Update(
        actor_key(execution),
        set={"token": token, "parkId": park_id(token), "wakeAt": wake_at or 0, "seenSeq": seen_seq},
        remove=("owner", "leaseUntil", "restarts"),
        indexes={Index.LIVE: live_index(execution, check_at)},
        when=(
            *lease_condition(owner, now, exclusive=not owner),
            Check("missing", "done"),
            Check("eq", "inboxSeq", seen_seq),
        ),
    )
    try:
        documents.write(scope, [update, *ops])
    except ConditionRefused:
        return False
    except OutcomeUnknown:
        actor = read_actor(documents, scope, execution)
        return actor is not None and actor.token == token and actor.inbox_seq == seen_seq
    return True
