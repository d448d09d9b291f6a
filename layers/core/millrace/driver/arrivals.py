"""Results of other threads on their way to an event loop: however many arrive together, they wake it once.

A wake-up is a write to a socket and costs more than everything else about a result; the committer ends many writes
with one COMMIT. What is added while a wake-up is on its way is taken with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Arrivals:
    """Those of one loop. Results of a loop that is closed are dropped: nobody is left who waits for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._arrived: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._calling = False

    def awaited(self, future: Future[T]) -> asyncio.Future[T]:
        """Ends on the loop as ``future`` does. To cancel it does not call the work back."""
        waiter: asyncio.Future[T] = self.loop.create_future()
        ended: Callable[[Future[T]], None] = partial(self._arrive, waiter)
        future.add_done_callback(ended)
        return waiter

    def _arrive(self, waiter: asyncio.Future[Any], future: Future[Any]) -> None:
        """On any thread. The flag is set after the result is in line and taken back before the line is read, so that
        none is left behind."""
        self._arrived.append((waiter, future))
        if not self._calling:
            self._calling = True
            try:
                self.loop.call_soon_threadsafe(self._tell)
            except RuntimeError:  # the loop is closed
                self._arrived.clear()

    def _tell(self) -> None:
        self._calling = False
        while self._arrived:
            waiter, future = self._arrived.popleft()
            if waiter.done():  # it was cancelled
                continue
            error = future.exception()
            if error is None:
                waiter.set_result(future.result())
            else:
                waiter.set_exception(error)
