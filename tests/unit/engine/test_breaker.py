"""The circuit breaker without a store: every transition as a table, and its laws under any sequence of events."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from millrace.engine.breaker import (
    Admitted,
    Breaker,
    Change,
    Counts,
    Probe,
    Refused,
    Verdict,
    admit,
    force_closed,
    force_open,
    opened,
    probed,
    reset,
    trips,
)
from millrace.engine.plan import BreakerPolicy

POLICY = BreakerPolicy("key~k", threshold=5, break_ms=30_000, probes=2, ramp_ms=10_000)
NOW = 1_000_000
OPEN = opened(Breaker(), POLICY, now=NOW, counts=Counts(0, 5))


def ask(breaker: Breaker, now: int, caller: str = "a", lease: int = 5_000) -> Admitted | Refused:
    return admit(breaker, caller=caller, now=now, lease_until=now + lease)


def half_open(*callers: str, now: int = NOW + 30_000) -> Breaker:
    """A breaker with these probes under way."""
    breaker = OPEN
    for caller in callers:
        found = ask(breaker, now, caller)
        assert isinstance(found, Admitted)
        assert found.following is not None
        breaker = found.following
    return breaker


def test_a_breaker_that_was_never_written_lets_everything_through() -> None:
    assert Admitted(0, "breaker: closed") == ask(Breaker(), NOW)


def test_an_open_breaker_refuses_until_its_break_is_over() -> None:
    assert Refused(NOW + 30_000, "breaker: open") == ask(OPEN, NOW)
    assert Refused(NOW + 30_000, "breaker: open") == ask(OPEN, NOW + 29_999)
    found = ask(OPEN, NOW + 30_000)
    assert isinstance(found, Admitted)
    assert (2, True, "breaker: half-open, probe 1 of 2") == (found.generation, found.probe, found.trail)
    assert found.following is not None
    assert ("halfOpen", 2, (Probe("a", NOW + 35_000),)) == (
        found.following.state,
        found.following.version,
        found.following.probes,
    )


def test_half_open_has_so_many_places_and_a_probe_that_asks_again_keeps_its_own() -> None:
    one, two = half_open("a"), half_open("a", "b")
    second = ask(one, NOW + 30_000, "b")
    assert isinstance(second, Admitted)
    assert "breaker: half-open, probe 2 of 2" == second.trail
    assert Admitted(2, "breaker: half-open, probe", probe=True) == ask(two, NOW + 30_001, "a")
    assert Refused(NOW + 35_000, "breaker: half-open, no place for a probe") == ask(two, NOW + 30_001, "c")


def test_the_place_of_a_probe_is_free_when_its_lease_is_over() -> None:
    found = ask(half_open("a", "b"), NOW + 35_000, "c")
    assert isinstance(found, Admitted)
    assert found.following is not None
    assert ["c"] == [probe.id for probe in found.following.probes]


def test_the_place_of_a_probe_that_succeeded_is_not_given_again() -> None:
    one = probed(half_open("a", "b"), caller="a", generation=2, verdict="success", now=NOW + 31_000)
    assert one is not None
    found = ask(one, NOW + 99_000, "c")
    assert isinstance(found, Admitted)
    assert found.following is not None
    assert Refused(NOW + 104_000, "breaker: half-open, no place for a probe") == ask(found.following, NOW + 99_000, "d")
    full = replace(one, probes=(*one.probes, Probe("x", NOW, done=True)))
    assert Refused(NOW + 129_000, "breaker: half-open, no place for a probe") == ask(full, NOW + 99_000, "d")


def test_it_closes_when_every_probe_has_succeeded_and_not_before() -> None:
    one = probed(half_open("a", "b"), caller="a", generation=2, verdict="success", now=NOW + 31_000)
    assert one is not None
    assert ("halfOpen", 2, 4) == (one.state, one.generation, one.version)
    two = probed(one, caller="b", generation=2, verdict="success", now=NOW + 32_000)
    assert two is not None
    assert ("closed", 3, NOW + 32_000, "2 of 2 probes succeeded") == (
        two.state,
        two.generation,
        two.since,
        two.changes[-1].why,
    )


def test_one_probe_that_fails_opens_it_again_for_as_long() -> None:
    again = probed(half_open("a", "b"), caller="b", generation=2, verdict="failure", now=NOW + 31_000)
    assert again is not None
    assert ("open", 3, NOW + 61_000) == (again.state, again.generation, again.open_until)


def test_a_probe_that_says_nothing_leaves_its_place() -> None:
    left = probed(half_open("a", "b"), caller="a", generation=2, verdict=None, now=NOW + 31_000)
    assert left is not None
    assert ["b"] == [probe.id for probe in left.probes]


@pytest.mark.parametrize("verdict", ["success", "failure", None])
@pytest.mark.parametrize(
    ("breaker", "caller", "generation"),
    [
        (half_open("a"), "a", 1),
        (half_open("a"), "b", 2),
        (replace(half_open("a"), state="open"), "a", 2),
        (replace(half_open("a"), probes=(Probe("a", NOW, done=True),)), "a", 2),
    ],
    ids=["earlier generation", "place lost", "not half-open", "told before"],
)
def test_what_comes_too_late_changes_nothing(
    breaker: Breaker, caller: str, generation: int, verdict: Verdict | None
) -> None:
    assert None is probed(breaker, caller=caller, generation=generation, verdict=verdict, now=NOW)


@pytest.mark.parametrize(
    ("policy", "counts", "expected"),
    [
        (BreakerPolicy(threshold=5), Counts(0, 4), False),
        (BreakerPolicy(threshold=5), Counts(0, 5), True),
        (BreakerPolicy(threshold=5), Counts(1000, 5), True),
        (BreakerPolicy(threshold=1, minimum=3), Counts(1, 1), False),
        (BreakerPolicy(threshold=1, minimum=3), Counts(2, 1), True),
        (BreakerPolicy(threshold=0, rate=Decimal("0.5"), minimum=10), Counts(0, 9), False),
        (BreakerPolicy(threshold=0, rate=Decimal("0.5"), minimum=10), Counts(5, 5), True),
        (BreakerPolicy(threshold=0, rate=Decimal("0.5"), minimum=10), Counts(6, 5), False),
        (BreakerPolicy(threshold=0, rate=Decimal("0.005"), minimum=1), Counts(199, 1), True),
        (BreakerPolicy(threshold=0, rate=Decimal("0.005"), minimum=1), Counts(200, 1), False),
        (BreakerPolicy(threshold=0, rate=Decimal("0.5"), minimum=1), Counts(), False),
    ],
)
def test_it_opens_at_a_count_or_a_share_of_failures_and_not_below(
    policy: BreakerPolicy, counts: Counts, expected: bool
) -> None:
    assert expected is trips(policy, counts)


def test_why_it_opened_is_said_in_numbers() -> None:
    by_rate = BreakerPolicy(threshold=0, rate=Decimal("0.5"), minimum=4)
    assert Change(NOW, "open", "millrace", "5 failures within 60000 ms") == OPEN.changes[0]
    assert (
        "3 of 4 attempts failed within 60000 ms"
        == opened(Breaker(), by_rate, now=NOW, counts=Counts(1, 3)).changes[0].why
    )


@pytest.mark.parametrize(
    ("gone", "share", "until"),
    [(0, 10, 5_000), (4_999, 10, 5_000), (5_000, 50, 10_000), (9_999, 50, 10_000), (10_000, 100, 0), (-1, 10, 5_000)],
)
def test_after_closing_a_rising_share_is_let_through(gone: int, share: int, until: int) -> None:
    closed = Breaker("closed", 4, 3, since=NOW, ramp_ms=10_000)
    found = [ask(closed, NOW + gone, f"caller-{number}") for number in range(2_000)]
    through = sum(isinstance(one, Admitted) for one in found)
    assert abs(through - 20 * share) <= (0 if share == 100 else 100)
    refused = {one.retry_at for one in found if isinstance(one, Refused)}
    assert (set() if share == 100 else {NOW + until}) == refused
    said = "breaker: closed" if share == 100 else f"breaker: closed, {share} % let through"
    assert {said} == {one.trail for one in found}
    assert found == [ask(closed, NOW + gone, f"caller-{number}") for number in range(2_000)]


def test_an_operator_opens_until_an_operator_closes() -> None:
    forced = force_open(half_open("a"), by="ann", why="maintenance", now=NOW)
    assert Refused(None, "breaker: forced open") == ask(forced, NOW + 10**9)
    assert None is probed(forced, caller="a", generation=2, verdict="success", now=NOW)
    closed = force_closed(forced, by="bob", why="done", now=NOW)
    assert [("forcedOpen", "ann", "maintenance"), ("closed", "bob", "done")] == [
        (change.state, change.by, change.why) for change in closed.changes[-2:]
    ]
    assert (10_000, 0) == (closed.ramp_ms, reset(forced, by="bob", why="", now=NOW).ramp_ms)
    assert Admitted(4, "breaker: closed") == ask(reset(forced, by="bob", why="", now=NOW), NOW)


def test_the_last_twenty_changes_are_remembered() -> None:
    breaker = Breaker()
    for number in range(25):
        breaker = force_open(breaker, by="ann", why=str(number), now=NOW)
    assert [str(number) for number in range(5, 25)] == [change.why for change in breaker.changes]


class Life(RuleBasedStateMachine):
    """Callers, failures, time and operators in any order, on one breaker."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = NOW
        self.flying: dict[str, tuple[int, bool, int]] = {}
        self.names = 0
        self.counts = {0: Counts()}
        self.half_open: dict[int, list[tuple[int, int | None]]] = {}

    def follow(self, following: Breaker) -> None:
        assert self.breaker.version + 1 == following.version
        assert following.generation in (self.breaker.generation, self.breaker.generation + 1)
        before, after = self.breaker.state, following.state
        if before == "closed" and after == "open":
            assert trips(POLICY, self.counts[self.breaker.generation])
        if before == "halfOpen" and after == "closed" and following.changes[-1].by == "millrace":
            done = [place for place in self.half_open[self.breaker.generation] if place[1] == -1]
            assert POLICY.probes == len(done) + 1
        assert (before, after) != ("open", "closed") or following.changes[-1].by != "millrace"
        self.breaker = following
        self.counts.setdefault(following.generation, Counts())

    @rule(lease=st.integers(1, 20_000))
    def begin(self, lease: int) -> None:
        self.names += 1
        caller = f"c{self.names}"
        found = admit(self.breaker, caller=caller, now=self.now, lease_until=self.now + lease)
        if isinstance(found, Refused):
            assert found.retry_at is None or found.retry_at > self.now
            return
        if found.following is not None:
            self.follow(found.following)
            self.half_open.setdefault(found.generation, []).append((self.names, self.now + lease))
        assert found.generation == self.breaker.generation
        self.flying[caller] = (found.generation, found.probe, self.names)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), verdict=st.sampled_from(["success", "failure", None]))
    def end(self, data: st.DataObject, verdict: Verdict | None) -> None:
        caller = data.draw(st.sampled_from(sorted(self.flying)))
        generation, probe, number = self.flying.pop(caller)
        if probe:
            following = probed(self.breaker, caller=caller, generation=generation, verdict=verdict, now=self.now)
            if following is not None:
                self.follow(following)
                places = self.half_open[generation]
                left = [place for place in places if place[0] != number]
                self.half_open[generation] = left + ([(number, -1)] if verdict == "success" else [])
        elif verdict is not None:
            counted = self.counts[generation]
            failed = verdict == "failure"
            self.counts[generation] = Counts(counted.successes + (not failed), counted.failures + failed)
            if generation == self.breaker.generation and trips(POLICY, self.counts[generation]):
                self.follow(opened(self.breaker, POLICY, now=self.now, counts=self.counts[generation]))

    @rule(ms=st.integers(1, 40_000))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(act=st.sampled_from([force_open, force_closed, reset]))
    def operate(self, act: object) -> None:
        assert callable(act)
        self.follow(act(self.breaker, by="ann", why="", now=self.now))

    @invariant()
    def never_more_probes_than_permitted(self) -> None:
        if self.breaker.state == "halfOpen":
            places = self.half_open.get(self.breaker.generation, [])
            held = [place for place in places if place[1] == -1 or (place[1] or 0) > self.now]
            assert len(held) <= self.breaker.permitted
            assert len(self.breaker.probes) <= self.breaker.permitted


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None, database=None)
TestLife = Life.TestCase
