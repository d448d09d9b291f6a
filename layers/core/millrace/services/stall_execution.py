"""Stalling: an execution that its actor gave up gets a sign, and is tried again by the reconciler later."""

from __future__ import annotations

import json
from typing import Any, Final

from millrace.services.advance_execution import Order
from millrace.services.platform import Platform
from millrace.store.executions import mark_stalled

CAUSE_CHARS = 1000
LASTING: Final = frozenset({"Corrupt", "BlobMissing", "BlobCorrupt", "InvalidRequest", "TooLarge"})
"""Errors that no retry heals, by the names that the state machines give up at once for."""


def stall_execution(platform: Platform, order: Order, *, failure: Any) -> str:
    """Mark the execution with the cause that Step Functions reports (``{Error, Cause}``); answers it as text.

    Harmless for one that has ended. Raises StoreUnavailable.
    """
    cause = cause_of(failure)
    passing = cause.partition(":")[0] not in LASTING
    mark_stalled(platform.documents, order.scope, order.execution, cause, platform.clock.now(), passing=passing)
    return cause


def cause_of(failure: Any) -> str:
    """One line: the error's name and its message. Lambda's cause is JSON with ``errorMessage``; Step Functions' own
    is text."""
    body = failure if isinstance(failure, dict) else {}
    name, cause = str(body.get("Error", "unknown error")), str(body.get("Cause", ""))
    try:
        told = json.loads(cause)
    except ValueError:
        message = cause
    else:
        message = str(told.get("errorMessage", cause)) if isinstance(told, dict) else cause
    return f"{name}: {message}"[:CAUSE_CHARS]
