"""Sending a message to an execution: count it, then wake whoever waits. Cancel and signals are both messages."""

from __future__ import annotations

from millrace.base.errors import ConditionRefused, Conflict, OutcomeUnknown, StoreUnavailable
from millrace.ports.documents import Key, Table
from millrace.services.caller import Caller
from millrace.services.get_execution import known_actor
from millrace.services.platform import Platform
from millrace.store.executions import Message, inbox_partition, message_puts
from millrace.store.runlog import read_segments

TRIES = 4


def send_message(platform: Platform, caller: Caller, execution: str, message: Message) -> None:
    """Make sure that ``message`` becomes part of the execution's log. A repeated id is harmless.

    Raises NotFound, Conflict when the execution has ended without it, and StoreUnavailable.
    """
    for _ in range(TRIES):
        actor = known_actor(platform, caller, execution)
        if actor.done and _is_history(platform, caller, execution, message.id):
            return  # sent again, since whoever sent it did not hear that it was taken
        if actor.done or actor.closing:
            raise Conflict(
                f"The execution {execution} has ended; it takes no more messages.",
                hint=f"GET /api/v1/executions/{execution} shows how.",
            )
        try:
            platform.documents.write(caller.scope, message_puts(execution, message, platform.clock.now()))
            break
        except ConditionRefused:
            if _is_there(platform, caller, execution, message.id):
                break
        except OutcomeUnknown:
            continue
    else:
        raise StoreUnavailable("The store does not acknowledge the message.", hint="Send it again with the same id.")
    # The token is read after the message is counted: a parker that stores it later sees the count and wakes itself.
    token = known_actor(platform, caller, execution).token
    platform.orchestrator.wake(caller.scope, execution, token)


def was_sent(platform: Platform, caller: Caller, execution: str, identifier: str) -> bool:
    """Whether a message of this id has been taken: it waits in the inbox, or is history."""
    return _is_there(platform, caller, execution, identifier) or _is_history(platform, caller, execution, identifier)


def _is_history(platform: Platform, caller: Caller, execution: str, identifier: str) -> bool:
    segments = read_segments(platform.documents, caller.scope, execution)
    return any(getattr(event, "message", "") == identifier for segment in segments for event in segment.events)


def _is_there(platform: Platform, caller: Caller, execution: str, identifier: str) -> bool:
    key = Key(Table.HISTORY, inbox_partition(execution), identifier)
    return platform.documents.get(caller.scope, key) is not None
