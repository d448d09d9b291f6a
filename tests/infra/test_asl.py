"""The state machines say what they must, and stay far from the limits of Step Functions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.base import errors
from millrace.base.ids import lane_name, make_id
from millrace.base.limits import ATTEMPT_TIMEOUT_MS
from millrace.services.advance_execution import LONGEST_PARK_S, OLDEST_MS, TURNS, Order
from millrace.services.stall_execution import LASTING

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {path.name: json.loads(path.read_text()) for path in (ROOT / "statemachines").glob("*.asl.json")}
STANDARD, SHORT = MACHINES["execution.asl.json"], MACHINES["short.asl.json"]
FAN_OUT = MACHINES["fan-out.asl.json"]
UNKNOWN_TO_STATELINT = {
    "fan-out.asl.json": [
        "One error:",
        ' Field "InputType" not allowed in State Machine.States.Lanes.ItemReader.ReaderConfig',
    ]
}
"""What AWS asks for and the linter does not know: the kind of what a map reads."""
HISTORY_LIMIT = 25_000
EVENTS_OF_AN_ATTEMPT = 5
"""TaskScheduled, TaskStarted, TaskSubmitted and an outcome; one to spare."""
DRIVER_TIMEOUT_S = 900


def tasks(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, state) for name, state in machine["States"].items() if state["Type"] == "Task")


def reachable(machine: dict[str, Any]) -> set[str]:
    seen, left = set(), [machine["StartAt"]]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        state = machine["States"][name]
        left += [state[key] for key in ("Next", "Default") if key in state]
        left += [choice["Next"] for choice in [*state.get("Choices", []), *state.get("Catch", [])]]
    return seen


def most_events(state: dict[str, Any]) -> int:
    """Entered, exited, and every attempt of a task; a catch and its failure to spare."""
    attempts = 1 + sum(retry["MaxAttempts"] for retry in state.get("Retry", []))
    return 4 + (attempts * EVENTS_OF_AN_ATTEMPT if state["Type"] == "Task" else 0)


@pytest.mark.parametrize("name", MACHINES)
def test_statelint_has_nothing_to_say(name: str) -> None:
    command = [str(Path(sys.executable).parent / "statelint"), str(ROOT / "statemachines" / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    known = UNKNOWN_TO_STATELINT.get(name, [])
    assert (known, int(bool(known))) == ((done.stdout + done.stderr).splitlines(), done.returncode)


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name: str) -> None:
    assert set(MACHINES[name]["States"]) == reachable(MACHINES[name])


@pytest.mark.parametrize("name", MACHINES)
def test_only_jsonpath_is_used(name: str) -> None:
    text = json.dumps(MACHINES[name])
    assert [] == [word for word in ("QueryLanguage", "{%", '"Arguments"', '"Output"') if word in text]


@pytest.mark.parametrize("name", MACHINES)
def test_every_task_retries_with_backoff_and_jitter(name: str) -> None:
    for _, state in tasks(MACHINES[name]):
        last = state["Retry"][-1]
        assert (2.0, "FULL") == (last["BackoffRate"], last["JitterStrategy"])


def test_every_failure_of_the_standard_machine_is_marked() -> None:
    caught = {name: state["Catch"][-1] for name, state in tasks(STANDARD) if name != "MarkStalled"}
    assert {("States.ALL", "MarkStalled")} == {(c["ErrorEquals"][0], c["Next"]) for c in caught.values()}


def names(machine: dict[str, Any]) -> Iterator[str]:
    """What executions are called that a machine starts, those that it holds included."""
    for state in machine["States"].values():
        if "Name.$" in state.get("Parameters", {}):
            yield state["Parameters"]["Name.$"]
        if "ItemProcessor" in state:
            yield from names(state["ItemProcessor"])


def test_an_actor_has_a_name_of_which_step_functions_writes_a_log_and_one_only() -> None:
    assert ["States.Format('{}-{}', $.actor, $.generation)"] * 3 == [
        name for machine in (STANDARD, SHORT, FAN_OUT) for name in names(machine)
    ]
    execution = lane_name(lane_name(make_id(0, "eu-west-1", 0), 12), 345)
    order = Order("acme", execution, 678).to_json()
    name = f"{order['actor']}-{order['generation']}"
    assert re.fullmatch(r"[0-9A-Za-z_-]{1,80}", name)


def test_errors_that_no_retry_heals_are_not_retried() -> None:
    named = STANDARD["States"]["Advance"]["Retry"][0]
    assert 0 == named["MaxAttempts"]
    assert [] == [name for name in named["ErrorEquals"] if not issubclass(getattr(errors, name), errors.MillraceError)]


def test_an_actor_goes_on_as_a_fresh_one_before_step_functions_ends_it_after_a_year() -> None:
    assert "$$.Execution.StartTime" == STANDARD["States"]["Advance"]["Parameters"]["Payload"]["begun.$"]
    assert 365 * 24 * 3_600_000 > OLDEST_MS + LONGEST_PARK_S * 1000 + 24 * 3_600_000


def test_a_function_that_is_throttled_is_called_again_for_a_quarter_of_an_hour_before_anybody_gives_up() -> None:
    states = {**STANDARD["States"], "Prepare": FAN_OUT["States"]["Prepare"]}
    for name in ("Advance", "Park", "MarkStalled", "Prepare"):
        (retry,) = (one for one in states[name]["Retry"] if "Lambda.TooManyRequestsException" in one["ErrorEquals"])
        pauses = [min(retry["IntervalSeconds"] * 2**n, retry["MaxDelaySeconds"]) for n in range(retry["MaxAttempts"])]
        assert 15 * 60 <= sum(pauses) / 2  # full jitter halves them


def test_what_no_retry_heals_is_what_is_looked_at_again_after_an_hour() -> None:
    assert LASTING == set(STANDARD["States"]["Advance"]["Retry"][0]["ErrorEquals"])


def test_a_fresh_execution_takes_over_far_below_the_history_limit() -> None:
    one_turn = sum(most_events(STANDARD["States"][name]) for name in ("Advance", "Decide", "Pause", "Park"))
    assert HISTORY_LIMIT // 2 > TURNS * one_turn


def test_a_lane_begins_as_any_execution_does() -> None:
    begun = FAN_OUT["States"]["Lanes"]["ItemProcessor"]
    assert {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"} == begun.pop("ProcessorConfig")
    assert {"StartAt": SHORT["StartAt"], "States": SHORT["States"]} == begun


def test_the_short_machine_ends_within_the_five_minutes_of_express() -> None:
    task = SHORT["States"]["Advance"]
    assert 300 > task["TimeoutSeconds"]
    assert task["TimeoutSeconds"] * 1000 > task["Parameters"]["Payload"]["budgetMs"]


def test_the_standard_machine_outlasts_the_function_and_the_function_an_attempt() -> None:
    assert STANDARD["States"]["Advance"]["TimeoutSeconds"] > DRIVER_TIMEOUT_S
    assert DRIVER_TIMEOUT_S * 1000 > ATTEMPT_TIMEOUT_MS
