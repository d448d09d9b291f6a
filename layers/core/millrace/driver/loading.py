"""Taking up an execution: its actor item, its latest snapshot, the rest of its log, its inbox."""

from __future__ import annotations

from msgspec import Struct

from millrace.base.errors import BlobMissing, Corrupt
from millrace.driver.values import load_value, with_secrets
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.engine.evolve import evolve
from millrace.engine.plan import Plan
from millrace.engine.snapshot import thaw
from millrace.engine.spreading import lane_plan
from millrace.engine.state import RUNNING, State, TaskState
from millrace.ports.documents import Range, Table, TenantScope
from millrace.store.executions import Actor, Message, inbox_partition, message_of, read_actor
from millrace.store.runlog import read_segments


class Loaded(Struct):
    """``fresh`` says that nobody else can have taken it up: it was made just now."""

    actor: Actor
    state: State
    fresh: bool = False


def snapshot_key(execution: str, position: int) -> tuple[str, ...]:
    """Where a snapshot lies: below its execution, also that of a lane."""
    root, _, lane = execution.partition(".")
    return ("execution", root, *(("lane", lane) if lane else ()), "snapshot", f"{position:012d}")


def load_actor(world: DriverWorld, scope: TenantScope, execution: str) -> Actor | None:
    return read_actor(world.documents, scope, execution)


def begun(world: DriverWorld, scope: TenantScope, started: ev.ExecutionStarted) -> Loaded:
    """An execution that was made with ``started`` just now, without reading it. Raises as the plan's source does."""
    state = State(_plan(world, scope, started))
    evolve(state, started)
    return Loaded(Actor(), state, fresh=True)


def load_state(world: DriverWorld, scope: TenantScope, execution: str, actor: Actor) -> State:
    """The state at the end of the log. Raises Corrupt for a log that does not begin with its start."""
    state = _from_snapshot(world, scope, execution, actor.snapshot) if actor.snapshot else None
    segments = read_segments(world.documents, scope, execution, first=state.position if state else 0)
    for segment in segments:
        for event in segment.events:
            if state is None:
                state = State(_plan(world, scope, _start_of(execution, event)))
            try:
                evolve(state, event)
            except KeyError as error:
                raise Corrupt(
                    f"The log of {execution} speaks of {error}, which its version does not have.",
                    hint="Restore the definition that the execution is pinned to.",
                ) from error
    if state is None:
        raise Corrupt(f"The log of {execution} is empty.", hint="The execution was deleted, or never started.")
    return state


def _start_of(execution: str, event: ev.Event) -> ev.ExecutionStarted:
    if not isinstance(event, ev.ExecutionStarted):
        raise Corrupt(f"The log of {execution} does not begin with its start event.")
    return event


def _from_snapshot(world: DriverWorld, scope: TenantScope, execution: str, position: int) -> State | None:
    """A snapshot is a cache: whatever is wrong with it, the log decides."""
    try:
        data = world.blobs.get(scope, snapshot_key(execution, position))
    except BlobMissing:
        return None
    first = next(read_segments(world.documents, scope, execution), None)
    if first is None:
        return None
    return thaw(_plan(world, scope, _start_of(execution, first.events[0])), data)


def _plan(world: DriverWorld, scope: TenantScope, started: ev.ExecutionStarted) -> Plan:
    return lane_plan(world.plans(scope, started), started)


def take_over(state: State, now: int) -> list[ev.AttemptUnknown]:
    """The events that record which started attempts have no result. Not yet folded."""
    return [
        ev.AttemptUnknown(at=now, path=state.path(index), attempt=task.attempt)
        for index, task in enumerate(state.tasks)
        if task.status == RUNNING
    ]


def load_messages(world: DriverWorld, scope: TenantScope, execution: str) -> list[Message]:
    """Everything in the inbox, in order of id."""
    messages: list[Message] = []
    cursor = None
    while True:
        page = world.documents.query(
            scope, Table.HISTORY, inbox_partition(execution), within=Range(limit=100), cursor=cursor
        )
        messages.extend(message_of(row.item) for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return messages


async def recorded(world: DriverWorld, scope: TenantScope, task: TaskState) -> tuple[object, object]:
    """The input and config that the first attempt of a task recorded, for one that another driver had started."""
    found: list[object] = []
    for value in (task.input, task.config):
        if value is None:
            found.append(None)
        else:
            content = await world.io.call(load_value, world.blobs, scope, value)
            found.append(with_secrets(content, value.secrets))
    return found[0], found[1]
