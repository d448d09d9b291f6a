"""The function that the state machines call: advance an execution, park it, give it up, or
prepare the lanes of a loop."""

from __future__ import annotations

from typing import Any

from millrace.base.errors import InvalidRequest
from millrace.services.advance_execution import advance_execution, begun_at, order_of
from millrace.services.park_execution import park_execution
from millrace.services.prepare_lanes import prepare_lanes
from millrace.services.stall_execution import stall_execution
from millrace.wiring.driving import driving


def advance(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Drive; the answer is the state machine's next input. ``budgetMs`` is the caller's own limit, ``begun`` the time
    at which the state-machine execution began."""
    here = driving()
    deadline = here.deadline(context.get_remaining_time_in_millis(), event.get("budgetMs"))
    world = here.owned(context.aws_request_id)
    order, begun = order_of(event.get("order")), begun_at(event.get("begun"))
    with here.awake():
        return here.loop.run(advance_execution(world, order, deadline=deadline, begun=begun)).to_json()


def park(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Keep the token of a wait, or complete it at once."""
    return {"parked": park_execution(driving().platform, order_of(event.get("order")), token=str(event["token"]))}


def prepare(event: dict[str, Any], _: Any) -> dict[str, str]:
    """Write the list of a loop's lanes where the map over them reads it."""
    return prepare_lanes(driving().platform, event.get("order"))


def stall(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Mark an execution whose driver keeps failing."""
    order = order_of(event.get("order"))
    return {"cause": stall_execution(driving().platform, order, failure=event.get("failure"))}


ACTIONS = {"advance": advance, "park": park, "prepare": prepare, "stall": stall}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One action of a state machine. An error reaches Step Functions by its class name, which its Retry judges."""
    action = ACTIONS.get(str(event.get("action")))
    if action is None:
        raise InvalidRequest(f"There is no action {event.get('action')!r}.", hint=f"Use one of {', '.join(ACTIONS)}.")
    return action(event, context)
