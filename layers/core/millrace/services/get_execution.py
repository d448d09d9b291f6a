"""One execution as its log tells it: status, output, and every task with attempts and timing."""

from __future__ import annotations

from typing import Any

from millrace.base.errors import NotFound
from millrace.base.limits import VALUES_SHOWN_BYTES
from millrace.driver.values import load_value
from millrace.engine.values import Value
from millrace.services.caller import Caller
from millrace.services.execution_view import view
from millrace.services.platform import Platform
from millrace.services.times import rfc3339
from millrace.store.executions import Actor, read_actor
from millrace.store.history import whole_history


def get_execution(
    platform: Platform, caller: Caller, execution: str, *, whole: bool = False, room: int | None = VALUES_SHOWN_BYTES
) -> dict[str, Any]:
    """The execution as JSON; ``whole``, with every task of its loops; with values up to ``room`` bytes, None for all.
    Raises NotFound for an id that is not this tenant's, Corrupt for an unreadable log."""
    actor = known_actor(platform, caller, execution)
    events = whole_history(platform.documents, caller.scope, execution)
    body = view(events, lambda value: _content(platform, caller, value), whole=whole, room=room)
    if actor.stalled and body["status"] == "running":
        body["status"] = "stalled"
        body["errorMessage"] = actor.stalled
    if actor.wake_at and body["status"] == "running" and not actor.owner:
        body["wakeAt"] = rfc3339(actor.wake_at)
    return body


def known_actor(platform: Platform, caller: Caller, execution: str) -> Actor:
    """The actor item of an execution of the caller's tenant. Raises NotFound."""
    actor = read_actor(platform.documents, caller.scope, execution)
    if actor is None or actor.void:
        raise NotFound(
            f"There is no execution {execution!r}.", hint="GET /api/v1/executions lists the executions there are."
        )
    return actor


def _content(platform: Platform, caller: Caller, value: Value) -> Any:
    return load_value(platform.blobs, caller.scope, value)
