"""Cancelling: a request in the inbox, which the driver turns into the end of the execution."""

from __future__ import annotations

import contextlib
from typing import Any

from millrace.base.errors import Conflict
from millrace.services.caller import Caller
from millrace.services.get_execution import get_execution, known_actor
from millrace.services.platform import Platform
from millrace.services.send_message import send_message
from millrace.store.executions import Message


def cancel_execution(
    platform: Platform, caller: Caller, execution: str, *, reason: str, message_id: str
) -> dict[str, Any]:
    """The execution as JSON, as it is when the request is recorded; one that was cancelled before stays as it is.

    Raises NotFound, and Conflict with ``executionStatus`` in its facts when the execution has ended otherwise.
    """
    sent = False
    if not known_actor(platform, caller, execution).done:
        message = Message(
            id=message_id, kind="cancel", reason=reason, principal=caller.principal, at=platform.clock.now()
        )
        with contextlib.suppress(Conflict):  # it has ended in between
            send_message(platform, caller, execution, message)
            sent = True
    found = get_execution(platform, caller, execution)
    if sent or found["status"] == "cancelled":
        return found
    raise Conflict(
        f"The execution {execution} has ended already, or is about to: {found['status']}.",
        hint=f"There is nothing to cancel. GET /api/v1/executions/{execution} shows how it ended.",
        facts={"executionStatus": found["status"]},
    )
