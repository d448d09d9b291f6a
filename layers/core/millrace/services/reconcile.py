"""The reconciler: no execution stays running for ever without a sign.

It reads the live index and restarts actors without progress. Run on a schedule, and once at start-up.
"""

from __future__ import annotations

from msgspec import Struct

from millrace.base.errors import ConditionRefused
from millrace.ports.documents import Check, Index, TenantScope, Update
from millrace.services.platform import Platform
from millrace.store.executions import CHECK_GRACE_MS, Actor, actor_key, live_executions, live_index


class Reconciled(Struct, frozen=True):
    looked_at: int
    woken: int
    restarted: int


def reconcile(platform: Platform, *, all_live: bool = False) -> Reconciled:
    """Look at every execution whose check time has come; with ``all_live`` (start-up) at every unfinished one."""
    now = platform.clock.now()
    until = now if not all_live else 10**15 - 1
    looked_at = woken = restarted = 0
    for scope, execution, actor in list(live_executions(platform.documents, until=until)):
        looked_at += 1
        if actor.token and actor.inbox_seq > actor.seen_seq:
            platform.orchestrator.wake(scope, execution, actor.token)
            woken += 1
        elif all_live:
            platform.orchestrator.start(scope, execution, actor.generation)
            restarted += 1
            continue
        if _raise_generation(platform, scope, execution, actor, now):
            platform.orchestrator.start(scope, execution, actor.generation + 1)
            restarted += 1
    return Reconciled(looked_at, woken, restarted)


def _raise_generation(platform: Platform, scope: TenantScope, execution: str, actor: Actor, now: int) -> bool:
    """Claim the restart; False when somebody else did, or the actor has moved since it was read."""
    update = Update(
        actor_key(execution),
        set={"generation": actor.generation + 1},
        indexes={Index.LIVE: live_index(execution, now + 2 * CHECK_GRACE_MS)},
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
