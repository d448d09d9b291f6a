"""How long a driver in which nothing runs waits here for what others will tell, and how often it looks.

A sub-workflow, the lanes of a loop and whoever holds a place tell of their end without anybody's help, and often at
once. To park for that costs five Standard transitions, about as much as the driver itself for ten seconds. Who waits
for as long as parking would have cost, and only then parks, never pays more than twice what foresight would have (the
rule for rent or buy: Karlin, Manasse, Rudolph and Sleator, Competitive snoopy caching, Algorithmica 3, 1988).
"""

from __future__ import annotations

from typing import Final

from millrace.driver.world import DriverWorld
from millrace.engine.state import State, relies_on_others

FIRST_LOOK_MS: Final = 50
SHARE: Final = 4
"""A look after each quarter of the time waited so far: what has come is seen late by a quarter at most, and ten seconds
take about twenty looks."""


class Patience:
    """That of one driver. Moments are ms, as the world's clock tells them."""

    def __init__(self, world: DriverWorld) -> None:
        self._world = world
        self._since: int | None = None
        self._relies = False

    def end(self) -> None:
        """Something has happened: a later wait begins anew."""
        self._since = None

    def lasts(self, state: State, now: int, deadline: int | None) -> bool:
        """Whether to wait here, where nothing else is left to do; ``deadline`` is when the driver has to be over."""
        limit = self._world.linger_ms
        if not limit:
            return False
        if self._since is None:
            self._since, self._relies = now, relies_on_others(state)
        if now >= self._since + limit or (deadline is not None and now >= deadline):
            self._relies = False  # enough: what else it may still sleep for needs no look more often than usual
        return self._relies

    def next_look(self, last: int) -> int:
        """When to look at the inbox again, after it was looked at ``last``."""
        if self._since is None or not self._relies:
            return last + self._world.poll_ms
        interval = max(FIRST_LOOK_MS, (last - self._since) // SHARE)
        return min(last + interval, last + self._world.poll_ms, self._since + self._world.linger_ms)
