"""Circuit breakers and retry budgets over every store: many processes at once, each with what it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from msgspec.structs import replace

from millrace.driver.breakers import BreakerKey, Permit
from millrace.driver.budgets import BudgetKey
from millrace.driver.guards import Guards
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.engine.breaker import Breaker, Counts, Refused, opened
from millrace.engine.plan import BreakerPolicy
from millrace.ports.documents import Documents, TenantScope
from millrace.store.breakers import breaker_write, counts_write, list_breakers, read_breaker
from millrace.store.retry_budgets import Used, read_used, used_write

POLICY = BreakerPolicy("key~k", threshold=5, break_ms=30_000, probes=3, ramp_ms=0)
CALLERS = 200


class Clock:
    def __init__(self) -> None:
        self.at = 1_767_225_600_000

    def now(self) -> int:
        return self.at


class Site:
    """Any number of processes over one store and one clock."""

    def __init__(self, documents: Documents, scope: TenantScope) -> None:
        self.documents, self.scope, self.clock = documents, scope, Clock()
        self.io = PoolIO(documents, threads=16)
        self.key = BreakerKey(scope, "default", "key~k")

    def process(self, **more: Any) -> DriverWorld:
        bare: dict[str, Any] = dict.fromkeys(("blobs", "ids", "plans"))
        return DriverWorld(
            **bare,
            documents=self.documents,
            clock=cast(Any, self.clock),
            io=self.io,
            runners={},
            owner="me",
            guards=Guards(),
            **more,
        )

    def stored(self) -> Breaker:
        return read_breaker(self.documents, self.scope, "default", "key~k").breaker

    def store(self, breaker: Breaker) -> None:
        before = read_breaker(self.documents, self.scope, "default", "key~k")
        self.documents.write(self.scope, [breaker_write("default", "key~k", before, breaker)])

    async def ask(self, world: DriverWorld, caller: str) -> Permit | Refused:
        return await world.guards.breakers.admit(world, self.key, POLICY, caller=caller, limit_ms=1_000)


@pytest.fixture
def site(documents: Documents, scope: TenantScope) -> Iterator[Site]:
    site = Site(documents, scope)
    yield site
    site.io.close()


def at_once(made: Callable[[], list[Awaitable[Any]]]) -> list[Any]:
    async def everything() -> list[Any]:
        return list(await asyncio.gather(*made()))

    return asyncio.run(everything())


def permits(answers: list[Any]) -> list[Permit]:
    return [answer for answer in answers if isinstance(answer, Permit)]


@pytest.mark.parametrize("processes", [1, CALLERS])
def test_half_open_lets_exactly_as_many_through_as_permitted(site: Site, processes: int) -> None:
    site.store(opened(Breaker(), POLICY, now=site.clock.at, counts=Counts(0, 5)))
    site.clock.at += POLICY.break_ms
    worlds = [site.process() for _ in range(processes)]
    answers = at_once(lambda: [site.ask(worlds[n % processes], f"c{n}") for n in range(CALLERS)])
    assert (POLICY.probes, CALLERS) == (len(permits(answers)), len(answers))
    assert {permit.caller for permit in permits(answers)} == {probe.id for probe in site.stored().probes}
    assert ("halfOpen", 2) == (site.stored().state, site.stored().generation)


def test_of_many_processes_that_see_too_many_failures_one_opens_it_once(site: Site) -> None:
    worlds = [site.process() for _ in range(20)]

    async def fail(world: DriverWorld, number: int) -> None:
        for attempt in range(POLICY.threshold):
            permit = await site.ask(world, f"c{number}-{attempt}")
            if isinstance(permit, Permit):
                await world.guards.breakers.report(world, permit, "failure")

    at_once(lambda: [fail(world, number) for number, world in enumerate(worlds)])
    assert ("open", 1, 1) == (site.stored().state, site.stored().version, site.stored().generation)


def test_failures_of_several_processes_add_up_within_a_second_each(site: Site) -> None:
    worlds = [site.process() for _ in range(POLICY.threshold)]

    async def fail_in_turn() -> None:
        for number, world in enumerate(worlds):
            permit = await site.ask(world, f"c{number}")
            assert isinstance(permit, Permit)
            await world.guards.breakers.report(world, permit, "failure")
            await world.guards.breakers.settle(world)

    asyncio.run(fail_in_turn())
    assert ("open", "5 failures within 60000 ms") == (site.stored().state, site.stored().changes[0].why)


def test_probes_that_succeed_close_it_and_the_next_calls_pass(site: Site) -> None:
    site.store(opened(Breaker(), POLICY, now=site.clock.at, counts=Counts(0, 5)))
    site.clock.at += POLICY.break_ms
    worlds = [site.process() for _ in range(POLICY.probes)]
    answers = at_once(lambda: [site.ask(world, f"c{n}") for n, world in enumerate(worlds)])
    probes = [(world, permit) for world, permit in zip(worlds, answers, strict=True) if isinstance(permit, Permit)]
    assert POLICY.probes == len(probes)
    at_once(lambda: [world.guards.breakers.report(world, permit, "success") for world, permit in probes])
    assert ("closed", 3) == (site.stored().state, site.stored().generation)
    later = at_once(lambda: [site.ask(site.process(), f"l{n}") for n in range(5)])
    assert ["breaker: closed"] * 5 == [answer.trail for answer in later]


def test_a_place_whose_lease_is_over_goes_to_one_of_many(site: Site) -> None:
    one = replace(POLICY, probes=1)
    site.store(opened(Breaker(), one, now=site.clock.at, counts=Counts(0, 5)))
    site.clock.at += POLICY.break_ms
    assert 1 == len(permits(at_once(lambda: [site.ask(site.process(), "dies")])))
    site.clock.at += 11_000
    answers = at_once(lambda: [site.ask(site.process(), f"c{n}") for n in range(50)])
    assert 1 == len(permits(answers))


def test_counters_are_added_from_anywhere_and_old_ones_leave_the_item(site: Site) -> None:
    now_s = site.clock.at // 1000

    def count(second: int, known: list[tuple[int, int]]) -> None:
        write = counts_write("default", "key~k", {(0, second): (2, 1)}, known=known, now_s=second, keep_s=60)
        site.documents.write(site.scope, [write])

    for _ in range(3):
        count(now_s, [])
    count(now_s + 30, [(0, now_s)])
    stored = read_breaker(site.documents, site.scope, "default", "key~k")
    assert ({(0, now_s): (6, 3), (0, now_s + 30): (2, 1)}, 60) == (stored.counts, stored.keep_s)
    assert (Counts(8, 4), Counts(2, 1)) == (
        stored.within(0, now_s * 1000 - 1),
        stored.within(0, now_s * 1000 + 29_000),
    )
    assert Counts() == stored.within(1, 0)
    count(now_s + 61, list(stored.counts))
    assert {now_s + 30, now_s + 61} == {
        second for _, second in read_breaker(site.documents, site.scope, "default", "key~k").counts
    }


def test_a_new_generation_begins_without_counts(site: Site) -> None:
    write = counts_write("default", "key~k", {(0, n): (1, 1) for n in range(25)}, known=[], now_s=0, keep_s=60)
    site.documents.write(site.scope, [write])
    site.store(opened(Breaker(), POLICY, now=site.clock.at, counts=Counts(0, 5)))
    stored = read_breaker(site.documents, site.scope, "default", "key~k")
    assert (5, Counts()) == (len(stored.counts), stored.within(1, 0))
    rest = counts_write("default", "key~k", {(1, 9): (0, 1)}, known=list(stored.counts), now_s=9, keep_s=60)
    site.documents.write(site.scope, [rest])
    assert {(1, 9): (0, 1)} == read_breaker(site.documents, site.scope, "default", "key~k").counts


def test_breakers_are_listed_by_name_within_their_namespace(site: Site) -> None:
    for name in ("host~b~443", "host~a~443"):
        before = read_breaker(site.documents, site.scope, "default", name)
        site.documents.write(site.scope, [breaker_write("default", name, before, replace(Breaker(), version=1))])
    page, cursor = list_breakers(site.documents, site.scope, "default", limit=1, cursor=None)
    rest, end = list_breakers(site.documents, site.scope, "default", limit=5, cursor=cursor)
    assert (["host~a~443"], ["host~b~443"], None) == ([n for n, _ in page], [n for n, _ in rest], end)
    assert [] == list_breakers(site.documents, site.scope, "other", limit=5, cursor=None)[0]


def test_a_budget_that_many_processes_take_from_is_spent_once(site: Site) -> None:
    """Each knows the others at most a second late, so together they may take more, but never twice what is there."""
    worlds = [site.process(retry_budget=50) for _ in range(4)]
    key = BudgetKey(site.scope, "default", "api:443")

    async def take(world: DriverWorld) -> int:
        taken = 0
        for _ in range(5):
            taken += await world.guards.budgets.take(world, key, tokens=5)
            await world.guards.budgets.settle(world)
            site.clock.at += 1_000
        return taken

    async def in_turn() -> list[int]:
        return [await take(world) for world in worlds]

    assert [5, 5, 0, 0] == asyncio.run(in_turn())
    assert 50 == read_used(site.documents, site.scope, "default", "api:443").tokens


def test_takings_at_one_moment_are_all_written(site: Site) -> None:
    worlds = [site.process() for _ in range(8)]
    key = BudgetKey(site.scope, "default", "api:443")

    async def take(world: DriverWorld) -> None:
        assert await world.guards.budgets.take(world, key, tokens=5)
        await world.guards.budgets.settle(world)

    at_once(lambda: [take(world) for world in worlds])
    assert 40 == read_used(site.documents, site.scope, "default", "api:443").tokens


def test_a_budget_is_written_on_what_was_read(site: Site) -> None:
    site.documents.write(site.scope, [used_write("default", "h:1", Used(), Used(5, 7, 1))])
    assert Used(5, 7, 1) == read_used(site.documents, site.scope, "default", "h:1")
