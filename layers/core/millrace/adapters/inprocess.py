"""The local orchestrator: all executions of this process share one event loop, over the same driver as on AWS.

Starts and wakes may come from any thread. What the process forgets when it dies is found again by `resume`, which
reads the live index: the same code that the reconciler runs on AWS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable

from millrace.base.errors import Conflict, MillraceError, Unavailable
from millrace.base.ids import lane_name
from millrace.driver.advance import advance
from millrace.driver.loading import Loaded, begun
from millrace.driver.loop import cancel_others
from millrace.driver.park import park
from millrace.driver.pool import PoolIO
from millrace.driver.world import Advanced, Again, Done, DriverWorld, Poke, Wait
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import TenantScope
from millrace.store.executions import mark_stalled

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 10.0
"""Pauses after a driver run that ended without progress: doubled from the first to the longest."""


class InProcessOrchestrator:
    """Start it with `open`, give it the world it drives, and `close` it before the store is closed."""

    def __init__(self, make_world: Callable[[], DriverWorld]) -> None:
        self._make_world = make_world
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="millrace-driver", daemon=True)
        self._actors: dict[tuple[str, str], tuple[asyncio.Task[None], Poke]] = {}
        self._ends: dict[tuple[str, str], threading.Event] = {}
        self._ends_lock = threading.Lock()
        self._world: DriverWorld | None = None
        self._closing = False

    def open(self) -> None:
        """Begin to run. Executions started before are not taken up; call `resume` for that."""
        self._world = self._make_world()
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        """Begin to drive an execution without reading what it was made with."""
        del short  # one kind of actor
        fresh = None
        if self._world is not None:
            with contextlib.suppress(Exception):  # the driver meets it too, and marks the execution as stalled
                fresh = begun(self._world, scope, started)
        self._loop.call_soon_threadsafe(self._begin, scope, started.execution, fresh)

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        """Begin to drive an execution, unless this process drives it already."""
        del generation, short  # one process, one actor per execution, of one kind
        self._loop.call_soon_threadsafe(self._begin, scope, execution)

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        """Begin to drive the lanes of an execution."""
        for stream in range(first, first + count):
            self.start(scope, lane_name(execution, stream), 1)

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        """Look at the inbox of an execution now, whether it is parked or running."""
        del token  # a wake that comes too late only makes the driver look once more
        self._loop.call_soon_threadsafe(self._poke, scope, execution)

    def resume(self, executions: Iterable[tuple[TenantScope, str]]) -> int:
        """Take up executions that are not finished; answers how many."""
        count = 0
        for scope, execution in executions:
            self.start(scope, execution, 1)
            count += 1
        return count

    def wait_end(self, scope: TenantScope, execution: str, timeout_s: float) -> None:
        """Return when this process has stopped driving an execution, or after ``timeout_s``: look at it then."""
        key = (scope.tenant, execution)
        with self._ends_lock:
            end = self._ends.setdefault(key, threading.Event())
        end.wait(timeout_s)
        with self._ends_lock:
            if self._ends.get(key) is end and not end.is_set():
                del self._ends[key]

    def _tell_ended(self, key: tuple[str, str]) -> None:
        with self._ends_lock:
            end = self._ends.pop(key, None)
        if end is not None:
            end.set()

    def running(self) -> int:
        """How many executions have an actor in this process now, parked ones included."""
        return len(self._actors)

    def close(self) -> None:
        """Stop driving: running attempts are cancelled, commits in flight are awaited."""
        if not self._thread.is_alive():
            self._loop.close()
            return
        self._closing = True
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._world is not None and isinstance(self._world.io, PoolIO):
            self._world.io.close()

    async def _stop(self) -> None:
        tasks = [task for task, _ in self._actors.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._world is not None:
            for runner in self._world.runners.values():
                close = getattr(runner, "aclose", None)
                if close is not None:
                    await close()
        await cancel_others()  # counts of breakers and budgets that were about to be told

    def _begin(self, scope: TenantScope, execution: str, fresh: Loaded | None = None) -> None:
        key = (scope.tenant, execution)
        if self._closing or key in self._actors:
            return
        poke = Poke()
        self._actors[key] = (self._loop.create_task(self._actor(scope, execution, poke, fresh)), poke)

    def _poke(self, scope: TenantScope, execution: str) -> None:
        held = self._actors.get((scope.tenant, execution))
        if held is None:
            self._begin(scope, execution)
        else:
            held[1].set()

    async def _actor(self, scope: TenantScope, execution: str, poke: Poke, fresh: Loaded | None) -> None:
        assert self._world is not None  # open() came before any start
        try:
            await run_actor(self._world, scope, execution, poke, fresh=fresh)
        finally:
            self._actors.pop((scope.tenant, execution), None)
            self._tell_ended((scope.tenant, execution))


async def run_actor(
    world: DriverWorld, scope: TenantScope, execution: str, poke: Poke, *, fresh: Loaded | None = None
) -> None:
    """What the state machine does on AWS: advance until done, parking in between; from ``fresh``, if given, without
    reading first. Ends on an error that time will not heal, after marking the execution as stalled."""
    pause = FIRST_PAUSE_S
    while True:
        found, fresh = fresh, None
        try:
            outcome: Advanced = await advance(world, scope, execution, poke=poke, fresh=found)
        except asyncio.CancelledError:
            raise
        except (Unavailable, Conflict):
            log.warning("execution %s: the store is away, trying again", execution)
            outcome = Again(0, "store")
        except MillraceError as error:
            log.exception("execution %s cannot go on", execution)
            await world.io.call(mark_stalled, world.documents, scope, execution, error.message, world.clock.now())
            return
        except Exception as error:  # a defect must not leave an execution running without a sign
            log.exception("execution %s cannot go on", execution)
            await world.io.call(mark_stalled, world.documents, scope, execution, repr(error), world.clock.now())
            return
        if isinstance(outcome, Done):
            return
        if isinstance(outcome, Wait):
            pause = FIRST_PAUSE_S
            await _parked(world, scope, execution, poke, outcome)
            continue
        held = (outcome.not_before - world.clock.now()) / 1000
        await asyncio.sleep(max(pause, held))
        pause = min(pause * 2, LONGEST_PAUSE_S)


async def _parked(world: DriverWorld, scope: TenantScope, execution: str, poke: Poke, wait: Wait) -> None:
    """Store the park, then sleep until the timer or a poke. A poke since the last look ends it at once."""
    woken = asyncio.Event()
    poke.listener = woken.set
    if poke.is_set:
        return
    now = world.clock.now()
    try:
        parked = await world.io.call(
            park,
            world.documents,
            scope,
            execution,
            token=world.ids.new(),
            wake_at=wait.wake_at,
            seen_seq=wait.seen_seq,
            position=wait.position,
            owner="" if world.exclusive else world.owner,
            now=now,
        )
    except MillraceError:
        log.warning("execution %s: could not park", execution)
        await asyncio.sleep(FIRST_PAUSE_S)
        return
    if not parked:
        return
    left = None if wait.wake_at is None else max(wait.wake_at - world.clock.now(), 0) / 1000
    try:
        async with asyncio.timeout(left):
            await woken.wait()
    except TimeoutError:
        return
