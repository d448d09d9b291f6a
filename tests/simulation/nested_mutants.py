"""The production code of nested tasks, broken on purpose in one place each: what the simulator must be able to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec

from millrace.driver.effects import Effects
from millrace.driver.session import Session
from millrace.engine import decide, halts, settle, snapshot, unfolding, waits
from millrace.engine import events as ev
from millrace.engine.commands import NotifyParent, OpenScope, StartChild
from millrace.services import forestall
from millrace.services.child_executions import ChildExecutions

Mutant = Callable[[], Any]


@contextmanager
def effect_before_durability() -> Iterator[None]:
    """Effects begin when they are decided, not when what they follow from is durable."""
    real = Session.commit

    async def commit(self: Session) -> None:
        self._effects.begin(self._wanted)
        await real(self)

    with mock.patch.object(Session, "commit", commit):
        yield


@contextmanager
def told_before_it_is_sent() -> Iterator[None]:
    """That the execution above knows becomes history before it does."""
    real = Effects._perform

    async def perform(self: Effects, effect: Any) -> None:
        if isinstance(effect, NotifyParent):
            self._events.append(ev.ParentNotified(at=self._world.clock.now(), status=effect.status))
            self._on_event()
        await real(self, effect)

    with mock.patch.object(Effects, "_perform", perform):
        yield


@contextmanager
def a_new_child_each_time() -> Iterator[None]:
    """Who starts an execution chooses its id."""
    real = ChildExecutions.start

    def start(self: ChildExecutions, scope: Any, started: Any, order: StartChild, value: Any) -> Any:
        fresh = msgspec.structs.replace(order, child=self._platform().ids.new())
        found = real(self, scope, started, fresh, value)
        return msgspec.structs.replace(found, child=order.child)

    with mock.patch.object(ChildExecutions, "start", start):
        yield


@contextmanager
def iterations_forgotten() -> Iterator[None]:
    """A snapshot does not hold how far a loop has come."""
    real = snapshot._scope

    def scope(index: int, opened: Any) -> Any:
        held = real(index, opened)
        held.next = max(held.next - 1, len(opened.frames))
        return held

    with mock.patch.object(snapshot, "_scope", scope):
        yield


@contextmanager
def cancel_stays_here() -> Iterator[None]:
    """An execution that is stopped does not tell those that it started."""

    def told(state: Any, index: int) -> None:
        return None

    with mock.patch.object(halts, "told_to_stop", told), mock.patch.object(decide, "told_to_stop", told):
        yield


@contextmanager
def whoever_never_began_may_begin() -> Iterator[None]:
    """That an execution is not to begin is written nowhere."""
    with mock.patch.object(forestall, "_forestalled", lambda *given: True):
        yield


@contextmanager
def every_try_is_the_first() -> Iterator[None]:
    """The execution of every try has the id of the first."""
    real = waits._child_id

    def child_id(started: Any, path: str, now: int, _attempt: int) -> str:
        return real(started, path, started.at, 1)

    with mock.patch.object(waits, "_child_id", child_id):
        yield


@contextmanager
def window_without_end() -> Iterator[None]:
    """A loop opens one iteration more than it may."""
    real = unfolding.scope_from

    def scope_from(*given: Any) -> Any:
        opened = real(*given)
        opened.window += 1
        return opened

    with mock.patch.object(unfolding, "scope_from", scope_from):
        yield


@contextmanager
def end_over_what_runs() -> Iterator[None]:
    """A task that is out of time ends, whatever still runs inside it."""
    real = decide._overdue

    def overdue(state: Any, now: int) -> Any:
        yield from real(state, now)
        for due, index in sorted(state.deadlines):
            if due <= now and index in state.opened and not state.tasks[index].fallen:
                yield decide._late(state.path(index), state.nodes[index])

    def stands(state: Any, command: Any) -> bool:
        if type(command) is OpenScope or not hasattr(command, "replaceable"):
            return True
        index = state.index.get(command.path)
        return index is not None and state.tasks[index].status not in settle.DONE

    with mock.patch.object(settle, "_stands", stands), mock.patch.object(decide, "_overdue", overdue):
        yield


@contextmanager
def handlers_twice() -> Iterator[None]:
    """What runs at the end is begun again by whoever takes over."""
    real = unfolding._handler_over

    def over(state: Any, frame: Any, at: int) -> None:
        again = frame.body is state.plan.at_end and not state.mishap
        real(state, frame, at)
        if again:
            state.mishap = ("", None)
            unfolding._begin_handler(state, state.plan.at_end, at)

    with mock.patch.object(unfolding, "_handler_over", over):
        yield


MUTANTS: dict[str, Mutant] = {
    "effect before durability": effect_before_durability,
    "told before it is sent": told_before_it_is_sent,
    "a new child each time": a_new_child_each_time,
    "iterations forgotten": iterations_forgotten,
    "cancel stays here": cancel_stays_here,
    "whoever never began may begin": whoever_never_began_may_begin,
    "every try is the first": every_try_is_the_first,
    "window without end": window_without_end,
    "end over what runs": end_over_what_runs,
    "handlers twice": handlers_twice,
}
