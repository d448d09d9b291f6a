"""What people see of a circuit breaker, and which names one can have."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.base.errors import InvalidRequest
from millrace.base.ids import Millis
from millrace.services.times import rfc3339
from millrace.store.breakers import Stored

_NAME: Final = re.compile(r"(?:host|task|workflow|key)~[A-Za-z0-9._~-]{1,300}")


def checked_name(name: str) -> str:
    """Raises InvalidRequest on what no breaker is called."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} is not the name of a circuit breaker",
            hint="A name begins with host~, task~, workflow~ or key~, as in host~api.example.com~443.",
        )
    return name


def breaker_json(name: str, stored: Stored, *, now: Millis) -> dict[str, Any]:
    """``state`` as it was last written: an open breaker whose break is over (``openUntil``) waits for its first
    probe. ``counts`` are those of the present generation within ``windowMs``."""
    breaker = stored.breaker
    counts = stored.within(breaker.generation, now - stored.keep_s * 1000)
    return {
        "name": name,
        "state": breaker.state,
        "since": rfc3339(breaker.since) if breaker.since else None,
        "openUntil": rfc3339(breaker.open_until) if breaker.open_until else None,
        "generation": breaker.generation,
        "permittedProbes": breaker.permitted,
        "probes": [
            {"attempt": probe.id, "leaseUntil": rfc3339(probe.lease), "succeeded": probe.done}
            for probe in breaker.probes
        ],
        "counts": {
            "successes": counts.successes,
            "failures": counts.failures,
            "windowMs": stored.keep_s * 1000,
        },
        "changes": [
            {"at": rfc3339(change.at), "state": change.state, "by": change.by, "why": change.why}
            for change in breaker.changes
        ],
    }
