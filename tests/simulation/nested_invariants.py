"""What must hold beside `invariants` where tasks hold tasks and executions start executions.

N1 every execution that was ever created is judged as those of clients are: it ends, once;
N2 of a loop never more iterations are begun and unfinished than `maxParallel`, each is begun once, in order;
N3 the output of a loop is what its iterations gave, in the order of the items;
N4 each try of a task starts one execution, whoever drove it, after the one before has failed, and hears of its end
   once;
N5 what a task gives is what the execution that it started last gave;
N6 an execution whose task was stopped has been told to stop, or was over;
N7 tasks of `finally` are over exactly once in an execution that reached them, and were never begun in any other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from millrace.driver.values import load_value
from millrace.engine import events as ev
from millrace.engine.plan import Node, Plan
from millrace.store.runlog import read_segments
from tests.plan_tree import SLOT, tree_of

from .invariants import SCOPE, judge_log

if TYPE_CHECKING:
    from .nested import NestedWorld

STOPPED = ("cancelled", "timeout")


def judge_nested(world: NestedWorld) -> list[str]:
    """Everything that can be judged when the world has come to rest."""
    found = list(world.record.violations)
    executions = {*world.record.started, *world.created}
    logs = {one: _events(world, one) for one in sorted(executions)}
    for execution, events in logs.items():
        found.extend(judge_log(world, execution))
        if not events:
            continue
        started = events[0]
        assert isinstance(started, ev.ExecutionStarted)
        plan = world.plan(SCOPE, started)
        name = execution[-4:]
        found.extend(f"{what} in {name}" for what in _judge_loops(world, plan, events))
        found.extend(f"{what} in {name}" for what in judge_children(world, events, logs))
        found.extend(f"{what} in {name}" for what in judge_end(plan, events))
    parents = Counter(
        (first.parent.execution, first.parent.path)
        for events in logs.values()
        if events and isinstance(first := events[0], ev.ExecutionStarted) and first.parent is not None
    )
    for (above, path), n in parents.items():
        tries = sum(isinstance(e, ev.WaitStarted) and e.path == path for e in logs[above])
        if n > tries:
            found.append(f"N4 {path} of {above[-4:]} started {n} in {tries} tries")
    return found


def _events(world: NestedWorld, execution: str) -> list[ev.Event]:
    return [event for segment in read_segments(world.store, SCOPE, execution) for event in segment.events]


def loops(plan: Plan, events: list[ev.Event]) -> Iterator[tuple[ev.ScopeOpened, Node]]:
    tree = tree_of(plan)
    for event in events:
        if isinstance(event, ev.ScopeOpened) and event.kind == "forEach":
            yield event, tree[SLOT.sub("", event.path)][1]


def _judge_loops(world: NestedWorld, plan: Plan, events: list[ev.Event]) -> Iterator[str]:
    for opened, node in loops(plan, events):
        scope = node.scope
        assert scope is not None  # it has been opened
        labels = {one.label: one for one in scope.bodies[0].nodes}
        begun: list[int] = []
        ended: dict[int, dict[str, ev.TaskFinished]] = defaultdict(dict)
        for event in events:
            where = place(getattr(event, "path", ""), opened.path)
            if where is None:
                continue
            slot, label = where
            if slot not in begun:
                begun.append(slot)
            if isinstance(event, ev.TaskFinished) and label in labels:
                if label in ended[slot]:
                    yield f"N2 {event.path} ended twice"
                ended[slot][label] = event
            live = [one for one in begun if len(ended[one]) < len(labels)]
            if len(live) > scope.max_parallel:
                yield f"N2 {opened.path} has {live} under way, and {scope.max_parallel} may be"
        if begun != sorted(begun) and scope.max_parallel == 1:
            yield f"N2 {opened.path} began {begun}"
        yield from judge_output(world, opened, node, events, ended)


def place(path: str, loop: str) -> tuple[int, str] | None:
    """The iteration and the rest of a path inside a loop."""
    if not path.startswith(f"{loop}["):
        return None
    slot, _, rest = path[len(loop) + 1 :].partition("]")
    return int(slot), rest


def judge_output(
    world: NestedWorld,
    opened: ev.ScopeOpened,
    node: Node,
    events: list[ev.Event],
    ended: dict[int, dict[str, ev.TaskFinished]],
) -> Iterator[str]:
    done = next((e for e in events if isinstance(e, ev.TaskFinished) and e.path == opened.path), None)
    if done is None or done.status != "succeeded" or done.degraded or node.scope is None:
        return
    produced = _produced(events)
    body = node.scope.bodies[0]
    wanted = []
    for slot in range(opened.count):
        ends = ended[slot]
        if len(ends) != len(body.nodes):
            yield f"N2 {opened.path}[{slot}] is not over"
            return
        failed = any(ends[one.label].status == "failed" and not one.continue_on_error for one in body.nodes)
        leaves = {
            name: _content(world, produced.get(ends[label].path))
            for name in body.leaves
            if ends[label := body.nodes[body.index[name]].label].status == "succeeded"
        }
        wanted.append({"status": "failed" if failed else "succeeded", "output": leaves})
    found = [{key: one[key] for key in ("status", "output")} for one in _content(world, done.output)]
    if found != wanted:
        yield f"N3 {opened.path} gave {found}, its iterations {wanted}"


def _produced(events: list[ev.Event]) -> dict[str, Any]:
    """The latest output by path."""
    found = {}
    for event in events:
        if isinstance(event, ev.AttemptFinished | ev.ChildFinished | ev.TaskFinished) and event.output is not None:
            found[event.path] = event.output
    return found


def _content(world: NestedWorld, value: Any) -> Any:
    return None if value is None else load_value(world.blobs, SCOPE, value)


def judge_children(world: NestedWorld, events: list[ev.Event], logs: dict[str, list[ev.Event]]) -> Iterator[str]:
    waits: dict[str, list[ev.WaitStarted]] = defaultdict(list)
    ends: dict[str, list[ev.ChildFinished]] = defaultdict(list)
    named: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if isinstance(event, ev.WaitStarted) and event.kind == "child":
            yield from _judge_try(event, waits[event.path], ends)
            waits[event.path].append(event)
        if isinstance(event, ev.ChildFinished):
            ends[event.child].append(event)
        if isinstance(event, ev.ChildStarted | ev.ChildFinished):
            named[event.path].add(event.child)
    for path, tries in waits.items():
        wait = tries[-1]
        for one in tries:
            if len(ends[one.child]) > 1:
                yield f"N4 {path} heard {len(ends[one.child])} times"
        if named[path] - {one.child for one in tries}:
            yield f"N4 {path} waits for {wait.child[-4:]} and heard of {named[path]}"
        below = logs.get(wait.child, [])
        end = next((e for e in below if isinstance(e, ev.ExecutionFinished)), None)
        done = next((e for e in events if isinstance(e, ev.TaskFinished) and e.path == path), None)
        began = next((e for e in below if isinstance(e, ev.ExecutionStarted)), None)
        if done is None or began is None or began.parent is None or not began.parent.waits:
            continue
        stopped = done.status == "cancelled" or (done.failure is not None and done.failure.kind in STOPPED)
        if done.status == "succeeded" and not done.degraded:
            given = _content(world, _produced(events).get(path))
            if end is None or end.status != "succeeded" or given != _content(world, end.output):
                yield f"N5 {path} gave {given}, its execution {end}"
        elif stopped and not ends[wait.child]:
            heard = any(isinstance(e, ev.CancelRequested) for e in below)
            late = any(isinstance(e, ev.OutcomeDecided) and e.at > done.at for e in below)
            if late and not heard:
                yield f"N6 {path} was stopped, and {wait.child[-4:]} went on"


def _judge_try(
    wait: ev.WaitStarted, before: list[ev.WaitStarted], ends: dict[str, list[ev.ChildFinished]]
) -> Iterator[str]:
    """One try is counted, has an execution of its own, and comes after the one before has failed."""
    if not before:
        return
    if wait.attempt != len(before) + 1 or wait.child in {one.child for one in before}:
        yield f"N4 try {wait.attempt} of {wait.path} is number {len(before) + 1}"
    if [one.status for one in ends[before[-1].child]] not in (["failed"], ["timedOut"]):
        yield f"N4 {wait.path} tried again after {ends[before[-1].child]}"


def judge_end(plan: Plan, events: list[ev.Event]) -> Iterator[str]:
    if plan.at_end is None:
        return
    at = next((n for n, e in enumerate(events) if isinstance(e, ev.OutcomeDecided)), None)
    ends = Counter(e.path for e in events if isinstance(e, ev.TaskFinished))
    if at is None:
        yield "N7 no outcome, though handlers follow"
        return
    again = [e for n, e in enumerate(events) if isinstance(e, ev.CancelRequested) and n > at]
    for node in plan.at_end.nodes:
        path = plan.at_end.name + node.label
        begun = next((n for n, e in enumerate(events) if getattr(e, "path", "") == path), None)
        if begun is not None and begun < at:
            yield f"N7 {path} came before the outcome"
        if ends[path] != 1 and not (again and ends[path] == 0):
            yield f"N7 {path} was over {ends[path]} times"
