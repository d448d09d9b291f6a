"""Stopping what may not have begun yet: it is told to, or its place is taken so that it never does."""

from __future__ import annotations

from collections.abc import Callable

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform
from millrace.store.executions import read_actor, void_actor

TRIES = 4


def stop_or_forestall(platform: Platform, scope: TenantScope, execution: str, send: Callable[[], bool]) -> bool:
    """Make sure that ``execution`` will stop, if it is not over, and will not begin, if it does not exist: a driver
    that has lost its lease may still be about to start it. ``send`` tells it, and answers whether it exists. False when
    it will never begin. Raises StoreUnavailable."""
    for _ in range(TRIES):
        if send():
            return True
        if _forestalled(platform, scope, execution):
            return False
    raise StoreUnavailable(f"{execution} cannot be told to stop.", hint="It is tried again by the next driver.")


def _forestalled(platform: Platform, scope: TenantScope, execution: str) -> bool:
    """Take the place of what does not exist. False when it exists by now, or nobody knows."""
    try:
        platform.documents.write(scope, [void_actor(execution, platform.clock.now())])
    except (ConditionRefused, OutcomeUnknown):
        actor = read_actor(platform.documents, scope, execution)
        return actor is not None and actor.void
    return True
