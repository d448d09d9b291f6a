"""Places under a concurrency key: when one is wanted, who shares one, and what follows when none is free.

Whoever holds a place shares it with everything that runs inside it, so that a loop that holds a place never waits for
the place that its own body needs. A place of a pool is shared by all that wants one of that pool, whatever its key:
otherwise those who hold a place of it could all wait for a second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from millrace.base.errors import ExpressionError
from millrace.base.limits import WEIGHT
from millrace.engine import events as ev
from millrace.engine.commands import AcquireSlot, Command, FinishTask, ReleaseSlot, RequestSlot
from millrace.engine.facts import Failure, Skip, Slot, SlotPool
from millrace.engine.frames import Frame
from millrace.engine.plan import PoolPlan, SlotPlan
from millrace.engine.rendering import failure_of
from millrace.engine.state import FAILED, QUEUED, SKIPPED, State
from millrace.engine.unfolding import leave_queue, make_ready
from millrace.expr import Template
from millrace.expr.values import described

HELD, SHARED, DENIED = "held", "shared", "denied"
KEY_CHARS = 512
"""The longest key; what is limited is named, not described."""


def place_for(state: State, index: int, path: str, env: Mapping[str, Any]) -> Command | None:
    """The command of a task that has to hold a place before it begins; None once it may begin."""
    plan, slot = state.nodes[index].slot, state.tasks[index].slot
    if plan is None or (slot is not None and slot.status in (HELD, SHARED)):
        return None
    if slot is not None:
        return _refused(path, slot)
    asked = _request(path, plan, env, held_around(state, state.frames[index]), f"task {path!r}")
    if isinstance(asked, Failure):
        return FinishTask(path=path, status=FAILED, failure=asked)
    return None if asked.shared else asked


def place_of_execution(state: State, plan: SlotPlan) -> RequestSlot | Failure:
    """What an execution asks for before its first task begins."""
    assert state.started is not None  # it asks after it has begun
    return _request("", plan, state.root.env, set(state.started.slots), "the workflow")


def _request(path: str, plan: SlotPlan, env: Mapping[str, Any], around: set[str], what: str) -> RequestSlot | Failure:
    key = _key(plan, env, f"concurrency key of {what}")
    if isinstance(key, Failure):
        return key
    pool = None if plan.pool is None else _pool(plan, plan.pool, env, what)
    if isinstance(pool, Failure):
        return pool
    shared = Slot(key, pool=pool).shared_as in around
    return RequestSlot(path, key, plan.limit, plan.on_limit, shared=shared, pool=pool)


def _pool(plan: SlotPlan, pool: PoolPlan, env: Mapping[str, Any], what: str) -> SlotPool | Failure:
    least = _number(pool.min, env, f"concurrency min of {what}", 0, min(plan.limit, pool.limit))
    weight = _number(pool.weight, env, f"concurrency weight of {what}", 1, WEIGHT)
    if isinstance(least, Failure):
        return least
    return weight if isinstance(weight, Failure) else SlotPool(pool.name, pool.limit, least, weight)


def _number(value: int | Template, env: Mapping[str, Any], where: str, least: int, most: int) -> int | Failure:
    if isinstance(value, int):
        return value
    try:
        found = value.render(env)
    except ExpressionError as error:
        return failure_of(error, where)
    if type(found) is int and least <= found <= most:
        return found
    said = str(found) if type(found) is int else type(found).__name__
    message = f"The {where} gave {said}: it takes a whole number from {least} to {most}."
    return Failure(kind="expression", code="bad-share", message=message, hint="Correct the expression.")


def no_place(slot: Slot) -> Failure:
    """Why something does not run that may not wait."""
    return Failure(
        kind="concurrency",
        code="no-place",
        message=f"All {slot.limit} places of {slot.key!r} are taken."
        if slot.pool is None
        else f"No place of the pool {slot.pool.name!r} is free for {slot.key!r}.",
        retryable=True,
        hint="Use onLimit: queue to wait for one, or a higher limit.",
    )


def _refused(path: str, slot: Slot) -> FinishTask:
    if slot.on_limit == "cancel":
        return FinishTask(path=path, status=SKIPPED, skip=Skip("concurrency_limit", path))
    return FinishTask(path=path, status=FAILED, failure=no_place(slot))


def _key(plan: SlotPlan, env: Mapping[str, Any], where: str) -> str | Failure:
    try:
        key = plan.key.render(env)
    except ExpressionError as error:
        return failure_of(error, where)
    text = str(key).lower() if isinstance(key, bool) else str(key) if isinstance(key, str | int) else ""
    if not 0 < len(text) <= KEY_CHARS or "\0" in text:
        message = f"The {where} gave {described(key)} of no use: a key is a text of 1 to {KEY_CHARS} characters."
        return Failure(kind="expression", code="bad-key", message=message, hint="Name what is limited.")
    return text


def held_around(state: State, frame: Frame) -> set[str]:
    """The keys under which something around a frame holds a place, and the pools: tasks, the execution, what started
    it."""
    found = set() if state.started is None else set(state.started.slots)
    if state.slot is not None and state.slot.status == HELD:
        found.add(state.slot.shared_as)
    at: Frame | None = frame
    while at is not None:
        slot = state.tasks[at.owner].slot if at.owner >= 0 else None
        if slot is not None and slot.status == HELD:
            found.add(slot.shared_as)
        at = at.parent
    return found


def held_within(state: State, index: int) -> tuple[str, ...]:
    """The keys under which what runs inside a task finds a place held: its own, and those around it. Sorted."""
    found = held_around(state, state.frames[index])
    slot = state.tasks[index].slot
    if slot is not None and slot.status == HELD:
        found.add(slot.shared_as)
    return tuple(sorted(found))


def slot_effects(state: State) -> Iterator[Command]:
    """What has to be taken or given up outside."""
    for path, slot in state.wanted.items():
        yield AcquireSlot(path=path, slot=slot)
    for path, slot in state.releases.items():
        yield ReleaseSlot(path=path, slot=slot)


def requested(state: State, event: ev.SlotRequested) -> None:
    slot = Slot(event.key, event.limit, event.on_limit, event.at, pool=event.pool)
    if not event.path:
        if state.slot is None:
            state.slot = state.wanted[""] = slot
        return
    index = state.at(event.path)
    if index is None or state.tasks[index].status != "ready":
        return
    task = state.tasks[index]
    task.status = QUEUED
    task.slot = state.wanted[event.path] = slot
    leave_queue(state, task)


def answered(state: State, event: ev.SlotGranted | ev.SlotDenied) -> None:
    """A place was given or refused; what asked for it goes on."""
    status = DENIED
    if isinstance(event, ev.SlotGranted):
        if event.message in state.seen:
            return
        if event.message:
            state.seen.add(event.message)
        status = SHARED if event.shared else HELD
    wanted = state.wanted.pop(event.path, None)
    if not event.path:
        held = wanted or Slot(event.key)
        if state.slot is None or wanted is not None:
            state.slot = msgspec.structs.replace(held, status=status)
            if status != DENIED:
                for node in state.plan.nodes:
                    if not node.needs:
                        make_ready(state, node.index, event.at)
        return
    index = state.at(event.path)
    if index is None or wanted is None or state.tasks[index].status != QUEUED:
        return
    state.tasks[index].slot = msgspec.structs.replace(wanted, status=status)
    make_ready(state, index, event.at)


def released(state: State, event: ev.SlotReleased) -> None:
    state.releases.pop(event.path, None)
    if not event.path and state.slot is not None:
        state.slot = msgspec.structs.replace(state.slot, status="released")
