"""Threads for calls that block for as long as somebody else's code runs.

A thread cannot be stopped. An attempt that is given up leaves its thread behind, which keeps its place until it ends,
so that there are never more of them than `WORKERS`; and as a daemon it does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
WORKERS: Final = 64


class Workers:
    """At most ``most`` calls at once per event loop; further ones wait their turn."""

    def __init__(self, *, most: int = WORKERS) -> None:
        self._most = most
        self._rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def run(self, function: Callable[[], T]) -> T:
        """What ``function`` gives back or raises, from a thread of its own."""
        loop = asyncio.get_running_loop()
        room = self._rooms.setdefault(loop, asyncio.Semaphore(self._most))
        await room.acquire()
        outcome: asyncio.Future[T] = loop.create_future()

        def settle(tell: Callable[[], None]) -> None:
            room.release()
            if not outcome.done():  # nobody has given it up
                tell()

        def work() -> None:
            try:
                tell = partial(outcome.set_result, function())
            except Exception as error:
                tell = partial(outcome.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(settle, tell)

        threading.Thread(target=work, name="function", daemon=True).start()
        return await outcome
