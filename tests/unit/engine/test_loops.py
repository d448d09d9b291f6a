"""forEach: windows, order, tolerance, names, nesting, and what is kept of iterations that are over."""

from __future__ import annotations

import random
from typing import Any

import pytest

from millrace.base.limits import ITERATIONS
from millrace.engine import events as ev
from millrace.engine.state import GONE

from .nested import bare, choose, each, flow, played, resumed, shape, sound, window, work
from .play import CRASH, NEVER, Play, failure, retry

BAD = failure("http", "500", retryable=False)


def statuses(output: list[dict[str, Any]]) -> list[str]:
    return [entry["status"] for entry in output]


@pytest.mark.parametrize("parallel", [1, 2, 3, 7, 50])
def test_no_more_iterations_run_at_once_than_may_and_as_many_as_may_do(parallel: int) -> None:
    loop = each("loop", list(range(12)), work("a"), work("b", "a"), parallel=parallel)
    done = played(loop, lasting={f"loop[{slot}]/a": 5 + slot % 3 for slot in range(12)})
    assert min(parallel, 12) == window(done, "loop")
    assert {"succeeded"} == set(statuses(done.output()["loop"]))


@pytest.mark.parametrize("seed", range(4))
def test_the_output_is_in_the_order_of_the_items_whatever_ends_first(seed: int) -> None:
    rng = random.Random(seed)
    lasting = {f"loop[{slot}]/a": rng.randint(1, 500) for slot in range(9)}
    loop = each("loop", "{{input}}", work("a"), shape("b", ["{{item}}", "{{index}}"], "a"), parallel=4)
    done = played(loop, value=list("abcdefghi"), lasting=lasting)
    assert [[letter, at] for at, letter in enumerate("abcdefghi")] == [
        entry["output"]["b"] for entry in done.output()["loop"]
    ]


@pytest.mark.parametrize(
    ("count", "tolerate", "failing", "status"),
    [
        (4, 0, 0, "succeeded"),
        (4, 0, 1, "failed"),
        (4, 2, 2, "succeeded"),
        (4, 2, 3, "failed"),
        (4, 9, 4, "succeeded"),
        (10, "30%", 3, "succeeded"),
        (10, "30%", 4, "failed"),
        (10, "39%", 3, "succeeded"),
        (10, "39%", 4, "failed"),
        (3, "33%", 0, "succeeded"),
        (3, "33%", 1, "failed"),
        (3, "33.4%", 1, "succeeded"),
        (3, "100%", 3, "succeeded"),
        (3, "0%", 1, "failed"),
    ],
)
def test_as_many_iterations_may_fail_as_are_tolerated_and_a_share_is_rounded_down(
    count: int, tolerate: int | str, failing: int, status: str
) -> None:
    loop = each("loop", list(range(count)), work("a"), tolerate=tolerate, parallel=50)
    done = played(loop, answers={f"loop[{slot}]/a": [BAD] for slot in range(failing)})
    assert status == done.finished().status
    if status == "succeeded":
        assert ["failed"] * failing + ["succeeded"] * (count - failing) == statuses(done.output()["loop"])


def test_a_failed_iteration_says_why_and_gives_what_its_other_leaves_gave() -> None:
    loop = each("loop", [1], work("a"), work("b", "a"), work("c"), tolerate=1)
    done = played(loop, answers={"loop[0]/a": [BAD]})
    error = {"kind": "http", "code": "500", "message": "http 500", "task": "loop[0]/a"}
    assert [{"status": "failed", "output": {"c": "loop[0]/c"}, "error": error}] == done.output()["loop"]


def test_with_too_many_failures_nothing_more_begins_and_what_runs_ends() -> None:
    loop = each("loop", list(range(9)), work("a"), work("b", "a"), parallel=3, tolerate=1)
    answers = {"loop[0]/a": [BAD], "loop[1]/a": [BAD]}
    done = played(loop, answers=answers, lasting={"loop[2]/a": 300})
    assert {"loop[0]", "loop[1]", "loop[2]", "loop[3]"} == {e.path.split("/")[0] for e in done.of(ev.AttemptStarted)}
    assert 1 == len(done.of(ev.AttemptStarted, "loop[2]/b"))
    assert "loop[0]/a" in done.failure("loop").message
    assert {"task": "loop[0]/a", "failed": [0, 1], "iterations": 9, "tolerated": 1} == done.failure("loop").details


def test_a_failure_names_the_first_item_in_order_and_ten_of_them_at_most() -> None:
    answers = {f"loop[{slot}]/a": [BAD] for slot in range(2, 20)}
    done = played(each("loop", list(range(20)), work("a"), parallel=20), answers=answers)
    why = done.failure("loop")
    assert ("loop[2]/a", list(range(2, 12))) == (why.details["task"], why.details["failed"])
    assert "18 of 20 iterations failed, 0 may" in why.message


def test_an_empty_array_is_an_empty_output_and_goes_through_the_mapping() -> None:
    done = played(each("loop", [], work("a")), each("n", [], work("a"), output={"n": "{{size(output)}}"}))
    assert {"loop": [], "n": {"n": 0}} == done.output()
    assert [] == done.of(ev.ScopeOpened)


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("text", "not-an-array", "forEach was given a string, not an array."),
        ({"a": 1}, "not-an-array", "forEach was given a map with a, not an array."),
        (None, "not-an-array", "forEach was given null, not an array."),
        ([0] * (ITERATIONS + 1), "too-many-tasks", f"{ITERATIONS + 1} items, and a forEach takes {ITERATIONS}"),
    ],
    ids=["text", "object", "null", "too long"],
)
def test_what_is_no_array_of_items_is_refused(value: Any, code: str, said: str) -> None:
    done = Play(flow(each("loop", "{{input}}", work("a"))), value=value).run()
    assert code == done.failure("loop").code
    assert said in done.failure("loop").message


def test_items_and_positions_have_names_of_their_own_in_nested_loops() -> None:
    inner = each("in", "{{row}}", shape("s", ["{{i}}", "{{j}}", "{{row}}", "{{cell}}"]), named="cell", counted="j")
    done = played(each("out", [["a", "b"], ["c"]], inner, named="row", counted="i"))
    found = [[one["output"]["s"] for one in entry["output"]["in"]] for entry in done.output()["out"]]
    assert [[[0, 0, ["a", "b"], "a"], [0, 1, ["a", "b"], "b"]], [[1, 0, ["c"], "c"]]] == found


def test_a_failure_deep_inside_is_told_with_the_way_to_it() -> None:
    inner = each("in", [1, 2], work("a"), named="cell", counted="j")
    done = played(each("out", [1, 2], inner), answers={"out[1]/in[0]/a": [BAD]})
    message = done.failure("out").message
    assert message.startswith("1 of 2 iterations failed, 0 may. The first, 1: Task 'out[1]/in' failed: ")
    assert message.endswith("Task 'out[1]/in[0]/a' failed: http 500")


def test_large_items_and_outputs_are_fetched_where_they_are_needed() -> None:
    big = "x" * 70_000
    loop = each("loop", "{{tasks.list.output}}", work("a", reads="{{item}}"), work("b", reads="{{tasks.a.output}}"))
    done = played(
        work("list"),
        loop,
        shape("last", "{{tasks.loop.output}}"),
        answers={"list": [[big, "small"]], "loop[0]/a": [big + "y"], "loop[1]/b": [big + "z"]},
    )
    assert [{"b": "loop[0]/b"}, {"b": big + "z"}] == [entry["output"] for entry in done.output()["last"]]
    sizes = {event.path: event.config.size > 70_000 for event in done.of(ev.AttemptStarted) if event.config}
    assert {"list": False, "loop[0]/a": True, "loop[1]/a": False, "loop[0]/b": True, "loop[1]/b": False} == sizes


def test_a_run_read_from_its_log_fetches_items_and_outputs_and_goes_on_the_same() -> None:
    big = ["x" * 70_000, "y" * 70_000]
    inner = choose("pick", "{{item}}", [({"when": "size(value) > 1"}, [work("c", reads="{{item}}")])])
    loop = each("loop", "{{tasks.list.output}}", work("a"), inner, work("b", "pick", reads="{{tasks.a.output}}"))
    whole = played(work("list"), loop, answers={"list": [big], "loop[0]/a": [big], "loop[1]/b": [big]})
    for length in range(2, len(whole.events)):
        again = resumed(whole, length)
        assert whole.finished().status == again.finished().status
        assert whole.output() == again.output()


def test_a_large_input_reaches_what_was_open_when_a_driver_took_over() -> None:
    inner = choose("pick", 1, [(1, [work("c", reads="{{input.text}}"), work("d", "c", reads="{{input.text}}")])])
    whole = Play(flow(each("loop", [1, 2], work("a"), inner, dependsOn=[])), value={"text": "x" * 70_000}).run()
    for length in range(2, len(whole.events)):
        again = resumed(whole, length)
        assert whole.output() == again.output()
        first = again.of(ev.AttemptStarted, "loop[1]/pick/0/d")[0]
        assert first.config.size > 70_000


def test_outputs_that_no_value_can_hold_together_are_refused_before_they_are_fetched() -> None:
    big = "x" * (6 * 1024 * 1024)
    done = Play(flow(each("loop", [1, 2, 3], work("a"))), answers={f"loop[{n}]/a": [big] for n in range(3)}).run()
    assert ("too-large", 0) == (done.failure("loop").kind, done.fetched)
    assert "16,777,216" in done.failure("loop").message


def test_many_large_outputs_are_asked_for_at_once() -> None:
    answers = {f"loop[{n}]/a": [f"{n}" * 70_000] for n in range(20)}
    done = Play(flow(each("loop", list(range(20)), work("a"), parallel=20)), answers=answers).run()
    assert (20, "succeeded") == (done.fetched, done.finished().status)
    assert done.settles < 10


def test_iterations_retry_crash_and_go_on_by_themselves() -> None:
    policy = {"maxAttempts": 3, "interval": "1s", "jitter": "none", "strategy": "constant"}
    loop = each(
        "loop", [0, 1, 2, 3],
        work("a", retry=policy), work("soft", "a", continueOnError=True), work("b", "soft"),
        tolerate=1, parallel=2,
    )  # fmt: skip
    answers = {
        "loop[0]/a": [failure(), failure(), "third"],
        "loop[1]/a": [CRASH, "again"],
        "loop[2]/soft": [BAD],
        "loop[3]/a": [failure(), failure(), failure()],
    }
    done = played(loop, answers=answers)
    assert ["succeeded", "succeeded", "succeeded", "failed"] == statuses(done.output()["loop"])
    assert {"loop[0]/a": 3, "loop[1]/a": 2, "loop[3]/a": 3} == {
        path: len(done.of(ev.AttemptStarted, path)) for path in ("loop[0]/a", "loop[1]/a", "loop[3]/a")
    }
    assert [1000, 1000] == done.delays("loop[0]/a")
    assert 1 == len(done.of(ev.AttemptStarted, "loop[2]/b"))
    assert 9 + 3 + 3 == done.state.tally["attempts"]


def test_a_loop_holds_no_more_tasks_than_may_run_however_many_items_there_are() -> None:
    held = Play(
        flow(each("loop", "{{input}}", work("a"), shape("b", "{{[tasks.a.output]}}"), parallel=7, mode="inline")),
        value=[0] * 2000,
    )
    most = 0
    take = held.take

    def counted(event: ev.Event) -> None:
        nonlocal most
        take(event)
        most = max(most, sum(task is not GONE for task in held.state.tasks), len(held.state.index))

    held.take = counted  # type: ignore[method-assign]
    held.run()
    assert 1 + 7 * 2 >= most
    assert (2000, 1) == (len(held.output()["loop"]), len(held.state.index))
    assert {"succeeded": 4000, "attempts": 2000} == held.state.tally
    assert ([], {}, 0) == (held.state.ready, held.state.opened, held.state.promised)


def test_the_start_of_a_loop_may_be_cut_off_anywhere_and_the_rest_is_the_same() -> None:
    policy = retry(interval_ms=1000)
    assert policy.declared
    loop = each("loop", [1, 2, 3, 4], work("a"), work("b", "a"), parallel=2, tolerate="50%")
    whole = played(loop, work("z", "loop"), answers={"loop[1]/a": [BAD]})
    for length in range(2, len(whole.events)):
        assert whole.output() == resumed(whole, length).output()


def test_a_condition_may_skip_a_task_of_some_iterations_and_what_follows_it() -> None:
    loop = each(
        "loop", [1, 2, 3], work("a", condition="item != 2"), work("b", "a"), work("c", "a", triggerRule="all_done")
    )
    done = played(loop)
    assert [["b", "c"], ["c"], ["b", "c"]] == [sorted(entry["output"]) for entry in done.output()["loop"]]
    assert ["succeeded"] * 3 == statuses(done.output()["loop"])


def test_a_condition_of_the_loop_skips_all_of_it() -> None:
    done = played(
        each("loop", [1], work("a"), condition=False), work("b", "loop"), work("c", "loop", triggerRule="always")
    )
    assert {"loop": "skipped", "b": "skipped", "c": "succeeded"} == done.statuses()


def test_a_task_that_did_not_wait_sees_what_ends_while_its_iterations_run() -> None:
    """With an early rule the loop opens before ``slow`` is over; the later task of each iteration reads it."""
    inner = choose("in", 1, [(1, [work("x"), shape("y", ["{{tasks.slow?.output ?? 'not yet'}}"], "x")])])
    loop = each("loop", [1, 2], inner, dependsOn=["fast", "slow"], triggerRule="one_success")
    done = played(work("fast"), work("slow"), loop, lasting={"slow": 50, "loop[0]/in/0/x": 5, "loop[1]/in/0/x": 90})
    found = [entry["output"]["in"]["y"] for entry in done.output()["loop"]]
    assert [["not yet"], ["slow"]] == found


def test_what_is_shown_late_to_an_open_body_may_be_large() -> None:
    inner = work("y", "x", reads="{{tasks.slow?.output ?? 'not yet'}}")
    loop = each("loop", [1], work("x"), inner, dependsOn=["fast", "slow"], triggerRule="one_success")
    done = played(
        work("fast"), work("slow"), loop, answers={"slow": ["s" * 70_000]}, lasting={"slow": 20, "loop[0]/x": 90}
    )
    (started,) = done.of(ev.AttemptStarted, "loop[0]/y")
    assert started.config.size > 70_000


def test_a_loop_whose_input_cannot_be_rendered_fails_and_its_fallback_stands_in() -> None:
    loop = each("loop", "{{input.nothing}}", work("a"), fallback={"task": bare()})
    done = played(loop, value={})
    assert {"loop": "loop/fallback"} == done.output()
    assert ["fallback"] == [event.kind for event in done.of(ev.ScopeOpened)]


def test_a_priority_inside_a_loop_decides_who_gets_the_room() -> None:
    low, high = work("low", priority=-5), work("high", priority=9)
    done = played(each("loop", [1, 2], low, high, parallel=2), work("own", priority=0), parallelLimit=1)
    order = [event.path for event in done.of(ev.AttemptStarted)]
    assert ["loop[0]/high", "loop[1]/high", "loop[0]/low", "loop[1]/low"] == [path for path in order if path != "own"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_parallel_limit_holds_across_all_bodies_and_never_locks_up(limit: int) -> None:
    inner = each("in", [1, 2, 3], work("a"), work("b", "a"), named="cell", counted="j")
    loop = each("out", [1, 2, 3], choose("pick", 1, [(1, [inner, work("c")])]), parallel=3)
    done = played(loop, work("x"), work("y", "x"), parallelLimit=limit)
    assert ("succeeded", limit) == (done.finished().status, done.most)


def test_an_iteration_that_never_ends_keeps_only_its_own_place() -> None:
    held = Play(flow(each("loop", [1, 2, 3], work("a"), parallel=2)), answers={"loop[0]/a": [NEVER]}).run()
    assert {"loop": "open", "loop[0]/a": "running"} == held.statuses()
    assert {1: "succeeded", 2: "succeeded"} == {
        slot: result.tasks["a"].status for slot, result in held.state.opened[0].results.items()
    }
    sound(held)
