"""On AWS, who waits for something that ends soon by itself waits in its driver, and pays for no transition."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.corpus import Case, examples, small
from tests.infra.worlds import Cloud, Ran, cloud, demo_service, finish, publish, result, start

pytestmark = pytest.mark.timeout(300)
LINGER_MS = 60_000
"""Longer than any of them takes, on a slow machine too."""
BY_NAME = {case.name: case for case in (*small(), *examples())}
NAMES = ("sub-workflow", "lanes", "fallback", "example-concurrency")


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with demo_service() as demo, cloud(demo, linger_ms=LINGER_MS) as here:
        for name in NAMES:
            publish(here.platform, BY_NAME[name])
        yield here
        here.settle()


def run(aws: Cloud, case: Case, *, times: int = 1) -> list[Ran]:
    """Some executions of a workflow at once."""
    with ThreadPoolExecutor(times) as pool:
        begun = [start(aws.platform, case) for _ in range(times)]
        ran = list(pool.map(lambda execution: finish(aws.platform, case, execution), begun))
    aws.settle()
    return ran


@pytest.mark.parametrize("name", NAMES)
def test_what_ends_by_itself_is_waited_for_in_one_invocation_without_a_transition(aws: Cloud, name: str) -> None:
    (ran,) = run(aws, BY_NAME[name])
    assert BY_NAME[name].status == result(ran)["status"]
    assert 0 == aws.transitions(ran.execution)["standard"]
    assert 1 == aws.invocations[ran.execution, "advance"]


def test_executions_that_stand_in_line_for_one_place_wait_in_their_drivers(aws: Cloud) -> None:
    ran = run(aws, BY_NAME["example-concurrency"], times=3)
    assert ["succeeded"] * 3 == [result(one)["status"] for one in ran]
    assert [0] * 3 == [aws.transitions(one.execution)["standard"] for one in ran]
