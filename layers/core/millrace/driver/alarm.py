"""The timer of one driver: it rings at some moment at the latest.

A driver sleeps after every step, and almost always something else wakes it first. A timer made and cancelled each time
would cost more than one that stays and may ring too early: then the driver looks once more and sleeps again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """``ring`` is called on the loop. Moments are ms, as the driver's clock tells them."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0

    def set(self, at: int, *, now: int) -> None:
        """Ring at ``at`` or before."""
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(max(at - now, 0) / 1000, self._rung)

    def _rung(self) -> None:
        self._timer = None  # even if the clock was set back meanwhile, so that the next moment is not missed
        self._ring()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
