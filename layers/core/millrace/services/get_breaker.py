"""Read one circuit breaker."""

from __future__ import annotations

from typing import Any

from millrace.base.errors import NotFound
from millrace.services.breaker_json import breaker_json, checked_name
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.store.breakers import Stored, read_breaker


def get_breaker(platform: Platform, caller: Caller, name: str) -> dict[str, Any]:
    """The breaker as JSON. Raises NotFound for one that has neither counted nor changed anything, InvalidRequest on a
    name that no breaker has."""
    stored = read_breaker(platform.documents, caller.scope, caller.namespace, checked_name(name))
    if stored == Stored():
        raise NotFound(
            f"there is no circuit breaker {name!r} here",
            hint="GET /api/v1/breakers lists those that have counted a failure or were changed.",
        )
    return breaker_json(name, stored, now=platform.clock.now())
