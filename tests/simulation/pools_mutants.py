"""The production code of pools, broken on purpose in one place each: what the simulator must be able to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock

from msgspec.structs import replace

from millrace.engine import slots as sharing
from millrace.ports.documents import Key, Table, Update
from millrace.store import pool_items, pools
from millrace.store.pool_items import Bid, Pool, PoolState

from .pools_invariants import PoolLedger

Mutant = Callable[[], Any]
_count = count()


class Seen(KeyboardInterrupt):
    """A violation; it ends the world at once, as what is broken may otherwise be tried for ever."""


@contextmanager
def seen_at_once() -> Iterator[None]:
    """The first violation at a write or an answer is raised."""

    def violated(_ledger: PoolLedger, what: str) -> None:
        raise Seen(what)

    with mock.patch.object(PoolLedger, "violated", violated):
        yield


def _choosing(change: Callable[[Any], Any]) -> Any:
    real = pool_items.next_claim
    return mock.patch.object(pool_items, "next_claim", lambda claims, **more: real(map(change, claims), **more))


@contextmanager
def no_minimum() -> Iterator[None]:
    """What a key is guaranteed is not looked at."""
    with _choosing(lambda claim: replace(claim, min=0)):
        yield


@contextmanager
def by_arrival() -> Iterator[None]:
    """Whichever key has waited longest is next, whatever it holds."""

    def first(claims: Any, *, held: int, idle: int = 0) -> Any:
        able = [claim for claim in claims if claim.held < claim.limit]
        found = min(able, key=lambda claim: (claim.since, claim.key), default=None)
        return found if found is not None and held < found.size and idle >= 0 else None

    with mock.patch.object(pool_items, "next_claim", first):
        yield


@contextmanager
def the_lines_are_jumped() -> Iterator[None]:
    """Whoever finds a free place takes it."""
    real = PoolState.next

    def chosen(state: PoolState, bid: Bid | None = None) -> Any:
        return real(state, bid) if bid is None else real(PoolState(state.head, {}), bid)

    with mock.patch.object(PoolState, "next", chosen):
        yield


@contextmanager
def the_last_of_a_key_first() -> Iterator[None]:
    """Within a key, who came last is served first."""
    real = pools.first_two

    def last(documents: Any, scope: Any, pool: Pool, key_id: str) -> Any:
        return real(documents, scope, pool, key_id)[::-1]

    def out(pool: Pool, entry: Any, sort: str, line: Any, turn: int | None = None) -> Any:
        if line and sort == entry.first:
            sort = line[0].item.key.sort
        return leaving(pool, replace(entry, first=line[0].item.key.sort if line else ""), sort, line, turn)

    leaving = pools.out_of_line
    with mock.patch.object(pools, "first_two", last), mock.patch.object(pools, "out_of_line", out):
        yield


@contextmanager
def who_comes_second_is_not_counted() -> Iterator[None]:
    """Who joins the line of a key that waits already is not counted, and is forgotten with the first."""
    real = pools.joined

    def joined(pool: Pool, state: PoolState, bid: Bid) -> Any:
        ops = real(pool, state, bid)
        entry = state.waiting.get(bid.key_id)
        return [
            replace(op, set={**op.set, "waiters": entry.waiters}) if entry and isinstance(op, Update) else op
            for op in ops
        ]

    with mock.patch.object(pools, "joined", joined):
        yield


@contextmanager
def next_one_forgotten() -> Iterator[None]:
    """Whoever gives a place up wakes nobody."""
    with mock.patch.object(pools, "give", lambda *given, **more: []):
        yield


@contextmanager
def given_without_a_word() -> Iterator[None]:
    """Who is given a place is not told."""
    with mock.patch.object(pools, "message_puts", lambda *given: []):
        yield


@contextmanager
def one_place_too_many() -> Iterator[None]:
    """The pool has one place more than it has."""
    with _choosing(lambda claim: replace(claim, size=claim.size + 1)):
        yield


@contextmanager
def no_limit_of_a_key() -> Iterator[None]:
    """A key may hold the whole pool."""
    with _choosing(lambda claim: replace(claim, limit=claim.size)):
        yield


@contextmanager
def nothing_is_shared() -> Iterator[None]:
    """What runs inside a place of a pool asks for one of its own."""

    def alone(state: Any, frame: Any) -> set[str]:
        return {name for name in real(state, frame) if not name.startswith("\0")}

    real = sharing.held_around
    with mock.patch.object(sharing, "held_around", alone):
        yield


@contextmanager
def whoever_left_may_come_back() -> Iterator[None]:
    """That somebody has given a place up is noted where nobody looks."""
    elsewhere = Key(Table.HISTORY, ("pool-left",), "nobody")
    with mock.patch.object(Pool, "left", lambda self, bid: replace(elsewhere, sort=f"{next(_count)}")):
        yield


@contextmanager
def a_live_holder_passed_over() -> Iterator[None]:
    """Who holds a place and is parked counts as gone."""
    real = pools.actor_of

    def read(item: Any) -> Any:
        actor = real(item)
        return actor if actor.owner else replace(actor, done=True)

    with mock.patch.object(pools, "actor_of", read):
        yield


MUTANTS: dict[str, Mutant] = {
    "no minimum": no_minimum,
    "by arrival": by_arrival,
    "the lines are jumped": the_lines_are_jumped,
    "the last of a key first": the_last_of_a_key_first,
    "who comes second is not counted": who_comes_second_is_not_counted,
    "next one forgotten": next_one_forgotten,
    "given without a word": given_without_a_word,
    "one place too many": one_place_too_many,
    "no limit of a key": no_limit_of_a_key,
    "nothing is shared": nothing_is_shared,
    "whoever left may come back": whoever_left_may_come_back,
    "a live holder passed over": a_live_holder_passed_over,
}
