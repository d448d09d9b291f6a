"""Places of a pool that keys share: taken, given up, and given to the key whose turn it is (`engine.fairness`).

Giving a place reads the keys that wait and then the first of one line, so that a key with thousands of waiters costs
what a key with one costs. Everything else is as with the places of one key (`millrace.store.slots`): a place is given
in one transaction with the message that says so, whoever frees one gives it away, who has left gets none again, and who
asks looks once more after having joined a line.
"""

from __future__ import annotations

from typing import Any

from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import ABSENT, Documents, Item, Op, Put, Require, TenantScope
from millrace.store.executions import Message, actor_key, actor_of, message_puts, read_actor
from millrace.store.pool_items import (
    Bid,
    Head,
    Pool,
    first_two,
    granted,
    headed,
    joined,
    out_of_line,
    read_entry,
    read_head,
    read_pool,
    turned,
    without,
)
from millrace.store.slots import LEFT_KEPT_MS, TRIES, Answer, Holder, written


def take(documents: Documents, scope: TenantScope, pool: Pool, bid: Bid, *, wait: bool, now: int) -> Answer:
    """Take a place at ``now`` (ms); without one, stand in line if ``wait``. There is none for who has left. Raises
    StoreUnavailable."""
    holder = bid.holder
    not_left = Require(pool.left(bid), when=ABSENT)
    for _ in range(TRIES):
        head = read_head(documents, scope, pool)
        if holder.id in head.holders:
            return "granted"
        state = read_pool(documents, scope, pool, head)
        alone = bid.key_id not in state.waiting
        claim = state.next(bid)
        if claim is not None and not (alone and claim.key == bid.key_id):
            give(documents, scope, pool, now=now)  # freed by somebody who was stopped before giving it away
            continue
        if claim is not None:
            ops: list[Op] = [granted(pool, state, claim, holder, turned(state, claim)), not_left]
        elif not alone and documents.get(scope, pool.spot(bid)) is not None:
            if not _evict(documents, scope, pool, head):
                return "queued"
            continue
        elif _evict(documents, scope, pool, head):
            continue
        elif wait:
            # and look once more: a place may have become free before this one was seen in line
            ops = [*joined(pool, state, bid), not_left]
        else:
            ops = [_note(pool, bid, now)]
        if written(documents, scope, ops):
            if claim is not None:
                return "granted"
            if not wait:
                return "full"
        elif documents.get(scope, pool.left(bid)) is not None:
            return "full"
    raise _crowded(pool)


def leave(documents: Documents, scope: TenantScope, pool: Pool, bid: Bid, *, now: int) -> list[str]:
    """Give a place up, or leave the line. Answers the executions that were given one. Raises StoreUnavailable."""
    holder = bid.holder
    for _ in range(TRIES):
        head = read_head(documents, scope, pool)
        ops: list[Op] = [_note(pool, bid, now)]
        if holder.id in head.holders:
            ops.append(headed(pool, without(head, {holder.id})))
        else:
            ops.append(Require(pool.head, when=head.unchanged()))
        if documents.get(scope, pool.spot(bid)) is None:
            ops.append(Require(pool.spot(bid), when=ABSENT))
        else:
            entry = read_entry(documents, scope, pool, bid.key_id)
            line = first_two(documents, scope, pool, bid.key_id)
            out = None if entry is None else out_of_line(pool, entry, holder.sort, line)
            if out is None:
                continue  # the line has changed since
            ops += out
        if written(documents, scope, ops):
            return give(documents, scope, pool, now=now)
    raise _crowded(pool)


def give(documents: Documents, scope: TenantScope, pool: Pool, *, now: int) -> list[str]:
    """Give free places to those in line, each to the next key and the first of its line, with the message that says so.
    Answers whose they are now. Raises StoreUnavailable."""
    given: list[str] = []
    tries = 0
    while tries < TRIES:
        head = read_head(documents, scope, pool)
        state = read_pool(documents, scope, pool, head)
        claim = state.next()
        if claim is None:
            return given
        tries += 1
        entry = state.waiting[claim.key]
        line = first_two(documents, scope, pool, entry.id)
        turns = turned(state, claim)
        out = out_of_line(pool, entry, entry.first, line, turns[1])
        if out is None:
            continue  # the line has changed since
        attrs: Any = line[0].item.attrs
        waiter = Holder(attrs["execution"], attrs["path"], attrs["at"])
        actor = read_actor(documents, scope, waiter.execution)
        if waiter.id in head.holders or actor is None or actor.done or actor.closing:
            written(documents, scope, out_of_line(pool, entry, entry.first, line) or [])
            continue
        message = Message(id=f"slot-{waiter.sort}", kind="slot", name=waiter.path, payload={"key": entry.key})
        ops = [granted(pool, state, claim, waiter, turns), *out, *message_puts(waiter.execution, message, now)]
        if written(documents, scope, ops):
            given.append(waiter.execution)
            tries = 0
            if len(head.holders) + 1 >= state.size():
                return given
    return given


def _note(pool: Pool, bid: Bid, now: int) -> Put:
    return Put(Item(pool.left(bid), expires_at=(now + LEFT_KEPT_MS) // 1000))


def _evict(documents: Documents, scope: TenantScope, pool: Pool, head: Head) -> bool:
    """Whether somebody who is over held a place: an execution that is gone cannot give it up."""
    names = list(head.holders)
    actors = documents.batch_get(scope, [actor_key(head.holders[name]["execution"]) for name in names])
    gone = {name for name, item in zip(names, actors, strict=True) if item is None or actor_of(item).done}
    if gone:
        written(documents, scope, [headed(pool, without(head, gone))])
    return bool(gone)


def _crowded(pool: Pool) -> StoreUnavailable:
    return StoreUnavailable(
        f"Too many executions ask for a place of the pool {pool.name!r} at once.", hint="Try again."
    )
