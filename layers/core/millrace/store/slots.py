"""Places under a concurrency key as stored: one item with those who hold one, and one item per waiter, in order.

A waiter gets its place in one transaction with the message that tells it so: whoever frees a place gives it away, and
nobody who was given one is left asleep. Every request stands in line behind those that came before.

Nobody asks again for what it has given up, or was refused. A driver that lost its lease does not know that, so whoever
leaves is noted for a while, and every request asks in the same transaction that it is not among those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable
from millrace.ports.documents import (
    ABSENT,
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
    Require,
    Table,
    TenantScope,
    Update,
)
from millrace.store.executions import Message, message_puts, read_actor

TRIES: Final = 60
"""Writes of one call before it gives up: so many others would have to be faster each time."""
LEFT_KEPT_MS: Final = 24 * 3600 * 1000
"""How long it is known who has left: a process that stood still for longer, and then asks, would hold a place until its
execution is over."""
Answer = Literal["granted", "queued", "full"]


class Place(Struct, frozen=True):
    """What is limited: a key of a namespace."""

    namespace: str
    key: str

    @property
    def head(self) -> Key:
        return Key(Table.HISTORY, ("slots", self.namespace, self.key), "holders")

    @property
    def line(self) -> tuple[str, ...]:
        return ("slot-line", self.namespace, self.key)

    def left(self, holder: Holder) -> Key:
        """Where it is noted that somebody has left."""
        return Key(Table.HISTORY, ("slot-left", self.namespace, self.key), holder.id)


class Holder(Struct, frozen=True):
    """Who holds a place or waits for one, since ``at`` (ms); ``path`` is empty for the execution itself."""

    execution: str
    path: str
    at: int

    @property
    def id(self) -> str:
        """One text per task of an execution, however long its path."""
        return f"{self.execution}#{hashlib.sha256(self.path.encode()).hexdigest()[:16]}"

    @property
    def sort(self) -> str:
        return f"{self.at:015d}#{self.id}"


class _Head(Struct):
    version: int
    holders: dict[str, Any]

    def unchanged(self) -> tuple[Condition, ...]:
        return (Check("eq", "version", self.version) if self.version else Check("absent"),)


def take(
    documents: Documents, scope: TenantScope, place: Place, holder: Holder, *, limit: int, wait: bool, now: int
) -> Answer:
    """Take a place at ``now`` (ms); without one, stand in line if ``wait``. There is none for who has left. Raises
    StoreUnavailable."""
    own = Key(Table.HISTORY, place.line, holder.sort)
    not_left = Require(place.left(holder), when=ABSENT)
    standing = False
    for _ in range(TRIES):
        head = _read(documents, scope, place)
        if holder.id in head.holders:
            return "granted"
        first = _first(documents, scope, place)
        free = len(head.holders) < limit
        if free and first is not None and first.id != holder.id:
            give(documents, scope, place, now=now)  # somebody freed it and was stopped before giving it away
            continue
        if free:
            ops: list[Op] = [_held(place, head, holder), not_left, *([] if first is None else [Delete(own)])]
            if written(documents, scope, ops):
                return "granted"
            if _has_left(documents, scope, place, holder):
                return "full"
            continue
        if _evict(documents, scope, place, head):
            continue
        if standing:
            return "queued"
        if not wait:
            if written(documents, scope, [_note(place, holder, now)]) or _has_left(documents, scope, place, holder):
                return "full"
            continue
        item = Item(own, {"execution": holder.execution, "path": holder.path, "at": holder.at, "limit": limit})
        # and look once more: a place may have become free before this one was seen in line
        standing = (
            written(documents, scope, [Put(item, when=ABSENT), not_left]) or documents.get(scope, own) is not None
        )
        if not standing and _has_left(documents, scope, place, holder):
            return "full"
    raise StoreUnavailable(f"Too many executions ask for a place under {place.key!r} at once.", hint="Try again.")


def leave(documents: Documents, scope: TenantScope, place: Place, holder: Holder, *, now: int) -> list[str]:
    """Give a place up, or leave the line. Answers the executions that were given one. Raises StoreUnavailable."""
    for _ in range(TRIES):
        head = _read(documents, scope, place)
        ops: list[Op] = [Delete(Key(Table.HISTORY, place.line, holder.sort)), _note(place, holder, now)]
        if holder.id in head.holders:
            rest = {name: one for name, one in head.holders.items() if name != holder.id}
            ops.append(_headed(place, head, rest))
        else:  # nor may it be given one meanwhile
            ops.append(Require(place.head, when=head.unchanged()))
        if written(documents, scope, ops):
            return give(documents, scope, place, now=now)
    raise StoreUnavailable(f"Too many executions ask for a place under {place.key!r} at once.", hint="Try again.")


def give(documents: Documents, scope: TenantScope, place: Place, *, now: int) -> list[str]:
    """Give free places to those in line, in order, each with the message that says so. Answers whose they are now.
    Raises StoreUnavailable."""
    given: list[str] = []
    for _ in range(TRIES):
        head, waiter = _read(documents, scope, place), _first(documents, scope, place)
        if waiter is None or len(head.holders) >= waiter.limit:
            return given
        key = Key(Table.HISTORY, place.line, waiter.sort)
        if waiter.id in head.holders:
            written(documents, scope, [Delete(key)])
            continue
        actor = read_actor(documents, scope, waiter.execution)
        if actor is None or actor.done or actor.closing:
            written(documents, scope, [Delete(key)])
            continue
        message = Message(id=f"slot-{waiter.sort}", kind="slot", name=waiter.path, payload={"key": place.key})
        ops: list[Op] = [_held(place, head, waiter), Delete(key, when=(Check("exists"),))]
        ops += message_puts(waiter.execution, message, now)
        if written(documents, scope, ops):
            given.append(waiter.execution)
    return given


class _Waiter(Holder, frozen=True):
    limit: int


def _read(documents: Documents, scope: TenantScope, place: Place) -> _Head:
    item = documents.get(scope, place.head)
    if item is None:
        return _Head(0, {})
    attrs: Any = item.attrs
    return _Head(attrs["version"], dict(attrs["holders"]))


def _first(documents: Documents, scope: TenantScope, place: Place) -> _Waiter | None:
    page = documents.query(scope, Table.HISTORY, place.line, within=Range(limit=1))
    for row in page.rows:
        attrs: Any = row.item.attrs
        return _Waiter(attrs["execution"], attrs["path"], attrs["at"], attrs["limit"])
    return None


def _note(place: Place, holder: Holder, now: int) -> Put:
    return Put(Item(place.left(holder), expires_at=(now + LEFT_KEPT_MS) // 1000))


def _has_left(documents: Documents, scope: TenantScope, place: Place, holder: Holder) -> bool:
    return documents.get(scope, place.left(holder)) is not None


def _held(place: Place, head: _Head, holder: Holder) -> Update:
    entry: dict[str, Attr] = {"execution": holder.execution, "path": holder.path, "at": holder.at}
    return _headed(place, head, {**head.holders, holder.id: entry})


def _headed(place: Place, head: _Head, holders: dict[str, Any]) -> Update:
    return Update(place.head, set={"version": head.version + 1, "holders": holders}, when=head.unchanged())


def _evict(documents: Documents, scope: TenantScope, place: Place, head: _Head) -> bool:
    """Whether somebody who is over held a place: an execution that is gone cannot give it up."""
    for name, entry in head.holders.items():
        actor = read_actor(documents, scope, entry["execution"])
        if actor is None or actor.done:
            rest = {other: one for other, one in head.holders.items() if other != name}
            written(documents, scope, [_headed(place, head, rest)])
            return True
    return False


def written(documents: Documents, scope: TenantScope, ops: Sequence[Op]) -> bool:
    """Whether the write was taken; who was slower, or does not know, reads again."""
    try:
        documents.write(scope, ops)
    except (ConditionRefused, OutcomeUnknown):
        return False
    return True
