"""The function that a schedule calls: restart executions without progress, and wake those with unread messages."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import asdict

from millrace.services.reconcile import reconcile
from millrace.wiring import current

MARGIN_MS: Final = 20_000
"""What is kept back for the execution that is being helped when time is over: two calls, tried again."""


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look at every execution whose check time has come; answers how many were looked at, woken and restarted."""
    here = current()
    deadline = here.clock.now() + context.get_remaining_time_in_millis() - MARGIN_MS
    return asdict(reconcile(here, deadline=deadline))
