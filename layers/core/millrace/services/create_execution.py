"""The first write of an execution: its log, summary, actor and idempotency record in one transaction.

The actor starts after it. A process that dies in between loses nothing: the reconciler finds the execution in the
live index.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable, Unavailable
from millrace.base.limits import TRANSACTION_OPS
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import Op, TenantScope
from millrace.services.platform import Platform
from millrace.store.executions import label_puts, new_actor, new_summary, read_actor
from millrace.store.idempotency import Claim, record
from millrace.store.runlog import Stamp, segment_puts

log = logging.getLogger(__name__)

TRIES = 3


def create_execution(
    platform: Platform,
    scope: TenantScope,
    started: ExecutionStarted,
    *,
    blobs: Mapping[tuple[str, ...], bytes],
    claim: Claim | None,
    short: bool = True,
) -> bool:
    """Make the execution exist and start its actor, a ``short`` one first where the orchestrator has such. False when
    ``claim`` belongs to an earlier request, or when the execution was told to stop before it could begin.

    Raises StoreUnavailable when the store does not take the write; nothing has been started then.
    """
    for key, data in blobs.items():
        platform.blobs.put(scope, key, data)
    execution = started.execution
    ops: list[Op] = [
        *segment_puts(execution, 0, [started], Stamp(started.principal, platform.ids.new())),
        new_actor(execution, started.at),
        new_summary(started),
    ]
    if claim is not None:
        ops.append(record(claim, {"id": execution}, now=platform.clock.now()))
    labels = label_puts(started)
    if len(ops) + len(labels) <= TRANSACTION_OPS:
        ops.extend(labels)
    else:  # a label that points to nothing is passed over by lists, so these may come first
        platform.documents.batch_put(scope, [put.item for put in labels])
    outcome = _write(platform, scope, execution, ops)
    if outcome == "refused":
        return False
    try:
        if outcome == "written":
            platform.orchestrator.begin(scope, started, short=short)
        else:
            platform.orchestrator.start(scope, execution, 1, short=short)
    except Unavailable:
        log.warning("execution %s: its actor could not be started; the reconciler will", execution)
    return True


def _write(
    platform: Platform, scope: TenantScope, execution: str, ops: list[Op]
) -> Literal["written", "found", "refused"]:
    """``found``: the execution is there, begun by this write or another, perhaps with an event of its own."""
    for _ in range(TRIES):
        try:
            platform.documents.write(scope, ops)
        except (ConditionRefused, OutcomeUnknown) as error:
            # Our own lost acknowledgement, or another request with the same key: what stands there tells.
            actor = read_actor(platform.documents, scope, execution)
            if actor is not None:
                return "refused" if actor.void else "found"
            if isinstance(error, ConditionRefused):
                return "refused"
        else:
            return "written"
    raise StoreUnavailable("The store does not acknowledge writes.", hint="Send the request again.")
