"""Starting and waking on Step Functions: which machine, which name, and which refusals are no error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from millrace.adapters.stepfunctions import StepFunctionsOrchestrator
from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import TenantScope

SCOPE = TenantScope("acme")


class Recorder:
    """Keeps each call, and fails as it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def _call(self, **arguments: Any) -> None:
        self.calls.append(arguments)
        if self._error:
            raise self._error

    start_execution = _call
    send_task_success = _call


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X")  # type: ignore[typeddict-item]


def orchestrator(client: Recorder, short: str = "short", *, fan_out: str = "") -> StepFunctionsOrchestrator:
    return StepFunctionsOrchestrator(client, standard="standard", short=short, fan_out=fan_out)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("generation", "short", "machine"), [(1, "short", "short"), (1, "", "standard"), (2, "short", "standard")]
)
def test_the_first_actor_is_short_and_every_later_one_standard(generation: int, short: str, machine: str) -> None:
    client = Recorder()
    orchestrator(client, short).start(SCOPE, "e1", generation)
    (call,) = client.calls
    assert (machine, f"e1-{generation}") == (call["stateMachineArn"], call["name"])
    expected = {"tenant": "acme", "execution": "e1", "actor": "e1", "generation": generation}
    assert expected == json.loads(call["input"])


def test_an_execution_that_is_not_to_be_short_begins_on_the_standard_machine() -> None:
    client = Recorder()
    orchestrator(client).start(SCOPE, "e1", 1, short=False)
    assert [("standard", "e1-1")] == [(call["stateMachineArn"], call["name"]) for call in client.calls]


def test_the_lanes_of_a_loop_begin_by_one_machine_that_reads_their_list() -> None:
    client = Recorder()
    orchestrator(client, fan_out="fan-out").spread(SCOPE, "e1", 8, 7)
    (call,) = client.calls
    assert ("fan-out", "e1-8") == (call["stateMachineArn"], call["name"])
    assert {"tenant": "acme", "execution": "e1", "first": 8, "count": 7} == json.loads(call["input"])


def test_without_that_machine_every_lane_begins_by_itself() -> None:
    client = Recorder()
    orchestrator(client).spread(SCOPE, "e1", 8, 2)
    assert ["e1_8-1", "e1_9-1"] == [call["name"] for call in client.calls]


def test_lanes_that_have_begun_begin_again_without_harm_and_other_refusals_are_told() -> None:
    orchestrator(Recorder(refused("ExecutionAlreadyExists")), fan_out="f").spread(SCOPE, "e1", 1, 1)
    with pytest.raises(StoreUnavailable):
        orchestrator(Recorder(refused("StateMachineDoesNotExist")), fan_out="f").spread(SCOPE, "e1", 1, 1)


def test_a_repeated_start_is_a_start() -> None:
    client = Recorder(refused("ExecutionAlreadyExists"))
    orchestrator(client).start(SCOPE, "e1", 1)
    assert 1 == len(client.calls)


def test_a_wake_completes_its_token() -> None:
    client = Recorder()
    orchestrator(client).wake(SCOPE, "e1", "token")
    assert [{"taskToken": "token", "output": "{}"}] == client.calls


def test_an_execution_that_has_never_parked_is_not_woken() -> None:
    client = Recorder()
    orchestrator(client).wake(SCOPE, "e1", "")
    assert [] == client.calls


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_wait_that_is_over_is_no_error(code: str) -> None:
    client = Recorder(refused(code))
    orchestrator(client).wake(SCOPE, "e1", "token")
    assert 1 == len(client.calls)


@pytest.mark.parametrize(
    "error", [refused("Throttling", 429), refused("AccessDenied", 403), EndpointConnectionError(endpoint_url="x")]
)
def test_every_other_failure_is_said_to_the_caller(error: Exception) -> None:
    for call in (lambda o: o.start(SCOPE, "e1", 1), lambda o: o.wake(SCOPE, "e1", "t")):
        with pytest.raises(StoreUnavailable):
            call(orchestrator(Recorder(error)))
