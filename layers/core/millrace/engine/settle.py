"""Decide and evolve in turn until nothing more follows at this moment."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from millrace.base.errors import UserError
from millrace.engine import events as ev
from millrace.engine.commands import (
    BeginWait,
    Command,
    DecideOutcome,
    Effect,
    Fetch,
    FinishExecution,
    FinishTask,
    OpenScope,
    Recordable,
    StartAttempt,
)
from millrace.engine.decide import decide
from millrace.engine.evolve import evolve
from millrace.engine.plan import Plan
from millrace.engine.record import Encode, record
from millrace.engine.scopes import fits
from millrace.engine.state import DONE, FAILED, State
from millrace.engine.values import Value

Allow = Callable[[StartAttempt], bool]


class Settled(msgspec.Struct):
    """``events`` are folded already and have to be committed; ``starts`` and ``effects`` may be performed once they are
    durable; ``fetches`` are needed before anything more can be decided about some tasks; ``held`` says that starts
    were refused."""

    events: list[ev.Event]
    starts: list[StartAttempt]
    effects: list[Effect]
    fetches: list[Value]
    held: bool


def settle(plan: Plan, state: State, now: int, *, encode: Encode, allow: Allow | None = None) -> Settled:
    """Carry out everything that follows from ``state`` at ``now`` but the attempts themselves."""
    events: list[ev.Event] = []
    starts: list[StartAttempt] = []
    while True:
        wanted: dict[str, Value] = {}  # many tasks may ask for one value
        effects: list[Effect] = []
        held = False
        again = False
        before = len(starts)
        for command in decide(plan, state, now):  # the frequent kinds first, one at a time: a union costs far more
            if isinstance(command, StartAttempt):
                if allow is not None and not allow(command):
                    held = True
                    continue
                try:
                    event = record(state, command, now=now, encode=encode)
                except UserError as error:
                    _carry_out(state, _unstorable(command, error), now, encode, events)
                    again = True
                else:
                    evolve(state, event)
                    events.append(event)
                    starts.append(command)
            elif isinstance(command, FinishTask):
                if _stands(state, command):
                    _carry_out(state, command, now, encode, events)
                    again = True
            elif isinstance(command, Fetch):
                wanted[command.value.sha256] = command.value
            elif isinstance(command, Effect):
                effects.append(command)
            elif not isinstance(command, OpenScope) or (_stands(state, command) and fits(state, command)):
                _carry_out(state, command, now, encode, events)
                again = True
        # Nothing follows from a start at the moment of the start itself, but the end of a time that is none.
        fresh = len(starts) > before
        if not again and not (fresh and state.deadlines and state.deadlines[0][0] <= now):
            return Settled(events, starts, effects, list(wanted.values()), held)


def _stands(state: State, command: FinishTask | OpenScope) -> bool:
    """Whether what is to be done has not become void by what was done just before: a task may be over twice, by itself
    and with the one around it; and the end of one inside may have begun others."""
    index = state.index.get(command.path)
    if index is None or state.tasks[index].status in DONE:
        return False
    if not state.opened:
        return True
    opened = state.opened.get(index)
    return opened is None or not opened.frames


def _carry_out(state: State, command: Recordable, now: int, encode: Encode, events: list[ev.Event]) -> None:
    """Record a command as it is, or, of what cannot be stored, the failure that it leads to."""
    try:
        event = record(state, command, now=now, encode=encode)
    except UserError as error:
        command = _unstorable(command, error)
        event = record(state, command, now=now, encode=encode)
    if isinstance(command, FinishTask):
        if command.own_output:
            assert isinstance(event, ev.TaskFinished)  # what FinishTask is recorded as
            assert event.output is not None  # own_output says so
            state.contents[event.output.sha256] = command.output
    elif isinstance(command, OpenScope) and command.items is not None:
        assert isinstance(event, ev.ScopeOpened)  # what OpenScope is recorded as
        assert event.items is not None
        state.contents[event.items.sha256] = command.items
    evolve(state, event)
    events.append(event)


def _unstorable(command: Command, error: UserError) -> Recordable:
    """What a command becomes when its value cannot be stored: a permanent failure that names the task."""
    failure = ev.Failure(
        kind="too-large" if error.code == "too-large" else "task",
        code=error.code,
        message=error.message,
        hint=error.hint,
        details=error.facts,
    )
    if isinstance(command, FinishExecution):
        return FinishExecution(status="failed", failure=failure)
    if isinstance(command, DecideOutcome):
        return DecideOutcome(status="failed", failure=failure)
    assert isinstance(command, StartAttempt | BeginWait | OpenScope | FinishTask)  # no other command carries a value
    return FinishTask(path=command.path, status=FAILED, failure=failure)
