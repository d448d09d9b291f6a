"""The loop of a sandbox ends what it runs before it is closed."""

from __future__ import annotations

import asyncio

from millrace.driver.loop import DriverLoop


def test_what_still_runs_on_a_loop_is_ended_with_it_and_a_later_run_begins_another() -> None:
    loop, told = DriverLoop(), []

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            told.append("ended")

    async def leave() -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(linger())
        await asyncio.sleep(0)
        return task

    task = loop.run(leave())
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

    async def leave() -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(stubborn())
        await asyncio.sleep(0)
        return task

    task = loop.run(leave())
    loop.close()
    assert "it could not end" == str(task.exception())
