"""Signals: named messages that become part of an execution's history."""

from __future__ import annotations

from typing import Any

from millrace.base.canonical import dumps
from millrace.base.errors import TooLarge
from millrace.base.limits import INLINE_VALUE_BYTES
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.send_message import send_message
from millrace.store.executions import Message


def signal_execution(
    platform: Platform, caller: Caller, execution: str, name: str, *, payload: Any, message_id: str
) -> dict[str, Any]:
    """``{execution, signal, messageId}``; the same ``message_id`` twice is one signal.

    Raises NotFound, Conflict when the execution has ended, TooLarge for a payload above 64 KiB.
    """
    size = len(dumps(payload))
    if size > INLINE_VALUE_BYTES:
        raise TooLarge(
            f"A signal's payload may have {INLINE_VALUE_BYTES:,} bytes; this one has {size:,}.",
            hint="Pass a reference to the data.",
            facts={"limit": INLINE_VALUE_BYTES, "size": size},
        )
    message = Message(
        id=message_id,
        kind="signal",
        name=name,
        payload=payload,
        principal=caller.principal,
        at=platform.clock.now(),
    )
    send_message(platform, caller, execution, message)
    return {"execution": execution, "signal": name, "messageId": message_id}
