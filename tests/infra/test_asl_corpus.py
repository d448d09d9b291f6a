"""The state machines and the in-process orchestrator run every workflow alike."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from millrace.engine import events as ev
from millrace.services.change_breaker import change_breaker
from millrace.services.list_breakers import list_breakers
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from tests.corpus import Case, examples, small
from tests.infra.histories import misordered
from tests.infra.worlds import CALLER, Cloud, Ran, cloud, demo_service, finish, local_platform, publish, result, start

pytestmark = pytest.mark.timeout(300)  # the first test of the module runs the whole corpus in both worlds
CASES = [*small(), *examples()]
THREADS = 4
BY_NAME = {case.name: case for case in CASES}


@dataclass
class Both:
    """What each world made of the corpus, by name."""

    local: dict[str, Ran]
    aws: dict[str, Ran]
    cloud: Cloud


def run(platform: Platform, case: Case) -> Ran:
    return finish(platform, case, start(platform, case))


def run_all(platform: Platform) -> dict[str, Ran]:
    """Every case, some at a time."""
    for case in CASES:
        publish(platform, case)
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = {case.name: pool.submit(run, platform, case) for case in CASES}
        return {name: ran.result() for name, ran in waiting.items()}


def outpaced(aws: Cloud, case: Case, ran: Ran) -> bool:
    """Whether the machine was too slow for many at once: a wait was over before it could park, or a short execution
    outlived its deadline. Such a case runs once more, alone."""
    if case.shared or case.standard:
        return False
    return not ran.parked if case.parks else bool(aws.transitions(ran.execution)["standard"])


def again(platform: Platform, case: Case) -> Ran:
    """One more run, in a world whose circuit breakers are as before the first one."""
    for item in list_breakers(platform, CALLER, limit=50, cursor=None)["items"]:
        change_breaker(platform, CALLER, item["name"], action="reset", reason="another run")
    time.sleep(1.1)  # a process looks at the state of a breaker once a second
    return run(platform, case)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with demo_service() as demo, local_platform(tmp_path_factory.mktemp("local"), demo) as platform:
        local = run_all(platform)
        with demo_service() as other, cloud(other) as aws:
            ran = run_all(aws.platform)
            aws.settle()
            ran |= {case.name: again(aws.platform, case) for case in CASES if outpaced(aws, case, ran[case.name])}
            aws.settle()
            _print_costs(aws, ran)
            yield Both(local, ran, aws)


def names(*, parks: bool = False) -> list[str]:
    return [case.name for case in CASES if case.parks or not parks]


@pytest.mark.parametrize("name", names())
def test_the_event_sequence_of_every_task_is_the_same(both: Both, name: str) -> None:
    assert both.local[name].history == both.aws[name].history


@pytest.mark.parametrize("name", names())
def test_every_task_begins_after_what_it_needs_has_ended(both: Both, name: str) -> None:
    for ran in (both.local[name], both.aws[name]):
        events = ran.events
        assert isinstance(events[0], ev.ExecutionStarted)
        plan = PlanSource(ran.platform.documents)(CALLER.scope, events[0])
        assert [] == misordered(plan, events)


@pytest.mark.parametrize("name", names())
def test_each_ends_as_its_case_says(both: Both, name: str) -> None:
    wanted = BY_NAME[name].status
    assert (wanted, wanted) == (result(both.local[name])["status"], result(both.aws[name])["status"])


@pytest.mark.parametrize("name", names(parks=True))
def test_a_long_wait_parks_in_both_worlds(both: Both, name: str) -> None:
    assert (True, True) == (both.local[name].parked, both.aws[name].parked)
    assert 0 < both.cloud.invocations[both.aws[name].execution, "park"]


@pytest.mark.parametrize("name", [case.name for case in CASES if not (case.parks or case.shared or case.standard)])
def test_what_need_not_wait_costs_one_invocation_and_no_standard_transition(both: Both, name: str) -> None:
    execution = both.aws[name].execution
    assert {"short": 3, "standard": 0} == both.cloud.transitions(execution)
    assert {"advance": 1} == {a: n for (e, a), n in both.cloud.invocations.items() if e == execution}


@pytest.mark.parametrize("name", [case.name for case in CASES if case.standard])
def test_what_asks_for_the_standard_machine_begins_there_and_makes_no_express_run(both: Both, name: str) -> None:
    execution = both.aws[name].execution
    assert {"short": 0, "standard": 4} == both.cloud.transitions(execution)
    assert {"advance": 1} == {a: n for (e, a), n in both.cloud.invocations.items() if e == execution}


@pytest.mark.parametrize("name", names())
def test_one_dropped_event_is_a_difference(both: Both, name: str) -> None:
    ours, theirs = both.local[name].history, both.aws[name].history
    for path, events in ours.items():
        for index in range(len(events)):
            assert theirs[path] != events[:index] + events[index + 1 :]


def _print_costs(aws: Cloud, ran: dict[str, Ran]) -> None:
    """Figures for the decision record, where the environment asks for them."""
    target = os.environ.get("CORPUS_COSTS")
    if not target:
        return
    rows = {
        name: {
            **aws.transitions(one.execution),
            **{action: n for (execution, action), n in aws.invocations.items() if execution == one.execution},
            "tasks": len(result(one)["tasks"]),
        }
        for name, one in ran.items()
    }
    Path(target).write_text(json.dumps(rows, indent=2))
