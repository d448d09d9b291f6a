"""What scheduling costs per task, without any store: `decide` and `evolve` against a bare pass over the same graph."""

from __future__ import annotations

import gc
import time
from heapq import heappop, heappush
from typing import Any

import msgspec

from millrace.engine import events as ev
from millrace.engine.commands import FinishTask, StartAttempt
from millrace.engine.evolve import evolve
from millrace.engine.plan import Plan
from millrace.engine.settle import settle
from millrace.engine.state import State
from millrace.engine.values import inline_value

from .graphs import SHAPES, Edges, make_plan

SIZES = (10, 1_000, 10_000)


def floor_s(edges: Edges) -> float:
    """The least any scheduler does: a counter per task, a heap of ready ones, one pass."""
    dependents: list[list[int]] = [[] for _ in edges]
    for task, needs in enumerate(edges):
        for need in needs:
            dependents[need].append(task)
    began = time.process_time()
    remaining = [len(needs) for needs in edges]
    ready: list[tuple[int, int]] = []
    for task, count in enumerate(remaining):
        if not count:
            heappush(ready, (0, task))
    done = 0
    while ready:
        _, task = heappop(ready)
        done += 1
        for below in dependents[task]:
            remaining[below] -= 1
            if not remaining[below]:
                heappush(ready, (0, below))
    assert done == len(edges)
    return time.process_time() - began


def started(plan: Plan) -> ev.ExecutionStarted:
    return ev.ExecutionStarted(
        at=1,
        tenant="t",
        namespace="default",
        execution="e" * 26,
        workflow="bench",
        revision=1,
        version="1.0.0",
        content_hash="",
        behaviour_hash="",
        input=inline_value({}),
    )


def engine_s(plan: Plan) -> tuple[float, State]:
    """Everything from the start event to the end, each attempt finishing at once."""
    nothing = inline_value(None)
    state = State(plan)
    begin = started(plan)
    began = time.process_time()
    evolve(state, begin)
    while True:
        settled = settle(plan, state, 2, encode=inline_value)
        if not settled.starts:
            break
        for command in settled.starts:
            evolve(
                state,
                ev.AttemptFinished(at=2, path=command.path, attempt=command.attempt, output=nothing, started_at=2),
            )
    assert state.finished is not None
    return time.process_time() - began, state


def history(plan: Plan, output: Any = None) -> list[ev.Event]:
    """The whole log of a plan whose attempts finish at once and return ``output``."""
    value = inline_value(output)
    state = State(plan)
    events: list[ev.Event] = [started(plan)]
    evolve(state, events[0])
    while True:
        settled = settle(plan, state, 2, encode=inline_value)
        events.extend(settled.events)
        if not settled.starts:
            return events
        for command in settled.starts:
            path, attempt = command.path, command.attempt
            event = ev.AttemptFinished(at=2, path=path, attempt=attempt, output=value, started_at=2)
            evolve(state, event)
            events.append(event)


def fold_s(plan: Plan, events: list[ev.Event]) -> float:
    """`evolve` alone: the fold of a history."""
    state = State(plan)
    began = time.process_time()
    for event in events:
        evolve(state, event)
    return time.process_time() - began


def records_s(events: list[ev.Event]) -> float:
    """Making the records alone: each event, and each command that an event remembers."""
    made = [(type(event), _given(event)) for event in events]
    starts = [event.path for event in events if isinstance(event, ev.AttemptStarted)]
    began = time.process_time()
    for kind, fields in made:
        kind(**fields)
    for path in starts:
        StartAttempt(path=path, attempt=1)
        FinishTask(path=path, status="succeeded")
    return time.process_time() - began


def _given(event: ev.Event) -> dict[str, Any]:
    """The fields that a record has to be given to be this one."""
    fields = msgspec.structs.fields(event)
    return {one.name: value for one in fields if (value := getattr(event, one.name)) != one.default}


def best(measure: object, times: int) -> float:
    """The least of several measurements: the one with the least noise in it."""
    assert callable(measure)
    found = []
    for _ in range(times):
        gc.collect()
        gc.disable()
        found.append(measure())
        gc.enable()
    return float(min(found))


def rows() -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for size in SIZES:
        for shape, edges_of in SHAPES.items():
            edges = edges_of(size)
            plan = make_plan(edges)
            times = 3 if size > 1_000 else 20
            events = history(plan)
            bare = best(lambda edges=edges: floor_s(edges), times)
            ours = best(lambda plan=plan: engine_s(plan)[0], times)
            folded = best(lambda plan=plan, events=events: fold_s(plan, events), times)
            records = best(lambda events=events: records_s(events), times)
            out.append(
                {
                    "name": f"engine {shape} {size}",
                    "edges": sum(map(len, edges)),
                    "us_per_task": ours / size * 1e6,
                    "floor_us_per_task": bare / size * 1e6,
                    "ratio": ours / bare,
                    "aim": 15.0,
                    "records_us": records / size * 1e6,
                    "evolve_us": folded / size * 1e6,
                    "decide_us": (ours - folded - records) / size * 1e6,
                }
            )
    return out
