"""`evolve`: fold one event into State. Deterministic, in place, without I/O, constant time per event and edge.

An event that repeats what is known already (a message with a seen id, a result for a task that is done) changes
nothing, so that duplicated and late events are harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from millrace.engine import events as ev
from millrace.engine.plan import Node, Plan
from millrace.engine.rules import EARLY, holds
from millrace.engine.state import (
    DONE,
    ENDED,
    FAILED,
    INDEX_MASK,
    INPUT,
    PENDING,
    READY,
    RETRYING,
    RUNNING,
    SUCCEEDED,
    WAITING,
    Decision,
    Signal,
    State,
    TaskState,
    Waiting,
    ready_key,
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
    plan = state.plan
    state.started = event
    state.env = scope_of(state, event)
    for node in plan.nodes:
        if not node.needs and state.tasks[node.index].status == PENDING:
            _make_ready(state, node, event.at)


def scope_of(state: State, event: ev.ExecutionStarted) -> dict[str, Any]:
    """The roots that expressions see; ``tasks`` is filled as tasks finish."""
    return {
        "input": state.content(INPUT, event.input),
        "tasks": state.view,
        "config": state.plan.config,
        "trigger": event.trigger,
        "env": event.env,
        "execution": {
            "id": event.execution,
            "workflow": event.workflow,
            "version": event.version,
            "startedAt": event.at,
            "mode": event.mode,
        },
    }


def _make_ready(state: State, node: Node, at: int) -> None:
    task = state.tasks[node.index]
    task.status = READY
    task.ready_at = at
    task.ready_position = state.position
    limit = state.plan.parallel_limit
    task.queued = limit is not None and state.running >= limit
    heappush(state.ready, ready_key(node.priority, node.index))


def _leave_queue(state: State, task: TaskState) -> None:
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


def _attempt_started(state: State, event: ev.AttemptStarted) -> None:
    index = state.plan.index[event.path]
    task = state.tasks[index]
    if task.status in DONE or event.attempt <= task.attempt:
        return
    if task.status != RUNNING:
        state.running += 1
        if state.running == state.plan.parallel_limit:
            state.filled = state.position
    task.status = RUNNING
    task.attempt = event.attempt
    task.unknown = False
    task.attempt_started_at = event.at
    if not task.started_at:
        task.started_at = event.at
        timeout = state.plan.nodes[index].timeout_ms
        if timeout is not None:
            heappush(state.deadlines, (event.at + timeout, index))
    if event.input is not None:
        task.input = event.input
    if event.config is not None:
        task.config = event.config
    state.ended.pop(index, None)
    _leave_queue(state, task)


def _attempt_finished(state: State, event: ev.AttemptFinished) -> None:
    index = state.plan.index[event.path]
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
    index = state.plan.index[event.path]
    task = state.tasks[index]
    if task.status != RUNNING or event.attempt != task.attempt:
        return
    task.status = ENDED
    task.unknown = True
    task.unknowns += 1
    state.running -= 1
    state.ended[index] = None


def _retry_scheduled(state: State, event: ev.RetryScheduled) -> None:
    index = state.plan.index[event.path]
    task = state.tasks[index]
    if task.status != ENDED or event.attempt <= task.attempt:
        return
    del state.ended[index]
    task.status = RETRYING
    task.due = event.due
    heappush(state.retries, (event.due, index))


def _wait_started(state: State, event: ev.WaitStarted) -> None:
    index = state.plan.index[event.path]
    task = state.tasks[index]
    if task.status != READY:
        return
    task.status = WAITING
    task.started_at = event.at
    task.wait = Waiting(kind=event.kind, due=event.due, signal=event.signal)
    if event.input is not None:
        task.input = event.input
    if event.due is not None:
        heappush(state.waits, (event.due, index))
    if event.kind != "time":
        state.waiting[index] = None
    timeout = state.plan.nodes[index].timeout_ms
    if timeout is not None and event.kind == "time":
        heappush(state.deadlines, (event.at + timeout, index))
    _leave_queue(state, task)


def _decision(state: State, event: ev.DecisionReceived) -> None:
    if event.message in state.seen:
        return
    state.seen.add(event.message)
    index = state.plan.index.get(event.path)
    wait = state.tasks[index].wait if index in state.waiting else None
    if wait is not None and wait.kind == "approval":
        wait.decisions = [held for held in wait.decisions if held.principal != event.principal]
        wait.decisions.append(
            Decision(
                principal=event.principal,
                decision=event.decision,
                at=event.at,
                comment=event.comment,
                form=event.form,
            )
        )


def _pause(state: State, event: ev.PauseRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        state.paused = True


def _resume(state: State, event: ev.ResumeRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        state.paused = False


def _task_finished(state: State, event: ev.TaskFinished) -> None:
    plan = state.plan
    index = plan.index[event.path]
    task = state.tasks[index]
    if task.status in DONE:
        return
    if task.status == RUNNING:
        state.running -= 1
    state.ended.pop(index, None)
    state.waiting.pop(index, None)
    if event.consumed and task.wait is not None:
        left = state.signals[task.wait.signal]
        state.signals[task.wait.signal] = [signal for signal in left if signal.id != event.consumed]
    task.status = event.status
    task.finished_at = event.at
    task.skip = event.skip
    task.degraded = event.degraded
    if event.output is not None:
        if task.output is not None and task.output.sha256 != event.output.sha256:
            state.contents.pop(task.output.sha256, None)  # what was mapped is not needed again
        task.output = event.output
    elif event.status != SUCCEEDED:
        task.output = None
    if event.input is not None:
        task.input = event.input
    task.failure = event.failure
    if not task.started_at:
        task.started_at = task.finished_at
    _leave_queue(state, task)
    deadlines = state.deadlines
    while deadlines and state.tasks[deadlines[0][1]].status in DONE:
        heappop(deadlines)
    waits = state.waits
    while waits and state.tasks[waits[0][1]].status in DONE:
        heappop(waits)
    node = plan.nodes[index]
    if event.status == FAILED and not node.continue_on_error and state.failed is None:
        state.failed = index
    expose(state, node, task)
    state.open -= 1
    tasks = state.tasks
    for dependent in node.dependents:
        below = tasks[dependent]
        below.remaining -= 1
        if below.status == PENDING and (not below.remaining or _early(plan.nodes[dependent], task)):
            _make_ready(state, plan.nodes[dependent], event.at)


def _early(node: Node, above: TaskState) -> bool:
    """Whether one finished dependency is enough for the rule of a task that still has others. Conditional dependencies
    are judged together, when all are done."""
    return node.trigger_rule in EARLY and not node.edges and holds(node.trigger_rule, [above])


def expose(state: State, node: Node, task: TaskState) -> None:
    """Make a finished task visible to expressions."""
    entry: dict[str, Any] = {
        "status": task.status,
        "attempts": task.attempt,
        "durationMs": task.finished_at - task.started_at,
    }
    if task.status == SUCCEEDED:
        entry["output"] = None if task.output is None else state.content(node.id, task.output)
    if task.failure is not None:
        failure = task.failure
        entry["error"] = {"kind": failure.kind, "code": failure.code, "message": failure.message}
    state.view[node.id] = entry


def _signal(state: State, event: ev.SignalReceived) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        signal = Signal(id=event.message, payload=event.payload, at=event.at)
        state.signals.setdefault(event.signal, []).append(signal)


def _cancel(state: State, event: ev.CancelRequested) -> None:
    if event.message not in state.seen:
        state.seen.add(event.message)
        if state.cancel is None:
            state.cancel = event


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
    ev.DecisionReceived: _decision,
    ev.PauseRequested: _pause,
    ev.ResumeRequested: _resume,
    ev.TaskFinished: _task_finished,
    ev.SignalReceived: _signal,
    ev.CancelRequested: _cancel,
    ev.ExecutionFinished: _finished,
}
