"""One turn of an execution's actor on AWS: drive it, and tell the state machine what to do next.

The state machine sees ids and a few numbers, never user data. A turn may be repeated at any time: the log's fence and
the conditional raise of the generation make the second one harmless.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.errors import ConditionRefused, InvalidRequest, OutcomeUnknown
from millrace.base.ids import actor_name
from millrace.driver.advance import advance
from millrace.driver.world import Advanced, Again, Done, DriverWorld, Wait
from millrace.ports.documents import Check, Documents, TenantScope, Update
from millrace.store.executions import actor_key, read_actor

Next = Literal["done", "advance", "pause", "park", "continue"]

TURNS: Final = 50
"""Turns after which the actor goes on as a fresh state-machine execution. One turn makes at most 236 history events
(all retries of Advance and of Park included, those of functions that are throttled for long too), so the limit of
25,000 is never near; a test counts them."""
OLDEST_MS: Final = 300 * 24 * 3600 * 1000
"""Age in ms at which the actor does so too: Step Functions ends it after a year, and one park more takes a month."""
LONGEST_PARK_S: Final = 30 * 24 * 3600
"""Longest single wait of the state machine; a longer timer parks again."""
PAUSE_S: Final = 1
"""Pause after a turn that lost its log to another driver."""
DEADLINE: Final = "deadline"


class Order(Struct, frozen=True):
    """What travels through the state machine; in JSON with ``actor``, which its executions are named by.

    ``generation`` and ``turn`` count actors and their turns; ``owner`` is the driver that last held the lease;
    ``seconds`` belongs to ``next``; ``wakeAt`` is ms, 0 for no timer; ``position`` is the length of the log that a park
    follows from, -1 for an order of an earlier release."""

    tenant: str
    execution: str
    generation: int = 1
    turn: int = 0
    next: Next = "advance"
    seconds: int = 0
    owner: str = ""
    seen_seq: int = 0
    wake_at: int = 0
    position: int = -1

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.tenant)

    def to_json(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "execution": self.execution,
            "actor": actor_name(self.execution),
            "generation": self.generation,
            "turn": self.turn,
            "next": self.next,
            "seconds": self.seconds,
            "owner": self.owner,
            "seenSeq": self.seen_seq,
            "wakeAt": self.wake_at,
            "position": self.position,
        }


def order_of(body: Any) -> Order:
    """The order in an event of the state machine. Raises InvalidRequest for anything that is none."""
    try:
        return Order(
            tenant=_text(body["tenant"]),
            execution=_text(body["execution"]),
            generation=int(body.get("generation", 1)),
            turn=int(body.get("turn", 0)),
            owner=str(body.get("owner", "")),
            seen_seq=int(body.get("seenSeq", 0)),
            wake_at=int(body.get("wakeAt", 0)),
            position=int(body.get("position", -1)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(
            f"The event is not an order of the state machine: {error!r}.",
            hint="It needs tenant and execution; events/driver-advance.json shows one.",
        ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("tenant and execution are texts")
    return value


def begun_at(text: Any) -> int | None:
    """A time of Step Functions in ms since the epoch; None for what is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (TypeError, ValueError):
        return None


async def advance_execution(world: DriverWorld, order: Order, *, deadline: int, begun: int | None = None) -> Order:
    """Drive until done, blocked, or near ``deadline`` (ms since the epoch); the answer's ``next`` says which. ``begun``
    is when the actor began (ms), None where it cannot last for long.

    Raises what `millrace.driver.advance.advance` raises; the state machine retries it or marks it as stalled.
    """
    outcome = await advance(world, order.scope, order.execution, deadline=deadline)
    ran = replace(order, turn=order.turn + 1, owner=world.owner, seconds=0, seen_seq=0, wake_at=0, position=-1)
    if isinstance(outcome, Done):
        return replace(ran, next="done")
    old = begun is not None and world.clock.now() - begun >= OLDEST_MS
    generation = await world.io.call(_generation, world, ran, old=old)
    if generation > order.generation:
        return replace(ran, generation=generation, turn=0, next="continue")
    return _ordered(ran, outcome, world.clock.now())


def _ordered(ran: Order, outcome: Advanced, now: int) -> Order:
    if isinstance(outcome, Wait):
        seconds = LONGEST_PARK_S if outcome.wake_at is None else _seconds(outcome.wake_at - now, 1)
        return replace(
            ran,
            next="park",
            seconds=seconds,
            seen_seq=outcome.seen_seq,
            wake_at=outcome.wake_at or 0,
            position=outcome.position,
        )
    assert isinstance(outcome, Again)  # a finished execution has been answered before
    if outcome.not_before > now:
        return replace(ran, next="pause", seconds=_seconds(outcome.not_before - now, 1))
    if outcome.why == DEADLINE:
        return replace(ran, next="advance")
    return replace(ran, next="pause", seconds=PAUSE_S)


def _seconds(milliseconds: int, least: int) -> int:
    return min(max(-(-milliseconds // 1000), least), LONGEST_PARK_S)


def _generation(world: DriverWorld, order: Order, *, old: bool) -> int:
    """The generation that is to go on. It is raised here when this actor has had its turns, or is ``old``; one that the
    reconciler has raised meanwhile stands, and starting it twice is one start, since its name is the same."""
    if order.turn >= TURNS or old:
        raised = Update(
            actor_key(order.execution),
            set={"generation": order.generation + 1},
            when=(Check("missing", "done"), Check("eq", "generation", order.generation)),
        )
        try:
            world.documents.write(order.scope, [raised])
        except (ConditionRefused, OutcomeUnknown):
            pass  # what stands there now tells
        else:
            release_lease(world.documents, order)
            return order.generation + 1
    actor = read_actor(world.documents, order.scope, order.execution)
    if actor is None or actor.generation <= order.generation:
        return order.generation
    release_lease(world.documents, order)
    return actor.generation


def release_lease(documents: Documents, order: Order) -> None:
    """Give up the lease of the driver that ran last, so that the next one need not wait for it to expire.

    Somebody else's lease stays. Raises StoreUnavailable.
    """
    mine = (Check("exists"), Check("eq", "owner", order.owner))
    update = Update(actor_key(order.execution), remove=("owner", "leaseUntil"), when=mine)
    try:
        documents.write(order.scope, [update])
    except (ConditionRefused, OutcomeUnknown):
        return
