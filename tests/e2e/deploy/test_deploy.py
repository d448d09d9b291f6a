"""The deployed stack runs workflows as the local mode does: published and started through its REST API, run by its
state machines and functions, and compared by the events in its tables."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.services.platform import Platform
from millrace.store.executions import read_actor
from millrace.wiring.aws import open_aws
from millrace.wiring.settings import read_settings
from tests.corpus import Case, examples, small
from tests.e2e.deploy.emulator import KEYS, ROOT, Deployed, deploy, emulator, ready
from tests.infra.histories import History, comparable, read_history
from tests.infra.worlds import CALLER, demo_service, finish, local_platform, publish, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SUBSET = frozenset(
    {"chain", "diamond", "retries", "retries-used-up", "skips", "failure", "goes-on", "transforms", "cancelled"}
    | {"example-order-pipeline"}
)
"""What CI runs; `make e2e-deploy` runs everything."""
NOT_HERE = frozenset({"signalled"})
"""Waits for a park of 2 s; deployed, such a wait is slept in the driver."""
ALL = os.environ.get("DEPLOY_CORPUS") == "all"
EVERY = [case for case in [*small(), *examples()] if case.name not in NOT_HERE]
CASES = [case for case in EVERY if ALL or case.name in SUBSET]
CALLERS = frozenset({"tenant", "principal", "delay_ms"})
"""The API's caller is another one; and the jitter of a delay is drawn from each execution's own seed."""


@dataclass
class Compared:
    local: dict[str, History]
    deployed: dict[str, History]
    statuses: dict[str, str]


def at(case: Case, demo: str) -> Case:
    """The case with what local mode gives as `env` written into its documents: a stack has no env.DEMO_URL."""
    text = case.source.replace(b"{{env.DEMO_URL}}", demo.encode()).replace(b"{{ env.API_TOKEN }}", b"demo")
    text = text.replace(b'service: "deployment_api"', f'service: "{demo}/services/deployment_api"'.encode())
    tasks = tuple(task.replace(b"{{env.DEMO_URL}}", demo.encode()) for task in case.tasks)
    return dataclasses.replace(case, source=text, tasks=tasks)


def run_local(platform: Platform, cases: list[Case]) -> dict[str, History]:
    for case in cases:
        publish(platform, case)

    def one(case: Case) -> History:
        ran = finish(platform, case, start(platform, case))
        return comparable(platform, CALLER.scope, ran.events, without=CALLERS)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip([case.name for case in cases], pool.map(one, cases), strict=True))


def ended(stack: Deployed, platform: Platform, case: Case) -> tuple[str, History]:
    """Start through the API, act as the case asks, wait for the end, and read the tables."""
    answer = stack.send("POST", f"/workflows/{case.workflow}/executions", json.dumps({"input": case.input}).encode())
    assert 202 == answer.status, answer
    path, scope = f"/executions/{answer.body['id']}", dataclasses.replace(CALLER, tenant="default").scope
    if case.act == "cancel":
        until(lambda: _parked(platform, scope, answer.body["id"]), "it does not park")
        assert 202 == stack.send("POST", f"{path}/cancel", b'{"reason": "enough"}').status
    seen: dict[str, Any] = {}

    def over() -> bool:
        seen.update(stack.send("GET", path).body)
        return seen["status"] not in ("running", "stalled")

    until(over, f"{case.name} does not end: {seen}")
    events = read_history(platform, scope, answer.body["id"])
    return seen["status"], comparable(platform, scope, events, without=CALLERS)


def _parked(platform: Platform, scope: Any, execution: str) -> bool:
    actor = read_actor(platform.documents, scope, execution)
    return actor is not None and bool(actor.token)


def platform_of(stack: Deployed) -> Platform:
    """The deployed tables and bucket, as the driver function is told of them."""
    functions = stack.client("lambda").list_functions()["Functions"]
    (driver,) = (one for one in functions if "DriverFunction" in one["FunctionName"])
    variables = {**driver["Environment"]["Variables"], "MILLRACE_ENDPOINT": stack.endpoint}
    return open_aws(read_settings(variables))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    if not ready():
        subprocess.run(["make", "e2e-tools"], cwd=ROOT, check=True)
    before = {name: os.environ.get(name) for name in KEYS}
    os.environ.update(KEYS)
    try:
        with demo_service() as demo:
            cases = [at(case, demo) for case in CASES]
            with local_platform(tmp_path_factory.mktemp("local"), demo) as platform:
                local = run_local(platform, cases)
            urllib.request.urlopen(urllib.request.Request(f"{demo}/_reset", method="POST"), timeout=10).close()
            with emulator(tmp_path_factory.mktemp("emulator")) as endpoint:
                stack = deploy(endpoint, parameters={"AllowHosts": demo.removeprefix("http://")})
                yield _run_deployed(stack, cases, local)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _run_deployed(stack: Deployed, cases: list[Case], local: dict[str, History]) -> Compared:
    for source in dict.fromkeys(task for case in cases for task in case.tasks):
        assert 201 == stack.send("POST", "/tasks", source, "application/yaml").status
    for case in cases:
        answer = stack.send("POST", "/workflows", case.source, "application/yaml")
        assert 201 == answer.status, answer
    platform = platform_of(stack)
    try:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda case: ended(stack, platform, case), cases))
    finally:
        platform.documents.close()
    names = [case.name for case in cases]
    statuses = {name: status for name, (status, _) in zip(names, found, strict=True)}
    return Compared(local, {name: one for name, (_, one) in zip(names, found, strict=True)}, statuses)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_the_deployed_stack_makes_the_same_history_as_local_mode(compared: Compared, name: str) -> None:
    assert compared.local[name] == compared.deployed[name]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_deployed_stack_ends_as_the_case_says(compared: Compared, case: Case) -> None:
    assert case.status == compared.statuses[case.name]


def test_ci_runs_ten() -> None:
    assert 10 == len(SUBSET)
    assert SUBSET <= {case.name for case in EVERY}
