"""Shares of a stored pool over time, with a clock of its own: the rule holds with what is kept of turns."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.ports.documents import Item, Key, Op, Row, Table, TenantScope
from millrace.store.executions import new_actor
from millrace.store.pool_items import Bid, Head, Pool, PoolState, Waiting, granted, out_of_line, read_head
from millrace.store.pools import leave, take
from millrace.store.slots import Holder

pytestmark = pytest.mark.repeats

SCOPE = TenantScope("acme")
POOL = Pool("default", "gpu")
KEYS = [f"k{number:02d}" for number in range(20)]
ROUNDS = 2_500


class Crowd:
    """Keys that always wait: the first one has enqueued a thousand, every other one asks again when it was served."""

    def __init__(self, size: int, weights: tuple[int, ...]) -> None:
        self.documents = MemoryDocuments()
        self.size = size
        self.weight = {key: weights[number % len(weights)] for number, key in enumerate(KEYS)}
        self.numbers = count()
        self.bids: dict[str, Bid] = {}
        self.began: list[str] = []

    def ask(self, key: str) -> None:
        number = next(self.numbers)
        execution = f"x{number:05d}"
        bid = Bid(key, Holder(execution, "", number), self.size, self.size, weight=self.weight[key])
        self.bids[execution] = bid
        self.documents.write(SCOPE, [new_actor(execution, number)])
        if take(self.documents, SCOPE, POOL, bid, wait=True, now=number) == "granted":
            self.began.append(execution)

    def index(self) -> float:
        """Jain's index of the place-time of each key divided by its weight."""
        rng, clock, served = random.Random(5), 0.0, Counter[str]()
        ends: list[tuple[float, str, float]] = []
        for key in [KEYS[0]] * 1000 + KEYS[1:]:
            self.ask(key)
        for _ in range(ROUNDS):
            while self.began:
                execution = self.began.pop()
                took = rng.expovariate(1)
                heapq.heappush(ends, (clock + took, execution, took))
                self.ask(self.bids[execution].key)
            clock, ended, took = heapq.heappop(ends)
            served[self.bids[ended].key] += int(took * 1_000_000)
            self.began += leave(self.documents, SCOPE, POOL, self.bids[ended], now=ROUNDS)
        shares = [served[key] / self.weight[key] for key in KEYS]
        return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


@pytest.mark.parametrize(("size", "weights"), [(7, (1,)), (7, (1, 2, 3)), (30, (1,)), (30, (1, 2, 3))])
def test_who_enqueues_a_thousand_times_as_much_gets_the_share_of_one(size: int, weights: tuple[int, ...]) -> None:
    assert Crowd(size, weights).index() >= 0.95


def test_turns_are_forgotten_when_nobody_waits_and_time_does_not_go_back() -> None:
    crowd = Crowd(1, (1,))
    for key in KEYS[:3]:
        crowd.ask(key)
    for number in range(3):
        leave(crowd.documents, SCOPE, POOL, crowd.bids[f"x{number:05d}"], now=9)
    before = read_head(crowd.documents, SCOPE, POOL)
    assert before.now > 0
    assert 1 == len(before.turns)
    crowd.ask(KEYS[9])
    after = read_head(crowd.documents, SCOPE, POOL)
    assert ({}, before.now, 1) == (after.turns, after.now, len(after.holders))


def waiting(key: str, turn: int, waiters: int = 1) -> Waiting:
    return Waiting(key, key, 1, waiters, "first", turn, {"at": 1, "limit": 1, "size": 9, "min": 0, "weight": 1})


@pytest.mark.parametrize(("waiters", "served"), [(1, {"k": 30}), (2, {})])
def test_the_turns_that_are_kept_are_to_come_and_of_keys_that_do_not_wait(waiters: int, served: dict[str, int]) -> None:
    lines = {"k": waiting("k", 5, waiters), "other": waiting("other", 5)}
    head = Head(7, {}, 5, {"over": 19, "now": 20, "next": 21, "other": 40})
    write = granted(POOL, PoolState(head, lines), lines["k"].claim(0), Holder("x", "", 1), (20, 30))
    assert ({"next": 21, **served}, 20, 8) == (write.set["turns"], write.set["now"], write.set["version"])


def test_of_the_turns_to_come_the_thousand_that_are_last_are_kept() -> None:
    lines = {"k": waiting("k", 5)}
    head = Head(7, {}, 5, {f"t{number}": 21 + number for number in range(1_002)})
    write = granted(POOL, PoolState(head, lines), lines["k"].claim(0), Holder("x", "", 1), (20, 2_000))
    assert [*(f"t{number}" for number in range(3, 1_002)), "k"] == list(write.set["turns"])  # type: ignore[arg-type]


def row(sort: str) -> Row:
    return Row("acme", Item(Key(Table.HISTORY, POOL.line("k"), sort), waiting(sort, 0).terms))


@pytest.mark.parametrize(
    ("waiters", "line", "agrees"),
    [
        (1, [], False),
        (1, ["second"], False),
        (1, ["first"], True),
        (1, ["first", "second"], True),
        (2, ["first"], False),
        (2, ["first", "second"], True),
        (9, ["first", "second"], True),
    ],
)
def test_nobody_leaves_a_line_that_is_not_what_the_item_of_its_key_says(
    waiters: int, line: list[str], agrees: bool
) -> None:
    assert agrees is (out_of_line(POOL, waiting("k", 0, waiters), "first", [row(sort) for sort in line]) is not None)


class Meddled(MemoryDocuments):
    """Has something done just before the next write."""

    meddle: Callable[[], object] | None = None

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            meddle()
        super().write(scope, ops)


def test_who_begins_to_stand_in_line_while_leaving_has_left() -> None:
    documents = Meddled()
    documents.write(SCOPE, [new_actor(f"x{number}", 1) for number in range(2)])
    holding, leaving = (Bid("k", Holder(f"x{number}", "", number), 1, 1) for number in range(2))
    assert "granted" == take(documents, SCOPE, POOL, holding, wait=True, now=1)
    answers: list[str] = []
    documents.meddle = lambda: answers.append(take(documents, SCOPE, POOL, leaving, wait=True, now=1))
    assert [] == leave(documents, SCOPE, POOL, leaving, now=2)
    assert (["queued"], ()) == (answers, documents.query(SCOPE, Table.HISTORY, POOL.line(leaving.key_id)).rows)
