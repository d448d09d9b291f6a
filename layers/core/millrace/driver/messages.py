"""From inbox messages to events, and their removal once they are history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from millrace.base.errors import BlobMissing
from millrace.base.limits import TRANSACTION_OPS
from millrace.driver.values import ValueCodec, load_value
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.ports.documents import Delete, Key, Op, Table, TenantScope
from millrace.store.executions import Message, inbox_partition


def event_of(message: Message, now: int, codec: ValueCodec) -> ev.Event:
    """The event that makes a message part of the log; its id makes a second delivery fold to nothing."""
    if message.kind == "cancel":
        why = None if message.payload is None else msgspec.convert(message.payload["failure"], ev.Failure)
        return ev.CancelRequested(
            at=now, message=message.id, reason=message.reason, principal=message.principal, failure=why
        )
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
    if message.kind == "slot":
        return ev.SlotGranted(at=now, path=message.name, key=message.payload["key"], message=message.id)
    if message.kind == "child":
        return _child_event(message, now, codec)
    if message.kind == "lane":
        told = msgspec.json.decode(message.payload["told"], type=ev.LaneReported)
        return msgspec.structs.replace(told, at=now, message=message.id)
    if message.kind == "close":
        return ev.CloseRequested(at=now, message=message.id)
    return ev.SignalReceived(
        at=now,
        message=message.id,
        signal=message.name,
        payload=codec.encode(message.payload),
        principal=message.principal,
    )


async def whole(world: DriverWorld, scope: TenantScope, message: Message) -> Message:
    """The message, with the output that another execution left in its own store."""
    blob = message.payload.get("blob") if message.kind == "child" else None
    if blob is None:
        return message
    value = Value(sha256=blob["sha256"], size=blob["size"], blob=tuple(blob["key"]))
    try:
        content = await world.io.call(load_value, world.blobs, scope, value)
    except BlobMissing:  # it was deleted before it was read here: a message that is never taken would hold up the rest
        gone = {"kind": "workflow", "code": "output-missing", "message": "its output is not stored any more"}
        return replace(message, payload={"child": message.payload["child"], "status": "failed", "failure": gone})
    return replace(message, payload={**message.payload, "output": content})


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
            retryable=status == "timedOut" or bool(cause.get("retryable")),
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
