"""The protocol between an execution and the lanes of its loops: once each and for certain, whoever dies in between."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from millrace.base.errors import InvalidRequest, StoreUnavailable
from millrace.base.ids import idempotency_key, lane_name
from millrace.driver.messages import event_of
from millrace.driver.values import ValueCodec
from millrace.driver.world import Wait
from millrace.engine import events as ev
from millrace.engine.commands import NotifyParent, StartLanes, TellFailures, TellLanes
from millrace.ports.documents import Range, Table
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.list_executions import list_executions
from millrace.services.loop_lanes import LoopLanes
from millrace.services.pause_execution import pause_execution
from millrace.services.prepare_lanes import prepare_lanes
from millrace.store.executions import inbox_partition, mark_stalled, message_of, read_actor, summary_key
from millrace.store.history import whole_history

from .runs import CALLER, SCOPE, Script, call
from .spreads import Spread

BAD = Failure("http", "500", "it broke", False)


def attempts(spread: Spread) -> Counter[str]:
    return Counter(attempt.path for attempt in spread.script.performed)


def test_a_loop_in_lanes_gives_what_its_items_give_in_their_order() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1, 2, 3, 4, 5]}}", maxParallel=2, after=[call("z", "loop")])
    spread.settle()
    body = spread.read(one)
    assert ("succeeded", 5, 5) == (
        body["status"],
        body["tasks"]["loop"]["iterations"],
        body["tasks"]["loop"]["inside"]["succeeded"],
    )
    assert [f"loop[{at}]/a" for at in range(5)] == [entry["output"]["a"] for entry in body["tasks"]["loop"]["output"]]
    assert {lane_name(one, 1), lane_name(one, 2), one} == set(spread.members())
    assert ["start", "report", "report"] == spread.steps.calls


def test_attempts_in_lanes_carry_the_id_and_the_key_of_the_whole_execution() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1, 2]}}")
    spread.settle()
    assert {(one, idempotency_key(one, attempt.path)) for attempt in spread.script.performed} == {
        (attempt.execution, attempt.idempotency_key) for attempt in spread.script.performed
    }


def test_lanes_are_listed_nowhere_and_what_came_of_their_tasks_counts_for_the_execution() -> None:
    spread = Spread(Script({"loop[1]/a": [BAD]}))
    one = spread.each([call("a")], "{{[1, 2, 3]}}", tolerate={"failures": 1})
    spread.settle()
    (row,) = list_executions(spread.platform, CALLER, filters={}, limit=9, cursor=None)["items"]
    assert one == row["id"]
    assert ({"succeeded": 3, "failed": 1, "skipped": 0}, 3) == (row["tasks"], row["attempts"])


def test_values_and_snapshots_of_lanes_lie_below_their_execution() -> None:
    big = "x" * 70_000
    spread = Spread(Script({f"loop[{at}]/a": [f"{at}{big}"] for at in range(4)}), snapshot_events=3)
    one = spread.each([call("a")], f"{{{{['{big[:9]}', 'b', 'c', 'd']}}}}", maxParallel=2)
    spread.settle()
    assert [f"{at}{big}" for at in range(4)] == [
        entry["output"]["a"] for entry in spread.read(one)["tasks"]["loop"]["output"]
    ]
    assert {("execution", one)} == {key[:2] for key in spread.blobs.keys(SCOPE, ("execution",))}
    assert {"lane", "value"} <= {key[2] for key in spread.blobs.keys(SCOPE, ("execution",))}


def test_a_process_may_die_at_any_step_and_every_item_still_runs_to_one_end() -> None:
    """Before and after each commit and each call between an execution and its lanes, until a run has no such step."""
    step = 0
    while True:
        spread = Spread(Script({"loop[2]/a": [BAD]}))
        one = spread.each(
            [call("a")], "{{[1, 2, 3, 4]}}", maxParallel=2, tolerate={"failures": 1}, after=[call("z", "loop")]
        )
        if not spread.die_at(step):
            break
        spread.settle()
        body = spread.read(one)
        assert ("succeeded", 3) == (body["status"], len(spread.members())), step
        assert [0, 1, None, 3] == [
            at if entry["status"] == "succeeded" else None for at, entry in enumerate(body["tasks"]["loop"]["output"])
        ]
        history = list(whole_history(spread.documents, SCOPE, one))
        ends = Counter(event.path for event in history if isinstance(event, ev.TaskFinished))
        assert {*(f"loop[{at}]/a" for at in range(4)), "loop", "z"} == set(ends), step
        assert {1} == set(ends.values()), step
        assert 1 == len(spread.events(one, ev.ScopeOpened))
        (row,) = list_executions(spread.platform, CALLER, filters={}, limit=9, cursor=None)["items"]
        assert {"succeeded": 5, "failed": 1, "skipped": 0} == row["tasks"], step
        step += 1
    assert step > 30


def test_a_process_may_die_at_any_step_of_a_cancel_and_all_lanes_stop() -> None:
    step = 0
    while True:
        spread = Spread()
        one = spread.each([{"id": "w", "wait": {"for": "1h"}}], "{{[1, 2, 3]}}", maxParallel=2)
        for member in (one, *spread.members()[1:]):
            spread.drive(member)
        for member in spread.members():
            spread.drive(member)
        cancel_execution(spread.platform, CALLER, one, reason="enough", message_id="m1")
        if not spread.die_at(step):
            break
        spread.settle()
        assert "cancelled" == spread.read(one)["status"], step
        for stream in (1, 2):
            actor = read_actor(spread.documents, SCOPE, lane_name(one, stream))
            assert actor is not None
            assert actor.done, step
        step += 1
    assert step > 10


def test_an_execution_waits_for_its_lanes_at_no_cost() -> None:
    spread = Spread()
    one = spread.each([{"id": "w", "wait": {"for": "1h"}}], "{{[1]}}")
    waits = spread.drive(one)
    assert isinstance(waits, Wait)
    assert None is waits.wake_at


def test_more_failures_than_may_be_reach_the_other_lanes_before_they_are_through() -> None:
    script = Script({"loop[0]/a": [BAD]}, lasting={f"loop[{at}]/a": 5 for at in range(1, 60, 2)})
    spread = Spread(script)
    one = spread.each([call("a")], "{{" + str(list(range(60))) + "}}", maxParallel=2)
    spread.drive(one)
    spread.drive(lane_name(one, 1))
    spread.drive(one)
    spread.settle()
    body = spread.read(one)
    assert ("failed", "loop[0]/a") == (body["status"], body["error"]["details"]["task"])
    assert "loop[59]/a" not in attempts(spread)


def test_a_pause_reaches_the_lanes() -> None:
    spread = Spread()
    one = spread.each([{"id": "w", "wait": {"for": "1m"}}, call("a", "w")], "{{[1, 2]}}")
    for _ in range(2):
        for member in spread.members():
            spread.drive(member)
    pause_execution(spread.platform, CALLER, one, action="pause", message_id="p1")
    for _ in range(3):
        spread.settle()
    assert {} == attempts(spread)
    pause_execution(spread.platform, CALLER, one, action="resume", message_id="r1")
    spread.settle()
    assert "succeeded" == spread.read(one)["status"]


# the service


def started(spread: Spread, items: str = "{{[1, 2, 3]}}") -> tuple[str, ev.ExecutionStarted]:
    one = spread.each([call("a")], items)
    return one, spread.events(one, ev.ExecutionStarted)[0]


ORDER = StartLanes(path="loop", lanes=2, window=1, stream=1, items=ValueCodec("x").encode([1, 2, 3]))


def test_lanes_are_created_once_however_often_they_are_asked_for() -> None:
    spread = Spread()
    one, begun = started(spread)
    service = LoopLanes(lambda: spread.platform)
    for _ in range(2):
        service.start(SCOPE, begun, ORDER, [1, 2, 3])
    first = spread.events(lane_name(one, 1))
    assert 1 == len(first)
    assert ((0, 2, 2), "loop") == ((first[0].lane.first, first[0].lane.step, first[0].lane.count), first[0].lane.path)
    assert [lane_name(one, 1), lane_name(one, 2)] * 2 == [name for _, name in spread.orchestrator.started[1:]]


def test_a_lane_that_was_told_to_stop_before_it_was_there_never_begins() -> None:
    spread = Spread()
    one, begun = started(spread)
    service = LoopLanes(lambda: spread.platform)
    assert (1,) == service.tell(SCOPE, begun, TellLanes("loop", "cancel", (1,)))
    assert () == service.tell(SCOPE, begun, TellLanes("loop", "close", (2,)))
    service.start(SCOPE, begun, ORDER, [1, 2, 3])
    assert ([], 1) == (spread.events(lane_name(one, 1)), len(spread.events(lane_name(one, 2))))


def test_a_lane_that_is_told_to_stop_hears_why() -> None:
    spread = Spread()
    one, begun = started(spread)
    service = LoopLanes(lambda: spread.platform)
    service.start(SCOPE, begun, ORDER, [1, 2, 3])
    why = ev.Failure(kind="timeout", code="task-timeout", message="late", details={"after": [1]})
    assert () == service.tell(SCOPE, begun, TellLanes("loop", "cancel", (1,), why))
    (row,) = spread.documents.query(SCOPE, Table.HISTORY, inbox_partition(lane_name(one, 1)), within=Range()).rows
    event = event_of(message_of(row.item), 7, ValueCodec(one))
    assert isinstance(event, ev.CancelRequested)
    assert why == event.failure


def test_a_lane_that_was_told_to_stop_twice_before_it_was_there_never_begins() -> None:
    spread = Spread()
    one, begun = started(spread)
    service = LoopLanes(lambda: spread.platform)
    for _ in range(2):
        service.tell(SCOPE, begun, TellLanes("loop", "cancel", (1, 2)))
    service.start(SCOPE, begun, ORDER, [1, 2, 3])
    assert [] == spread.events(lane_name(one, 2))


def test_a_lane_that_begins_while_it_is_told_to_stop_hears_of_it() -> None:
    spread = Spread()
    one, begun = started(spread)
    service = LoopLanes(lambda: spread.platform)
    documents = spread.documents
    write = documents.write

    def late(scope: Any, ops: Any) -> None:
        documents.write = write  # type: ignore[method-assign]
        service.start(SCOPE, begun, ORDER, [1, 2, 3])
        write(scope, ops)

    documents.write = late  # type: ignore[method-assign]
    assert () == service.tell(SCOPE, begun, TellLanes("loop", "cancel", (1,)))
    actor = read_actor(documents, SCOPE, lane_name(one, 1))
    assert actor is not None
    assert (1, False) == (actor.inbox_seq, actor.done)


def test_a_report_to_an_execution_that_is_over_is_no_error() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1]}}")
    spread.settle()
    begun = spread.events(lane_name(one, 1), ev.ExecutionStarted)[0]
    service = LoopLanes(lambda: spread.platform)
    before = read_actor(spread.documents, SCOPE, one)
    service.report(SCOPE, begun, TellFailures(ev.LaneReport(failures=1)))
    service.report(SCOPE, begun, NotifyParent(status="succeeded"))
    assert before == read_actor(spread.documents, SCOPE, one)
    gone = msgspec.structs.replace(begun, execution="0000.1")
    service.report(SCOPE, gone, NotifyParent(status="succeeded"))
    assert read_actor(spread.documents, SCOPE, "0000") is None


def test_an_execution_stands_still_with_its_lane() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1]}}")
    spread.drive(one)
    mark_stalled(spread.documents, SCOPE, lane_name(one, 1), "it broke", spread.clock.now())
    item = spread.documents.get(SCOPE, summary_key(one))
    assert item is not None
    assert ("stalled", "it broke") == (item.attrs["status"], item.attrs["errorMessage"])


def test_a_driver_without_lanes_says_so() -> None:
    spread = Spread()
    one = spread.each([call("a")], "{{[1]}}")
    spread.world = replace(spread.world, lanes=None)
    with pytest.raises(StoreUnavailable, match="large loops"):
        spread.drive(one)


# the list of lanes


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"tenant": "acme", "execution": "x", "first": "a", "count": 1},
        {"tenant": "acme", "execution": "x", "first": 0, "count": 1},
        {"tenant": "acme", "execution": "x", "first": 1, "count": 101},
        {"tenant": "acme", "execution": "x", "first": 1, "count": 0},
    ],
)
def test_an_order_that_names_no_lanes_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest, match="lanes"):
        prepare_lanes(Spread().platform, body)


def test_a_store_that_no_state_machine_reads_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="No state machine reads"):
        prepare_lanes(Spread().platform, {"tenant": "acme", "execution": "x", "first": 1, "count": 2})
