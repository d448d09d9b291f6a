"""Pausing and resuming: nothing new starts in between, what runs goes on, and waits keep their time."""

from __future__ import annotations

from typing import Any, Literal

from millrace.services.caller import Caller
from millrace.services.get_execution import get_execution
from millrace.services.platform import Platform
from millrace.services.send_message import send_message
from millrace.store.executions import Message


def pause_execution(
    platform: Platform, caller: Caller, execution: str, *, action: Literal["pause", "resume"], message_id: str
) -> dict[str, Any]:
    """The execution as JSON, as it is when the request is recorded. Raises NotFound, and Conflict when it has ended."""
    message = Message(id=message_id, kind=action, principal=caller.principal, at=platform.clock.now())
    send_message(platform, caller, execution, message)
    return get_execution(platform, caller, execution)
