"""The local orchestrator: one loop for all executions, starts and wakes from any thread, and a clean end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.adapters.inprocess import InProcessOrchestrator, run_actor
from millrace.adapters.memory import MemoryBlobs, MemoryDocuments, MemorySecrets
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.base.errors import InvalidRequest, NotFound, StoreUnavailable
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld, Poke
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.get_execution import get_execution
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.reconcile import reconcile
from millrace.services.start_execution import Start, start_execution
from millrace.services.wait_execution import wait_execution
from millrace.store.executions import read_actor
from tests.unit.driver.runs import CALLER, NEVER, SCOPE, Local, Script, call, workflow

WAIT_MS = 30_000
LATER = {"maxAttempts": 2, "interval": "1h", "maxInterval": "1h", "jitter": "none"}


class Server:
    """A platform on the machine's clock with its orchestrator."""

    def __init__(self, script: Script, documents: MemoryDocuments | None = None) -> None:
        self.documents = documents or MemoryDocuments()
        self.script = script
        self.orchestrator = InProcessOrchestrator(self._world)
        self.plans: Any = PlanSource(self.documents)
        clock = SystemClock()
        self.platform = Platform(
            documents=self.documents,
            blobs=MemoryBlobs(),
            secrets=MemorySecrets(),
            orchestrator=self.orchestrator,
            clock=clock,
            ids=WorldIds(clock, SystemRandom(), region="local"),
            random=SystemRandom(),
        )

    def _world(self) -> DriverWorld:
        return DriverWorld(
            documents=self.documents,
            blobs=self.platform.blobs,
            clock=self.platform.clock,
            ids=self.platform.ids,
            io=PoolIO(self.documents, threads=4),
            plans=self.plans,
            runners={"http": self.script},
            owner="local",
            exclusive=True,
        )

    def publish(self, name: str, tasks: list[dict[str, Any]], **spec: Any) -> None:
        text = json.dumps(workflow(name, tasks, **spec)).encode()
        publish_workflow(self.platform, CALLER, Publication(source=text, media="json"))

    def start(self, name: str, value: Any = None) -> str:
        return str(start_execution(self.platform, CALLER, Start(name, {} if value is None else value))["id"])

    def wait(self, execution: str) -> dict[str, Any]:
        return wait_execution(self.platform, CALLER, execution, wait_ms=WAIT_MS)


@pytest.fixture()
def servers() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(script: Script | None = None, documents: MemoryDocuments | None = None) -> Server:
        server = Server(script or Script(), documents)
        made.append(server)
        server.orchestrator.open()
        return server

    yield make
    for server in made:
        server.orchestrator.close()


def _until(holds: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(2_000):
        if holds():
            return
        tick.wait(0.005)
    raise AssertionError("it did not come about")


def test_executions_started_from_many_threads_all_finish(servers: Any) -> None:
    server = servers()
    server.publish("flow", [call("a", input={"n": "{{input.n}}"}), call("b", "a")])
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: server.start("flow", {"n": n}), range(40)))
    bodies = [server.wait(execution) for execution in ids]
    assert [("succeeded", n) for n in range(40)] == [(b["status"], b["tasks"]["a"]["input"]["n"]) for b in bodies]
    _until(lambda: server.orchestrator.running() == 0)


def test_a_cancel_reaches_a_running_attempt_and_a_parked_execution_at_once(servers: Any) -> None:
    server = servers(Script({"a": [NEVER], "p": [Failure("http", "503", "later", True)]}))
    server.publish("run", [call("a")])
    server.publish("park", [call("p", retry=LATER)])
    running, parked = server.start("run"), server.start("park")
    _until(lambda: len(server.script.performed) == 2)
    _until(lambda: bool(read_actor(server.documents, SCOPE, parked).token))  # type: ignore[union-attr]
    for execution in (running, parked):
        cancel_execution(server.platform, CALLER, execution, reason="stop", message_id="m")
        assert "cancelled" == server.wait(execution)["status"]


def test_starting_twice_or_waking_what_is_not_running_makes_one_actor(servers: Any) -> None:
    server = servers(Script(lasting={"a": 0.2}))
    server.publish("flow", [call("a")])
    execution = server.start("flow")
    for _ in range(5):
        server.orchestrator.start(SCOPE, execution, 1)
        server.orchestrator.wake(SCOPE, execution, "unknown-token")
    assert "succeeded" == server.wait(execution)["status"]
    server.orchestrator.wake(SCOPE, execution, "late")
    _until(lambda: server.orchestrator.running() == 0)
    assert 1 == len(server.script.performed)


def test_what_a_closed_orchestrator_left_is_resumed_by_the_next(servers: Any) -> None:
    first = servers(Script({"b": [NEVER]}))
    first.publish("flow", [call("a"), call("b", "a")])
    execution = first.start("flow")
    _until(lambda: len(first.script.performed) == 2)
    first.orchestrator.close()
    first.orchestrator.close()
    second = servers(Script(), first.documents)
    assert 1 == second.orchestrator.resume([(SCOPE, execution)])
    assert ("succeeded", 2) == (second.wait(execution)["status"], second.wait(execution)["tasks"]["b"]["attempts"])
    assert ["b"] == [attempt.path for attempt in second.script.performed]


def test_the_reconciler_at_start_up_resumes_the_same(servers: Any) -> None:
    first = servers(Script({"a": [NEVER]}))
    first.publish("flow", [call("a")])
    execution = first.start("flow")
    _until(lambda: len(first.script.performed) == 1)
    first.orchestrator.close()
    second = servers(Script(), first.documents)
    assert 1 == reconcile(second.platform, all_live=True).restarted
    assert "succeeded" == second.wait(execution)["status"]


def test_an_orchestrator_that_was_never_opened_closes() -> None:
    orchestrator = Server(Script()).orchestrator
    before = threading.active_count()
    orchestrator.close()
    orchestrator.close()
    assert before == threading.active_count()


def test_runners_that_keep_connections_are_closed_with_it(servers: Any) -> None:
    class Closing(Script):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    script = Closing()
    server = servers(script)
    server.orchestrator.close()
    assert script.closed


# the actor, on a virtual clock


def test_a_store_that_is_away_is_tried_again_until_it_is_back() -> None:
    local = Local()
    execution = local.begin([call("a")])
    left = 30

    def away(_ops: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise StoreUnavailable("away")

    local.io.before_commit = away
    assert "succeeded" == local.finish(execution)["status"]
    assert 1 == len(local.script.performed)


@pytest.mark.parametrize("error", [NotFound("the definition is gone"), InvalidRequest("a plan that cannot be")])
def test_an_error_that_time_does_not_heal_stalls_the_execution_with_its_sign(error: Exception) -> None:
    local = Local()
    execution = local.begin([call("a")])

    def broken(_scope: Any, _started: Any) -> Any:
        raise error

    local.run(run_actor(replace(local.world, plans=broken), SCOPE, execution, Poke()))
    body = get_execution(local.platform, CALLER, execution)
    assert ("stalled", str(error)) == (body["status"], body["errorMessage"])


def test_a_poke_that_came_before_the_park_ends_it_at_once() -> None:
    local = Local(Script({"a": [Failure("http", "503", "later", True)]}))
    execution = local.begin([call("a", retry=LATER)])

    async def poked() -> None:
        poke = Poke()
        actor = asyncio.ensure_future(run_actor(local.world, SCOPE, execution, poke))
        await asyncio.sleep(5)
        cancel_execution(local.platform, CALLER, execution, reason="", message_id="m")
        poke.set()
        await actor

    local.run(poked())
    assert ("cancelled", True) == (local.read(execution)["status"], local.read(execution)["durationMs"] < 6_000)


def test_a_message_between_the_last_look_and_the_park_is_not_missed() -> None:
    local = Local(Script({"a": [Failure("http", "503", "later", True)]}))
    execution = local.begin([call("a", retry=LATER)])
    real = local.documents.write
    sent = False

    class Between:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def write(self, scope: Any, ops: Any) -> None:
            nonlocal sent
            if not sent and any("parkId" in getattr(op, "set", {}) for op in ops):
                sent = True
                cancel_execution(local.platform, CALLER, execution, reason="", message_id="m")
            real(scope, ops)

    local.run(run_actor(replace(local.world, documents=Between()), SCOPE, execution, Poke()))  # type: ignore[arg-type]
    assert ("cancelled", True) == (local.read(execution)["status"], local.read(execution)["durationMs"] < 6_000)


def test_a_park_that_the_store_does_not_take_is_tried_again() -> None:
    local = Local(Script({"a": [Failure("http", "503", "later", True), "ok"]}))
    execution = local.begin([call("a", retry={**LATER, "interval": "20s"})])
    left = 3

    class Away:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def write(self, scope: Any, ops: Any) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise StoreUnavailable("away")
            local.documents.write(scope, ops)

    local.run(run_actor(replace(local.world, documents=Away()), SCOPE, execution, Poke()))  # type: ignore[arg-type]
    assert "succeeded" == local.read(execution)["status"]
    assert left < 0


def test_an_execution_that_another_leases_is_taken_up_when_the_lease_ends() -> None:
    local = Local(Script({"a": [NEVER, "ok"]}))
    execution = local.begin([call("a")])
    local.crash(execution, 1.0)
    other = replace(local.world, owner="driver-2")
    local.run(run_actor(other, SCOPE, execution, Poke()))
    assert "succeeded" == local.read(execution)["status"]
    began = [event.at for event in local.events(execution) if type(event).__name__ == "AttemptUnknown"]
    assert began[0] >= local.events(execution)[0].at + 30_000


def test_a_caller_may_wait_for_the_end_of_an_execution_or_for_a_time(servers: Any) -> None:
    server = servers(Script({"n": [NEVER]}))
    server.publish("flow", [call("a")])
    server.publish("never", [call("n")])
    server.orchestrator.wait_end(SCOPE, server.start("never"), 0.01)
    execution = server.start("flow")
    server.orchestrator.wait_end(SCOPE, execution, WAIT_MS / 1000)
    assert "succeeded" == server.wait(execution)["status"]


def test_a_plan_that_cannot_be_made_stalls_the_execution_and_not_its_start(servers: Any) -> None:
    server = servers()
    server.publish("flow", [call("a")])
    server.plans = _broken
    server.orchestrator.close()
    server.orchestrator = InProcessOrchestrator(server._world)
    server.orchestrator.open()
    server.platform = replace(server.platform, orchestrator=server.orchestrator)
    execution = server.start("flow")
    _until(lambda: get_execution(server.platform, CALLER, execution)["status"] == "stalled")
    assert [] == server.script.performed


def _broken(_scope: Any, _started: Any) -> Any:
    raise ZeroDivisionError("a defect")


def test_a_defect_in_the_engine_leaves_a_sign() -> None:
    local = Local()
    execution = local.begin([call("a")])

    local.run(run_actor(replace(local.world, plans=_broken), SCOPE, execution, Poke()))
    body = get_execution(local.platform, CALLER, execution)
    assert ("stalled", "ZeroDivisionError('a defect')") == (body["status"], body["errorMessage"])
