"""`millrace executions`: what an execution that waits is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.local.server import LocalServer
from millrace.wiring.settings import Settings
from tests.functions.documents import workflow
from tests.unit.cli.running import Ran, millrace

FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "integer"}}}
SIGN = {"type": "approval", "approvers": ["user:ann"], "timeout": "1h"}
TWO = {"type": "approval", "approvers": ["role:boss"], "required": 2, "timeout": "1h"}
FLOWS = {
    "pays": [{"id": "paid", "event": {"type": "payment.settled", "timeout": "1h"}}],
    "signs": [{"id": "sign", **SIGN, "form": FORM}],
    "both": [{"id": "one", **SIGN}, {"id": "two", **SIGN}],
    "loops": [{"id": "each", "forEach": {"items": [1]}, "tasks": [{"id": "sign", **TWO}]}],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")) as server:
        for name, tasks in FLOWS.items():
            server.client.publish("Workflow", json.dumps(workflow(name, tasks=tasks)).encode(), media="json")
        yield server


def on(server: LocalServer, *arguments: str) -> Ran:
    return millrace("executions", "--data", str(server.settings.data), *arguments)


def until(server: LocalServer, execution: str, status: str, *tasks: str) -> dict[str, Any]:
    """The execution once it, or each of these tasks, has a status."""
    for _ in range(500):
        found: dict[str, Any] = server.client.call("GET", f"/executions/{execution}")[1]
        if {status} == {found["tasks"].get(task, {}).get("status") for task in tasks} or (
            not tasks and found["status"] == status
        ):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def started(server: LocalServer, name: str, *tasks: str) -> str:
    """An execution of which these tasks wait."""
    identifier = str(server.client.call("POST", f"/workflows/{name}/executions", value={})[1]["id"])
    until(server, identifier, "waiting", *tasks)
    return identifier


def test_a_signal_brings_its_payload(server: LocalServer) -> None:
    identifier = started(server, "pays", "paid")
    assert "waiting (event payment.settled until " in on(server, "show", identifier).out
    ran = on(server, "signal", identifier, "payment.settled", "--payload", '{"amount": 7}')
    assert (0, "sent: payment.settled\n") == (ran.code, ran.out)
    assert {"amount": 7} == until(server, identifier, "succeeded")["output"]["paid"]["data"]


@pytest.mark.parametrize(("verb", "end"), [("approve", "succeeded"), ("reject", "failed")])
def test_the_approval_that_waits_is_decided_without_its_name(server: LocalServer, verb: str, end: str) -> None:
    identifier = started(server, "signs", "sign")
    refused = on(server, verb, identifier)
    assert (2, True) == (refused.code, "form does not fit" in refused.err)
    ran = on(server, verb, identifier, "--form", '{"limit": 5}', "--comment", "as agreed", "--json")
    assert ("sign", 0) == (ran.json["task"], ran.code)
    assert "sign" in until(server, identifier, end)["tasks"]
    late = on(server, verb, identifier)
    assert (2, True) == (late.code, f"no approval of {identifier} waits: it is {end}" in late.err)


def test_of_several_approvals_one_has_to_be_named(server: LocalServer) -> None:
    identifier = started(server, "both", "one", "two")
    ran = on(server, "approve", identifier)
    assert (2, True) == (ran.code, "2 approvals wait\n  Name one of one, two." in ran.err)
    assert ["sent: one approved\n", "sent: two approved\n"] == [
        on(server, "approve", identifier, name).out for name in ("one", "two")
    ]
    until(server, identifier, "succeeded")


def test_an_approval_in_a_loop_is_found_by_its_path(server: LocalServer) -> None:
    identifier = started(server, "loops", "each[0]/sign")
    assert "each[0]/sign  waiting (approval 0 of 2, by role:boss until " in on(server, "show", identifier).out
    assert "sent: each[0]/sign approved\n" == on(server, "approve", identifier).out
    for _ in range(500):
        if "approval 1 of 2" in (shown := on(server, "show", identifier).out):
            break
        time.sleep(0.02)
    assert "approval 1 of 2" in shown
    on(server, "cancel", identifier)


def test_an_execution_is_paused_resumed_and_cancelled(server: LocalServer) -> None:
    identifier = started(server, "pays", "paid")
    assert f"{identifier} starts nothing new until it is resumed\n" == on(server, "pause", identifier).out
    for action, paused in (("resume", True), ("cancel", False)):
        for _ in range(500):
            if server.client.call("GET", f"/executions/{identifier}")[1].get("paused") is paused:
                break
            time.sleep(0.02)
        said = {"resume": ["goes on"], "cancel": ["is being cancelled", "is cancelled"]}[action]
        assert on(server, action, identifier).out in [f"{identifier} {one}\n" for one in said]
    until(server, identifier, "cancelled")
    assert f"{identifier} is cancelled\n" == on(server, "cancel", identifier).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("list x", "takes no id"),
        ("approve", "needs the id of an execution"),
        ("signal x", "needs the name of the signal"),
        ("pause x y", "takes nothing behind the id, and y stands there"),
    ],
)
def test_a_command_with_words_too_many_or_too_few_says_so(words: str, said: str) -> None:
    ran = millrace("executions", *words.split())
    assert (2, True) == (ran.code, said in ran.err)


def test_json_that_is_wrong_names_its_option() -> None:
    ran = millrace("executions", "signal", "x", "y", "--payload", "{")
    assert (2, True) == (ran.code, "--payload: not valid JSON" in ran.err)
