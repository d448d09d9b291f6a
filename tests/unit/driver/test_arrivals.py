"""Results of other threads on their way to the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused
from millrace.driver.arrivals import Arrivals
from millrace.driver.pool import PoolIO


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread woke it."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, **more: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **more)


def run(work: Callable[[Arrivals], Coroutine[Any, Any, None]]) -> int:
    """Run ``work`` on a loop; answers how often that was woken."""
    loop = CountingLoop()
    try:
        loop.run_until_complete(work(Arrivals(loop)))
        return loop.woken
    finally:
        loop.close()


def test_results_that_arrive_together_wake_the_loop_once() -> None:
    async def work(arrivals: Arrivals) -> None:
        futures: list[Future[int]] = [Future() for _ in range(50)]
        waiters = [arrivals.awaited(future) for future in futures]
        with ThreadPoolExecutor(1) as other:  # leaving the block waits, so the loop can read nothing in between
            for number, future in enumerate(futures):
                other.submit(future.set_result, number)
        assert list(range(50)) == await asyncio.gather(*waiters)

    assert 1 == run(work)


def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    async def work(arrivals: Arrivals) -> None:
        future: Future[None] = Future()
        waiter = arrivals.awaited(future)
        future.set_exception(ConditionRefused("refused", index=0))
        with pytest.raises(ConditionRefused, match="refused"):
            await waiter

    run(work)


def test_a_result_that_nobody_waits_for_any_more_disturbs_no_other() -> None:
    async def work(arrivals: Arrivals) -> None:
        first: Future[str] = Future()
        second: Future[str] = Future()
        given_up, waiter = arrivals.awaited(first), arrivals.awaited(second)
        given_up.cancel()
        first.set_result("late")
        second.set_result("in time")
        assert "in time" == await waiter

    run(work)


def test_results_of_many_threads_all_arrive() -> None:
    async def work(arrivals: Arrivals) -> None:
        with ThreadPoolExecutor(8) as others:
            for _ in range(20):
                waiters = [arrivals.awaited(others.submit(int, number)) for number in range(100)]
                assert list(range(100)) == await asyncio.gather(*waiters)

    assert 0 < run(work) <= 2_000


def test_a_result_for_a_loop_that_is_closed_is_dropped_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    futures: list[Future[None]] = [Future(), Future()]

    async def work(arrivals: Arrivals) -> None:
        for future in futures:
            arrivals.awaited(future)

    run(work)
    for future in futures:
        future.set_result(None)
    assert [] == caplog.records


def test_a_closed_pool_has_ended_its_threads_and_takes_no_call() -> None:
    async def work(_arrivals: Arrivals) -> None:
        io = PoolIO(MemoryDocuments())
        thread = await io.call(threading.current_thread)
        io.close()
        assert not thread.is_alive()
        with pytest.raises(RuntimeError):
            await io.call(threading.current_thread)

    run(work)


def test_at_most_eight_calls_are_under_way_at_once() -> None:
    async def work(_arrivals: Arrivals) -> None:
        io, gate, before = PoolIO(MemoryDocuments()), threading.Event(), set(threading.enumerate())
        calls = [asyncio.ensure_future(io.call(gate.wait)) for _ in range(20)]
        await asyncio.sleep(0)  # every call is made
        threads = set(threading.enumerate()) - before
        gate.set()
        await asyncio.gather(*calls)
        io.close()
        assert 8 == len(threads)

    run(work)
