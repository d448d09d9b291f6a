"""Whose turn it is when a place of a pool becomes free: plain data in, plain data out, nothing read, nothing written.

The next place goes to a key that waits and holds fewer than its own most:

1. first among those that hold fewer than their ``min``;
2. then among those that hold less than their share, which is the size of the pool divided by weight among the keys that
   hold a place or wait for one;
3. then to the one that holds the least for its weight.

Within 1 and 2, and where 3 is equal, keys take turns. The turns are start tags of start-time fair queueing (P. Goyal,
H. Vin, H. Cheng, 1996): a place costs a key 1/weight of virtual time, which goes on by 1/(the weights of the keys that
wait) with every place given. Who begins to wait begins at the present, so that nobody saves up turns; who was passed
over because it held enough catches up by one turn, not by many. Since shares bound what a key holds, places go by
weight however long each is kept; where there are fewer places than keys, turns are what is shared.

What follows, and is tested: let key k wait in group 1, or in group 2, until it is served. Among the places given in
that group meanwhile, every other key gets at most 1 + weight/weight(k), and keys that begin to wait after W/weight(k)
places were given get none, where W is the most that the weights of the keys that wait come to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

STRIDE: Final = 1 << 40
"""The virtual time of one place at weight 1, so fine that the share of a millionth key is exact enough."""


class Claim(Struct, frozen=True):
    """A key that waits: ``held`` places of at most ``limit``, in a pool of ``size``, as who is first in its line says.
    ``turn`` is its start tag, ``since`` the time (ms) at which the first in its line began to wait."""

    key: str
    held: int
    limit: int
    size: int
    min: int = 0
    weight: int = 1
    turn: int = 0
    since: int = 0


def next_claim(claims: Iterable[Claim], *, held: int, idle: int = 0) -> Claim | None:
    """The claim that the next place goes to, or None when there is no place for it. ``held`` is how many places of the
    pool are taken, ``idle`` the sum of the weights of keys that hold a place and do not wait.

    Who is next is waited for, even if somebody else says that the pool is larger.
    """
    waiting = list(claims)
    weights = idle + sum(claim.weight for claim in waiting)
    able = [claim for claim in waiting if claim.held < claim.limit]
    first = min(able, key=lambda claim: _rank(claim, weights), default=None)
    return first if first is not None and held < first.size else None


def _rank(claim: Claim, weights: int) -> tuple[int, int, int, int, str]:
    if claim.held < claim.min:
        return (0, 0, claim.turn, claim.since, claim.key)
    if claim.held * weights < claim.size * claim.weight:
        return (1, 0, claim.turn, claim.since, claim.key)
    return (2, claim.held * STRIDE // claim.weight, claim.turn, claim.since, claim.key)


def after(claim: Claim, now: int, *, waiting: int) -> tuple[int, int]:
    """The virtual time once ``claim`` was served at ``now``, and the key's next start tag. ``waiting`` is the sum of
    the weights of the keys that wait, this one included."""
    return max(now + STRIDE // waiting, claim.turn), max(claim.turn, now) + STRIDE // claim.weight
