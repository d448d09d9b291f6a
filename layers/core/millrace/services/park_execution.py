"""Parking on AWS: the wait's token goes to the actor item, or is completed at once when something has come in."""

from __future__ import annotations

from millrace.driver.park import park
from millrace.services.advance_execution import Order, release_lease
from millrace.services.platform import Platform


def park_execution(platform: Platform, order: Order, *, token: str) -> bool:
    """Store ``token`` as the way to wake the execution. False: the inbox or the log has something new, or the execution
    has ended; the token is completed here, so that the state machine goes on at once. Raises StoreUnavailable."""
    parked = park(
        platform.documents,
        order.scope,
        order.execution,
        token=token,
        wake_at=order.wake_at or None,
        seen_seq=order.seen_seq,
        position=order.position,
        owner=order.owner,
        now=platform.clock.now(),
    )
    if not parked:
        release_lease(platform.documents, order)
        platform.orchestrator.wake(order.scope, order.execution, token)
    return parked
