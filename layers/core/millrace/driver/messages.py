"""From inbox messages to events, and their removal once they are history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from millrace.base.limits import TRANSACTION_OPS
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.ports.documents import Delete, Key, Op, Table
from millrace.store.executions import Message, inbox_partition


def event_of(message: Message, now: int, codec: ValueCodec) -> ev.Event:
    """The event that makes a message part of the log; its id makes a second delivery fold to nothing."""
    if message.kind == "cancel":
        return ev.CancelRequested(at=now, message=message.id, reason=message.reason, principal=message.principal)
    if message.kind == "pause":
        return ev.PauseRequested(at=now, message=message.id, principal=message.principal)
    if message.kind == "resume":
        return ev.ResumeRequested(at=now, message=message.id, principal=message.principal)
    if message.kind == "decision":
        return ev.DecisionReceived(
            at=now,
            message=message.id,
            path=message.name,
            decision=message.decision,
            comment=message.reason,
            form=None if message.payload is None else codec.encode(message.payload),
            principal=message.principal,
        )
    if message.kind == "child":
        return _child_event(message, now, codec)
    return ev.SignalReceived(
        at=now,
        message=message.id,
        signal=message.name,
        payload=codec.encode(message.payload),
        principal=message.principal,
    )


def _child_event(message: Message, now: int, codec: ValueCodec) -> ev.ChildFinished:
    told = message.payload
    name, status = told["child"], told["status"]
    failure = None
    if status != "succeeded":
        cause = told.get("failure") or {}
        failure = ev.Failure(
            kind=str(cause.get("kind") or "workflow"),
            code=str(cause.get("code") or status),
            message=f"The execution {name} {_BECAME.get(status, status)}: {cause.get('message') or 'no reason given'}",
            hint=f"GET /api/v1/executions/{name} shows why.",
            details={"execution": name, "status": status},
        )
    return ev.ChildFinished(
        at=now,
        path=message.name,
        child=name,
        status=status,
        message=message.id,
        output=codec.encode(told.get("output")) if status == "succeeded" else None,
        failure=failure,
    )


_BECAME: Final = {"failed": "failed", "cancelled": "was cancelled", "timedOut": "ran out of time"}


def message_deletes(execution: str, ids: Sequence[str]) -> list[list[Op]]:
    """Writes, each within the limit of one transaction, that empty the inbox of messages that are history."""
    deletes: list[Op] = [Delete(Key(Table.HISTORY, inbox_partition(execution), identifier)) for identifier in ids]
    return [deletes[at : at + TRANSACTION_OPS] for at in range(0, len(deletes), TRANSACTION_OPS)]
