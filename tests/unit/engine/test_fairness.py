"""Whose turn it is in a pool: laws over random pools, and shares over time with a clock of their own."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace.engine.fairness import STRIDE, Claim, after, next_claim

pytestmark = pytest.mark.repeats

Lasting = Callable[[random.Random, str], float]
Choose = Callable[..., Claim | None]


def claim(key: str, held: int = 0, **more: int) -> Claim:
    return replace(Claim(key, held, limit=10, size=10), **more)


def chosen(*claims: Claim, held: int = 0, idle: int = 0) -> str | None:
    found = next_claim(claims, held=held, idle=idle)
    return None if found is None else found.key


def test_nobody_is_next_where_nobody_waits_or_nothing_is_free() -> None:
    assert [None, None] == [chosen(), chosen(claim("a"), held=10)]


def test_a_key_at_its_limit_is_passed_over() -> None:
    assert [None, "b"] == [chosen(claim("a", 10)), chosen(claim("a", 3, limit=3), claim("b", 5))]


def test_a_key_below_its_min_goes_first() -> None:
    assert "b" == chosen(claim("a", 0), claim("b", 2, min=3, turn=9 * STRIDE, since=9))


def test_a_key_that_has_its_min_is_one_of_all() -> None:
    assert "a" == chosen(claim("a", 3, turn=1), claim("b", 3, min=3, turn=2))


def test_a_key_below_its_share_goes_before_one_that_has_it() -> None:
    assert "b" == chosen(claim("a", 5, turn=0), claim("b", 4, turn=9), held=9)


def test_keys_that_hold_places_and_do_not_wait_have_their_share_too() -> None:
    keys = claim("a", 4, turn=0), claim("b", 3, turn=9)
    assert ["a", "b"] == [chosen(*keys, held=9), chosen(*keys, held=9, idle=1)]


def test_what_others_leave_goes_to_who_holds_least_for_its_weight() -> None:
    keys = claim("a", 3, weight=1), claim("b", 5, weight=2)
    assert "b" == chosen(*keys, held=8, idle=40)


def test_equal_keys_are_served_by_turn_and_then_by_arrival() -> None:
    assert "b" == chosen(claim("a", turn=2), claim("b", turn=1, since=9))
    assert "b" == chosen(claim("a", since=9), claim("b", since=8))
    assert "a" == chosen(claim("b"), claim("a"))


def test_who_is_next_is_waited_for_even_where_another_names_a_larger_pool() -> None:
    assert None is chosen(claim("a", turn=0, size=3), claim("b", turn=1, size=9), held=3)


@dataclass
class Key:
    weight: int
    min: int = 0
    waiting: int = 0
    held: int = 0
    turn: int = 0
    since: int = 0
    began: int = 0
    served: float = 0.0


MOVES = st.sampled_from([0, 0, 1, 1, 9])
"""Nobody joins and a place is given up, or so many join."""


@dataclass
class Gate:
    """A pool of ``size`` places, and what was given of it: the group and the key of each place."""

    size: int
    keys: dict[str, Key]
    choose: Choose = next_claim
    now: int = 0
    given: list[tuple[int, str]] = field(default_factory=list)

    def waiting(self) -> dict[str, Key]:
        return {name: key for name, key in self.keys.items() if key.waiting}

    def weights(self) -> int:
        return sum(key.weight for key in self.waiting().values())

    def join(self, name: str, at: int) -> None:
        key = self.keys[name]
        if not key.waiting:
            key.turn, key.since, key.began = max(key.turn, self.now), at, len(self.given)
        key.waiting += 1

    def group(self, name: str) -> int:
        key = self.keys[name]
        active = sum(one.weight for one in self.keys.values() if one.waiting or one.held)
        return 0 if key.held < key.min else 1 if key.held * active < self.size * key.weight else 2

    def give(self) -> str | None:
        claims = [
            Claim(name, key.held, 10**9, self.size, key.min, key.weight, key.turn, key.since)
            for name, key in self.waiting().items()
        ]
        idle = sum(key.weight for key in self.keys.values() if key.held and not key.waiting)
        found = self.choose(claims, held=sum(key.held for key in self.keys.values()), idle=idle)
        if found is None:
            return None
        key = self.keys[found.key]
        self.given.append((self.group(found.key), found.key))
        self.now, key.turn = after(found, self.now, waiting=self.weights())
        key.waiting -= 1
        key.held += 1
        key.began = len(self.given)
        return found.key


@given(st.data())
def test_nobody_below_its_min_or_its_share_waits_longer_than_the_bound(data: st.DataObject) -> None:
    names = [f"k{number}" for number in range(data.draw(st.integers(2, 6)))]
    keys = {name: Key(data.draw(st.integers(1, 9)), data.draw(st.integers(0, 2))) for name in names}
    gate = Gate(data.draw(st.integers(1, 6)), keys)
    waits: dict[str, tuple[int, Counter[str]]] = {}  # the group of each key that waits, and whom it saw served in it
    most = 1
    for step, (name, move) in enumerate(
        data.draw(st.lists(st.tuples(st.sampled_from(names), MOVES), min_size=20, max_size=90))
    ):
        holding = [one for one in (name, *names) if keys[one].held]
        if move == 0 and holding:
            keys[holding[0]].held -= 1
        for _ in range(move):
            gate.join(name, step)
        while True:
            most = max(most, gate.weights())
            groups = {one: gate.group(one) for one in gate.waiting()}
            waits = {
                one: waits[one] if waits.get(one, (9,))[0] == its else (its, Counter()) for one, its in groups.items()
            }
            began = {one: key.began for one, key in keys.items()}
            served = gate.give()
            if served is None:
                break
            group = gate.given[-1][0]
            for one, (its, seen) in waits.items():
                if its == group < 2 and one != served:
                    seen[served] += 1
                    assert seen[served] <= 1 + keys[served].weight // keys[one].weight
                    assert (began[served] - began[one]) * keys[one].weight <= most
            del waits[served]


def test_who_was_just_served_is_not_passed_by_newcomers_without_end() -> None:
    gate = Gate(1, {"k": Key(1), **{f"new{number}": Key(1) for number in range(50)}})
    for _ in range(2):
        gate.join("k", 0)
    assert "k" == gate.give()
    served = []
    for number in range(50):
        gate.join(f"new{number}", 1 + number)
        gate.join(f"new{number}", 1 + number)
        gate.keys[gate.given[-1][1]].held = 0
        served.append(gate.give())
    assert "k" in served[:4]


def play(gate: Gate, rounds: int, lasting: Lasting, backlog: Mapping[str, int], seed: int = 7) -> float:
    """Run ``rounds`` releases in which every key always waits, ``backlog`` of them at once; Jain's index (R. Jain,
    D. Chiu, W. Hawe, 1984) of the place-time of each key divided by its weight."""
    rng, clock, count = random.Random(seed), 0.0, 0
    ends: list[tuple[float, int, str, float]] = []
    for at, (name, many) in enumerate(sorted(backlog.items(), key=lambda one: -one[1])):
        for _ in range(many):
            gate.join(name, at)
    for _ in range(rounds):
        while (name := gate.give()) is not None:
            count += 1
            took = lasting(rng, name)
            heapq.heappush(ends, (clock + took, count, name, took))
            if not gate.keys[name].waiting:
                gate.join(name, count)  # the next one asks when this one got its place
        clock, _, ended, took = heapq.heappop(ends)
        gate.keys[ended].held -= 1
        gate.keys[ended].served += took
    shares = [key.served / key.weight for key in gate.keys.values()]
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def alike(rng: random.Random, _key: str) -> float:
    return rng.expovariate(1)


def one_slow(rng: random.Random, key: str) -> float:
    return rng.expovariate(1) * (10 if key == "k00" else 1)


CROWD = {f"k{number:02d}": 1000 if number == 0 else 1 for number in range(20)}
"""Twenty keys, of which one enqueues a thousand times what each other does."""


@pytest.mark.parametrize("size", [1, 2, 7, 20, 50, 333])
@pytest.mark.parametrize("weights", [(1,), (1, 2, 3, 4)], ids=["equal", "weighted"])
def test_a_key_that_enqueues_a_thousand_times_as_much_gets_no_larger_share(size: int, weights: tuple[int, ...]) -> None:
    keys = {name: Key(weights[number % len(weights)]) for number, name in enumerate(CROWD)}
    assert play(Gate(size, keys), 10_000 if size < 100 else 20_000, alike, CROWD) >= 0.95


@pytest.mark.parametrize("size", [40, 100, 333])
@pytest.mark.parametrize("weights", [(1,), (1, 2, 3, 4)], ids=["equal", "weighted"])
def test_a_key_whose_places_are_kept_ten_times_as_long_gets_no_larger_share(
    size: int, weights: tuple[int, ...]
) -> None:
    keys = {name: Key(weights[number % len(weights)]) for number, name in enumerate(CROWD)}
    assert play(Gate(size, keys), 10_000, one_slow, CROWD) >= 0.95


def test_served_by_arrival_the_same_crowd_has_unequal_shares() -> None:
    def by_arrival(claims: Iterable[Claim], *, held: int, idle: int) -> Claim | None:
        first = min(claims, key=lambda one: (one.since, one.key), default=None)
        return first if first is not None and held < first.size and idle >= 0 else None

    gate = Gate(20, {name: Key(1) for name in CROWD}, by_arrival)
    assert play(gate, 1_000, alike, CROWD) < 0.3


def test_a_min_is_kept_whatever_the_others_weigh() -> None:
    keys = {"small": Key(1, min=4), "large": Key(1000)}
    gate = Gate(10, keys)
    rng, least = random.Random(3), 10
    for at in range(2000):
        for name in keys:
            if not keys[name].waiting:
                gate.join(name, at)
        while gate.give() is not None:
            for name in keys:
                if not keys[name].waiting:
                    gate.join(name, at)
        least = min(least, keys["small"].held) if at > 50 else least
        held = [name for name in keys for _ in range(keys[name].held)]
        keys[rng.choice(held)].held -= 1
    assert 4 == least


def test_mins_that_no_pool_can_keep_are_shared_by_weight() -> None:
    keys = {"a": Key(1, min=9), "b": Key(3, min=9)}
    assert play(Gate(4, keys), 8000, alike, {"a": 500, "b": 500}) >= 0.95
