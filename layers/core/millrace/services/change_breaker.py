"""Open, close or reset a circuit breaker by hand; who did it and why stays with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from millrace.base.errors import ConditionRefused, Conflict
from millrace.engine.breaker import Breaker, force_closed, force_open, reset
from millrace.services.breaker_json import breaker_json, checked_name
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.store.breakers import Stored, breaker_write, read_breaker

Action = Literal["open", "close", "reset"]
TRIES: Final = 10


class _Change(Protocol):
    def __call__(self, breaker: Breaker, /, *, by: str, why: str, now: int) -> Breaker: ...


_CHANGES: Final[Mapping[str, _Change]] = {"open": force_open, "close": force_closed, "reset": reset}


def change_breaker(platform: Platform, caller: Caller, name: str, *, action: Action, reason: str) -> dict[str, Any]:
    """The breaker as JSON, as it is afterwards. One that never counted anything can be opened in advance.

    Raises Conflict when others change it faster than it can be read, InvalidRequest on a name that no breaker has."""
    checked_name(name)
    for _ in range(TRIES):
        stored = read_breaker(platform.documents, caller.scope, caller.namespace, name)
        now = platform.clock.now()
        following = _CHANGES[action](stored.breaker, by=caller.principal, why=reason, now=now)
        try:
            platform.documents.write(caller.scope, [breaker_write(caller.namespace, name, stored, following)])
        except ConditionRefused:
            continue
        return breaker_json(name, Stored(following, keep_s=stored.keep_s), now=now)
    raise Conflict(f"the circuit breaker {name!r} is changing all the time", hint="Try again in a moment.")
