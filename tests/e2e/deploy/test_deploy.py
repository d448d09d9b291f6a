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

import msgspec
import pytest

from millrace.services.platform import Platform
from millrace.wiring.aws import open_aws
from millrace.wiring.settings import read_settings
from tests.corpus import Case, examples, small
from tests.e2e.deploy.emulator import KEYS, ROOT, STACK, Deployed, deploy, emulator, ready
from tests.infra.histories import History, family_history
from tests.infra.worlds import (
    CALLER,
    demo_service,
    finish,
    has_come_to,
    is_over,
    local_platform,
    publish,
    start,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SUBSET = frozenset(
    {"lanes", "diamond", "retries", "retries-used-up", "skips", "failure", "goes-on", "transforms", "cancelled"}
    | {"example-order-pipeline"}
)
"""What CI runs; `make e2e-deploy` runs everything."""
NOT_HERE = frozenset({"signalled"})
"""Takes a signal while it waits for 2 s, which is over before the emulator answers."""
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
    fan_outs: list[str]
    """How the runs of the machine that begins lanes ended."""


def at(case: Case, demo: str) -> Case:
    """The case with what local mode gives as `env` written into its documents, since a stack has no env.DEMO_URL; and
    with approvals by a role that the callers of both have."""

    def placed(text: bytes) -> bytes:
        text = text.replace(b"{{env.DEMO_URL}}", demo.encode()).replace(b"{{ env.API_TOKEN }}", b"demo")
        text = text.replace(b'service: "deployment_api"', f'service: "{demo}/services/deployment_api"'.encode())
        return text.replace(b'"user:ann"', b'"role:admin"')

    tasks, shared = (tuple(placed(text) for text in texts) for texts in (case.tasks, case.shared))
    return dataclasses.replace(case, source=placed(case.source), tasks=tasks, shared=shared)


def run_local(platform: Platform, cases: list[Case]) -> dict[str, History]:
    for case in cases:
        publish(platform, case)

    def one(case: Case) -> History:
        ran = finish(platform, case, start(platform, case))
        return family_history(platform, CALLER.scope, ran.execution, without=CALLERS)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip([case.name for case in cases], pool.map(one, cases), strict=True))


def run_deployed(stack: Deployed, platform: Platform, case: Case) -> tuple[str, History]:
    """How it ended and what its tables hold; what kept it from ending is told in place of a status."""
    try:
        return ended(stack, platform, case)
    except AssertionError as why:
        return str(why), {}


def ended(stack: Deployed, platform: Platform, case: Case) -> tuple[str, History]:
    """Start through the API, act as the case asks, wait for the end, and read the tables."""
    answer = stack.send("POST", f"/workflows/{case.workflow}/executions", json.dumps({"input": case.input}).encode())
    assert 202 == answer.status, answer
    execution, scope = answer.body["id"], msgspec.structs.replace(CALLER, tenant="default").scope
    path = f"/executions/{execution}"
    if case.act:
        until(lambda: has_come_to(platform, scope, execution, case.after), f"it does not come to {case.after}")
        below, body = {
            "cancel": ("cancel", {"reason": "enough"}),
            "signal": ("signals/paid", {"payload": {"amount": 7}}),
            "approve": (f"approvals/{case.after}", {"decision": "approved"}),
        }[case.act]
        answer = stack.send("POST", f"{path}/{below}", json.dumps({**body, "messageId": "m-1"}).encode())
        assert 202 == answer.status, answer
    until(lambda: is_over(platform, scope, execution), f"it does not end: {stack.send('GET', path)}")
    return stack.send("GET", path).body["status"], family_history(platform, scope, execution, without=CALLERS)


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
    for source in dict.fromkeys(text for case in cases for text in (*case.shared, case.source)):
        answer = stack.send("POST", "/workflows", source, "application/yaml")
        assert 201 == answer.status, answer
    platform = platform_of(stack)
    try:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda case: run_deployed(stack, platform, case), cases))
    finally:
        platform.documents.close()
    names = [case.name for case in cases]
    statuses = {name: status for name, (status, _) in zip(names, found, strict=True)}
    histories = {name: one for name, (_, one) in zip(names, found, strict=True)}
    return Compared(local, histories, statuses, _fan_outs(stack))


def _fan_outs(stack: Deployed) -> list[str]:
    client = stack.client("stepfunctions")
    (machine,) = (one for one in client.list_state_machines()["stateMachines"] if one["name"] == f"{STACK}-fan-out")

    def statuses() -> list[str]:
        return [
            one["status"] for one in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        ]

    until(lambda: "RUNNING" not in statuses(), "the lanes of a loop are still begun")
    return statuses()


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_the_deployed_stack_makes_the_same_history_as_local_mode(compared: Compared, name: str) -> None:
    assert compared.local[name] == compared.deployed[name]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_deployed_stack_ends_as_the_case_says(compared: Compared, case: Case) -> None:
    assert case.status == compared.statuses[case.name]


def test_the_machine_for_large_loops_begins_their_lanes(compared: Compared) -> None:
    loops = sum(
        event["type"] == "ScopeOpened" and event["lanes"] > 0
        for history in compared.deployed.values()
        for events in history.values()
        for event in events
    )
    assert ["SUCCEEDED"] * max(loops, 1) == compared.fan_outs


def test_ci_runs_ten() -> None:
    assert 10 == len(SUBSET)
    assert SUBSET <= {case.name for case in EVERY}
