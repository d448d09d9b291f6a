"""Worlds whose loops run in lanes, and what must hold of them beside what holds of every world.

L1 every lane that was ever created ends, once, and not after its execution;
L2 every iteration is begun by one lane and each of its tasks is over once; a lane never has more under way than its
   window, and all windows together are at most `maxParallel`;
L3 the output of a loop is what its iterations gave, in the order of the items;
L4 a loop fails exactly if more iterations have failed than may, or what it holds was stopped;
L5 the summary counts the tasks of all lanes, each once.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from millrace.base.ids import lane_name, root_of
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.ports.runners import Attempt, Outcome
from millrace.store.executions import summary_key
from millrace.store.history import whole_history
from millrace.store.runlog import read_segments

from .compositions import Document, below, call, choice, ends, loop, plan_of, random_input, workflow
from .faults import Process
from .invariants import SCOPE, judge_log
from .nested import HttpSim, NestedWorld, troubles
from .nested_invariants import judge_children, judge_end, judge_output, loops, place


class LaneWorld(NestedWorld):
    """A nested world in which an attempt belongs to the log that it stands in."""

    def driver_world(self, process: Process) -> DriverWorld:
        return replace(super().driver_world(process), runners={"http": LaneSim(self, process)})

    def lanes(self, execution: str) -> list[str]:
        """The lanes of an execution, that have ever been there."""
        return [one for one in dict.fromkeys(self.created) if one != execution and root_of(one) == execution]

    def log(self, name: str) -> list[ev.Event]:
        return [event for segment in read_segments(self.store, SCOPE, name) for event in segment.events]


class LaneSim(HttpSim):
    """Writes an attempt down under the name of its lane."""

    _world: LaneWorld

    async def run(self, attempt: Attempt) -> Outcome:
        for name in self._world.lanes(attempt.execution):
            started = (e for e in self._world.log(name) if isinstance(e, ev.AttemptStarted))
            if any((e.path, e.attempt) == (attempt.path, attempt.number) for e in started):
                return await super().run(replace(attempt, execution=name))
        return await super().run(attempt)


def spread(rng: random.Random, name: str) -> Document:
    """A loop in lanes, at times around another one."""
    found = loop(rng, name)
    found["forEach"] |= {"mode": "distributed", "maxParallel": rng.choice((1, 2, 3, 8))}
    found["tasks"] = [task for task in found["tasks"] if "event" not in task] or [call("one", "{{row.n}}")]
    if rng.random() < 0.3:
        inner = [call("one", "{{row.bad && cell == 2 ? 'bad' : 'good'}}/{{row.n}}"), call("two", dependsOn=["one"])]
        each = {"items": "{{[1, 2, row.n]}}", "as": "cell", "index": "at", "maxParallel": 2, "mode": "distributed"}
        mode = {"mode": rng.choice(("inline", "distributed"))}
        found["tasks"] = [{"id": "cells", "forEach": each, "tasks": inner}]
        found["forEach"] |= mode
    if rng.random() < 0.2:
        found["timeout"] = rng.choice(("3s", "20s"))
    return found


def random_spread(rng: random.Random) -> Document:
    tasks = [spread(rng, "t0")]
    if rng.random() < 0.5:
        tasks.append({**rng.choice((spread, below, choice))(rng, "t1"), "dependsOn": rng.choice(([], ["t0"]))})
    tasks[0] = {**tasks[0], "continueOnError": rng.random() < 0.3}
    spec = ends(rng)
    if rng.random() < 0.15:
        spec["timeout"] = rng.choice(("5s", "30s"))
    return workflow("flow", tasks, **spec)


def build(seed: int) -> LaneWorld:
    rng = random.Random(seed)
    plans = [plan_of(random_spread(rng))]
    options, faults = troubles(seed, rng, plans, signals=(), stalls=(0.0, 0.02, 0.06))
    return LaneWorld(seed, options, faults, [random_input(rng)], rng.choice((0.0, 0.5)))


def play(seed: int) -> tuple[LaneWorld, list[str]]:
    """Run one seed to its end; the violations are empty when all is well."""
    world = build(seed)
    world.run()
    return world, judge_lanes(world)


def judge_lanes(world: LaneWorld) -> list[str]:
    """Everything that can be judged when the world has come to rest."""
    found = list(world.record.violations)
    names = sorted({*world.record.started, *world.created})
    logs = {name: world.log(name) for name in names}
    for name in names:
        found.extend(judge_log(world, name))
        if logs[name]:
            found.extend(f"{what} in {name[-6:]}" for what in judge_children(world, logs[name], logs))
    for execution in (name for name in names if root_of(name) == name and logs[name]):
        found.extend(f"{what} in {execution[-6:]}" for what in _judge(world, execution, logs))
    return found


def _judge(world: LaneWorld, execution: str, logs: dict[str, list[ev.Event]]) -> Iterator[str]:
    events = list(whole_history(world.store, SCOPE, execution))
    started = events[0]
    assert isinstance(started, ev.ExecutionStarted)
    plan = world.plan(SCOPE, started)
    yield from judge_end(plan, events)
    over = Counter(event.path for event in events if isinstance(event, ev.TaskFinished))
    yield from (f"L2 {path} was over {times} times" for path, times in over.items() if times > 1)
    end = next((event for event in logs[execution] if isinstance(event, ev.ExecutionFinished)), None)
    if end is None:
        return
    late = [one for one in world.lanes(execution) if logs[one] and logs[one][-1].at > end.at]
    own = {event.stream: event for event in logs[execution] if isinstance(event, ev.LaneReported)}
    for one in late:
        report = own.get(int(one.partition(".")[2]))
        if report is None or report.status == "running":
            yield f"L1 {one[-6:]} ended after its execution"
    statuses = Counter(event.status for event in events if isinstance(event, ev.TaskFinished))
    item = world.store.get(SCOPE, summary_key(execution))
    counted: Any = {} if item is None else item.attrs.get("tasks", {})
    wanted = {status: statuses.get(status, 0) for status in ("succeeded", "failed", "skipped")}
    if counted != wanted:
        yield f"L5 the summary counts {counted}, and {wanted} were"
    for opened, node in loops(plan, events):
        scope = node.scope
        assert scope is not None  # it has been opened
        if opened.lanes * opened.window > scope.max_parallel:
            yield f"L2 {opened.path} has {opened.lanes} lanes of {opened.window}"
        labels = {one.label for one in scope.bodies[0].nodes}
        ended: dict[int, dict[str, ev.TaskFinished]] = defaultdict(dict)
        for event in events:
            where = place(getattr(event, "path", ""), opened.path)
            if where is not None and isinstance(event, ev.TaskFinished) and where[1] in labels:
                ended[where[0]][where[1]] = event
        yield from judge_output(world, opened, node, events, ended)
        for at in range(opened.lanes):
            yield from _judge_window(opened, at, logs.get(lane_name(execution, opened.stream + at), []), labels)
        yield from _judge_tolerance(opened, events)


def _judge_window(opened: ev.ScopeOpened, at: int, log: list[ev.Event], labels: set[str]) -> Iterator[str]:
    begun: dict[int, set[str]] = {}
    for event in log:
        where = place(getattr(event, "path", ""), opened.path)
        if where is None:
            continue
        slot, label = where
        if slot % opened.lanes != at:
            yield f"L2 lane {at} of {opened.path} has item {slot}"
        left = begun.setdefault(slot, set(labels))
        if isinstance(event, ev.TaskFinished):
            left.discard(label)
        live = [one for one, open_ in begun.items() if open_]
        if len(live) > opened.window:
            yield f"L2 lane {at} of {opened.path} has {live} under way"


def _judge_tolerance(opened: ev.ScopeOpened, events: list[ev.Event]) -> Iterator[str]:
    done = next((e for e in events if isinstance(e, ev.TaskFinished) and e.path == opened.path), None)
    if done is None or done.degraded or done.status not in ("succeeded", "failed") or done.failure is None:
        return
    if "tolerated" in done.failure.details and not opened.lanes:
        return
    if "tolerated" in done.failure.details:
        failed = sum(e.report.failures for e in _ends(opened, events))
        if failed <= done.failure.details["tolerated"]:
            yield f"L4 {opened.path} failed after {failed} failures"


def _ends(opened: ev.ScopeOpened, events: list[ev.Event]) -> list[ev.LaneReported]:
    return [e for e in events if isinstance(e, ev.LaneReported) and e.path == opened.path and e.status != "running"]
