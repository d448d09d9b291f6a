"""The loop of a sandbox ends what it runs before it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from millrace.driver.loop import DriverLoop


def left_on(loop: DriverLoop, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that has begun on a loop and is waited for by nobody."""

    async def leave() -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        await asyncio.sleep(0)
        return task

    return loop.run(leave())


def test_what_still_runs_on_a_loop_is_ended_with_it_and_a_later_run_begins_another() -> None:
    loop, told = DriverLoop(), []

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            told.append("ended")

    task = left_on(loop, linger())
    loop.close()
    assert (["ended"], True) == (told, task.cancelled())
    assert [2] == [loop.run(asyncio.sleep(0, 2))]
    loop.close()


def test_a_loop_waits_for_what_takes_time_to_end_and_then_fails() -> None:
    loop = DriverLoop()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            raise RuntimeError("it could not end") from None

    task = left_on(loop, stubborn())
    loop.close()
    assert "it could not end" == str(task.exception())
