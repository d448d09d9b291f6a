"""A whole local platform on a virtual clock: published documents, the real driver, and a runner that follows a script.

Nothing here sleeps: time is the loop's, which jumps to the next timer.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from millrace.adapters.inprocess import run_actor
from millrace.adapters.memory import MemoryBlobs, MemoryDocuments, MemorySecrets, SeededRandom
from millrace.driver.advance import advance
from millrace.driver.world import Advanced, DriverWorld, Poke
from millrace.engine.events import Event
from millrace.ports.documents import Op, TenantScope
from millrace.ports.runners import Attempt, Exchange, Failure, Outcome, TaskFailed, Usage
from millrace.services.caller import Caller
from millrace.services.child_executions import ChildExecutions
from millrace.services.get_execution import get_execution
from millrace.services.loop_lanes import LoopLanes
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_task import publish_task
from millrace.services.publish_workflow import publish_workflow
from millrace.services.slot_leases import SlotLeases
from millrace.services.start_execution import Start, start_execution
from millrace.store.runlog import Segment, read_segments
from tests.functions.world import NotedOrchestrator
from tests.simulation.faults import SimClock, SimIds
from tests.simulation.loop import VirtualLoop

T = TypeVar("T")
CALLER = Caller(tenant="acme", principal="ann", roles=frozenset({"admin"}))
SCOPE = TenantScope("acme")
HEAD = {"apiVersion": "workflow.io/v1"}
NEVER = object()
USAGE = Usage(
    provider="http",
    host="api.example",
    operation="GET /",
    connector="",
    requests=2,
    bytes_out=10,
    bytes_in=99,
    tokens_out=3,
    tokens_in=4,
    model="m",
    latency_ms=12,
    cost="0.000100",
    price_id="p1",
)
EXCHANGE = Exchange(
    "POST",
    "https://api.example/x",
    (("accept", "*/*"),),
    b'{"a":1}',
    200,
    (("content-type", "application/json"),),
    b"\xff\x00",
    ("https://api.example/y",),
    "203.0.113.7:443",
)


def workflow(name: str, tasks: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"team": "payments"}, "owner": "ann"}
    return {**HEAD, "kind": "Workflow", "metadata": metadata, "spec": {"tasks": tasks, **spec}}


def call(name: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A task for the scripted runner, after ``needs``."""
    order = {"dependsOn": list(needs)} if needs else {}
    return {
        "id": name,
        "type": "http",
        "request": {"method": "POST", "url": "https://api.example/" + name},
        **order,
        **more,
    }


class Script:
    """Performs attempts as ``answers`` says, by task; a task that it does not name gives its own name. An answer is
    an output, a Failure, an exception, ``NEVER``, or a function of the attempt that gives one of these."""

    type = "http"
    effect = "write"

    def __init__(
        self, answers: Mapping[str, list[Any]] | None = None, *, lasting: Mapping[str, float] | None = None
    ) -> None:
        self.answers = dict(answers or {})
        self.lasting = dict(lasting or {})
        self.performed: list[Attempt] = []
        self.ended: list[str] = []
        self.usage = Usage()
        self.exchange: Exchange | None = None

    async def run(self, attempt: Attempt) -> Outcome:
        self.performed.append(attempt)
        answers = self.answers.get(attempt.path, [attempt.path])
        answer = answers[min(attempt.number, len(answers)) - 1]
        await asyncio.sleep(self.lasting.get(attempt.path, 0.01))
        if callable(answer):
            answer = answer(attempt)
        if answer is NEVER:
            await asyncio.sleep(10**9)
        self.ended.append(attempt.path)
        if isinstance(answer, Failure):
            raise TaskFailed(answer, usage=self.usage, exchange=self.exchange)
        if isinstance(answer, BaseException):
            raise answer
        return Outcome(answer, usage=self.usage, exchange=self.exchange)


class QuietLoop(VirtualLoop):
    """Holds nothing outside this process, so it may simply be forgotten."""

    def __del__(self) -> None:
        self.close()


class LoopIO:
    """Calls ports in place; a commit yields to the loop before it is applied, as a real one would."""

    def __init__(self, documents: MemoryDocuments) -> None:
        self.documents = documents
        self.commits: list[Sequence[Op]] = []
        self.before_commit: Callable[[Sequence[Op]], None] = lambda _ops: None
        self.after_commit: Callable[[Sequence[Op]], None] = lambda _ops: None

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    async def commit(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        await asyncio.sleep(0.001)
        self.before_commit(ops)
        self.documents.write(scope, ops)
        self.commits.append(ops)
        self.after_commit(ops)


class Local:
    """The platform and one driver of it. ``drive`` advances once, ``finish`` runs the actor to its end."""

    def __init__(self, script: Script | None = None, *, seed: int = 1, region: str = "eu-west-1", **world: Any) -> None:
        self.loop = QuietLoop()
        self.clock = SimClock(self.loop)
        self.documents = MemoryDocuments()
        self.blobs = MemoryBlobs()
        self.script = script or Script()
        self.io = LoopIO(self.documents)
        self.orchestrator = NotedOrchestrator()
        self.platform = Platform(
            documents=self.documents,
            blobs=self.blobs,
            secrets=MemorySecrets(),
            orchestrator=self.orchestrator,
            clock=self.clock,
            ids=SimIds(self.clock, random.Random(seed)),
            random=SeededRandom(seed),
            region=region,
            env={"STAGE": "test"},
        )
        self.world = DriverWorld(
            documents=self.documents,
            blobs=self.blobs,
            clock=self.clock,
            ids=self.platform.ids,
            io=self.io,
            plans=PlanSource(self.documents),
            runners={"http": self.script},
            owner="driver-1",
            children=ChildExecutions(lambda: self.platform),
            slots=SlotLeases(lambda: self.platform),
            lanes=LoopLanes(lambda: self.platform),
            **world,
        )

    def publish(self, document: dict[str, Any]) -> None:
        text = Publication(source=json.dumps(document).encode(), media="json")
        (publish_workflow if document["kind"] == "Workflow" else publish_task)(self.platform, CALLER, text)

    def start(self, name: str, value: Any = None, **more: Any) -> str:
        start = Start(workflow=name, input={} if value is None else value, **more)
        return str(start_execution(self.platform, CALLER, start)["id"])

    def begin(self, tasks: list[dict[str, Any]], value: Any = None, **spec: Any) -> str:
        """Publish a workflow of these tasks and start it."""
        self.publish(workflow("flow", tasks, **spec))
        return self.start("flow", value)

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)  # type: ignore[arg-type]

    def drive(self, execution: str, *, owner: str = "driver-1", **more: Any) -> Advanced:
        world = replace(self.world, owner=owner)
        return self.run(advance(world, SCOPE, execution, **more))

    def finish(self, execution: str, poke: Poke | None = None) -> dict[str, Any]:
        self.run(run_actor(self.world, SCOPE, execution, poke or Poke()))
        return self.read(execution)

    def crash(self, execution: str, after_s: float) -> None:
        """Drive for a while, then stop as a killed process would: nothing more is written."""

        async def killed() -> None:
            task = asyncio.ensure_future(run_actor(self.world, SCOPE, execution, Poke()))
            await asyncio.sleep(after_s)
            self.io.before_commit = _dead
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.run(killed())
        self.io.before_commit = lambda _ops: None

    def read(self, execution: str) -> dict[str, Any]:
        """An execution with all its values, however large."""
        return get_execution(self.platform, CALLER, execution, room=None)

    def segments(self, execution: str) -> list[Segment]:
        return list(read_segments(self.documents, SCOPE, execution))

    def events(self, execution: str, kind: type | None = None) -> list[Any]:
        events: list[Event] = [event for segment in self.segments(execution) for event in segment.events]
        return [event for event in events if kind is None or type(event) is kind]


def _dead(_ops: Sequence[Op]) -> None:
    raise asyncio.CancelledError
