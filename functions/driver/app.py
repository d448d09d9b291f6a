"""The function that the state machines call: advance an execution, park it, or give it up."""

from __future__ import annotations

from typing import Any

from millrace.base.errors import InvalidRequest
from millrace.services.advance_execution import advance_execution, order_of
from millrace.services.park_execution import park_execution
from millrace.services.stall_execution import stall_execution
from millrace.wiring.driving import driving


def advance(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Drive; the answer is the state machine's next input. ``budgetMs`` is the caller's own limit."""
    here = driving()
    deadline = here.deadline(context.get_remaining_time_in_millis(), event.get("budgetMs"))
    world = here.owned(context.aws_request_id)
    return here.loop.run(advance_execution(world, order_of(event.get("order")), deadline=deadline)).to_json()


def park(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Keep the token of a wait, or complete it at once."""
    return {"parked": park_execution(driving().platform, order_of(event.get("order")), token=str(event["token"]))}


def stall(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Mark an execution whose driver keeps failing."""
    order = order_of(event.get("order"))
    return {"cause": stall_execution(driving().platform, order, failure=event.get("failure"))}


ACTIONS = {"advance": advance, "park": park, "stall": stall}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One action of a state machine. An error reaches Step Functions by its class name, which its Retry judges."""
    action = ACTIONS.get(str(event.get("action")))
    if action is None:
        raise InvalidRequest(f"There is no action {event.get('action')!r}.", hint=f"Use one of {', '.join(ACTIONS)}.")
    return action(event, context)
