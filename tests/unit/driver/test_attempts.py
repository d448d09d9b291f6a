"""How many attempts are under way at once, and when the time of one begins."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from typing import Any, cast

import pytest
from msgspec.structs import replace

from millrace.driver.attempts import Attempts, Result
from millrace.driver.world import DriverWorld
from millrace.engine.commands import StartAttempt
from millrace.engine.plan import Node
from millrace.ports.runners import Attempt, Outcome
from tests.simulation.loop import VirtualLoop


class Clock:
    def now(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000)


class Crowd:
    """A runner whose attempts take ``seconds`` each; notes how many there are at once."""

    type = "http"
    effect = "read"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = self.most = 0

    async def run(self, attempt: Attempt) -> Outcome:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.now -= 1
        return Outcome(attempt.path)


def world(runner: Crowd, room: int | None) -> DriverWorld:
    ports: dict[str, Any] = dict.fromkeys(("documents", "blobs", "ids", "io", "plans"))
    bare = DriverWorld(**ports, clock=cast(Any, Clock()), runners={"http": runner}, owner="me")
    return replace(bare, room=None if room is None else asyncio.Semaphore(room))


def begin(attempts: Attempts, path: str, limit_ms: int) -> None:
    attempts.start(Node(0, path, "http"), StartAttempt(path, 1), limit_ms=limit_ms, value=None, config=None, trace="")


def perform(runner: Crowd, *, room: int | None, executions: int = 4, each: int = 5, limit_ms: int) -> list[Result]:
    """Every result of so many executions of so many attempts each, all started at once."""

    async def everything() -> list[Result]:
        shared = world(runner, room)
        every = [Attempts(shared, "acme", f"e{number}", lambda: None) for number in range(executions)]
        for attempts in every:
            for number in range(each):
                begin(attempts, f"t{number}", limit_ms)
        while any(map(len, every)):
            await asyncio.sleep(0.5)
        return [result for attempts in every for result in attempts.results]

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(everything())
    finally:
        loop.close()


def test_executions_share_the_room_and_none_spends_its_time_on_waiting_for_it() -> None:
    runner = Crowd(1.0)
    results = perform(runner, room=3, limit_ms=1_500)
    assert 3 == runner.most
    assert Counter({f"t{number}": 4 for number in range(5)}) == Counter(
        result.outcome.output for result in results if isinstance(result.outcome, Outcome)
    )
    assert {0, 1000, 2000, 3000, 4000, 5000, 6000} == {result.started_at for result in results}


def test_when_all_are_stopped_nothing_is_under_way_and_nothing_is_reported() -> None:
    runner = Crowd(1.0)

    async def stopped() -> tuple[int, int, list[Result], int]:
        attempts = Attempts(world(runner, None), "acme", "e", lambda: None)
        for number in range(3):
            begin(attempts, f"t{number}", 1_500)
        await asyncio.sleep(0.5)
        busy = runner.now
        await attempts.stop_all()
        await attempts.stop_all()
        return busy, runner.now, attempts.results, len(attempts)

    loop = VirtualLoop()
    try:
        assert (3, 0, [], 0) == loop.run_until_complete(stopped())
    finally:
        loop.close()


def test_without_a_bound_everything_is_under_way_at_once() -> None:
    runner = Crowd(1.0)
    assert 20 == len(perform(runner, room=None, limit_ms=1_500))
    assert 20 == runner.most


class Seen(Crowd):
    """Remembers the tasks of its attempts, without keeping them."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.tasks: list[weakref.ref[asyncio.Task[Any]]] = []

    async def run(self, attempt: Attempt) -> Outcome:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(weakref.ref(task))
        del task
        return await super().run(attempt)


@pytest.mark.parametrize("overdue", [True, False])
def test_an_attempt_that_was_stopped_is_not_kept(overdue: bool) -> None:
    runner = Seen(1.0)

    async def stopped() -> tuple[Attempts, bool, bool]:
        attempts = Attempts(world(runner, None), "acme", "e", lambda: None)
        begin(attempts, "t", 1_500)
        await asyncio.sleep(0.5)
        there = runner.tasks[0]() is not None
        attempts.stop("t", overdue=overdue)
        await asyncio.sleep(0.1)
        gc.collect()
        return attempts, there, runner.tasks[0]() is None

    loop = VirtualLoop()
    try:
        assert (True, True) == loop.run_until_complete(stopped())[1:]
    finally:
        loop.close()
