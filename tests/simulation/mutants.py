"""The production code, broken on purpose in one place each: what the simulator must be able to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from msgspec.structs import replace

from millrace.adapters import inprocess
from millrace.driver import advance, breakers, loading, session
from millrace.driver.breakers import Breakers
from millrace.driver.session import Session
from millrace.store import executions, runlog

from .faults import Process
from .world import World

Mutant = Callable[[], Any]


@contextmanager
def no_fence() -> Iterator[None]:
    """Segments are written whatever stands at their position."""
    with mock.patch.object(runlog, "ABSENT", ()):
        yield


@contextmanager
def perform_before_acknowledgement() -> Iterator[None]:
    """Attempts begin when they are decided, not when their event is durable."""
    real = Session.commit

    async def commit(self: Session) -> None:
        for command in self._eager:
            self._start(command)
        self._eager = []
        await real(self)

    async def perform(self: Session, command: Any) -> None:
        return None

    settle = Session.settle

    async def settle_and_keep(self: Session, deadline: int | None) -> None:
        before = len(self._starts)
        await settle(self, deadline)
        self._eager = [command for command in self._starts[before:] if command.attempt == 1]

    def start(self: Session, command: Any) -> None:
        node = self.state.nodes[self.state.index[command.path]]
        self._attempts.start(node, command, limit_ms=60_000, value=command.input, config=None, trace="")

    with (
        mock.patch.object(Session, "commit", commit),
        mock.patch.object(Session, "settle", settle_and_keep),
        mock.patch.object(Session, "_start", start, create=True),
        mock.patch.object(Session, "_eager", [], create=True),
        mock.patch.object(Session, "_perform", perform),
    ):
        yield


@contextmanager
def drop_a_message() -> Iterator[None]:
    """The inbox is emptied, but what was in it does not become history."""

    async def take(self: Session, inbox_seq: int) -> None:
        if inbox_seq > self.seen_seq:
            self.seen_seq = inbox_seq
            self._actor_sets["seenSeq"] = inbox_seq

    with mock.patch.object(Session, "_take_messages", take):
        yield


@contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """A write that is lost on its way is reported as durable."""
    real = Process.commit

    async def commit(self: Process, scope: Any, ops: Any) -> None:
        from millrace.base.errors import OutcomeUnknown, StoreUnavailable

        try:
            await real(self, scope, ops)
        except (OutcomeUnknown, StoreUnavailable):
            self.on_ack(self, scope, ops)

    with mock.patch.object(Process, "commit", commit):
        yield


@contextmanager
def ignore_the_lease() -> Iterator[None]:
    """A driver takes up whatever it is given, though another holds the lease."""
    real = World.driver_world

    def world(self: World, process: Process) -> Any:
        return replace(real(self, process), exclusive=True)

    with mock.patch.object(World, "driver_world", world):
        yield


@contextmanager
def end_without_looking() -> Iterator[None]:
    """The end of an execution does not ask whether a message has come in since."""
    real = session.terminal_ops

    def ops(*args: Any, when: tuple[Any, ...], **kwargs: Any) -> Any:
        return real(*args, when=tuple(c for c in when if getattr(c, "attr", "") != "inboxSeq"), **kwargs)

    with mock.patch.object(session, "terminal_ops", ops):
        yield


@contextmanager
def park_without_looking() -> Iterator[None]:
    """Parking does not ask whether a message has come in since."""
    real = inprocess.park

    def park(documents: Any, scope: Any, execution: str, **kwargs: Any) -> bool:
        actor = executions.read_actor(documents, scope, execution)
        return real(documents, scope, execution, **{**kwargs, "seen_seq": actor.inbox_seq if actor else 0})

    with mock.patch.object(inprocess, "park", park):
        yield


@contextmanager
def forget_the_unfinished() -> Iterator[None]:
    """A driver that takes over does not ask which attempts have no result."""
    with mock.patch.object(session, "take_over", lambda state, now: []):
        yield


@contextmanager
def start_again_after_the_result() -> Iterator[None]:
    """A driver that takes over runs again what has a result already."""
    real = loading.load_state

    def load(*args: Any) -> Any:
        state = real(*args)
        for index, task in enumerate(state.tasks):
            if task.status == "succeeded" and task.attempt and state.finished is None:
                task.status, task.unknown = "ended", True
                state.ended[index] = None
                state.open += 1
                break
        return state

    with mock.patch.object(advance, "load_state", load):
        yield


@contextmanager
def probes_without_a_place() -> Iterator[None]:
    """A probe is let through, and its place stays free."""
    real = breakers.admit

    def admit(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        following = getattr(found, "following", None)
        return found if following is None else replace(found, following=replace(following, probes=()))

    with mock.patch.object(breakers, "admit", admit):
        yield


@contextmanager
def probe_on_what_was_read() -> Iterator[None]:
    """A probe is let through although the write of its place was refused."""
    real = Breakers._write

    async def write(self: Breakers, *args: Any) -> bool:
        await real(self, *args)
        return True

    with mock.patch.object(Breakers, "_write", write):
        yield


@contextmanager
def count_late_results() -> Iterator[None]:
    """The result of an attempt counts in whatever generation the breaker is by then."""
    real = Breakers.report

    async def report(self: Breakers, world: Any, permit: Any, verdict: Any) -> None:
        now = self._of(permit.key).stored.breaker.generation
        await real(self, world, permit if permit.probe else replace(permit, generation=now), verdict)

    with mock.patch.object(Breakers, "report", report):
        yield


@contextmanager
def lease_without_end() -> Iterator[None]:
    """The place of a probe that was not heard of is never free again."""
    with mock.patch.object(breakers, "LEASE_MS", 10**9):
        yield


MUTANTS: dict[str, Mutant] = {
    "probes without a place": probes_without_a_place,
    "probe on what was read": probe_on_what_was_read,
    "count late results": count_late_results,
    "lease without end": lease_without_end,
    "no fence": no_fence,
    "perform before acknowledgement": perform_before_acknowledgement,
    "drop a message": drop_a_message,
    "acknowledge before commit": acknowledge_before_commit,
    "ignore the lease": ignore_the_lease,
    "end without looking at the inbox": end_without_looking,
    "park without looking at the inbox": park_without_looking,
    "forget unfinished attempts": forget_the_unfinished,
    "start again after the result": start_again_after_the_result,
}
