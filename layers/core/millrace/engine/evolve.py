"""`evolve`: fold one event into State. Deterministic, in place, without I/O, constant time per event and edge.

An event that repeats what is known already (a message with a seen id, a result for a task that is done) changes
nothing, so that duplicated and late events are harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappush
from typing import Any

from millrace.engine import events as ev
from millrace.engine.arrivals import cancelled, decided, paused, resumed, signalled
from millrace.engine.lane_reports import (
    close_requested,
    failures_reported,
    lane_reported,
    lanes_started,
    lanes_told,
)
from millrace.engine.lanes import begin_lane
from millrace.engine.plan import Node, Plan
from millrace.engine.rules import EARLY, holds
from millrace.engine.slots import answered, released, requested
from millrace.engine.state import (
    CANCELLED,
    DONE,
    ENDED,
    FAILED,
    OPEN,
    PENDING,
    READY,
    RETRYING,
    RUNNING,
    SUCCEEDED,
    WAITING,
    State,
    TaskState,
    Waiting,
)
from millrace.engine.unfolding import (
    begin_handlers,
    close_scope,
    expose,
    frame_over,
    given_up,
    leave_queue,
    leave_timers,
    make_ready,
    open_scope,
    set_scope,
    show,
)


def evolve(state: State, event: ev.Event) -> None:
    """Fold ``event`` into ``state``. Raises KeyError for an event type or task that this build does not know."""
    _HANDLERS[type(event)](state, event)
    state.position += 1


def fold(plan: Plan, events: Iterable[ev.Event]) -> State:
    """The state that a log amounts to."""
    state = State(plan)
    for event in events:
        evolve(state, event)
    return state


def _started(state: State, event: ev.ExecutionStarted) -> None:
    if state.started is not None:
        return
    state.started = event
    set_scope(state, event)
    if event.lane is not None:
        begin_lane(state, event)
        return
    for node in () if state.plan.slot is not None else state.plan.nodes:
        if not node.needs and state.tasks[node.index].status == PENDING:
            make_ready(state, node.index, event.at)


def _attempt_started(state: State, event: ev.AttemptStarted) -> None:
    path = event.path
    index = state.index[path] if path in state.index else state.at(path)
    if index is None:
        return
    task = state.tasks[index]
    status = task.status
    if status in DONE or event.attempt <= task.attempt:
        return
    if status != RUNNING:
        state.running += 1
        if state.running == state.plan.parallel_limit:
            state.filled = state.position
        task.status = RUNNING
    task.attempt = event.attempt
    task.unknown = False
    task.attempt_started_at = event.at
    if not task.started_at:
        task.started_at = event.at
        timeout = state.nodes[index].timeout_ms
        if timeout is not None:
            heappush(state.deadlines, (event.at + timeout, index))
    if event.input is not None:
        task.input = event.input
    if event.config is not None:
        task.config = event.config
    if status == ENDED:
        del state.ended[index]
    leave_queue(state, task)


def _attempt_finished(state: State, event: ev.AttemptFinished) -> None:
    path = event.path
    index = state.index[path] if path in state.index else state.at(path)
    if index is None:
        return
    task = state.tasks[index]
    if task.status != RUNNING or event.attempt != task.attempt:
        return
    task.status = ENDED
    task.failure = event.failure
    task.output = event.output
    task.no_retry = event.no_retry
    state.running -= 1
    state.ended[index] = None


def _attempt_unknown(state: State, event: ev.AttemptUnknown) -> None:
    index = state.at(event.path)
    if index is None:
        return
    task = state.tasks[index]
    if task.status != RUNNING or event.attempt != task.attempt:
        return
    task.status = ENDED
    task.unknown = True
    task.unknowns += 1
    state.running -= 1
    state.ended[index] = None


def _retry_scheduled(state: State, event: ev.RetryScheduled) -> None:
    index = state.at(event.path)
    if index is None:
        return
    task = state.tasks[index]
    if task.status != ENDED or event.attempt <= task.attempt:
        return
    del state.ended[index]
    task.status = RETRYING
    task.due = event.due
    heappush(state.retries, (event.due, index))


def _wait_started(state: State, event: ev.WaitStarted) -> None:
    index = state.at(event.path)
    if index is None:
        return
    task = state.tasks[index]
    if task.status != READY and (task.status != RETRYING or event.attempt <= task.attempt):
        return
    task.status = WAITING
    task.attempt = event.attempt
    if not task.started_at:
        task.started_at = event.at
    task.wait = Waiting(kind=event.kind, due=event.due, signal=event.signal, child=event.child)
    if event.input is not None:
        task.input = event.input
    if event.due is not None:
        heappush(state.waits, (event.due, index))
    if event.kind == "child":
        state.children[index] = None
    elif event.kind != "time":
        state.waiting[index] = None
    timeout = state.nodes[index].timeout_ms
    if timeout is not None and event.kind == "time":
        heappush(state.deadlines, (event.at + timeout, index))
    leave_queue(state, task)


def _scope_opened(state: State, event: ev.ScopeOpened) -> None:
    index = state.at(event.path)
    if index is None:
        return
    task = state.tasks[index]
    stands_in = event.kind == "fallback"
    if task.status in DONE or task.fallen or (index in state.opened and not stands_in):
        return
    close_scope(state, index)  # a fallback comes after what the task held itself
    if task.status == RUNNING:
        state.running -= 1
    state.ended.pop(index, None)
    state.waiting.pop(index, None)
    task.status = OPEN
    if event.input is not None:
        task.input = event.input
    if not task.started_at:
        task.started_at = event.at
        timeout = state.nodes[index].timeout_ms
        if timeout is not None:
            heappush(state.deadlines, (event.at + timeout, index))
    if stands_in:
        task.fallen = True
        close_scope(state, index)
        leave_timers(state)
    leave_queue(state, task)
    open_scope(state, index, event)


def _child_started(state: State, event: ev.ChildStarted) -> None:
    task = _with_child(state, event.path, event.child)
    if task is not None and task.wait is not None:
        task.wait.started = True
        index = state.index[event.path]
        wait = state.nodes[index].wait
        if wait is not None and wait.detached:
            task.status = ENDED
            state.ended[index] = None
            leave_timers(state)


def _with_child(state: State, path: str, child: str) -> TaskState | None:
    """The task that waits for this execution; it is no longer among those whose execution is to be started."""
    index = state.at(path)
    task = None if index is None else state.tasks[index]
    if index is None or task is None or task.wait is None or task.wait.child != child:
        return None
    state.children.pop(index, None)
    return task if task.status == WAITING else None


def _child_finished(state: State, event: ev.ChildFinished) -> None:
    if event.message in state.seen:
        return
    if event.message:
        state.seen.add(event.message)
    task = _with_child(state, event.path, event.child)
    if task is None:
        return
    task.status = ENDED
    task.output = event.output
    task.failure = event.failure
    state.ended[state.index[event.path]] = None
    leave_timers(state)


def _child_cancelled(state: State, event: ev.ChildCancelled) -> None:
    task = _with_child(state, event.path, event.child)
    if task is not None and task.wait is not None:
        task.wait.cancelled = True


def _outcome(state: State, event: ev.OutcomeDecided) -> None:
    if state.outcome is None:
        state.outcome = event
        if state.started is not None and state.started.lane is not None:
            state.ended.pop(0, None)  # what came of the loop is told, and nothing more follows from it here
            state.tasks[0].status = OPEN
        begin_handlers(state, event)


def _notified(state: State, event: ev.ParentNotified) -> None:
    del event  # that it happened is all that matters
    state.notified = True


def _task_finished(state: State, event: ev.TaskFinished) -> None:
    path = event.path
    index = state.index[path] if path in state.index else state.at(path)
    if index is None:
        return
    task = state.tasks[index]
    if task.status in DONE:
        return
    before, status = task.status, event.status
    if before == ENDED:
        del state.ended[index]
    elif before == RUNNING:
        state.running -= 1
    elif before == WAITING:
        _leave_wait(state, index, task, event.consumed)
    task.status = status
    task.finished_at = event.at
    task.skip = event.skip
    task.degraded = event.degraded
    if event.output is not None:
        if task.output is not None and task.output.sha256 != event.output.sha256:
            state.contents.pop(task.output.sha256, None)  # what was mapped is not needed again
        task.output = event.output
    elif status != SUCCEEDED:
        task.output = None
    if event.input is not None:
        task.input = event.input
    task.failure = event.failure
    if not task.started_at:
        task.started_at = event.at
    if state.opened:
        close_scope(state, index)
    if task.slot is not None:
        given_up(state, path, task.slot)
    if before == READY or task.due:
        leave_queue(state, task)
    if state.deadlines or state.waits:
        leave_timers(state)
    _pass_on(state, index, task, event.at)


def _leave_wait(state: State, index: int, task: TaskState, consumed: str) -> None:
    """A task waits no longer; the signal that it took is nobody else's."""
    state.waiting.pop(index, None)
    state.children.pop(index, None)
    if consumed and task.wait is not None:
        left = state.signals[task.wait.signal]
        state.signals[task.wait.signal] = [signal for signal in left if signal.id != consumed]


def _pass_on(state: State, index: int, task: TaskState, at: int) -> None:
    """What one task that is done means to those of its body, and to the task around it."""
    node, frame = state.nodes[index], state.frames[index]
    if task.status == FAILED and not node.continue_on_error and frame.failed is None:
        frame.failed = index
    elif task.status == CANCELLED and frame.owner >= 0:
        state.opened[frame.owner].stopped = True
    expose(state, index)
    frame.open -= 1
    tasks = state.tasks
    base = frame.base
    for dependent in node.dependents:
        below = tasks[base + dependent]
        left = below.remaining = below.remaining - 1
        if below.status == PENDING:
            if not left or _early(frame.body.nodes[dependent], task):
                make_ready(state, base + dependent, at)
        elif below.status == OPEN:  # it did not wait
            show(state, base + dependent, node.id, frame.view[node.id])
    if not frame.open and frame is not state.root:
        frame_over(state, frame, at)


def _early(node: Node, above: TaskState) -> bool:
    """Whether one finished dependency is enough for the rule of a task that still has others. Conditional dependencies
    are judged together, when all are done."""
    return node.trigger_rule in EARLY and not node.edges and holds(node.trigger_rule, [above])


def _finished(state: State, event: ev.ExecutionFinished) -> None:
    if state.finished is None:
        state.finished = event


_HANDLERS: dict[type, Callable[[State, Any], None]] = {
    ev.ExecutionStarted: _started,
    ev.AttemptStarted: _attempt_started,
    ev.AttemptFinished: _attempt_finished,
    ev.AttemptUnknown: _attempt_unknown,
    ev.RetryScheduled: _retry_scheduled,
    ev.WaitStarted: _wait_started,
    ev.ScopeOpened: _scope_opened,
    ev.ChildStarted: _child_started,
    ev.ChildFinished: _child_finished,
    ev.ChildCancelled: _child_cancelled,
    ev.LanesStarted: lanes_started,
    ev.LanesTold: lanes_told,
    ev.LaneReported: lane_reported,
    ev.FailuresReported: failures_reported,
    ev.CloseRequested: close_requested,
    ev.OutcomeDecided: _outcome,
    ev.ParentNotified: _notified,
    ev.SlotRequested: requested,
    ev.SlotGranted: answered,
    ev.SlotDenied: answered,
    ev.SlotReleased: released,
    ev.DecisionReceived: decided,
    ev.PauseRequested: paused,
    ev.ResumeRequested: resumed,
    ev.TaskFinished: _task_finished,
    ev.SignalReceived: signalled,
    ev.CancelRequested: cancelled,
    ev.ExecutionFinished: _finished,
}
