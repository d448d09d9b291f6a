"""Large loops run in lanes: as one loop would, with a log each, told to stop together and counted together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.errors import Corrupt
from millrace.base.limits import LANES, SPREAD_ABOVE, VALUE_BYTES
from millrace.engine import events as ev
from millrace.engine.commands import StartLanes
from millrace.engine.plan import Plan
from millrace.engine.spreading import arrangement, lane_plan, threshold

from .fleet import Fleet, sound
from .nested import bare, child, choose, each, flow, played, shape, work
from .play import NEVER, Play, failure

BAD = failure("http", "500", retryable=False)


def spread(*tasks: dict[str, Any], value: Any = None, **more: Any) -> Fleet:
    """Run a workflow to its end, every snapshot of every log compared."""
    ours = {key: more.pop(key) for key in ("answers", "lasting", "children", "seed", "deaf", "starts") if key in more}
    return sound(Fleet(flow(*tasks, **more), value=value, **ours).run())


def opened(play: Play, path: str = "loop") -> ev.ScopeOpened:
    return next(one for one in play.events if isinstance(one, ev.ScopeOpened) and one.path == path)


def kinds(play: Play) -> list[str]:
    return [type(event).__name__ for event in play.events]


@given(most=st.integers(1, 1000), count=st.integers(1, 50_000))
def test_lanes_together_never_run_more_at_once_than_may(most: int, count: int) -> None:
    lanes, window = arrangement(most, count)
    assert 1 <= lanes * window <= most
    assert lanes <= min(count, LANES)


@pytest.mark.parametrize(
    ("most", "expected"), [(1, (1, 1)), (7, (7, 1)), (10, (5, 2)), (40, (4, 10)), (100, (10, 10)), (1000, (100, 10))]
)
def test_few_lanes_serve_few_items_at_once_and_many_serve_many(most: int, expected: tuple[int, int]) -> None:
    assert expected == arrangement(most, 10_000)


@pytest.mark.parametrize(("count", "lanes"), [(SPREAD_ABOVE, 0), (SPREAD_ABOVE + 1, 5)])
def test_a_loop_runs_in_lanes_above_five_hundred_items(count: int, lanes: int) -> None:
    done = Fleet(flow(each("loop", "{{input}}", shape("a", "{{[item]}}"))), value=list(range(count))).run()
    assert (lanes, lanes) == (opened(done).lanes, len(done.parts))
    assert [[at] for at in range(count)] == [entry["output"]["a"] for entry in done.output()["loop"]]


@pytest.mark.parametrize(
    ("block", "lanes"),
    [
        ({"mode": "inline"}, False),
        ({"mode": "distributed"}, True),
        ({"threshold": 2}, True),
        ({"threshold": 3}, False),
        ({}, False),
    ],
)
def test_the_document_may_say_where_the_iterations_run(block: dict[str, Any], lanes: bool) -> None:
    done = spread(each("loop", [1, 2, 3], work("a"), **block))
    assert lanes is bool(done.parts)
    assert ["loop[0]/a", "loop[1]/a", "loop[2]/a"] == [one["output"]["a"] for one in done.output()["loop"]]


def test_with_a_limit_of_the_workflow_only_a_loop_that_asks_runs_in_lanes_and_keeps_to_it() -> None:
    plan = flow(each("loop", "{{input}}", work("a"), threshold=2), parallelLimit=3)
    assert not Fleet(plan, value=[1] * 9).run().parts
    asked = spread(each("loop", "{{input}}", work("a"), mode="distributed"), parallelLimit=3, value=[1] * 9)
    assert (3, 1) == (opened(asked).lanes, opened(asked).window)


@pytest.mark.parametrize(
    "inside", [{"event": {"type": "x", "timeout": "1s"}}, {"type": "approval", "approvers": ["user:a"]}]
)
def test_what_waits_for_messages_from_outside_stays_with_the_execution_that_gets_them(inside: dict[str, Any]) -> None:
    deep = choose("sw", 1, [(1, [{"id": "w", "timeout": "1s", **inside}])])
    found = flow(each("loop", [1, 2, 3], deep, threshold=1)).nodes[0].scope
    assert found is not None
    assert found.spread is None


def test_a_loop_that_may_begin_early_runs_in_the_execution_unless_it_asks() -> None:
    early = each("loop", [1, 2, 3], work("a"), threshold=1, dependsOn=["x"], triggerRule="one_success")
    found = flow(work("x"), early).nodes[1].scope
    assert found is not None
    assert found.spread is None


def test_a_history_of_an_earlier_engine_a_test_and_a_dry_run_have_no_lanes() -> None:
    plan = flow(each("loop", [1, 2, 3], work("a"), mode="distributed"))
    for change in ({"semantics": 2}, {"mode": "test"}, {"mode": "dry"}):
        fleet = Fleet(plan, begun=False)
        fleet.take(msgspec.structs.replace(Play(plan).events[0], **change))
        assert {} == fleet.run().parts
        assert 3 == len(fleet.output()["loop"])


def test_inside_lanes_everything_around_the_loop_is_seen_and_positions_are_those_of_the_whole() -> None:
    tasks = (
        work("before"),
        work("early"),
        each(
            "rows",
            [10, 20],
            each(
                "loop",
                "{{[1, 2, 3, row]}}",
                shape("seen", ["{{row}}", "{{at}}", "{{one}}", "{{i}}", "{{tasks.before.output}}", "{{state.twice}}"]),
                shape("told", ["{{state.early}}", 7]),
                shape("more", ["{{config.deep}}", "{{execution.id}}", "{{input.a}}", "{{tasks.seen.output}}"]),
                each("inner", "{{[one, i]}}", shape("x", "{{[y * row]}}"), named="y", mode="distributed"),
                named="one",
                counted="i",
                mode="distributed",
                parallel=2,
            ),
            named="row",
            counted="at",
        ),
    )
    more: dict[str, Any] = {
        "value": {"a": 5},
        "config": {"deep": 4},
        "state": {"twice": "{{[tasks.before.output, '!']}}", "early": "{{tasks.early.output}}"},
    }
    done = spread(*tasks, **more)
    plain = Fleet(flow(*tasks, **{k: v for k, v in more.items() if k != "value"}), value={"a": 5}, begun=False)
    plain.take(msgspec.structs.replace(done.events[0], semantics=2))
    assert plain.run().output() == done.output()
    seen = [10, 0, 3, 2, "before", ["before", "!"]]
    found = done.output()["rows"][0]["output"]["loop"][2]["output"]
    assert ([4, "x1", 5, seen], ["early", 7]) == (found["more"], found["told"])
    assert {1, 2, 3, 4} == set(done.parts)
    assert [("rows[0]/loop", 1), ("rows[1]/loop", 3)] == [
        (one.path, one.stream) for one in done.events if isinstance(one, ev.ScopeOpened) and one.lanes
    ]


@pytest.mark.repeats
@given(
    count=st.integers(1, 14),
    parallel=st.integers(1, 9),
    bad=st.sets(st.integers(0, 13)),
    tolerate=st.integers(0, 14),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_in_lanes_and_without_the_same_comes_of_a_loop(
    count: int, parallel: int, bad: set[int], tolerate: int, data: st.DataObject
) -> None:
    answers = {f"loop[{at}]/a": [BAD] for at in bad}
    lasting = {f"loop[{at}]/a": data.draw(st.integers(1, 50)) for at in range(count)}

    def run(mode: str) -> Fleet:
        loop = each(
            "loop",
            "{{input}}",
            work("a"),
            shape("b", "{{[item, index]}}"),
            parallel=parallel,
            tolerate=tolerate,
            mode=mode,
        )
        return spread(loop, value=list(range(count)), answers=answers, lasting=lasting)

    here, there = run("inline"), run("distributed")
    assert here.finished().status == there.finished().status
    if here.finished().status == "succeeded":
        assert here.output() == there.output()
        assert here.state.tally == there.state.tally
    else:
        found = there.finished().failure
        assert found is not None
        assert (count, tolerate) == (found.details["iterations"], found.details["tolerated"])
        assert found.details["task"] == f"loop[{found.details['failed'][0]}]/a"


def test_no_more_iterations_run_at_once_than_the_loop_allows() -> None:
    fleet = Fleet(flow(each("loop", "{{input}}", work("a"), parallel=7, mode="distributed")), value=[0] * 50)
    most: list[int] = []
    fleet.on_step = lambda: most.append(fleet.running())
    fleet.run()
    assert 7 == max(most)


def test_lanes_hold_no_more_tasks_than_run_and_keep_what_came_of_the_others() -> None:
    done = spread(each("loop", "{{input}}", work("a"), parallel=2, mode="distributed"), value=[0] * 20)
    assert {"succeeded": 20, "attempts": 20} == done.state.tally
    assert all(1 == len(part.state.index) for part in done.parts.values())


def test_more_failures_than_may_be_close_every_lane_and_the_failure_names_the_first() -> None:
    answers = {f"loop[{at}]/a": [BAD] for at in (4, 5)}
    lasting = {f"loop[{at}]/a": 100 for at in (4, 5)}
    done = spread(
        each("loop", "{{input}}", work("a"), parallel=2, tolerate=1, mode="distributed"),
        value=[0] * 40,
        answers=answers,
        lasting=lasting,
    )
    found = done.finished().failure
    assert found is not None
    assert "2 of 40 iterations failed, 1 may. The first, 4: Task 'loop[4]/a' failed: http 500" == found.message
    assert {"task": "loop[4]/a", "failed": [4, 5], "iterations": 40, "tolerated": 1} == found.details
    assert ("http", "500") == (found.kind, found.code)
    assert "close" in {stance for stance, _ in done.told}
    begun = Counter(path.partition("/")[0] for part in done.parts.values() for path in _started(part))
    assert 40 > len(begun)


@pytest.mark.parametrize("mode", ["distributed", "inline"])
def test_a_loop_that_failed_names_its_first_ten_failed_iterations(mode: str) -> None:
    done = spread(
        each("loop", "{{input}}", work("a"), parallel=2, tolerate=12, mode=mode),
        value=[0] * 14,
        answers={f"loop[{at}]/a": [BAD] for at in range(14)},
    )
    found = done.finished().failure
    assert found is not None
    assert ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 14) == (found.details["failed"], found.details["iterations"])


def _started(part: Play) -> list[str]:
    return [event.path for event in part.events if isinstance(event, ev.AttemptStarted)]


def test_a_lane_tells_of_failures_only_beyond_its_share_of_those_that_may_be() -> None:
    answers = {f"loop[{at}]/a": [BAD] for at in (0, 2, 4, 1)}
    done = spread(
        each("loop", "{{input}}", work("a"), parallel=2, tolerate=4, mode="distributed"),
        value=[0] * 12,
        answers=answers,
    )
    running = [one for one in done.events if isinstance(one, ev.LaneReported) and one.status == "running"]
    assert [(0, 3)] == [(one.lane, one.report.failures) for one in running]
    assert (1, 0) == (kinds(done.parts[1]).count("FailuresReported"), kinds(done.parts[2]).count("FailuresReported"))
    assert "succeeded" == done.finished().status
    assert [0, 1, 2, 4] == [at for at, one in enumerate(done.output()["loop"]) if one["status"] == "failed"]


def test_a_cancel_reaches_the_lanes_and_the_execution_waits_for_their_end() -> None:
    fleet = Fleet(
        flow(each("loop", [1, 2, 3, 4], work("a"), parallel=2, mode="distributed")), lasting={"loop[0]/a": 900}
    )
    fleet.answers = {"loop[0]/a": [NEVER], "loop[1]/a": [NEVER]}
    fleet.run()
    fleet.cancel("enough")
    sound(fleet.run())
    assert "cancelled" == fleet.finished().status
    assert [("cancel", (1, 2))] == fleet.told
    assert ["cancelled", "cancelled"] == [part.finished().status for part in fleet.parts.values()]
    ends = [type(event).__name__ for event in fleet.events]
    assert ends.index("ExecutionFinished") > max(at for at, kind in enumerate(ends) if kind == "LaneReported")
    assert {"cancelled": 2, "attempts": 2} == fleet.state.tally


def test_a_cancel_before_the_lanes_are_there_waits_for_none() -> None:
    fleet = Fleet(flow(each("loop", [1, 2, 3, 4], work("a"), mode="distributed")), starts=False)
    fleet.run()
    fleet.cancel()
    sound(fleet.run())
    assert ("cancelled", {}) == (fleet.finished().status, fleet.parts)


def test_a_driver_that_takes_over_starts_the_lanes_again_until_they_are_there() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed")), starts=False)
    fleet.run()
    first = fleet.effects[-1]
    fleet.starts = True
    fleet.run()
    assert isinstance(first, StartLanes)
    assert first == fleet.effects[-1]
    assert "succeeded" == fleet.finished().status


def test_the_timeout_of_a_loop_stops_its_lanes_and_then_the_loop() -> None:
    done = spread(
        each("loop", [1, 2, 3], work("a"), timeout="5s", parallel=2, mode="distributed"), answers={"loop[0]/a": [NEVER]}
    )
    found = done.finished().failure
    assert found is not None
    assert ("failed", "task-timeout", 1_005_000) == (done.finished().status, found.code, done.now)
    assert [("cancel", (1,))] == done.told


def test_the_timeout_of_the_workflow_stops_the_lanes() -> None:
    done = spread(each("loop", [1, 2, 3], work("a"), mode="distributed"), timeout="5s", answers={"loop[0]/a": [NEVER]})
    assert ("timedOut", ["cancelled", "succeeded"]) == (
        done.finished().status,
        [part.finished().status for part in done.parts.values()][:2],
    )


STOPS = {
    "the loop's time": lambda loop: ([{**loop, "timeout": "5s"}], {}, ""),
    "the time of what is around": lambda loop: ([choose("sw", 1, [(1, [loop])], timeout="5s")], {}, "sw/0/"),
    "the workflow's time": lambda loop: ([loop], {"timeout": "5s"}, ""),
    "a cancel": lambda loop: ([loop], {}, ""),
    "a cancel of handlers": lambda loop: ([work("x")], {"finally": [loop]}, "finally/"),
}


@pytest.mark.parametrize("why", STOPS)
def test_what_is_ended_in_lanes_says_why_as_in_one_driver(why: str) -> None:
    told: list[dict[str, tuple[str, str, str, str]]] = []
    for mode in ("inline", "distributed"):
        loop = each("loop", [1, 2, 3], work("a"), mode=mode, parallel=2)
        tasks, more, prefix = STOPS[why](loop)
        held = [f"{prefix}loop[{at}]/a" for at in (0, 1)]
        fleet = Fleet(flow(*tasks, **more), answers={path: [NEVER] for path in held}).run()
        if "cancel" in why:
            fleet.cancel("enough")
            fleet.run()
        assert ("distributed" == mode) is bool(fleet.parts)
        ended = [event for play in fleet.everyone() for event in play.events if isinstance(event, ev.TaskFinished)]
        failures = {event.path: (event.status, event.failure) for event in ended if event.failure is not None}
        told.append({path: (failures[path][0], *_said(failures[path][1])) for path in held})
    assert told[0] == told[1]
    assert {"cancelled"} == {status for status, *_ in told[0].values()}


def _said(found: ev.Failure) -> tuple[str, str, str]:
    return found.kind, str(found.code), found.message


def test_the_timeout_of_what_stands_around_stops_the_lanes_inside() -> None:
    inner = each("loop", [1, 2], work("a"), mode="distributed")
    done = spread(choose("sw", 1, [(1, [inner])], timeout="5s"), answers={"sw/0/loop[0]/a": [NEVER]})
    found = done.finished().failure
    assert found is not None
    assert ("task-timeout", "sw") == (found.code, done.finished().failed_task)
    assert "cancelled" == done.parts[1].finished().status


def test_lanes_that_do_not_hear_hold_up_the_end_of_a_cancelled_execution() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed", timeout="1h")), deaf=True)
    fleet.answers = {"loop[0]/a": [NEVER], "loop[1]/a": [NEVER]}
    fleet.run()
    fleet.cancel()
    fleet.run()
    assert None is fleet.state.finished
    assert 1 == len(fleet.told)


def test_handlers_run_in_lanes_too_and_a_second_cancel_ends_them() -> None:
    plan = flow(work("x"), **{"finally": [each("loop", [1, 2], work("a"), mode="distributed")]})
    fleet = Fleet(plan, answers={"finally/loop[0]/a": [NEVER]}).run()
    assert "finally/loop" == opened(fleet, "finally/loop").path
    fleet.cancel()
    sound(fleet.run())
    assert ["cancelled", "succeeded"] == [part.finished().status for part in fleet.parts.values()]
    assert None is not fleet.state.finished


def test_a_pause_reaches_the_lanes_and_so_does_its_end() -> None:
    fleet = Fleet(flow(each("loop", [1, 2, 3, 4], work("a"), parallel=2, mode="distributed")))
    fleet.take(ev.PauseRequested(at=fleet.now, message="p0"))
    fleet.run()
    assert ["ExecutionStarted", "PauseRequested"] == kinds(fleet)
    fleet.take(ev.ResumeRequested(at=fleet.now, message="r0"))
    paused = False

    def pause() -> None:
        nonlocal paused
        if not paused and fleet.running():
            paused = True
            fleet.take(ev.PauseRequested(at=fleet.now, message="p1"))

    fleet.on_step = pause
    fleet.run()
    assert [("pause", (1, 2))] == fleet.told
    assert [True, True] == [part.state.paused for part in fleet.parts.values()]
    assert None is fleet.state.finished
    fleet.take(ev.ResumeRequested(at=fleet.now, message="r1"))
    sound(fleet.run())
    assert [("pause", (1, 2)), ("run", (1, 2))] == fleet.told
    assert ("succeeded", 4) == (fleet.finished().status, len(fleet.output()["loop"]))


def test_paused_before_its_lanes_are_there_a_loop_starts_none() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed")), starts=False)
    fleet.run()
    fleet.take(ev.PauseRequested(at=fleet.now, message="p1"))
    fleet.effects.clear()
    fleet.starts = True
    fleet.run()
    assert ([], {}) == (fleet.effects, fleet.parts)
    fleet.take(ev.ResumeRequested(at=fleet.now, message="r1"))
    assert "succeeded" == fleet.run().finished().status


def test_items_and_what_is_around_may_be_large() -> None:
    big = "x" * 70_000
    done = spread(
        work("before"),
        each(
            "loop",
            "{{input.rows}}",
            shape("a", ["{{item.at}}", "{{size(item.text)}}", "{{size(tasks.before.output)}}", "{{size(input.rows)}}"]),
            mode="distributed",
            parallel=2,
            dependsOn=["before"],
        ),
        value={"rows": [{"at": at, "text": big} for at in range(4)]},
        answers={"before": [big]},
    )
    assert [[at, 70_000, 70_000, 4] for at in range(4)] == [one["output"]["a"] for one in done.output()["loop"]]
    outer = opened(done).outer
    assert outer is not None
    assert outer.blob
    assert done.parts[1].fetched


def test_what_is_around_is_fetched_before_a_loop_is_split() -> None:
    big = "x" * 70_000
    loop = each("loop", [1, 2], shape("a", ["{{size(tasks.before.output)}}"]), mode="distributed", dependsOn=["before"])
    plan = flow(work("before"), loop)
    whole = Fleet(plan, answers={"before": [big]}).run()
    taken = Fleet(plan, begun=False)
    taken.codec.blobs |= whole.codec.blobs
    for event in whole.events[: whole.events.index(opened(whole))]:
        taken.take(event)
    sound(taken.run())
    assert (whole.output(), 1) == (taken.output(), taken.fetched)


def test_entries_that_are_large_are_fetched_when_all_lanes_are_over() -> None:
    big = "x" * 40_000
    done = spread(
        each("loop", [1, 2, 3, 4, 5], work("a"), mode="distributed", parallel=2),
        answers={f"loop[{at}]/a": [f"{at}{big}"] for at in range(5)},
    )
    assert [f"{at}{big}" for at in range(5)] == [one["output"]["a"] for one in done.output()["loop"]]


def test_entries_of_one_lane_that_no_value_holds_fail_the_loop() -> None:
    half = "x" * (VALUE_BYTES // 2)
    done = Fleet(
        flow(each("loop", [1, 2, 3, 4], work("a"), mode="distributed", parallel=2)),
        answers={f"loop[{at}]/a": [f"{at}{half}"] for at in (0, 2)},
    ).run()
    found = done.finished().failure
    assert found is not None
    assert ("too-large", "failed") == (found.code, done.parts[1].finished().status)


def test_entries_of_all_lanes_that_no_value_holds_fail_the_loop() -> None:
    half = "x" * (VALUE_BYTES // 2)
    done = Fleet(
        flow(each("loop", [1, 2], work("a"), mode="distributed", parallel=2)),
        answers={f"loop[{at}]/a": [f"{at}{half}"] for at in (0, 1)},
    ).run()
    found = done.finished().failure
    assert found is not None
    assert ("too-large", "succeeded") == (found.code, done.parts[1].finished().status)
    assert "loop" in found.message


def test_what_a_lane_says_twice_too_late_or_about_nothing_changes_nothing() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed", parallel=2), work("z", "loop")))
    fleet.answers = {"loop[1]/a": [NEVER]}
    fleet.run()
    end = next(one for one in fleet.events if isinstance(one, ev.LaneReported))
    before = fleet.state.tally.copy()
    fleet.take(end)
    fleet.take(msgspec.structs.replace(end, message="again"))
    fleet.take(msgspec.structs.replace(end, message="other", path="rows[7]/loop"))
    assert before == fleet.state.tally
    fleet.parts[2].answers = {}
    fleet.parts[2].flying.append((fleet.now, "loop[1]/a", 1))
    fleet.run()
    assert "succeeded" == fleet.finished().status
    for late in (
        msgspec.structs.replace(end, message="late"),
        ev.LanesStarted(at=1, path="loop"),
        ev.LanesTold(at=1, path="loop", stance="close"),
    ):
        fleet.take(late)
    close = ev.CloseRequested(at=1, message="c1")
    part = fleet.parts[1]
    for event in (close, close, ev.FailuresReported(at=1, failures=0)):
        part.take(event)
    assert ("succeeded", 0) == (part.finished().status, part.state.reported)


def test_fewer_failures_than_were_told_before_are_an_old_message() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed", parallel=2, tolerate=2)))
    fleet.answers = {"loop[0]/a": [NEVER], "loop[1]/a": [NEVER]}
    fleet.run()
    told = ev.LaneReported(
        at=1, path="loop", lane=0, stream=1, message="m-2", status="running", report=ev.LaneReport(2)
    )
    for event in (told, msgspec.structs.replace(told, message="m-1", report=ev.LaneReport(1))):
        fleet.take(event)
    assert 2 == fleet.state.opened[0].failures


def test_a_lane_that_was_cancelled_by_itself_fails_the_loop_and_closes_the_others() -> None:
    fleet = Fleet(flow(each("loop", [1, 2, 3, 4], work("a"), mode="distributed", parallel=2)))
    fleet.answers = {"loop[0]/a": [NEVER]}
    fleet.run()
    fleet.tell(fleet.parts[1], "cancel")
    fleet.run()
    found = fleet.finished().failure
    assert found is not None
    assert ("failed", "cancelled") == (fleet.finished().status, found.kind)


def test_a_part_that_ended_without_a_reason_is_told_as_cancelled() -> None:
    fleet = Fleet(flow(each("loop", [1, 2], work("a"), mode="distributed", parallel=2)))
    fleet.answers = {"loop[0]/a": [NEVER]}
    fleet.run()
    fleet.take(ev.LaneReported(at=1, path="loop", lane=0, stream=1, message="x", status="cancelled"))
    fleet.run()
    found = fleet.finished().failure
    assert found is not None
    assert "A part was cancelled." == found.message


def test_a_fallback_stands_in_for_a_loop_that_failed_in_lanes() -> None:
    done = spread(
        each("loop", [1, 2], work("a"), mode="distributed", fallback={"task": bare()}), answers={"loop[1]/a": [BAD]}
    )
    assert ("succeeded", {"loop": "loop/fallback"}) == (done.finished().status, done.output())


def test_a_loop_inside_a_fallback_a_case_or_a_handler_runs_in_lanes_of_its_own() -> None:
    plan = flow(
        choose("sw", 2, [(1, [work("no")]), (2, [each("loop", [1, 2], work("a"), mode="distributed")])]),
        each("rows", [1, 2], each("loop", [1], work("b"), mode="distributed"), named="row", counted="at"),
        work("bad"),
        onFailure={"forEach": {"items": [1, 2], "mode": "distributed"}, "tasks": [work("c")]},
    )
    done = sound(Fleet(plan, answers={"bad": [BAD]}).run())
    paths = {path for part in done.parts.values() for path in _started(part)}
    assert {
        *(f"sw/1/loop[{at}]/a" for at in (0, 1)),
        *(f"rows[{at}]/loop[0]/b" for at in (0, 1)),
        *(f"onFailure[{at}]/c" for at in (0, 1)),
    } == paths
    assert "failed" == done.finished().status


def test_a_lane_of_a_loop_that_the_version_does_not_have_is_corrupt() -> None:
    fleet = spread(each("loop", [1, 2], work("a"), mode="distributed"))
    begun = fleet.parts[1].events[0]
    assert isinstance(begun, ev.ExecutionStarted)
    for other in (flow(work("loop")), flow(work("other")), flow(work("x"), **{"finally": [work("y")]})):
        found: Plan | None = None
        lane = begun.lane
        assert lane is not None
        for path in ("gone", "finally/gone", "loop[0]/gone"):
            with pytest.raises(Corrupt, match="which its version does not have"):
                found = lane_plan(other, msgspec.structs.replace(begun, lane=msgspec.structs.replace(lane, path=path)))
        assert None is found


def test_lanes_start_other_executions_and_stop_them() -> None:
    done = spread(each("loop", [1, 2], child("c"), mode="distributed"), children={"loop[0]/c": 1, "loop[1]/c": 2})
    assert [1, 2] == [one["output"]["c"] for one in done.output()["loop"]]
    fleet = Fleet(
        flow(each("loop", [1, 2], child("c"), mode="distributed")), children={"loop[0]/c": NEVER, "loop[1]/c": NEVER}
    ).run()
    fleet.cancel()
    fleet.run()
    assert [1, 1] == [kinds(part).count("ChildCancelled") for part in fleet.parts.values()]
    assert "cancelled" == fleet.finished().status


def test_what_holds_a_place_shares_it_with_its_lanes() -> None:
    inner = each("loop", [1, 2], work("a", concurrency={"key": "k", "limit": 1}), mode="distributed")
    plan = flow({**inner, "concurrency": {"key": "k", "limit": 1}})
    fleet = Fleet(plan).run()
    fleet.take(ev.SlotGranted(at=fleet.now, path="loop", key="k"))
    fleet.run()
    start = next(one for one in fleet.effects if isinstance(one, StartLanes))
    assert ("k",) == start.slots
    assert [2, 2] == [len(_started(part)) + 1 for part in fleet.parts.values()]


def test_a_threshold_says_when_a_loop_runs_in_lanes() -> None:
    body = flow(work("a"))
    assert (None, 0, 500, 7, None) == (
        threshold("inline", None, body, limited=False),
        threshold("distributed", None, body, limited=True),
        threshold(None, None, body, limited=False),
        threshold(None, 7, body, limited=False),
        threshold(None, 7, body, limited=True),
    )


def test_an_inline_loop_of_the_same_document_keeps_its_events() -> None:
    done = played(each("loop", [1, 2, 3], work("a"), mode="inline"))
    assert 0 == opened(done).lanes
