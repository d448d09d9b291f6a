"""The production code of places, broken on purpose in one place each: what the simulator must be able to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock

from msgspec.structs import replace

from millrace.engine import evolve, unfolding
from millrace.engine import slots as sharing
from millrace.ports.documents import Key, Table
from millrace.services import slot_leases
from millrace.store import slots
from millrace.store.slots import Holder, Place

Mutant = Callable[[], Any]
_count = count()


@contextmanager
def first_waiter_forgotten() -> Iterator[None]:
    """Whoever gives a place up wakes nobody."""
    with mock.patch.object(slots, "give", lambda *given, **more: []):
        yield


@contextmanager
def given_without_a_word() -> Iterator[None]:
    """Who is given a place is not told."""
    with mock.patch.object(slots, "message_puts", lambda *given: []):
        yield


@contextmanager
def given_up_before_the_end() -> Iterator[None]:
    """The place of an execution is given up when its outcome is decided, though its handlers follow."""
    real = unfolding.begin_handlers

    def begin(state: Any, event: Any) -> None:
        unfolding.given_up(state, "", state.slot)
        real(state, event)

    with mock.patch.object(evolve, "begin_handlers", begin):
        yield


@contextmanager
def a_holder_twice() -> Iterator[None]:
    """Who asks again after a crash is somebody else."""
    real = slots.take

    def take(documents: Any, scope: Any, place: Any, holder: Holder, *, now: int, **more: Any) -> Any:
        return real(documents, scope, place, Holder(holder.execution, holder.path, now), now=now, **more)

    by_time = property(lambda self: f"{self.execution}#{self.path}#{self.at}")
    with mock.patch.object(Holder, "id", by_time), mock.patch.object(slot_leases, "take", take):
        yield


@contextmanager
def a_live_holder_passed_over() -> Iterator[None]:
    """Who holds a place and is parked counts as gone."""
    real = slots.read_actor

    def read(documents: Any, scope: Any, execution: str) -> Any:
        actor = real(documents, scope, execution)
        return actor if actor is None or actor.owner else None

    def evict(*given: Any) -> bool:
        with mock.patch.object(slots, "read_actor", read):
            return bool(gone(*given))

    gone = slots._evict
    with mock.patch.object(slots, "_evict", evict):
        yield


@contextmanager
def the_line_is_jumped() -> Iterator[None]:
    """Whoever finds a free place takes it."""
    real = slots.take

    def take(*given: Any, **more: Any) -> Any:
        with mock.patch.object(slots, "_first", lambda *_: None):
            return real(*given, **more)

    with mock.patch.object(slot_leases, "take", take):
        yield


@contextmanager
def nothing_is_shared() -> Iterator[None]:
    """What runs inside asks for a place of its own."""

    def alone(state: Any, frame: Any) -> set[str]:
        return set()

    with mock.patch.object(sharing, "held_around", alone):
        yield


@contextmanager
def one_place_too_many() -> Iterator[None]:
    """There is one place more than the limit says."""
    real = slots.take

    def take(*given: Any, limit: int, **more: Any) -> Any:
        return real(*given, limit=limit + 1, **more)

    with mock.patch.object(slot_leases, "take", take):
        yield


@contextmanager
def whoever_left_may_come_back() -> Iterator[None]:
    """That somebody has given a place up is noted where nobody looks."""
    elsewhere = Key(Table.HISTORY, ("slot-left",), "nobody")
    with mock.patch.object(Place, "left", lambda self, holder: replace(elsewhere, sort=f"{holder.id}{next(_count)}")):
        yield


@contextmanager
def in_line_though_nobody_said_so() -> Iterator[None]:
    """A write that was not acknowledged counts as made."""
    real = slots.written

    def write(documents: Any, scope: Any, ops: Any) -> bool:
        real(documents, scope, ops)
        return True

    with mock.patch.object(slots, "written", write):
        yield


@contextmanager
def nothing_is_given_up() -> Iterator[None]:
    """A task that is over keeps its place."""
    with mock.patch.object(unfolding, "given_up", lambda state, path, slot: None):
        yield


MUTANTS: dict[str, Mutant] = {
    "first waiter forgotten": first_waiter_forgotten,
    "given without a word": given_without_a_word,
    "given up before the end": given_up_before_the_end,
    "a holder twice": a_holder_twice,
    "a live holder passed over": a_live_holder_passed_over,
    "the line is jumped": the_line_is_jumped,
    "nothing is shared": nothing_is_shared,
    "one place too many": one_place_too_many,
    "whoever left may come back": whoever_left_may_come_back,
    "in line though nobody said so": in_line_though_nobody_said_so,
    "nothing is given up": nothing_is_given_up,
}
