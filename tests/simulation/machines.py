"""Actors as the state machines run them: every turn is an invocation with its own owner, and a wait holds a token.

`millrace.services.advance_execution` and `park_execution` are those of production; what `statemachines/*.asl.json` do
between them is written down here once more, without their limits: an invocation that fails is tried again until it
does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from millrace.base.errors import MillraceError
from millrace.base.ids import lane_name
from millrace.driver.world import DriverWorld
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import TenantScope
from millrace.services.advance_execution import Order, advance_execution
from millrace.services.park_execution import park_execution

from .faults import Process

if TYPE_CHECKING:
    from .world import World

T = TypeVar("T")
INVOCATION_MS = 900_000
RETRY_S = 2.0
LOOK_S = 0.25
"""How soon it is noticed that a process has died."""


class Machines:
    """All state machines of a world. ``pauses`` are the turns that found nothing they could do, and why that was;
    ``cut`` counts those that ended because the invocation was nearly over."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun: set[tuple[str, int]] = set()
        self._tokens: dict[str, asyncio.Event] = {}
        self._invocations = 0
        self._running: set[asyncio.Task[None]] = set()
        self.pauses: list[str] = []
        self.cut = 0

    # as an orchestrator

    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        self.start(scope, started.execution, 1)

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        """A second start of the same name is the first."""
        if (execution, generation) not in self._begun:
            self._begun.add((execution, generation))
            self._spawn(Order(scope.tenant, execution, generation))

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        for stream in range(first, first + count):
            self.start(scope, lane_name(execution, stream), 1)

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        if self._world.rng.random() >= self._world.options.lost_wake and token in self._tokens:
            self._tokens[token].set()

    # the machine

    def _spawn(self, order: Order) -> None:
        task = self._world.loop.create_task(self._run(order))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, order: Order) -> None:
        while True:
            order = await self._invoke(partial(self._advance, order))
            if order.next == "done":
                return
            if order.next == "continue":
                self.start(order.scope, order.execution, order.generation)
                return
            self.cut += order.next == "advance"
            if order.next == "pause":
                self.pauses.append(f"{order.execution} pauses for {order.seconds} s")
                await asyncio.sleep(order.seconds)
            if order.next == "park":
                await self._park(order)

    async def _advance(self, order: Order, process: Process) -> Order:
        self._invocations += 1
        world: DriverWorld = replace(self._world.driver_world(process), owner=f"{process.name}/{self._invocations}")
        return await advance_execution(world, order, deadline=self._world.clock.now() + INVOCATION_MS)

    async def _park(self, order: Order) -> None:
        token = self._world.ids.new()
        woken = self._tokens[token] = asyncio.Event()
        platform = self._world.platform
        await self._invoke(lambda process: process.call(park_execution, platform(process), order, token=token))
        try:
            await asyncio.wait_for(woken.wait(), order.seconds)
        except TimeoutError:
            pass
        finally:
            del self._tokens[token]

    async def _invoke(self, act: Callable[[Process], Awaitable[T]]) -> T:
        """Call on some living process until one answers."""
        while True:
            living = self._world.living()
            if living:
                process = self._world.rng.choice(living)
                done: asyncio.Future[Any] = self._world.loop.create_future()
                process.spawn(_told(act(process), done))
                while process.alive and not done.done():
                    await asyncio.wait([done], timeout=LOOK_S)
                if done.done() and done.exception() is None:
                    found: T = done.result()
                    return found
            await asyncio.sleep(RETRY_S)


async def _told(work: Awaitable[T], done: asyncio.Future[T]) -> None:
    try:
        found = await work
    except MillraceError as error:
        if not done.done():
            done.set_exception(error)
    else:
        if not done.done():
            done.set_result(found)
