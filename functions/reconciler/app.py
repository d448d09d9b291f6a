"""The function that a schedule calls: restart executions without progress, and wake those with unread messages."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from millrace.services.reconcile import reconcile
from millrace.wiring import current


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Look at every execution whose check time has come; answers how many were looked at, woken and restarted."""
    return asdict(reconcile(current()))
