"""One simulated world: processes that drive executions, clients that start them and send messages, and faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from millrace.adapters.inprocess import run_actor
from millrace.adapters.memory import MemoryBlobs, MemoryDocuments, MemorySecrets, SeededRandom
from millrace.base.errors import MillraceError
from millrace.base.ids import lane_name
from millrace.driver.guards import Guards
from millrace.driver.loading import begun
from millrace.driver.session import GRACE_MS
from millrace.driver.world import DriverWorld, Poke
from millrace.engine.events import SEMANTICS, ExecutionStarted
from millrace.engine.plan import Plan
from millrace.engine.values import inline_value
from millrace.ports.documents import Op, Put, TenantScope, Update
from millrace.ports.runners import Attempt, Failure, Outcome, TaskFailed
from millrace.services.caller import Caller
from millrace.services.child_executions import ChildExecutions
from millrace.services.create_execution import create_execution
from millrace.services.loop_lanes import LoopLanes
from millrace.services.platform import Platform
from millrace.services.reconcile import reconcile
from millrace.services.send_message import send_message
from millrace.services.slot_leases import SlotLeases
from millrace.store.executions import Message, read_actor
from millrace.store.runlog import ROOT

from .breakers import Service, Watch
from .faults import Faults, Process, SimClock, SimIds
from .graphs import output_of
from .invariants import SCOPE, judge_start
from .loop import VirtualLoop
from .machines import Machines

CALLER = Caller(tenant="acme", principal="simulated")


@dataclass
class Options:
    """What a run is made of. ``exclusive`` is local mode: one process at a time, leases void."""

    plans: list[Plan]
    exclusive: bool = False
    processes: int = 2
    signals: int = 0
    cancels: int = 0
    failing: float = 0.0
    double_start: float = 0.0
    lost_wake: float = 0.0
    clock_jumps: int = 0
    lose_snapshots: float = 0.0
    calm_after_s: float = 60.0
    horizon_s: float = 4_000.0
    attempt_s: float = 0.5
    output_bytes: int = 0
    snapshot_events: int = 1_000
    lease_ms: int = 30_000
    service: Service | None = None


@dataclass
class Performed:
    execution: str
    path: str
    attempt: int
    key: str
    process: Process
    began: float
    ended: float | None = None
    failed: bool = False
    stopped: bool = False
    overdue: bool = False


@dataclass
class Record:
    """What the outside world saw: the ground that the invariants stand on."""

    started: list[str] = field(default_factory=list)
    performed: list[Performed] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    acknowledged: dict[tuple[str, str], str] = field(default_factory=dict)
    leases: dict[tuple[str, str], int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


LINGERS_MS = (0, 0, 1_500, 10_000, 0)
"""How long drivers wait for others before they park, by seed."""


class World:
    def __init__(self, seed: int, options: Options, faults: Faults | None = None) -> None:
        self.seed = seed
        self.options = options
        self.rng = random.Random(seed)
        self.loop = VirtualLoop()
        self.clock = SimClock(self.loop)
        self.ids = SimIds(self.clock, random.Random(seed + 1))
        self.late = random.Random(seed + 3)
        self.faults = faults or Faults(random.Random(seed + 2))
        self.store = MemoryDocuments()
        self.blobs = MemoryBlobs()
        self.record = Record()
        self.processes: list[Process] = []
        self.plans: dict[str, Plan] = {}
        self.actors: dict[tuple[str, str], Poke] = {}
        self.guards: dict[str, Guards] = {}
        self.watch = None if options.service is None else Watch(self, options.service)
        self.machines: Machines | None = None
        self.restarted = 0
        self._count = 0

    # processes

    def spawn_process(self) -> Process:
        self._count += 1
        process = Process(f"p{self._count}", self.store, self.blobs, self.faults)
        process.on_ack = self._acknowledged
        process.on_write = self._written
        process.on_death = self._died
        self.processes.append(process)
        return process

    def _died(self, process: Process) -> None:
        self.loop.call_later(0.2 + self.rng.random() * 2, self._replace)

    def _replace(self) -> None:
        process = self.spawn_process()
        if self.options.exclusive:
            process.spawn(self._recover(process, all_live=True))

    async def _recover(self, process: Process, *, all_live: bool) -> None:
        for _ in range(50):
            try:
                found = await process.call(reconcile, self.platform(process), all_live=all_live)
            except MillraceError:
                await asyncio.sleep(0.5)
            else:
                self.restarted += found.restarted + found.woken
                return

    def living(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def driver_world(self, process: Process) -> DriverWorld:
        runner = SimRunner(self, process)
        return DriverWorld(
            documents=process.documents,  # type: ignore[arg-type]
            blobs=process.blobs,
            clock=self.clock,
            ids=self.ids,
            io=process,
            plans=lambda _scope, started: self.plans[started.workflow],
            runners={"work": runner},
            owner=process.name,
            exclusive=self.options.exclusive,
            snapshot_events=self.options.snapshot_events,
            lease_ms=self.options.lease_ms,
            linger_ms=0 if self.options.exclusive else LINGERS_MS[self.seed % len(LINGERS_MS)],
            children=ChildExecutions(lambda: self.platform(process)),
            slots=SlotLeases(lambda: self.platform(process)),
            lanes=LoopLanes(lambda: self.platform(process)),
            guards=self.guards.setdefault(process.name, Guards()),
        )

    def platform(self, process: Process) -> Platform:
        return Platform(
            documents=process.documents,  # type: ignore[arg-type]
            blobs=process.blobs,
            secrets=MemorySecrets(),
            orchestrator=self.machines or SimOrchestrator(self),
            clock=self.clock,
            ids=self.ids,
            random=SeededRandom(self.seed),
        )

    def run_on(self, process: Process, execution: str, started: ExecutionStarted | None = None) -> None:
        key = (process.name, execution)
        if key in self.actors or not process.alive:
            return
        poke = Poke()
        self.actors[key] = poke
        process.spawn(self._actor(process, execution, poke, started))

    async def _actor(self, process: Process, execution: str, poke: Poke, started: ExecutionStarted | None) -> None:
        world = self.driver_world(process)
        try:
            fresh = None
            if started is not None and self.late.random() < TOLD:
                fresh = begun(world, SCOPE, started)
                await asyncio.sleep(self.late.choice(LATE_S))  # what it was told may be so no longer
            await run_actor(world, SCOPE, execution, poke, fresh=fresh)
        finally:
            self.actors.pop((process.name, execution), None)

    # what the store was told

    def _written(self, process: Process, scope: TenantScope, ops: Sequence[Op]) -> None:
        if self.watch is not None:
            self.watch.written(process, ops)
        for op in ops:
            if isinstance(op, Update) and op.key.sort == "actor" and "leaseUntil" in op.set:
                self.record.leases[(op.key.partition[1], process.name)] = int(str(op.set["leaseUntil"]))
            if isinstance(op, Update) and op.key.sort == "actor" and "leaseUntil" in op.remove:
                self.record.leases[(op.key.partition[1], process.name)] = 0

    def _acknowledged(self, process: Process, scope: TenantScope, ops: Sequence[Op]) -> None:
        for op in ops:
            if isinstance(op, Put) and op.item.key.partition[0] == "log":
                _, execution, stream = op.item.key.partition
                name = execution if stream == ROOT else lane_name(execution, int(stream))
                self.record.acknowledged[name, op.item.key.sort] = str(op.item.attrs["write"])

    # clients

    def input_of(self, number: int) -> Any:
        return {"n": number}

    async def client(self, plan: Plan, number: int) -> None:
        """Start one execution, then perhaps signal or cancel it; try again as a client would."""
        await asyncio.sleep(self.rng.random() * 3)
        execution = self.ids.new()
        name = f"w{number}"
        self.plans[name] = plan
        started = ExecutionStarted(
            at=self.clock.now(),
            tenant=SCOPE.tenant,
            namespace="default",
            execution=execution,
            workflow=name,
            revision=1,
            version="1.0.0",
            content_hash=name,
            behaviour_hash=name,
            input=inline_value(self.input_of(number)),
            principal="simulated",
            seed=self.seed,
            semantics=SEMANTICS,
        )
        if not await self._insist(lambda platform: create_execution(platform, SCOPE, started, blobs={}, claim=None)):
            return
        self.record.started.append(execution)
        for signal in range(self.options.signals):
            await asyncio.sleep(self.rng.random() * self.rng.choice((1, 4, 15)))
            await self._send(execution, Message(id=f"s{signal}", kind="signal", name="go", payload={"n": signal}))
        if self.rng.random() < self.options.cancels:
            await asyncio.sleep(self.rng.random() * 3)
            if await self._send(execution, Message(id="cancel", kind="cancel", reason="simulated")):
                self.record.cancelled.add(execution)

    async def _send(self, execution: str, message: Message) -> bool:
        done = await self._insist(lambda platform: send_message(platform, CALLER, execution, message))
        if done:
            self.record.sent.append((execution, message.id))
        return done

    async def _insist(self, act: Callable[[Platform], Any]) -> bool:
        """Call through whatever process lives until it is acknowledged; False when it is refused for good."""
        for _ in range(200):
            living = self.living()
            if living:
                process = self.rng.choice(living)
                done: asyncio.Future[Any] = self.loop.create_future()
                process.spawn(self._act(process, act, done))
                await asyncio.wait([done], timeout=2.0)
                if done.done():
                    outcome = done.result()
                    if outcome == "ok":
                        return True
                    if outcome == "ended":
                        return False
            await asyncio.sleep(0.3)
        return False

    async def _act(self, process: Process, act: Callable[[Platform], Any], done: asyncio.Future[Any]) -> None:
        try:
            await process.call(act, self.platform(process))
        except MillraceError as error:
            outcome = "ended" if error.code == "conflict" else "again"
        else:
            outcome = "ok"
        if not done.done():
            done.set_result(outcome)

    # the run

    def run(self) -> Record:
        """The whole life of this world; the record holds what happened and what must not have."""
        asyncio.set_event_loop(None)
        try:
            self.loop.run_until_complete(self._live())
        finally:
            self._end()
        return self.record

    async def _live(self) -> None:
        for _ in range(1 if self.options.exclusive else self.options.processes):
            self.spawn_process()
        clients = [self.loop.create_task(self.client(plan, n)) for n, plan in enumerate(self.options.plans)]
        trouble = self.loop.create_task(self._trouble())
        keeper = self.loop.create_task(self._keep())
        await asyncio.wait(clients)
        while self.loop.time() < self.options.horizon_s and not self._all_done():
            await asyncio.sleep(1.0)
        for task in (trouble, keeper):
            task.cancel()

    def _all_done(self) -> bool:
        return all(self._done(execution) for execution in self.record.started)

    def _done(self, execution: str) -> bool:
        actor = read_actor(self.store, SCOPE, execution)
        return actor is not None and actor.done

    async def _trouble(self) -> None:
        """Jump the clock and delete snapshots now and then; after a while everything is calm."""
        jumps = self.options.clock_jumps
        while self.loop.time() < self.options.calm_after_s:
            await asyncio.sleep(self.rng.random() * 10)
            if jumps:
                jumps -= 1
                self.clock.skew += self.rng.choice((-600_000, -30_000, 30_000, 600_000))
            if self.rng.random() < self.options.lose_snapshots:
                for execution in self.record.started:
                    self.blobs.delete_prefix(SCOPE, ("execution", execution, "snapshot"))
        self.faults.active = False

    async def _keep(self) -> None:
        """The scheduled reconciler."""
        while True:
            await asyncio.sleep(20)
            living = self.living()
            if living:
                process = self.rng.choice(living)
                process.spawn(self._recover(process, all_live=False))

    def _end(self) -> None:
        for process in self.processes:
            process.alive = False
        self.loop.errors.clear()
        for _ in range(6):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


TOLD = 0.5
"""How often an execution is begun with what was true when that was asked for, and not from its log."""
LATE_S = (0.0, 0.0, 0.001, 0.05, 10.0)
"""How long that may have been ago."""


class SimOrchestrator:
    """Any living process may be given an execution; sometimes two are, and sometimes a wake is lost."""

    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        self._run(started.execution, started)

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        self._run(execution, None)

    def _run(self, execution: str, started: ExecutionStarted | None) -> None:
        world = self._world
        living = world.living()
        if not living:
            return
        world.run_on(world.rng.choice(living), execution, started)
        if world.rng.random() < world.options.double_start:
            world.run_on(world.rng.choice(living), execution, started)

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        for stream in range(first, first + count):
            self.start(scope, lane_name(execution, stream), 1)

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        world = self._world
        if world.rng.random() < world.options.lost_wake:
            return
        held = [poke for (name, held), poke in world.actors.items() if held == execution and self._alive(name)]
        for poke in held:
            poke.set()
        if not held:
            self.start(scope, execution, 1)

    def _alive(self, name: str) -> bool:
        return any(process.name == name for process in self._world.living())


class SimRunner:
    """The outside world as tasks see it: every performed attempt is written down and judged at that moment."""

    type = "work"
    effect = "write"

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    async def run(self, attempt: Attempt) -> Outcome:
        world, process = self._world, self._process
        await process.stand()
        performed = Performed(
            attempt.execution, attempt.path, attempt.number, attempt.idempotency_key, process, world.loop.time()
        )
        judge_start(world, performed)
        if world.watch is not None:
            world.watch.begins(performed)
        world.record.performed.append(performed)
        try:
            drawn = world.rng.random()
            # Some calls of a service take far longer than most: their results come when its breaker has moved on.
            await asyncio.sleep((drawn if world.options.service is None else drawn**4) * world.options.attempt_s)
            await process.stand()
        except asyncio.CancelledError:
            performed.stopped = True
            performed.overdue = (world.loop.time() - performed.began) * 1000 >= attempt.deadline_ms - GRACE_MS
            raise
        performed.ended = world.loop.time()
        performed.failed = world.rng.random() < world.options.failing
        if world.options.service is not None and world.options.service.down(performed.began):
            performed.failed = True
        if performed.failed:
            raise TaskFailed(Failure("network", "simulated", "simulated", retryable=True))
        output = output_of(attempt.path, attempt.input)
        if world.options.output_bytes:
            output["pad"] = "x" * world.options.output_bytes
        return Outcome(output)
