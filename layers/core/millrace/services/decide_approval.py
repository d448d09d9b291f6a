"""Deciding: a person approves or rejects what an approval task asks for."""

from __future__ import annotations

from typing import Any, Literal

from millrace.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from millrace.services.caller import Caller
from millrace.services.get_execution import get_execution
from millrace.services.platform import Platform
from millrace.services.send_message import send_message, was_sent
from millrace.store.executions import Message

Verdict = Literal["approved", "rejected"]


def decide_approval(
    platform: Platform,
    caller: Caller,
    execution: str,
    path: str,
    *,
    decision: Verdict,
    comment: str,
    form: Any,
    message_id: str,
) -> dict[str, Any]:
    """``{execution, task, decision, messageId}``; the decision counts once it is part of the history, and one whose id
    was taken before changes nothing.

    Raises NotFound for a task that is no approval of this execution, Conflict when it waits for nobody now, Forbidden
    for a caller who is none of its approvers, InvalidInput for a form that does not fit its schema.
    """
    task = get_execution(platform, caller, execution, whole=True, room=0)["tasks"].get(path)
    if task is None:
        raise NotFound(
            f"The execution {execution} has no approval {path!r} yet.",
            hint=f"GET /api/v1/executions/{execution} shows what waits.",
        )
    told = {"execution": execution, "task": path, "decision": decision, "messageId": message_id}
    waiting = task.get("waiting")
    if waiting is None or waiting["kind"] != "approval":
        if was_sent(platform, caller, execution, message_id):
            return told  # sent again, since whoever sent it did not hear that it was taken
        raise Conflict(
            f"The task {path!r} waits for no decision: it is {task['status']}.",
            hint="It may have been decided, or timed out, already.",
        )
    if not _may(caller, waiting["approvers"]):
        raise Forbidden(
            f"{caller.principal} is none of the approvers of {path!r}.",
            hint=f"They are: {', '.join(waiting['approvers'])}.",
        )
    if waiting.get("form") is not None:
        form = _filled(waiting["form"], form)
    message = Message(
        id=message_id,
        kind="decision",
        name=path,
        payload=form,
        reason=comment,
        decision=decision,
        principal=caller.principal,
        at=platform.clock.now(),
    )
    send_message(platform, caller, execution, message)
    return told


def _may(caller: Caller, approvers: list[str]) -> bool:
    """Administrators may decide everything; others what names them, a role or a group of theirs."""
    mine = {f"user:{caller.principal}", *(f"role:{role}" for role in caller.roles | caller.groups)}
    mine |= {f"group:{group}" for group in caller.groups}
    return "admin" in caller.roles or not mine.isdisjoint(approvers)


def _filled(schema: dict[str, Any], form: Any) -> Any:
    from millrace.spec import validate_input  # only decisions with a form need it

    result = validate_input(schema, {} if form is None else form)
    if not result.valid:
        raise InvalidInput(
            "The form does not fit its schema.",
            hint=result.suggested_prompt or "Correct the fields named here and send it again.",
            facts=result.to_json(),
        )
    return result.value
