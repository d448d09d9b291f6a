"""Laws of tasks inside tasks, over random workflows, outcomes and orders of completion."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.engine.state import DONE
from millrace.spec import Workflow

from .nested import bare, choose, document_of, each, resumed, sound, window, work
from .play import CRASH, Play, failure
from .reference import Reference, blamed, told

pytestmark = pytest.mark.repeats

BAD = failure("http", "503", retryable=False)


class _Grower:
    """Draws a workflow: ``atoms`` counts what it holds, so that it stays small."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.atoms = 0
        self.names = 0

    def body(self, depth: int, most: int) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(1, most))):
            before = [task["id"] for task in tasks]
            needs = self.draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
            tasks.append(self.task(depth, sorted(needs)))
        return tasks

    def task(self, depth: int, needs: list[str]) -> dict[str, Any]:
        draw = self.draw
        self.atoms += 1
        self.names += 1
        name = f"t{self.names}"
        more: dict[str, Any] = {"dependsOn": needs} if needs else {}
        if draw(st.integers(0, 6)) == 0:
            more["condition"] = False
        if draw(st.integers(0, 4)) == 0:
            more["continueOnError"] = True
        if needs and draw(st.integers(0, 4)) == 0:
            more["triggerRule"] = "all_done"
        if draw(st.integers(0, 4)) == 0:
            more["fallback"] = draw(
                st.sampled_from([{"value": "flat"}, {"task": bare()}, {"task": bare(condition=False)}])
            )
        kind = draw(st.sampled_from(["work", "loop", "switch"])) if depth and self.atoms < 9 else "work"
        if kind == "work":
            return work(name, **more)
        if kind == "switch":
            cases = [(at, self.body(depth - 1, 2)) for at in range(draw(st.integers(1, 2)))]
            default = self.body(depth - 1, 2) if draw(st.booleans()) else None
            return choose(name, draw(st.integers(0, 3)), cases, default, **more)
        loop: dict[str, Any] = {"parallel": draw(st.integers(1, 3)), "named": f"v{depth}", "counted": f"k{depth}"}
        allowed = draw(st.sampled_from([0, 1, "50%", "100%", "34%"]))
        items = draw(st.lists(st.integers(0, 9), max_size=4))
        return each(name, items, *self.body(depth - 1, 3), tolerate=allowed, **loop, **more)


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    """A document, which attempts fail, and how long each takes."""
    document = document_of(*_Grower(draw).body(2, 4))
    limit = draw(st.sampled_from([None, None, 1, 2]))
    if limit is not None:
        document["spec"]["parallelLimit"] = limit
    return {
        "document": document,
        "odds": draw(st.sampled_from([0, 10, 30, 60])),
        "seed": draw(st.integers(0, 2**32)),
        "limit": limit,
    }


def plan_of(world: dict[str, Any]) -> Plan:
    return compile_plan(Workflow.model_validate(world["document"]), {}, hashes={})


def chance(world: dict[str, Any], path: str, what: str) -> random.Random:
    return random.Random(f"{world['seed']} {what} {path}")


class _Answers(dict[str, list[Any]]):
    """What attempts bring, by their path alone: some fail, some crash first, some give a large value."""

    def __init__(self, world: dict[str, Any], *, calm: bool) -> None:
        super().__init__({"": []})  # an empty one would count as none
        self.world = world
        self.calm = calm

    def fails(self, path: str) -> bool:
        return chance(self.world, path, "fails").randrange(100) < self.world["odds"]

    def get(self, path: str, default: Any = None) -> Any:
        if self.fails(path):
            return [BAD]
        odd = chance(self.world, path, "odd").randrange(12)
        return default if self.calm or odd > 1 else [CRASH, path] if odd else [path + "x" * 70_000]


class _Failing(frozenset[str]):
    """The paths that fail, judged when asked."""

    answers: _Answers

    def __contains__(self, path: object) -> bool:
        return self.answers.fails(str(path))


def begun(world: dict[str, Any], order: int = 0, *, calm: bool = True) -> Play:
    answers = _Answers(world, calm=calm)
    return Play(
        plan_of(world), answers=answers, lasting=lambda path, _n: chance(world, path, f"{order}").randint(0, 60)
    )


def final(done: Play) -> dict[str, str]:
    """What became of each task that was ever begun."""
    return {event.path: event.status for event in done.of(ev.TaskFinished)}


@settings(max_examples=250, deadline=None)
@given(workflows())
def test_the_engine_agrees_with_a_reference_that_knows_no_events(world: dict[str, Any]) -> None:
    done = begun(world).run()
    failing = _Failing()
    failing.answers = _Answers(world, calm=True)
    reference = Reference(failing)
    status, output = reference.run(world["document"]["spec"])
    assert status == done.finished().status
    if status == "succeeded":
        assert output == told(done.output())
    found = final(done)
    assert set(found) <= set(reference.statuses)  # a loop that has failed already begins no more iterations
    assert {path: reference.statuses[path] for path in found} == found


@settings(max_examples=60, deadline=None)
@given(workflows())
def test_every_prefix_is_what_its_snapshot_holds_and_the_fold_is_the_state(world: dict[str, Any]) -> None:
    done = sound(begun(world, calm=False).run())
    assert set(done.statuses().values()) <= DONE
    assert (0, 0, 0) == (done.state.open, done.state.running, done.state.promised)
    assert ({}, {}, []) == (done.state.opened, done.state.ended, done.state.ready)
    assert done.state.tally == done.folded().tally


@settings(max_examples=40, deadline=None)
@given(workflows())
def test_every_prefix_can_be_carried_on_to_the_same_end(world: dict[str, Any]) -> None:
    done = begun(world).run()
    for length in range(1, len(done.events), max(1, len(done.events) // 12)):
        again = resumed(done, length)
        assert done.finished().status == again.finished().status
        if done.finished().status == "succeeded":  # which of two failures a loop names hangs on which came first
            assert told(done.output()) == told(again.output())
        for run in (done, again):
            failed = {event.path for event in run.of(ev.TaskFinished) if event.status == "failed"}
            assert named(run) <= failed


def named(run: Play) -> set[str]:
    """The tasks that a run blames: inside the outputs of its tasks, and for its failure."""
    outputs = [run.content(event.output) for event in run.of(ev.TaskFinished) if event.output is not None]
    found = set().union(*(blamed(output) for output in outputs))
    end = run.finished()
    return found if end.failure is None else found | {end.failed_task, end.failure.details.get("task", end.failed_task)}


@settings(max_examples=100, deadline=None)
@given(workflows())
def test_nothing_is_started_opened_or_ended_twice(world: dict[str, Any]) -> None:
    done = begun(world, calm=False).run()
    starts = Counter((event.path, event.attempt) for event in done.of(ev.AttemptStarted))
    opened = Counter((event.path, event.kind == "fallback") for event in done.of(ev.ScopeOpened))
    ended = Counter(event.path for event in done.of(ev.TaskFinished))
    assert {1} >= {*starts.values(), *opened.values(), *ended.values()}
    assert sum(ended.values()) == sum(n for key, n in done.state.tally.items() if key != "attempts") + len(
        done.plan.nodes
    )
    assert done.state.tally.get("attempts", 0) + sum(
        task.attempt for task in done.state.tasks if task.status in DONE
    ) == sum(starts.values())


@settings(max_examples=100, deadline=None)
@given(workflows(), st.integers(1, 9))
def test_the_order_in_which_attempts_end_never_changes_what_comes_of_them(world: dict[str, Any], order: int) -> None:
    one, other = begun(world).run(), begun(world, order).run()
    assert one.finished().status == other.finished().status
    if one.finished().status == "succeeded":
        assert told(one.output()) == told(other.output())  # of two failures a loop names the one that came first
    mine, theirs = final(one), final(other)
    both = mine.keys() & theirs.keys()  # how many iterations begin before a loop has failed depends on the order
    assert {path: mine[path] for path in both} == {path: theirs[path] for path in both}


@settings(max_examples=80, deadline=None)
@given(workflows())
def test_no_more_runs_at_once_than_may(world: dict[str, Any]) -> None:
    done = begun(world, calm=False).run()
    assert world["limit"] is None or done.most <= world["limit"]
    for event in done.of(ev.ScopeOpened):
        if event.kind == "forEach":
            assert window(done, event.path) <= 3


@settings(max_examples=80, deadline=None)
@given(workflows(), st.integers(0, 12))
def test_a_cancel_at_any_moment_ends_everything_and_starts_nothing_more(world: dict[str, Any], after: int) -> None:
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
    sound(held)
