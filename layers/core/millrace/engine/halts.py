"""What comes before the first task, and what ends an execution before its tasks are over: a cancel, its timeout."""

from __future__ import annotations

from millrace.engine.commands import CancelChild, Command, FinishTask, StartChild
from millrace.engine.ending import outcome
from millrace.engine.events import Failure
from millrace.engine.frames import Frame
from millrace.engine.lanes import in_lane, stop_lanes, stopping
from millrace.engine.plan import Plan, SlotPlan
from millrace.engine.rendering import unresolved
from millrace.engine.slots import DENIED, HELD, SHARED, held_within, no_place, place_of_execution, slot_effects
from millrace.engine.state import CANCELLED, WAITING, State
from millrace.engine.unfolding import unfinished


def halted(plan: Plan, state: State, started: int, now: int) -> list[Command] | None:
    """What follows from a cancel or the end of the time, or what has to come before the first task; else None."""
    if state.outcome is not None:
        return _abort(state, state.handlers) if state.abort and state.handlers is not None else None
    if state.cancel is not None:
        reason = state.cancel.reason or "cancelled on request"
        failure = state.cancel.failure or Failure(kind="cancelled", code="cancelled", message=reason)
        return _stop(state, "cancelled", failure)
    if plan.timeout_ms is not None and now >= started + plan.timeout_ms and state.open:
        message = f"The workflow's timeout of {plan.timeout_ms} ms passed."
        return _stop(state, "timedOut", Failure(kind="timeout", code="workflow-timeout", message=message))
    if plan.slot is not None and (state.slot is None or state.slot.status not in (HELD, SHARED)):
        return _place(plan.slot, state)
    return None


def _place(plan: SlotPlan, state: State) -> list[Command]:
    """The place that the execution needs before its first task begins."""
    slot = state.slot
    if slot is None:
        missing = unresolved((), state, state.root)
        asked = missing or place_of_execution(state, plan)
        return _stop(state, "failed", asked) if isinstance(asked, Failure) else [asked]
    if slot.status != DENIED:
        return list(slot_effects(state))
    return _stop(state, "cancelled" if slot.on_limit == "cancel" else "failed", no_place(slot))


def _stop(state: State, status: str, failure: Failure) -> list[Command]:
    """End everything that is not done. Executions that were started are told to stop before it is forgotten that they
    were; nobody waits for their end. Lanes are parts of this one, and their end is awaited."""
    left = [index for index in unfinished(state, state.root) if index or not in_lane(state)]
    told = [command for index in left if (command := told_to_stop(state, index, failure)) is not None]
    if told:
        return [*told, *(child_of(state, index) for index in state.children)]
    if stopping(state, left):
        return []
    commands: list[Command] = [
        FinishTask(path=state.path(index), status=CANCELLED, failure=failure, replaceable=False) for index in left
    ]
    commands.append(outcome(state, status, failure=failure))
    return commands


def _abort(state: State, handlers: Frame) -> list[Command]:
    """A cancel that comes when handlers run already ends these."""
    left = unfinished(state, handlers)
    failure = Failure(kind="cancelled", code="cancelled", message="The handlers were cancelled on request.")
    told = [command for index in left if (command := told_to_stop(state, index, failure)) is not None]
    if stopping(state, left):
        return told
    return told or [
        FinishTask(path=state.path(index), status=CANCELLED, failure=failure, replaceable=False) for index in left
    ]


def told_to_stop(state: State, index: int, failure: Failure | None) -> Command | None:
    """The command that tells the execution or the lanes of a task to stop, unless that has been done. What runs in a
    lane ends with ``failure``, as what runs here does."""
    if index in state.spread:
        return stop_lanes(state, index, failure)
    task = state.tasks[index]
    wait = task.wait
    if task.status != WAITING or wait is None or wait.kind != "child" or wait.cancelled:
        return None
    return CancelChild(path=state.path(index), child=wait.child)


def child_of(state: State, index: int) -> StartChild:
    """The execution that a task waits for and that is still to be started."""
    task, wait = state.tasks[index], state.nodes[index].wait
    assert task.wait is not None  # only a task that waits for one is among them
    assert wait is not None
    return StartChild(
        path=state.path(index),
        child=task.wait.child,
        ref=wait.ref,
        input=task.input,
        detached=wait.detached,
        slots=() if wait.detached else held_within(state, index),
        attempt=max(task.attempt, 1),
    )
