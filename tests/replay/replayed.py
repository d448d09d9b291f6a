"""Reads a golden history with the code of today and prints what it amounts to, as one line of canonical JSON.

Run as a process of its own, so that hash seed, time zone and locale can be others: `python -m tests.replay.replayed`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from millrace.base.canonical import dumps, sha256
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import Command, Fetch, FinishTask, RetryLater, StartAttempt
from millrace.engine.compile import compile_plan
from millrace.engine.decide import decide
from millrace.engine.evolve import evolve
from millrace.engine.plan import Plan
from millrace.engine.record import Recordable, record
from millrace.engine.state import State
from millrace.engine.values import Value
from millrace.ports.documents import Item
from millrace.services.execution_view import view
from millrace.spec import Workflow
from millrace.store.runlog import Segment, decode_segment

from .record import HISTORIES, segment_key

OUTSIDE = (
    ev.ExecutionStarted,
    ev.AttemptFinished,
    ev.AttemptUnknown,
    ev.SignalReceived,
    ev.CancelRequested,
    ev.ChildStarted,
    ev.ChildFinished,
    ev.ChildCancelled,
    ev.ParentNotified,
)


def histories() -> list[Path]:
    return sorted(HISTORIES.glob("*/*.json"))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def segments(history: dict[str, Any]) -> list[Segment]:
    """The segments through the reader of the run log, which brings old ones up to date."""
    return [
        decode_segment(Item(segment_key(history["execution"], body["first"]), {"body": msgspec.json.encode(body)}))
        for body in history["segments"]
    ]


def events(history: dict[str, Any]) -> list[ev.Event]:
    return [event for segment in segments(history) for event in segment.events]


def plan_of(history: dict[str, Any]) -> Plan:
    return compile_plan(Workflow.model_validate(history["document"]), {}, hashes={})


def content(history: dict[str, Any], value: Value) -> Any:
    return json.loads(history["blobs"]["/".join(value.blob)]) if value.blob else value.decoded()


def wanted(plan: Plan, state: State, now: int, history: dict[str, Any]) -> list[Command]:
    """What `decide` wants at this point, after it was given every value it asked for."""
    while True:
        commands = decide(plan, state, now)
        fetches = [command.value for command in commands if isinstance(command, Fetch)]
        if not fetches:
            return commands
        for value in {value.sha256: value for value in fetches}.values():
            state.resolve(value, content(history, value))


def agrees(event: ev.Event, commands: list[Command], state: State) -> bool:
    """Whether a recorded decision is among those of today. What came from outside agrees with everything."""
    if isinstance(event, OUTSIDE):
        return True
    codec = ValueCodec(state.started.execution if state.started else "")
    made = [
        record(state, command, now=event.at, encode=codec.encode)
        for command in commands
        if isinstance(command, Recordable)
    ]
    return event in made


def disagreements(history: dict[str, Any]) -> Iterator[str]:
    """The recorded decisions that `decide` would not make today, one line each."""
    plan = plan_of(history)
    state = State(plan)
    for position, event in enumerate(events(history)):
        commands = wanted(plan, state, event.at, history)
        if not agrees(event, commands, state):
            today = ", ".join(map(_name, commands))
            yield f"{position} {type(event).__name__} {getattr(event, 'path', '')}: today {today or 'nothing'}"
        evolve(state, event)


def _name(command: Command) -> str:
    path = command.path if isinstance(command, StartAttempt | FinishTask | RetryLater) else ""
    return f"{type(command).__name__} {path}"


def summary(path: Path) -> dict[str, Any]:
    history = load(path)
    plan = plan_of(history)
    state = State(plan)
    for event in events(history):
        evolve(state, event)
    return {
        "tasks": {path: state.tasks[index].status for path, index in state.index.items()},
        "attempts": [task.attempt for task in state.tasks],
        "status": None if state.finished is None else state.finished.status,
        "position": state.position,
        "view": sha256(view(events(history), lambda value: content(history, value))),
        "disagreements": list(disagreements(history)),
    }


if __name__ == "__main__":
    sys.stdout.write(dumps({f"{path.parent.name}/{path.stem}": summary(path) for path in histories()}).decode())
