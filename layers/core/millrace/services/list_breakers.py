"""List the circuit breakers of a namespace, by name: those that have counted or changed something."""

from __future__ import annotations

from typing import Any

from millrace.services.breaker_json import breaker_json
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.store.breakers import list_breakers as stored_breakers


def list_breakers(platform: Platform, caller: Caller, *, limit: int, cursor: str | None) -> dict[str, Any]:
    """``{items, cursor}``; the cursor is None at the end. Raises InvalidRequest on a foreign cursor."""
    found, following = stored_breakers(platform.documents, caller.scope, caller.namespace, limit=limit, cursor=cursor)
    now = platform.clock.now()
    return {"items": [breaker_json(name, stored, now=now) for name, stored in found], "cursor": following}
