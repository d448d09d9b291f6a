"""What a process knows of things that it shares with others, and when it tells them: at most once a second each.

A timer of the loop and not a task waits for that second, so that a loop that ends has nothing left to end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import Struct, field

if TYPE_CHECKING:
    from millrace.driver.world import DriverWorld

FRESH_MS: Final = 1_000
"""How old what was read may be, and how often something is told."""
KEPT: Final = 1_000
"""Things that are remembered; beyond that the one that was needed longest ago is read again."""


class Held(Struct):
    """What is known of one thing. ``read_at`` is when it was read, ``told`` when others were told last (ms)."""

    read_at: int | None = None
    told: int = -FRESH_MS
    timer: asyncio.TimerHandle | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_stale(self, now: int) -> bool:
        """Whether it has to be read again; so it has after a clock was set back."""
        return self.read_at is None or not 0 <= now - self.read_at < FRESH_MS


K = TypeVar("K", bound=Hashable)
H = TypeVar("H", bound=Held)


class Telling(ABC, Generic[K, H]):
    """The things of one kind that one process knows; one event loop, shared by all its executions."""

    def __init__(self) -> None:
        self._held: OrderedDict[K, H] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    @abstractmethod
    def _new(self) -> H: ...

    @abstractmethod
    def _is_due(self, held: H) -> bool:
        """Whether there is something that others were not told."""

    @abstractmethod
    def _is_urgent(self, held: H) -> bool:
        """Whether it must not be lost with this process."""

    @abstractmethod
    async def _tell(self, world: DriverWorld, key: K, held: H) -> None: ...

    def _of(self, key: K) -> H:
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
            return held
        held = self._held[key] = self._new()
        if len(self._held) > KEPT:
            idle = (one for one, other in self._held.items() if not self._is_due(other) and not other.lock.locked())
            del self._held[next(idle)]
        return held

    def _tell_later(self, world: DriverWorld, key: K, held: H) -> None:
        if held.timer is None and self._is_due(held):
            wait_ms = min(max(held.told + FRESH_MS - world.clock.now(), 0), FRESH_MS)
            held.timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._begin_telling, world, key, held)

    def _begin_telling(self, world: DriverWorld, key: K, held: H) -> None:
        held.timer = None
        task = asyncio.get_running_loop().create_task(self._tell(world, key, held))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def settle(self, world: DriverWorld) -> None:
        """Tell at once what must not be lost, for a process that may be frozen from now on."""
        for key, held in list(self._held.items()):
            if self._is_urgent(held):
                if held.timer is not None:
                    held.timer.cancel()
                    held.timer = None
                await self._tell(world, key, held)
