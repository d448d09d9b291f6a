"""The whole history of an execution with lanes: in one order however it is read, and where a page goes on."""

from __future__ import annotations

import pytest

from millrace.base.errors import InvalidRequest
from millrace.engine import events as ev
from millrace.services.execution_events import execution_events
from millrace.store.history import Place, history_page, place_of, whole_history
from tests.unit.driver.runs import CALLER, SCOPE, call
from tests.unit.driver.spreads import Spread


def test_the_history_holds_the_log_of_a_lane_before_the_news_of_its_end_whatever_the_page() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1, 2, 3, 4, 5]}}", maxParallel=2, after=[call("z", "loop")])
    spread.settle()
    whole = [type(event).__name__ + getattr(event, "path", "") for event in whole_history(spread.documents, SCOPE, one)]
    for limit in (1, 2, 3, 7, 1000):
        found: list[str] = []
        after = "-1"
        while True:
            page = execution_events(spread.platform, CALLER, one, after=after, limit=limit, wait_ms=0)
            assert limit >= len(page["items"])
            found += [item["type"] + item.get("path", "") for item in page["items"]]
            after = page["next"]
            if page["complete"]:
                break
        assert whole == found, limit
    at = {name: index for index, name in enumerate(whole)}
    assert (
        at["TaskFinishedloop[0]/a"] < whole.index("LaneReportedloop") < at["TaskFinishedloop"] < at["AttemptStartedz"]
    )
    assert 1 == sum(name.startswith("ExecutionStarted") for name in whole)


def test_lanes_that_are_not_over_stand_at_the_end_of_what_is_known() -> None:
    spread = Spread()
    one = spread.each([call("a"), {"id": "w", "wait": {"for": "1h"}}], "{{[1]}}")
    for _ in range(2):
        for member in spread.members():
            spread.drive(member)
    whole = list(whole_history(spread.documents, SCOPE, one))
    assert isinstance(whole[-1], ev.TaskFinished | ev.WaitStarted)
    assert "waiting" == spread.read(one)["tasks"]["loop[0]/w"]["status"]
    rows = history_page(spread.documents, SCOPE, one, after=Place(-1), limit=100)
    assert "LanesStarted" == type(rows[-1].event).__name__


@pytest.mark.parametrize("text", ["-1", "0", "17", "17.3.0", "4.1.99"])
def test_a_place_in_a_history_is_read_as_it_was_written(text: str) -> None:
    assert text == place_of(text).text()


@pytest.mark.parametrize("text", ["", "-2", "x", "1.2", "1.2.-1", "1.2.3.4", "9" * 20])
def test_what_is_no_place_in_a_history_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no place in a history"):
        place_of(text)


def test_a_place_in_the_log_of_an_execution_stands_before_every_event_of_a_lane() -> None:
    assert (17, 0, -1) == (place_of("17").position, place_of("17").stream, place_of("17").inner)
