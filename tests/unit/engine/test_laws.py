"""Laws of the engine over random plans and outcomes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine import events as ev
from millrace.engine.commands import Fetch, FinishTask, StartAttempt
from millrace.engine.decide import decide
from millrace.engine.evolve import evolve, fold
from millrace.engine.record import record
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.state import DONE

from .play import CRASH, NEVER, Play, failure, graph, retry

pytestmark = pytest.mark.repeats

POLICIES = [None, retry(interval_ms=7), retry(interval_ms=0, max_attempts=2), retry(jitter="full", max_attempts=4)]
CONDITIONS = [None, None, None, "true", "false", "input.n > 3", "input.n", "input.absent"]
ANSWERS: list[list[Any]] = [
    ["ok"],
    ["ok"],
    [{"n": 1}],
    [failure(), "later"],
    [failure(), failure(), "later"],
    [failure(retryable=False)],
    [CRASH, "ok"],
    [CRASH],
    [failure(), CRASH, "ok"],
    ["x" * 70_000],
]


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """A random graph, what each attempt brings, and how long it takes."""
    count = draw(st.integers(1, 9))
    names = [f"t{n}" for n in range(count)]
    tasks: dict[str, dict[str, Any]] = {}
    for position, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:position]), max_size=3, unique=True)) if position else []
        task: dict[str, Any] = {"needs": sorted(needs), "priority": draw(st.integers(-1, 2))}
        if needs and draw(st.booleans()):
            task["input"] = {need: f"{{{{tasks[{need!r}].status}}}}" for need in needs}
        task["condition"] = draw(st.sampled_from(CONDITIONS))
        policy = draw(st.sampled_from(POLICIES))
        if policy is not None:
            task["retry"] = policy
        if draw(st.integers(0, 5)) == 0:
            task["compute"] = lambda _value: {"pure": True}
        if draw(st.integers(0, 4)) == 0:
            task["go_on"] = True
        if needs and draw(st.integers(0, 4)) == 0:
            task["edges"] = {needs[0]: draw(st.sampled_from(["true", "false", "input.n > 3"]))}
        if draw(st.integers(0, 5)) == 0:
            task["timeout"] = draw(st.integers(5, 60))
        if draw(st.integers(0, 4)) == 0:
            task["output"] = {"mapped": "{{output}}"}
        tasks[name] = task
    return {
        "tasks": tasks,
        "answers": {name: draw(st.sampled_from(ANSWERS)) for name in names},
        "lasting": {name: draw(st.integers(0, 40)) for name in names},
        "limit": draw(st.sampled_from([None, None, 1, 2])),
        "timeout": draw(st.sampled_from([None, None, None, 100])),
    }


def begun(world: dict[str, Any], **more: Any) -> Play:
    plan = graph(world["tasks"], parallel_limit=world["limit"], timeout=world["timeout"])
    return Play(plan, **{"answers": world["answers"], "lasting": world["lasting"], "value": {"n": 5}, **more})


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_every_run_ends_in_one_terminal_state_with_every_task_done(world: dict[str, Any]) -> None:
    done = begun(world).run()
    assert 1 == len(done.of(ev.ExecutionFinished))
    assert isinstance(done.events[-1], ev.ExecutionFinished)
    assert set(done.statuses().values()) <= DONE
    assert (0, 0) == (done.state.open, done.state.running)
    failed = [name for name, status in done.statuses().items() if status == "failed"]
    fatal = [name for name in failed if not world["tasks"][name].get("go_on")]
    assert done.finished().status == "timedOut" or (bool(fatal) == (done.finished().status == "failed"))


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_the_state_is_the_fold_of_the_log_and_so_is_every_snapshot(world: dict[str, Any]) -> None:
    done = begun(world).run()
    for length in range(1, len(done.events) + 1):
        state = fold(done.plan, done.events[:length])
        thawed = thaw(done.plan, freeze(state))
        assert thawed is not None
        assert [] == equal(state, thawed)
    assert [] == [name for name in equal(done.state, done.folded()) if name not in ("unresolved", "views", "envs")]


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_no_command_comes_twice_after_it_was_recorded(world: dict[str, Any]) -> None:
    done = begun(world).run()
    starts = [(event.path, event.attempt) for event in done.of(ev.AttemptStarted)]
    ends = [event.path for event in done.of(ev.TaskFinished)]
    assert (len(set(starts)), len(set(ends))) == (len(starts), len(ends))
    for name in world["tasks"]:
        numbers = [attempt for path, attempt in starts if path == name]
        assert list(range(1, len(numbers) + 1)) == numbers
    limit = world["limit"]
    assert limit is None or done.most <= limit


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_decide_repeats_itself_until_a_command_is_recorded(world: dict[str, Any]) -> None:
    held = begun(world)
    for _ in range(200):
        commands = decide(held.plan, held.state, held.now)
        before = freeze(held.state)
        assert commands == decide(held.plan, held.state, held.now)
        assert before == freeze(held.state)
        todo = [command for command in commands if not isinstance(command, Fetch)]
        if not todo:
            break
        command = todo[0]
        if isinstance(command, FinishTask | StartAttempt):
            path = command.path
        else:
            break
        event = record(held.state, command, now=held.now, encode=held.codec.encode)
        held.take(event)
        again = decide(held.plan, held.state, held.now)
        assert command not in again, path


@settings(max_examples=120, deadline=None)
@given(worlds(), st.integers(0, 2**32))
def test_when_independent_tasks_end_never_changes_what_they_become(world: dict[str, Any], seed: int) -> None:
    """Without time limits, how long attempts take decides nothing."""
    calm = {**world, "timeout": None, "tasks": {n: {**t, "timeout": None} for n, t in world["tasks"].items()}}
    rng = random.Random(seed)
    one = begun(calm).run()
    other = begun(calm, lasting=lambda _path, _attempt: rng.randint(0, 50)).run()
    assert one.statuses() == other.statuses()
    assert one.skips() == other.skips()
    assert one.finished().status == other.finished().status
    assert {name: one.attempts(name) for name in calm["tasks"]} == {
        name: other.attempts(name) for name in calm["tasks"]
    }
    if one.finished().status == "succeeded":
        assert one.output() == other.output()


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(0, 60))
def test_a_cancel_at_any_moment_ends_the_run_and_starts_nothing_more(world: dict[str, Any], after: int) -> None:
    held = begun(world)
    held.settle()
    for _ in range(after):
        if held.state.finished is not None or not held.flying:
            break
        at, path, attempt = held.flying.pop(0)
        held.now = max(held.now, at)
        held.land(path, attempt)
        held.settle()
    already = held.state.finished
    held.cancel("stop")
    starts = len(held.of(ev.AttemptStarted))
    held.settle()
    assert starts == len(held.of(ev.AttemptStarted))
    assert already or held.finished().status == "cancelled"
    assert set(held.statuses().values()) <= DONE


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_second_fold_of_the_same_log_makes_the_same_decisions(world: dict[str, Any]) -> None:
    """Every prefix, decided by a driver that has just read it, wants what the log says came next, if that was its own.
    (Without a limit: the room that one command takes is missing for those decided with it.)"""
    done = begun({**world, "limit": None}).run()
    state = fold(done.plan, [])
    for event in done.events:
        fresh = decide(done.plan, state, event.at)
        if (
            isinstance(event, ev.TaskFinished)
            and state.finished is None
            and not any(isinstance(c, Fetch) for c in fresh)
        ):
            assert event.path in {c.path for c in fresh if isinstance(c, FinishTask)}
        evolve(state, event)


def test_an_answer_that_never_comes_keeps_only_its_own_branch_open() -> None:
    held = Play(graph({"a": {}, "b": {"needs": ["a"]}, "c": {}}), answers={"a": [NEVER]}).run()
    assert {"a": "running", "b": "pending", "c": "succeeded"} == held.statuses()
