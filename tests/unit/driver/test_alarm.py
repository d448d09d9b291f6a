"""The timer of a driver, on a loop whose time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from millrace.driver.alarm import Alarm
from tests.unit.driver.runs import QuietLoop


def rung(work: Callable[[Alarm], Awaitable[None]]) -> list[int]:
    """The moments (ms since the beginning) at which an alarm rang while ``work`` ran, and ten seconds longer."""
    loop = QuietLoop()
    began = loop.time()
    found: list[int] = []

    async def main() -> None:
        await work(Alarm(lambda: found.append(round((loop.time() - began) * 1000))))
        await asyncio.sleep(10)

    loop.run_until_complete(main())
    return found


def test_it_rings_at_the_earliest_moment_that_was_asked_for() -> None:
    async def work(alarm: Alarm) -> None:
        for at in (2_000, 500, 800):
            alarm.set(at, now=0)

    assert [500] == rung(work)


def test_it_rings_again_for_a_later_moment_once_it_has_rung() -> None:
    async def work(alarm: Alarm) -> None:
        alarm.set(500, now=0)
        await asyncio.sleep(1)
        alarm.set(2_000, now=1_000)

    assert [500, 2_000] == rung(work)


def test_it_rings_though_the_clock_was_set_back_after_the_last_ring() -> None:
    async def work(alarm: Alarm) -> None:
        alarm.set(500, now=0)
        await asyncio.sleep(1)
        alarm.set(-3_500, now=-4_000)

    assert [500, 1_500] == rung(work)


def test_a_moment_that_is_over_rings_at_once() -> None:
    async def work(alarm: Alarm) -> None:
        alarm.set(5, now=900)

    assert [0] == rung(work)


def test_a_cancelled_one_stays_silent_and_may_be_set_again() -> None:
    async def work(alarm: Alarm) -> None:
        alarm.cancel()
        alarm.set(500, now=0)
        alarm.cancel()
        alarm.set(700, now=0)

    assert [700] == rung(work)
