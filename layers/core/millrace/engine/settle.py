"""Decide and evolve in turn until nothing more follows at this moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
from millrace.engine.state import DONE, FAILED, State
from millrace.engine.values import Value

Allow = Callable[[StartAttempt], bool]


@dataclass(slots=True)
class Settled:
    """``events`` are folded already and have to be committed; ``starts`` and ``effects`` may be performed once they are
    durable; ``fetches`` are needed before anything more can be decided about some tasks; ``held`` starts were
    refused."""

    events: list[ev.Event] = field(default_factory=list)
    starts: list[StartAttempt] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    fetches: list[Value] = field(default_factory=list)
    held: int = 0


def settle(plan: Plan, state: State, now: int, *, encode: Encode, allow: Allow | None = None) -> Settled:
    """Carry out everything that follows from ``state`` at ``now`` but the attempts themselves."""
    settled = Settled()
    while True:
        commands = decide(plan, state, now)
        progressed = False
        wanted: dict[str, Value] = {}  # many tasks may ask for one value
        settled.held = 0
        settled.effects = []
        for command in commands:
            if type(command) is Fetch:
                wanted[command.value.sha256] = command.value
            elif isinstance(command, Effect):
                settled.effects.append(command)
            elif type(command) is StartAttempt and allow is not None and not allow(command):
                settled.held += 1
            elif _stands(state, command):
                _carry_out(state, command, now, encode, settled)
                progressed = True
        if not progressed:
            settled.fetches = list(wanted.values())
            return settled


def _stands(state: State, command: Command) -> bool:
    """Whether what is to be done has not become void by what was done just before: a task may be over twice, by itself
    and with the one around it; and inside a task that is to end, the end of one iteration may have begun the next."""
    if type(command) is not FinishTask and type(command) is not OpenScope:
        return True
    index = state.index.get(command.path)
    if index is None or state.tasks[index].status in DONE:
        return False
    opened = state.opened.get(index)
    return opened is None or not opened.frames


def _carry_out(state: State, command: Command, now: int, encode: Encode, settled: Settled) -> None:
    assert isinstance(command, Recordable)  # the caller sorts out the others
    try:
        event = record(state, command, now=now, encode=encode)
    except UserError as error:
        command = _unstorable(command, error)
        event = record(state, command, now=now, encode=encode)
    if type(command) is StartAttempt:
        settled.starts.append(command)
    elif type(command) is FinishTask and command.own_output:
        assert isinstance(event, ev.TaskFinished)  # what FinishTask is recorded as
        assert event.output is not None  # own_output says so
        state.contents[event.output.sha256] = command.output
    elif type(command) is OpenScope and command.items is not None:
        assert isinstance(event, ev.ScopeOpened)  # what OpenScope is recorded as
        assert event.items is not None
        state.contents[event.items.sha256] = command.items
    evolve(state, event)
    settled.events.append(event)


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
