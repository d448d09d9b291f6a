"""Which values one answer holds when together they are too large for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from millrace.base.limits import EVENTS_SHOWN_BYTES, VALUES_SHOWN_BYTES
from millrace.ports.runners import Failure
from millrace.services.execution_events import execution_events
from millrace.services.get_execution import get_execution
from tests.unit.driver.runs import CALLER, Local, Script, call

QUARTER = VALUES_SHOWN_BYTES // 4
PAGE = 30_000


def text(size: int) -> str:
    """A text whose JSON has ``size`` bytes."""
    return "x" * (size - 2)


def run(answers: dict[str, Any], value: Any = None, **spec: Any) -> tuple[Local, str]:
    local = Local(Script({path: [answer] for path, answer in answers.items()}))
    tasks = [call(path, *list(answers)[:at]) for at, path in enumerate(answers)]
    execution = local.begin(tasks, value, **spec)
    local.finish(execution)
    return local, execution


def test_a_value_without_room_stands_with_its_size_and_hides_no_smaller_one() -> None:
    large, small = text(4 * QUARTER), text(QUARTER)
    local, execution = run({"large": large, "small": small}, output="done")
    body = get_execution(local.platform, CALLER, execution)
    assert ("done", small) == (body["output"], body["tasks"]["small"]["output"])
    assert {"output": {"size": 4 * QUARTER}} == body["tasks"]["large"]["leftOut"]
    assert "output" not in body["tasks"]["large"]
    assert 1 == body["valuesLeftOut"]["count"]


def test_the_output_of_the_execution_comes_before_its_input_and_both_before_those_of_tasks() -> None:
    half, more = text(2 * QUARTER - 9), text(3 * QUARTER)
    local, execution = run({"one": half, "two": text(9)}, {"i": more}, output="{{tasks.one.output}}")
    body = get_execution(local.platform, CALLER, execution)
    assert (half, {"input": {"size": 3 * QUARTER + 6}}) == (body["output"], body["leftOut"])
    assert [half, text(9)] == [body["tasks"][path]["output"] for path in ("one", "two")]
    local, execution = run({"one": half, "two": text(9)}, {"i": half}, output="{{tasks.one.output}}")
    body = get_execution(local.platform, CALLER, execution, room=5 * QUARTER)
    assert (half, {"i": half}) == (body["output"], body["input"])
    assert {"output": {"size": 2 * QUARTER - 9}} == body["tasks"]["one"]["leftOut"]


def test_everything_is_shown_when_all_values_are_asked_for() -> None:
    large = text(5 * QUARTER)
    local, execution = run({"large": large})
    body = get_execution(local.platform, CALLER, execution, room=None)
    assert (large, {"large": large}) == (body["tasks"]["large"]["output"], body["output"])
    assert "valuesLeftOut" not in body


def test_what_a_failed_execution_has_done_counts_twice_since_it_is_shown_twice() -> None:
    three, last = text(3 * QUARTER), Failure(kind="http", code="400", message="no", retryable=False)
    local, execution = run({"three": three, "one": text(QUARTER), "fails": last})
    body = get_execution(local.platform, CALLER, execution)
    assert {"one"} == set(body["partialOutput"])
    assert ["three"] == [path for path, task in body["tasks"].items() if "leftOut" in task]


@pytest.mark.parametrize("room", [0, 1, VALUES_SHOWN_BYTES])
def test_what_is_left_out_is_not_read(room: int) -> None:
    local, execution = run({"large": text(5 * QUARTER)}, output="done")
    reads: list[Any] = []
    get: Callable[..., Any] = local.blobs.get
    local.blobs.get = lambda *given: reads.append(given) or get(*given)  # type: ignore[method-assign]
    get_execution(local.platform, CALLER, execution, room=room)
    assert [] == reads


def test_a_page_of_events_ends_before_it_is_too_long_and_the_next_goes_on_there() -> None:
    answers = {f"t{at}": text(PAGE) for at in range(3 * EVENTS_SHOWN_BYTES // PAGE // 2)}
    local, execution = run(answers, output="done")
    found: list[Any] = []
    pages, after, complete = 0, "-1", False
    while not complete:
        page = execution_events(local.platform, CALLER, execution, after=after, limit=1000, wait_ms=0)
        found, after, complete, pages = [*found, *page["items"]], page["next"], page["complete"], pages + 1
    assert 2 == pages
    assert list(range(len(found))) == [item["position"] for item in found]
    assert "ExecutionFinished" == found[-1]["type"]
