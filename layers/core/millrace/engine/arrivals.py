"""What messages from outside amount to: signals, decisions, pauses, cancels. Part of `evolve`.

Each has an id, and one that has been seen changes nothing.
"""

from __future__ import annotations

from millrace.engine import events as ev
from millrace.engine.state import Decision, Signal, State


def signalled(state: State, event: ev.SignalReceived) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        signal = Signal(id=event.message, payload=event.payload, at=event.at)
        state.signals.setdefault(event.signal, []).append(signal)


def decided(state: State, event: ev.DecisionReceived) -> None:
    if event.message in state.seen:
        return
    state.seen.add(event.message)
    index = state.index.get(event.path)
    wait = state.tasks[index].wait if index is not None and index in state.waiting else None
    if wait is not None and wait.kind == "approval":
        wait.decisions = [held for held in wait.decisions if held.principal != event.principal]
        wait.decisions.append(
            Decision(
                principal=event.principal,
                decision=event.decision,
                at=event.at,
                comment=event.comment,
                form=event.form,
            )
        )


def paused(state: State, event: ev.PauseRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        state.paused = True


def resumed(state: State, event: ev.ResumeRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        state.paused = False


def cancelled(state: State, event: ev.CancelRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        if state.cancel is None:
            state.cancel = event
        if state.outcome is not None:
            state.abort = True
