"""The reconciler: no execution stays running for ever without a sign.

It reads the live index and restarts actors without progress. Run on a schedule, and once at start-up.
"""

from __future__ import annotations

import logging
from typing import Final

from msgspec import Struct

from millrace.base.errors import ConditionRefused, Unavailable
from millrace.ports.documents import Check, Index, TenantScope, Update
from millrace.services.platform import Platform
from millrace.store.executions import (
    CHECK_GRACE_MS,
    LIVE_SHARDS,
    Actor,
    actor_key,
    live_executions,
    live_index,
)

log = logging.getLogger(__name__)

DOUBLINGS: Final = 3
"""An actor that makes no progress is restarted after one minute, two, four, and then every eight: where functions are
throttled for long, a start each minute would add to the load that holds the others up."""
TURN_MS: Final = 60_000
"""How long each shard of the index comes first, so that the last of them is not always the one cut off."""


class Reconciled(Struct, frozen=True):
    """``failed`` are those that could not be helped this time; the next look comes by them again."""

    looked_at: int
    woken: int
    restarted: int
    failed: int = 0


def reconcile(platform: Platform, *, all_live: bool = False, deadline: int | None = None) -> Reconciled:
    """Look at every execution whose check time has come; with ``all_live`` (start-up) at every unfinished one. None is
    begun with after ``deadline`` (ms since the epoch): the next look goes on.

    Raises Unavailable when the index cannot be read, or none of those that need help can be given it.
    """
    now = platform.clock.now()
    until = now if not all_live else 10**15 - 1
    looked_at = woken = restarted = failed = 0
    last: Unavailable | None = None
    first = now // TURN_MS
    shards = [(first + turn) % LIVE_SHARDS for turn in range(LIVE_SHARDS)]
    for found in list(live_executions(platform.documents, until=until, shards=shards)):
        if deadline is not None and platform.clock.now() >= deadline:
            return Reconciled(looked_at, woken, restarted, failed)
        looked_at += 1
        try:
            wakes, restarts = _help(platform, found, now, raised=not all_live)
        except Unavailable as error:
            failed, last = failed + 1, error
            log.warning("execution %s: the reconciler could not help it: %s", found[1], error)
        else:
            woken += wakes
            restarted += restarts
    if last is not None and not woken + restarted:
        raise last
    return Reconciled(looked_at, woken, restarted, failed)


def _help(platform: Platform, found: tuple[TenantScope, str, Actor], now: int, *, raised: bool) -> tuple[bool, bool]:
    """Whether it was woken, and whether restarted: with its generation ``raised``, or as it is."""
    scope, execution, actor = found
    wakes = bool(actor.token) and actor.inbox_seq > actor.seen_seq
    if wakes:
        platform.orchestrator.wake(scope, execution, actor.token)
    elif not raised:
        platform.orchestrator.start(scope, execution, actor.generation)
        return False, True
    if not _raise_generation(platform, scope, execution, actor, now):
        return wakes, False
    platform.orchestrator.start(scope, execution, actor.generation + 1)
    return wakes, True


def _raise_generation(platform: Platform, scope: TenantScope, execution: str, actor: Actor, now: int) -> bool:
    """Claim the restart; False when somebody else did, or the actor has moved since it was read."""
    again = now + (2 * CHECK_GRACE_MS << min(actor.restarts, DOUBLINGS))
    update = Update(
        actor_key(execution),
        set={"generation": actor.generation + 1, "restarts": actor.restarts + 1},
        indexes={Index.LIVE: live_index(execution, again)},
        when=(
            Check("missing", "done"),
            Check("eq", "generation", actor.generation),
            Check("missing", "leaseUntil") if not actor.lease_until else Check("eq", "leaseUntil", actor.lease_until),
        ),
    )
    try:
        platform.documents.write(scope, [update])
    except ConditionRefused:
        return False
    return True
