"""What is stored of a pool: who holds its places, which keys wait, who waits; how it is read, and how it is written.

One item holds those who have a place. Every key that waits has an item, which says how many wait under it and what the
first of them asks; it changes in one transaction with the line of its waiters, under its version, and goes with the
last of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from millrace.engine.fairness import Claim, after, next_claim
from millrace.ports.documents import (
    ABSENT,
    EXISTS,
    Attr,
    Check,
    Condition,
    Delete,
    Documents,
    Item,
    Key,
    Op,
    Put,
    Range,
    Row,
    Table,
    TenantScope,
    Update,
)
from millrace.store.slots import Holder

TURNS_KEPT: Final = 1_000
"""Keys whose next turn is remembered though they do not wait: those that were served last."""
PAGE: Final = 1_000
TERMS: Final = ("at", "limit", "size", "min", "weight")
"""What a waiter asks, and the item of its key repeats of the first one."""


class Bid(Struct, frozen=True):
    """Who wants a place under a key, on which terms: ``limit`` places of the key, ``size`` of the pool."""

    key: str
    holder: Holder
    limit: int
    size: int
    min: int = 0
    weight: int = 1

    @property
    def key_id(self) -> str:
        """One text per key, however long it is."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]


class Pool(Struct, frozen=True):
    """What keys share: a pool of a namespace."""

    namespace: str
    name: str

    @property
    def head(self) -> Key:
        return Key(Table.HISTORY, ("pool", self.namespace, self.name), "holders")

    @property
    def keys(self) -> tuple[str, ...]:
        """The partition of the keys that wait."""
        return ("pool-keys", self.namespace, self.name)

    def line(self, key_id: str) -> tuple[str, ...]:
        """The partition of those who wait under one key."""
        return ("pool-line", self.namespace, self.name, key_id)

    def left(self, bid: Bid) -> Key:
        """Where it is noted that somebody has left."""
        return Key(Table.HISTORY, ("pool-left", self.namespace, self.name, bid.key_id), bid.holder.id)

    def spot(self, bid: Bid) -> Key:
        """Where somebody stands in line."""
        return Key(Table.HISTORY, self.line(bid.key_id), bid.holder.sort)


class Head(Struct):
    """Who holds places; ``now`` is the virtual time, ``turns`` the start tags of keys that do not wait."""

    version: int = 0
    holders: dict[str, Any] = {}
    now: int = 0
    turns: dict[str, int] = {}

    def held(self) -> Counter[str]:
        """How many places each key holds."""
        return Counter(one["key"] for one in self.holders.values())

    def unchanged(self) -> tuple[Condition, ...]:
        return (Check("eq", "version", self.version) if self.version else Check("absent"),)


class Waiting(Struct, frozen=True):
    """A key that waits; ``first`` is the place in line of the first waiter, whose terms these are."""

    id: str
    key: str
    version: int
    waiters: int
    first: str
    turn: int
    terms: dict[str, int]

    def unchanged(self) -> tuple[Condition, ...]:
        return (Check("eq", "version", self.version),)

    def claim(self, held: int) -> Claim:
        return _claim(self.id, held, self.terms, self.turn)


class PoolState(Struct, frozen=True):
    """A pool as it was read."""

    head: Head
    waiting: dict[str, Waiting]

    def next(self, bid: Bid | None = None) -> Claim | None:
        """The claim that the next place goes to, among those that wait and ``bid``, if its key does not wait."""
        held = self.head.held()
        claims = [one.claim(held[one.id]) for one in self.waiting.values()]
        if bid is not None and bid.key_id not in self.waiting:
            claims.append(_claim(bid.key_id, held[bid.key_id], _terms(bid), self.turn(bid.key_id)))
        weights = {one["key"]: int(one["weight"]) for one in self.head.holders.values()}
        named = {claim.key for claim in claims}
        idle = sum(weight for key, weight in weights.items() if key not in named)
        return next_claim(claims, held=len(self.head.holders), idle=idle)

    def turn(self, key_id: str) -> int:
        """The start tag of a key that begins to wait."""
        return max(self.head.turns.get(key_id, 0), self.head.now)

    def size(self) -> int:
        """The most places that somebody who waits says the pool has."""
        return max(one.terms["size"] for one in self.waiting.values())

    def weights(self) -> int:
        return sum(one.terms["weight"] for one in self.waiting.values())


def read_head(documents: Documents, scope: TenantScope, pool: Pool) -> Head:
    item = documents.get(scope, pool.head)
    if item is None:
        return Head()
    attrs: Any = item.attrs
    return Head(attrs["version"], dict(attrs["holders"]), attrs["now"], dict(attrs["turns"]))


def read_entry(documents: Documents, scope: TenantScope, pool: Pool, key_id: str) -> Waiting | None:
    """What is known of one key, if it waits."""
    item = documents.get(scope, Key(Table.HISTORY, pool.keys, key_id))
    return None if item is None else _entry(item)


def _entry(item: Item) -> Waiting:
    found: Any = item.attrs
    return Waiting(
        id=item.key.sort,
        key=found["key"],
        version=found["version"],
        waiters=found["waiters"],
        first=found["first"],
        turn=found["turn"],
        terms={name: found[name] for name in TERMS},
    )


def read_pool(documents: Documents, scope: TenantScope, pool: Pool, head: Head) -> PoolState:
    """A pool whose ``head`` was read first: who joins a line after that looks at the head again."""
    waiting: dict[str, Waiting] = {}
    cursor = None
    while True:
        page = documents.query(scope, Table.HISTORY, pool.keys, within=Range(limit=PAGE), cursor=cursor)
        waiting.update((row.item.key.sort, _entry(row.item)) for row in page.rows)
        cursor = page.cursor
        if cursor is None:
            return PoolState(head, waiting)


def first_two(documents: Documents, scope: TenantScope, pool: Pool, key_id: str) -> Sequence[Row]:
    """The first two in the line of a key."""
    return documents.query(scope, Table.HISTORY, pool.line(key_id), within=Range(limit=2)).rows


def _terms(bid: Bid) -> dict[str, int]:
    return {"at": bid.holder.at, "limit": bid.limit, "size": bid.size, "min": bid.min, "weight": bid.weight}


def _claim(key_id: str, held: int, terms: dict[str, int], turn: int) -> Claim:
    return Claim(
        key_id,
        held,
        limit=terms["limit"],
        size=terms["size"],
        min=terms["min"],
        weight=terms["weight"],
        turn=turn,
        since=terms["at"],
    )


def turned(state: PoolState, claim: Claim) -> tuple[int, int]:
    """The virtual time once a claim was served, and the key's next start tag; none passes where nobody waits."""
    if not state.waiting:  # it never goes back, since somebody who begins to wait now may have read it before
        return state.head.now, state.head.now
    own = 0 if claim.key in state.waiting else claim.weight
    return after(claim, state.head.now, waiting=state.weights() + own)


def granted(pool: Pool, state: PoolState, claim: Claim, holder: Holder, turned: tuple[int, int]) -> Update:
    head = state.head
    now, turn = turned
    known = {**head.turns, claim.key: turn} if state.waiting else {}
    turns = {key: one for key, one in known.items() if one > now and key not in state.waiting}
    entry = state.waiting.get(claim.key)
    if entry is not None and entry.waiters == 1:
        turns[claim.key] = turn
    kept = dict(sorted(turns.items(), key=lambda one: one[1])[-TURNS_KEPT:])
    own: dict[str, Attr] = {"execution": holder.execution, "at": holder.at, "key": claim.key, "weight": claim.weight}
    return headed(pool, Head(head.version, {**head.holders, holder.id: own}, now, kept))


def headed(pool: Pool, head: Head) -> Update:
    """The write of a head over the version that was read."""
    turns: dict[str, Attr] = dict(head.turns)
    change: dict[str, Attr] = {"version": head.version + 1, "holders": head.holders, "now": head.now, "turns": turns}
    return Update(pool.head, set=change, when=head.unchanged())


def without(head: Head, gone: set[str]) -> Head:
    rest = {name: one for name, one in head.holders.items() if name not in gone}
    return Head(head.version, rest, head.now, head.turns)


def joined(pool: Pool, state: PoolState, bid: Bid) -> list[Op]:
    """The writes of somebody who begins to stand in line."""
    holder, terms = bid.holder, _terms(bid)
    spot = Item(pool.spot(bid), {"execution": holder.execution, "path": holder.path, **terms})
    key = Key(Table.HISTORY, pool.keys, bid.key_id)
    entry = state.waiting.get(bid.key_id)
    first: dict[str, Attr] = {"first": holder.sort, **terms}
    if entry is None:
        begun: dict[str, Attr] = {"version": 1, "waiters": 1, "key": bid.key, "turn": state.turn(bid.key_id)}
        return [Put(spot, when=ABSENT), Put(Item(key, begun | first), when=ABSENT)]
    change: dict[str, Attr] = {"version": entry.version + 1, "waiters": entry.waiters + 1}
    if holder.sort < entry.first:
        change |= first
    return [Put(spot, when=ABSENT), Update(key, set=change, when=entry.unchanged())]


def out_of_line(pool: Pool, entry: Waiting, sort: str, line: Sequence[Row], turn: int | None = None) -> list[Op] | None:
    """The writes of somebody who stands in line no more, or None if ``line``, the first two, is not what the item of
    the key says. ``turn`` is the key's next start tag, if it was served."""
    if not line or line[0].item.key.sort != entry.first or len(line) < min(entry.waiters, 2):
        return None
    spot = Delete(Key(Table.HISTORY, pool.line(entry.id), sort), when=EXISTS)
    key = Key(Table.HISTORY, pool.keys, entry.id)
    if entry.waiters == 1:
        return [spot, Delete(key, when=entry.unchanged())]
    change: dict[str, Attr] = {"version": entry.version + 1, "waiters": entry.waiters - 1}
    if turn is not None:
        change["turn"] = turn
    if sort == entry.first:
        following = line[1].item
        change |= {"first": following.key.sort, **{name: following.attrs[name] for name in TERMS}}
    return [spot, Update(key, set=change, when=entry.unchanged())]
