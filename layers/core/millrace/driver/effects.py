"""What an execution does to other executions, and to the lanes of its loops: start them, stop them, tell the one above.

An effect begins only after everything that it follows from is durable, and what came of it is an event. A driver that
dies in between leaves it to the next one, which does it again: each is the same however often it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from millrace.base.errors import StoreUnavailable
from millrace.driver.journal import patiently
from millrace.driver.values import load_value
from millrace.driver.world import Children, DriverWorld, Lanes, Slots
from millrace.engine import events as ev
from millrace.engine.commands import (
    AcquireSlot,
    CancelChild,
    Effect,
    NotifyParent,
    ReleaseSlot,
    StartChild,
    StartLanes,
    TellFailures,
    TellLanes,
)
from millrace.engine.values import Value
from millrace.ports.documents import TenantScope

PARENT = "$parent"
"""The place of what is said to the execution above; no task has this path."""


class Effects:
    """The effects of one execution that are under way, one at a time per task, and the events not yet folded."""

    def __init__(
        self, world: DriverWorld, scope: TenantScope, started: ev.ExecutionStarted, on_event: Callable[[], None]
    ) -> None:
        self._world = world
        self._scope = scope
        self._started = started
        self._on_event = on_event
        self._running: dict[str, asyncio.Task[None]] = {}
        self._events: list[ev.Event] = []
        self._error: BaseException | None = None
        self._queued: set[str] = set()

    def __len__(self) -> int:
        return len(self._running) + len(self._events)

    def new(self, effects: Sequence[Effect]) -> list[Effect]:
        """Those of ``effects`` for whose task nothing is under way or waits to be folded."""
        busy = {getattr(event, "path", PARENT) for event in self._events} | self._running.keys()
        return [
            one
            for one in effects
            if _place(one) not in busy and not (isinstance(one, AcquireSlot) and one.path in self._queued)
        ]

    def begin(self, effects: Sequence[Effect]) -> None:
        """Begin effects whose causes are durable."""
        loop = asyncio.get_running_loop()
        for effect in self.new(effects):
            if _place(effect) not in self._running:
                self._running[_place(effect)] = loop.create_task(self._perform(effect))

    def take(self) -> list[ev.Event]:
        """The events of effects that have ended. Raises the error of one that the store would not take."""
        if self._error is not None:
            raise self._error
        events, self._events = self._events, []
        return events

    async def close(self) -> None:
        """Stop, and wait until nothing runs any more."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _perform(self, effect: Effect) -> None:
        try:
            event = await patiently(partial(self._once, effect))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the session raises it where it can be judged
            self._error = error
        else:
            if event is None:
                self._queued.add(_place(effect))
            else:
                self._events.append(event)
        del self._running[_place(effect)]
        self._on_event()

    async def _once(self, effect: Effect) -> ev.Event | None:
        """What came of an effect; None for a place that has to be waited for, of which a message will tell."""
        world = self._world
        if isinstance(effect, AcquireSlot):
            return await self._acquire(effect)
        if isinstance(effect, ReleaseSlot):
            await world.io.call(self._slots().release, self._scope, self._started, effect)
            return ev.SlotReleased(at=world.clock.now(), path=effect.path, key=effect.slot.key)
        if isinstance(effect, StartLanes | TellLanes | TellFailures) or (
            self._started.lane is not None and isinstance(effect, NotifyParent)
        ):
            return await self._with_lanes(effect)
        children = self._children()
        if isinstance(effect, StartChild):
            value = None if effect.input is None else await self._content(effect.input)
            return await world.io.call(children.start, self._scope, self._started, effect, value)
        if isinstance(effect, CancelChild):
            await world.io.call(children.cancel, self._scope, self._started, effect)
            return ev.ChildCancelled(at=world.clock.now(), path=effect.path, child=effect.child)
        output = None if effect.output is None else await self._content(effect.output)
        await world.io.call(children.notify, self._scope, self._started, effect, output)
        return ev.ParentNotified(at=world.clock.now(), status=effect.status)

    async def _with_lanes(self, effect: StartLanes | TellLanes | TellFailures | NotifyParent) -> ev.Event:
        world, lanes = self._world, self._lanes()
        if isinstance(effect, StartLanes):
            items = await self._content(effect.items)
            await world.io.call(lanes.start, self._scope, self._started, effect, items)
            return ev.LanesStarted(at=world.clock.now(), path=effect.path)
        if isinstance(effect, TellLanes):
            void = await world.io.call(lanes.tell, self._scope, self._started, effect)
            return ev.LanesTold(at=world.clock.now(), path=effect.path, stance=effect.stance, void=void)
        await world.io.call(lanes.report, self._scope, self._started, effect)
        if isinstance(effect, TellFailures):
            return ev.FailuresReported(at=world.clock.now(), failures=effect.report.failures)
        return ev.ParentNotified(at=world.clock.now(), status=effect.status)

    async def _acquire(self, effect: AcquireSlot) -> ev.Event | None:
        world, slot = self._world, effect.slot
        answer = await world.io.call(self._slots().acquire, self._scope, self._started, effect)
        if answer == "granted":
            return ev.SlotGranted(at=world.clock.now(), path=effect.path, key=slot.key)
        return ev.SlotDenied(at=world.clock.now(), path=effect.path, key=slot.key) if answer == "full" else None

    def _slots(self) -> Slots:
        slots = self._world.slots
        if slots is None:
            raise StoreUnavailable("This driver cannot take places.", hint="Give its world `slots`.")
        return slots

    def _children(self) -> Children:
        children = self._world.children
        if children is None:
            raise StoreUnavailable("This driver cannot reach other executions.", hint="Give its world `children`.")
        return children

    def _lanes(self) -> Lanes:
        lanes = self._world.lanes
        if lanes is None:
            raise StoreUnavailable("This driver cannot run large loops.", hint="Give its world `lanes`.")
        return lanes

    async def _content(self, value: Value) -> object:
        return await self._world.io.call(load_value, self._world.blobs, self._scope, value)


def _place(effect: Effect) -> str:
    return PARENT if isinstance(effect, NotifyParent | TellFailures) else effect.path
