"""Two worlds that run the same workflows: the in-process orchestrator over SQLite, and the state machines in moto's
interpreter, with Lambda invocations answered by the function's own handler over moto's DynamoDB and S3."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from millrace.adapters.files import DirectoryBlobs
from millrace.adapters.http import Gate, HttpRunner, Policy, Transport, parse_allow_hosts
from millrace.adapters.inprocess import InProcessOrchestrator
from millrace.adapters.memory import MemorySecrets
from millrace.adapters.sqlite import SqliteDocuments
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.engine.events import Event
from millrace.local.demo import create_app
from millrace.local.listener import Listener, bind, port_of
from millrace.ports.documents import TenantScope
from millrace.services.caller import Caller
from millrace.services.cancel_execution import cancel_execution
from millrace.services.child_executions import ChildExecutions
from millrace.services.decide_approval import decide_approval
from millrace.services.get_execution import get_execution
from millrace.services.loop_lanes import LoopLanes
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication, publish_definition
from millrace.services.signal_execution import signal_execution
from millrace.services.slot_leases import SlotLeases
from millrace.services.start_execution import Start, start_execution
from millrace.store.executions import read_actor
from millrace.wiring.aws import open_aws
from millrace.wiring.driving import Driving, open_driving, use_driving
from millrace.wiring.local import demo_environment
from millrace.wiring.settings import Settings
from tests.conformance.documents.cloud import CREDENTIALS, REGION, TABLES, make_tables
from tests.corpus import Case
from tests.infra.histories import History, children, family_history, read_history

ROOT = Path(__file__).resolve().parents[2]
CALLER = Caller(tenant="acme", principal="ann", roles=frozenset({"admin"}))
ROLE = "arn:aws:iam::123456789012:role/states"
DRIVER = f"arn:aws:lambda:{REGION}:123456789012:function:driver"
BUCKET = "millrace-values"
SLEEP_MS = 500
"""Above this a wait parks, so that delays of 2 s do."""
PATIENCE_S = 60


@dataclass
class Ran:
    """One execution and where it ran."""

    platform: Platform
    execution: str
    parked: bool

    @cached_property
    def events(self) -> list[Event]:
        return read_history(self.platform, CALLER.scope, self.execution)

    @cached_property
    def history(self) -> History:
        """Its own, and those of the executions that it started, below the paths of their tasks."""
        return family_history(self.platform, CALLER.scope, self.execution)


@contextmanager
def demo_service() -> Iterator[str]:
    """The address of a fresh demo service on a free loopback port."""
    with bind(0, variable="") as socket:
        listener = Listener(create_app(), socket, name="demo")
        listener.start()
        try:
            yield f"http://127.0.0.1:{port_of(socket)}"
        finally:
            listener.stop()


@contextmanager
def local_platform(folder: Path, demo: str) -> Iterator[Platform]:
    """The in-process orchestrator over a store in ``folder``."""
    documents = SqliteDocuments(folder, synchronous="NORMAL")
    blobs, clock, random = DirectoryBlobs(folder / "blobs", sync=False), SystemClock(), SystemRandom()
    ids, secrets = WorldIds(clock, random, region=REGION), MemorySecrets()
    gate = Gate(Policy(allow=parse_allow_hosts(demo.removeprefix("http://"))))

    def world() -> DriverWorld:
        runner = HttpRunner(Transport(gate), secrets=secrets, clock=clock)
        return DriverWorld(
            documents=documents,
            blobs=blobs,
            clock=clock,
            ids=ids,
            io=PoolIO(documents),
            plans=PlanSource(documents),
            runners={runner.type: runner},
            owner="local",
            exclusive=True,
            poll_ms=200,
            sleep_ms=SLEEP_MS,
            children=ChildExecutions(lambda: platform),
            slots=SlotLeases(lambda: platform),
            lanes=LoopLanes(lambda: platform),
        )

    orchestrator = InProcessOrchestrator(world)
    platform = Platform(
        documents, blobs, secrets, orchestrator, clock, ids, Unvaried(), region=REGION, env=demo_environment(demo)
    )
    orchestrator.open()
    try:
        yield platform
    finally:
        orchestrator.close()
        documents.close()


@dataclass(frozen=True)
class Unvaried:
    """Gives every execution the same seed, so that both worlds draw the same jitter."""

    def uniform(self) -> float:
        return 0.5

    def bits(self, count: int) -> int:
        return (1 << count) // 3


@dataclass(frozen=True)
class Context:
    """What Lambda gives a handler beside its event."""

    aws_request_id: str
    remaining_ms: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


Fault = Callable[[dict[str, Any]], Exception | None]


@dataclass
class Cloud:
    """``invocations`` counts by execution and action; ``fault`` may fail an invocation before its handler runs.
    ``platform`` is the driver's."""

    platform: Platform
    settings: Settings
    driving: Driving
    client: Any
    standard: str
    short: str
    fan_out: str
    invocations: Counter[tuple[str, str]] = field(default_factory=Counter)
    fault: Fault | None = None
    handler: Callable[[Any, Any], Any] = lambda event, context: None
    turns: threading.Lock = field(default_factory=threading.Lock)
    """Held during each request to DynamoDB: moto undoes a cancelled transaction by putting back a copy of all
    tables."""

    def opened(self) -> Platform:
        """The platform of another sandbox; close its documents."""
        platform = replace(open_aws(self.settings), env=self.platform.env)
        _one_at_a_time(platform, self.turns)
        return platform

    def invoke(self, payload: bytes) -> tuple[str, bytes]:
        """Lambda's answer: the name of a function error, empty for none, and the payload."""
        event = json.loads(payload)
        self.invocations[event["order"]["execution"], event["action"]] += 1
        try:
            error = self.fault(event) if self.fault else None
            if error is not None:
                raise error
            return "", json.dumps(self.handler(event, Context(str(uuid.uuid4())))).encode()
        except Exception as failure:
            told = {
                "errorMessage": str(failure),
                "errorType": type(failure).__name__,
                "stackTrace": traceback.format_tb(failure.__traceback__),
            }
            return "Unhandled", json.dumps(told).encode()

    def transitions(self, execution: str) -> dict[str, int]:
        """States entered per machine: what Standard is billed by, and Express in requests."""
        found = {}
        for name, machine in (("short", self.short), ("standard", self.standard), ("fan-out", self.fan_out)):
            runs = self.client.list_executions(stateMachineArn=machine)["executions"]
            mine = [run for run in runs if run["name"].startswith(execution)]
            states = 0
            for run in mine:
                pages = self.client.get_paginator("get_execution_history").paginate(executionArn=run["executionArn"])
                states += sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])
            if mine or name != "fan-out":
                found[name] = states
        return found

    def settle(self) -> None:
        """Wait until no state machine runs any more, so that nothing outlives the emulation."""
        end = time.monotonic() + PATIENCE_S
        for machine in (self.fan_out, self.short, self.standard):
            while self.client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
                assert time.monotonic() < end, "a state machine does not end"
                time.sleep(0.05)


def definition(name: str, **arns: str) -> dict[str, Any]:
    """A state machine's document with the ARNs that the template substitutes."""
    text = (ROOT / "statemachines" / f"{name}.asl.json").read_text()
    for key, value in arns.items():
        text = text.replace(f"${{{key}}}", value)
    found: dict[str, Any] = json.loads(text)
    return found


def load_handler(function: str) -> Callable[[Any, Any], Any]:
    path = ROOT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"function_{function}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Callable[[Any, Any], Any] = module.handler
    return handler


def quickened(machine: dict[str, Any]) -> dict[str, Any]:
    """The same machine with retries that begin after a moment, since moto's interpreter waits in real time."""
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "STANDARD"  # moto knows no other
            state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
            quickened(state["ItemProcessor"])
        for retry in state.get("Retry", []):
            if retry["MaxAttempts"]:
                retry |= {"IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 2}
                retry.pop("MaxDelaySeconds", None)
    return machine


@contextmanager
def cloud(demo: str, *, sleep_ms: int = SLEEP_MS, linger_ms: int = 0) -> Iterator[Cloud]:
    """Everything on moto."""
    import boto3
    from botocore.awsrequest import AWSResponse
    from moto import mock_aws

    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    try:
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            boto3.setup_default_session()
            make_tables()
            boto3.client("s3", region_name=REGION).create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            client = boto3.client("stepfunctions", region_name=REGION)
            standard = client.create_state_machine(
                name="execution",
                definition=json.dumps(quickened(definition("execution", DriverFunctionArn=DRIVER))),
                roleArn=ROLE,
            )["stateMachineArn"]
            short_document = definition("short", DriverFunctionArn=DRIVER, StandardMachineArn=standard)
            # Declared Standard here, so that its history can be read; AWS keeps none of an Express execution.
            short = client.create_state_machine(
                name="short", definition=json.dumps(quickened(short_document)), roleArn=ROLE
            )["stateMachineArn"]
            fan_out_document = definition("fan-out", DriverFunctionArn=DRIVER, StandardMachineArn=standard)
            fan_out = client.create_state_machine(
                name="fan-out", definition=json.dumps(quickened(fan_out_document)), roleArn=ROLE
            )["stateMachineArn"]
            settings = Settings(
                region=REGION,
                table_definitions=TABLES["definitions"],  # type: ignore[index]
                table_history=TABLES["history"],  # type: ignore[index]
                table_statistics=TABLES["statistics"],  # type: ignore[index]
                bucket=BUCKET,
                state_machine=standard,
                short_state_machine=short,
                fan_out_state_machine=fan_out,
                allow_hosts=(demo.removeprefix("http://"),),
            )
            platform = replace(open_aws(settings), random=Unvaried(), env=demo_environment(demo))
            made = open_driving(platform, settings)
            made = replace(made, world=replace(made.world, sleep_ms=sleep_ms, poll_ms=200, linger_ms=linger_ms))
            here = Cloud(platform, settings, made, client, standard, short, fan_out, handler=load_handler("driver"))
            _one_at_a_time(platform, here.turns)

            def invoke(request: Any, **_: Any) -> AWSResponse:
                error, answer = here.invoke(request.body)
                headers = {"Content-Type": "application/json", **({"X-Amz-Function-Error": error} if error else {})}
                return AWSResponse(request.url, 200, headers, _Raw(answer))

            events = boto3._get_default_session()._session.get_component("event_emitter")
            events.register_first("before-send.lambda.Invoke", invoke)
            events.register_first("provide-client-params.sfn.StartExecution", _in_camel_case)
            use_driving(made)
            try:
                yield here
                here.settle()
            finally:
                use_driving(None)
                made.close()
                platform.documents.close()
                boto3.DEFAULT_SESSION = None
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _in_camel_case(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    """moto hands the parameters of states:startExecution to its client as the state machine spells them."""
    return {name[0].lower() + name[1:]: value for name, value in params.items()}


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _one_at_a_time(platform: Platform, lock: threading.Lock) -> None:
    events = platform.documents.caller.connection().client.meta.events  # type: ignore[attr-defined]
    events.register_first("before-call.dynamodb", lambda **_: _nothing(lock.acquire()))
    events.register_last("after-call.dynamodb", lambda **_: lock.release())
    events.register_last("after-call-error.dynamodb", lambda **_: lock.release())


def _nothing(_: object) -> None:
    """A before-call hook must answer None."""


def publish(platform: Platform, case: Case) -> None:
    for task in case.tasks:
        publish_definition(platform, CALLER, "task", Publication(task, "yaml"))
    for source in (*case.shared, case.source):
        publish_definition(platform, CALLER, "workflow", Publication(source, "yaml"))


def start(platform: Platform, case: Case) -> str:
    """Start a published case; answers the execution's id."""
    return str(start_execution(platform, CALLER, Start(case.workflow, case.input))["id"])


def finish(platform: Platform, case: Case, execution: str) -> Ran:
    """Do what the case asks for, and wait until the execution has ended."""
    if case.act:
        until(lambda: _waits(platform, case, execution), "the execution does not park")
        if case.act == "cancel":
            cancel_execution(platform, CALLER, execution, reason="enough", message_id="m-1")
        elif case.act == "approve":
            decide_approval(
                platform, CALLER, execution, case.after, decision="approved", comment="", form=None, message_id="m-1"
            )
        else:
            signal_execution(platform, CALLER, execution, "paid", payload={"amount": 7}, message_id="m-1")
    until(lambda: is_over(platform, CALLER.scope, execution), "the execution does not end")
    return Ran(platform, execution, bool(_actor(platform, execution).park_id))


def is_over(platform: Platform, scope: TenantScope, execution: str) -> bool:
    """Whether it has ended, and all that it started."""
    actor = read_actor(platform.documents, scope, execution)
    if actor is None or not actor.done:
        return False
    started = children(read_history(platform, scope, execution))
    return all(is_over(platform, scope, child) for child in started.values())


def result(ran: Ran) -> dict[str, Any]:
    return get_execution(ran.platform, CALLER, ran.execution)


def _actor(platform: Platform, execution: str) -> Any:
    return read_actor(platform.documents, CALLER.scope, execution)


def _waits(platform: Platform, case: Case, execution: str) -> bool:
    return has_come_to(platform, CALLER.scope, execution, case.after) and _rests(platform, CALLER.scope, execution)


def _rests(platform: Platform, scope: TenantScope, execution: str) -> bool:
    """Whether it is parked, and all that it waits for."""
    actor = read_actor(platform.documents, scope, execution)
    if actor is None or not (actor.token or actor.done):
        return False
    history = read_history(platform, scope, execution)
    started = children(history)
    awaited = sum(isinstance(event, ev.WaitStarted) and event.kind == "child" for event in history)
    return awaited <= len(started) and all(_rests(platform, scope, child) for child in started.values())


def has_come_to(platform: Platform, scope: TenantScope, execution: str, task: str = "") -> bool:
    """Whether a task (some task where none is named) waits or has its next attempt scheduled, and so has all that the
    execution waits for."""
    waits = (ev.RetryScheduled, ev.WaitStarted)
    history = read_history(platform, scope, execution)
    begun = [event for event in history if isinstance(event, waits) and task in ("", event.path)]
    awaited = {event.child for event in begun if isinstance(event, ev.WaitStarted) and event.kind == "child"}
    started = set(children(history).values())
    return bool(begun) and awaited <= started and all(has_come_to(platform, scope, child) for child in awaited)


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Look again and again, for a bounded time."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
