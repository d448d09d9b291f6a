"""How State grows and shrinks: tasks become ready and visible, frames are opened and forgotten.

Everything here is part of `evolve`: deterministic, in place, without I/O.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from millrace.base.ids import root_of
from millrace.engine.events import SEMANTICS, ExecutionStarted, Failure, OutcomeDecided, ScopeOpened
from millrace.engine.facts import Slot
from millrace.engine.frames import Ended, Frame, LaneState, Opened, Result
from millrace.engine.generated import generated_body
from millrace.engine.plan import Body, Node
from millrace.engine.state import (
    DONE,
    ENDED,
    GONE,
    INDEX_MASK,
    INPUT,
    ITEMS,
    OPEN,
    OUTER,
    READY,
    SUCCEEDED,
    WAITING,
    State,
    TaskState,
    ready_key,
)

ATTEMPTS = "attempts"
"""The key of the attempts in the tally, beside those of statuses."""


def scope_of(state: State, event: ExecutionStarted) -> dict[str, Any]:
    """The roots that expressions of the workflow's own tasks see; ``tasks`` is filled as tasks finish."""
    return {
        "input": state.content(INPUT, event.input),
        "tasks": state.view,
        "config": state.plan.config,
        "trigger": event.trigger,
        "env": event.env,
        "execution": {
            "id": root_of(event.execution),
            "workflow": event.workflow,
            "version": event.version,
            "startedAt": event.at,
            "mode": event.mode,
        },
    }


def set_scope(state: State, event: ExecutionStarted) -> None:
    """What the workflow's own tasks see, or, of a lane, its loop."""
    state.root.env = scope_of(state, event)
    if event.lane is not None and event.lane.outer is not None:
        content = state.content(OUTER, event.lane.outer)
        if content is not None:
            state.give_outer(content)


def make_ready(state: State, index: int, at: int) -> None:
    task = state.tasks[index]
    task.status = READY
    task.ready_at = at
    task.ready_position = state.position
    limit = state.plan.parallel_limit
    if limit is not None:
        task.queued = state.running >= limit
    semantics = SEMANTICS if state.started is None else state.started.semantics
    heappush(state.ready, ready_key(semantics, state.nodes[index].priority, at, index))


def leave_queue(state: State, task: TaskState) -> None:
    """Drop stale tops of the ready and retry heaps after ``task`` has changed its status."""
    tasks = state.tasks
    ready = state.ready
    while ready and tasks[ready[0] & INDEX_MASK].status != READY:
        heappop(ready)
    if task.due:
        task.due = 0
        retries = state.retries
        while retries and tasks[retries[0][1]].due != retries[0][0]:
            heappop(retries)


def leave_timers(state: State) -> None:
    """Drop stale tops of the heaps of deadlines and waits."""
    tasks = state.tasks
    deadlines = state.deadlines
    while deadlines and (tasks[deadlines[0][1]].status in DONE or tasks[deadlines[0][1]].fallen):
        heappop(deadlines)
    waits = state.waits
    while waits and tasks[waits[0][1]].status != WAITING:
        heappop(waits)


def expose(state: State, index: int) -> None:
    """Make a finished task visible to the expressions that may read it."""
    node, task, frame = state.nodes[index], state.tasks[index], state.frames[index]
    status, output = task.status, task.output
    entry: dict[str, Any] = {
        "status": status,
        "attempts": task.attempt,
        "durationMs": task.finished_at - task.started_at,
    }
    if status == SUCCEEDED:
        if output is None:
            entry["output"] = None
        elif output.blob or state.contents:
            entry["output"] = state.content(frame.prefix + node.label, output)
        else:
            entry["output"] = output.decoded()
    if task.failure is not None:
        entry["error"] = error_of(task.failure)
    frame.view[node.id] = entry


def error_of(failure: Failure) -> dict[str, str]:
    """A failure as expressions see it."""
    return {"kind": failure.kind, "code": failure.code, "message": failure.message}


def show(state: State, index: int, name: str, entry: dict[str, Any]) -> None:
    """Show a task that has finished to the frames of ``index``, which did not wait for it."""
    for frame in state.opened[index].frames.values():
        if name in frame.body.outer:
            frame.view[name] = entry
            for inner in range(frame.base, frame.base + len(frame.body.nodes)):
                if state.tasks[inner].status == OPEN:
                    show(state, inner, name, entry)


def open_scope(state: State, index: int, event: ScopeOpened) -> None:
    """Begin what a task runs: as many frames as may run at once."""
    opened = scope_from(state, index, event)
    state.opened[index] = opened
    if opened.lanes:
        state.spread[index] = None
        state.streams += len(opened.lanes)
        assert event.items is not None  # a loop has items
        state.contents.pop(event.items.sha256, None)  # the lanes have them
        return
    state.promised += opened.ahead
    if event.items is not None:
        opened.content = state.content(event.path + ITEMS, event.items)
    while len(opened.frames) < opened.window and opened.next < opened.count:
        _open_next(state, index, opened, event.at)


def scope_from(state: State, index: int, event: ScopeOpened) -> Opened:
    """The scope that an event describes, without its frames."""
    node = state.nodes[index]
    opened = Opened(event.kind, event.path, _body(node, event))
    opened.branch, opened.count = event.branch, event.count
    opened.items, opened.tasks, opened.failure = event.items, event.tasks, event.failure
    plan = node.scope
    if event.kind == "forEach" and plan is not None:
        opened.window = plan.max_parallel
        opened.allowed = plan.failures if plan.share is None else int(plan.share * event.count)
        opened.item, opened.position = plan.item, plan.position
        opened.lanes = [LaneState() for _ in range(event.lanes)]
        opened.stream, opened.outer = event.stream, event.outer
        opened.window = event.window or opened.window
        lane = None if state.started is None else state.started.lane
        if lane is not None and index == 0:
            opened.first, opened.step, opened.window, opened.allowed = lane.first, lane.step, lane.window, lane.count
    return opened


def _body(node: Node, event: ScopeOpened) -> Body:
    if event.kind == "fallback":
        assert node.fallback is not None  # only a task with one opens one
        assert node.fallback.body is not None
        return node.fallback.body
    assert node.scope is not None  # only a task that holds tasks opens them
    if event.tasks is not None:
        return generated_body(node.scope, event.tasks.decoded())
    if event.kind == "forEach":
        return node.scope.bodies[0]
    return next(body for body in node.scope.bodies if body.name == event.branch)


def _open_next(state: State, index: int, opened: Opened, at: int) -> None:
    slot = opened.next
    opened.next += 1
    state.promised -= len(opened.body.nodes)
    frame = new_frame(state, index, opened, slot, len(state.tasks))
    opened.frames[slot] = frame
    begin(state, frame, at)


def new_frame(state: State, index: int, opened: Opened, slot: int, base: int) -> Frame:
    """The frame of one slot: its names and what its expressions see."""
    parent = state.frames[index]
    prefix = opened.path
    if opened.kind == "forEach":
        prefix = f"{prefix}[{opened.first + slot * opened.step}]"
    elif opened.kind == "switch":
        prefix = f"{prefix}/{opened.branch}"
    frame = Frame(opened.body, prefix=prefix, owner=index, slot=slot, base=base, parent=parent)
    frame.view = {name: parent.view[name] for name in opened.body.outer if name in parent.view}
    frame.env = {**parent.env, "tasks": frame.view}
    if opened.kind == "forEach":
        frame.env[opened.position] = opened.first + slot * opened.step
        if opened.content is not None:
            frame.env[opened.item] = opened.content[slot]
    if opened.failure is not None:
        frame.env["error"] = {**error_of(opened.failure), "task": opened.path}
    return frame


def begin(state: State, frame: Frame, at: int) -> None:
    """Put the tasks of a frame at the end of all tasks, and begin those that wait for none."""
    place(state, frame, [TaskState(remaining=len(node.needs)) for node in frame.body.nodes])
    for node in frame.body.nodes:
        if not node.needs:
            make_ready(state, frame.base + node.index, at)


def place(state: State, frame: Frame, tasks: list[TaskState]) -> None:
    state.tasks.extend(tasks)
    for node in frame.body.nodes:
        state.index[frame.prefix + node.label] = frame.base + node.index
        state.nodes.append(node)
        state.frames.append(frame)


def frame_over(state: State, frame: Frame, at: int) -> None:
    """Every task of a frame is done: keep what is needed of it, and open the next."""
    if frame.owner < 0:
        _handler_over(state, frame, at)
        return
    opened = state.opened[frame.owner]
    del opened.frames[frame.slot]
    opened.results[frame.slot] = _result(state, frame, opened)
    if frame.failed is not None:
        opened.failures += 1
        opened.closing = opened.closing or opened.failures > opened.allowed
    forget(state, frame)
    if opened.over:
        state.tasks[frame.owner].status = ENDED
        state.ended[frame.owner] = None
    elif not (opened.closing or opened.stopped) and opened.next < opened.count:
        _open_next(state, frame.owner, opened, at)


def _result(state: State, frame: Frame, opened: Opened) -> Result:
    names = frame.body.index if opened.kind == "generate" else frame.body.leaves
    tasks = {}
    for name in names:
        task = state.tasks[frame.base + frame.body.index[name]]
        tasks[name] = Ended(task.status, task.output, task.failure)
    if frame.failed is None:
        return Result(tasks)
    return Result(tasks, state.path(frame.failed), state.tasks[frame.failed].failure)


def forget(state: State, frame: Frame) -> None:
    """Let go of the tasks of a frame, but for their number."""
    for node in frame.body.nodes:
        index = frame.base + node.index
        task = state.tasks[index]
        state.tally[task.status] = state.tally.get(task.status, 0) + 1
        state.tally[ATTEMPTS] = state.tally.get(ATTEMPTS, 0) + task.attempt
        path = frame.prefix + node.label
        del state.index[path]
        state.unresolved.pop(path, None)
        state.tasks[index] = GONE
        state.frames[index] = state.root


def close_scope(state: State, index: int) -> None:
    """The task around a scope is done: nothing of the scope is needed any more."""
    opened = state.opened.pop(index, None)
    if opened is None:
        return
    state.promised -= opened.ahead
    state.spread.pop(index, None)
    for lane in opened.lanes:
        if lane.output is not None:
            state.contents.pop(lane.output.sha256, None)
    state.unresolved.pop(opened.path + ITEMS, None)
    for result in opened.results.values():
        for ended in result.tasks.values():
            if ended.output is not None:
                state.contents.pop(ended.output.sha256, None)


def given_up(state: State, path: str, slot: Slot | None) -> None:
    """A task is over, or the execution: its place is to be released, or no longer waited for."""
    state.wanted.pop(path, None)
    if slot is not None and slot.status in ("held", "wanted"):
        state.releases[path] = slot


def begin_handlers(state: State, event: OutcomeDecided) -> None:
    """What follows the end of the tasks: the handler of a failure, then those that run in any case. Whoever was stopped
    in line for a place waits for it no longer."""
    plan = state.plan
    if "" in state.wanted:
        given_up(state, "", state.slot)
    body = plan.on_failure if event.status in ("failed", "timedOut") else None
    _begin_handler(state, body or plan.at_end, event.at)


def _begin_handler(state: State, body: Body | None, at: int) -> None:
    if body is None:
        state.handlers = None
        state.handled = True
        given_up(state, "", state.slot)
        return
    state.handlers = handler_frame(state, body, len(state.tasks))
    begin(state, state.handlers, at)


def handler_frame(state: State, body: Body, base: int) -> Frame:
    """The frame of a handler, which sees every task of the workflow, and what came of them."""
    outcome = state.outcome
    assert outcome is not None  # it comes before the handlers
    frame = Frame(body, prefix=body.name, owner=-1, slot=0, base=base, parent=state.root)
    frame.view = dict(state.root.view)
    error = None if outcome.failure is None else {**error_of(outcome.failure), "task": outcome.failed_task}
    execution = {**state.root.env["execution"], "status": outcome.status}
    frame.env = {**state.root.env, "tasks": frame.view, "error": error, "execution": execution}
    return frame


def _handler_over(state: State, frame: Frame, at: int) -> None:
    if frame.failed is not None and state.mishap is None:
        state.mishap = (state.path(frame.failed), state.tasks[frame.failed].failure)
    followed = state.plan.at_end if frame.body is state.plan.on_failure and not state.abort else None
    forget(state, frame)
    _begin_handler(state, followed, at)


def unfinished(state: State, frame: Frame) -> list[int]:
    """The tasks of a frame that are not done, those inside a task before it."""
    found: list[int] = []
    for node in frame.body.nodes:
        index = frame.base + node.index
        if state.tasks[index].status not in DONE:
            found += inside(state, index)
            found.append(index)
    return found


def inside(state: State, index: int) -> list[int]:
    """The tasks that are not done inside a task, the innermost first."""
    opened = state.opened.get(index)
    return [] if opened is None else [at for frame in opened.frames.values() for at in unfinished(state, frame)]
