"""From commands to events: the one place where a decision becomes history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millrace.engine import events as ev
from millrace.engine.commands import (
    BeginWait,
    DecideOutcome,
    FinishExecution,
    FinishTask,
    OpenScope,
    Recordable,
    RequestSlot,
    RetryLater,
    StartAttempt,
)
from millrace.engine.failures import capped
from millrace.engine.state import State
from millrace.engine.values import Value, inline_value

Encode = Callable[[Any], Value]
"""Makes the Value of a user value. Raises TooLarge or InvalidRequest for what cannot be stored."""


def record(state: State, command: Recordable, *, now: int, encode: Encode) -> ev.Event:
    """The event that remembers ``command``."""
    return _RECORDERS[type(command)](state, command, now, encode)


def _start(state: State, command: StartAttempt, now: int, encode: Encode) -> ev.Event:
    if command.attempt > 1:
        return ev.AttemptStarted(at=now, path=command.path, attempt=command.attempt, policy=command.policy)
    index = state.index[command.path]
    node = state.nodes[index]
    return ev.AttemptStarted(
        at=now,
        path=command.path,
        attempt=1,
        input=None if command.input is None else encode(command.input),
        config=None if command.config is None else encode(command.config),
        task_type=node.type,
        task_hash=node.task_hash,
        effect=node.effect,
        ready_at=state.tasks[index].ready_at,
        queued_at=command.queued_at,
        queued_why=command.queued_why,
    )


def _wait(state: State, command: BeginWait, now: int, encode: Encode) -> ev.Event:
    index = state.index[command.path]
    node = state.nodes[index]
    return ev.WaitStarted(
        at=now,
        path=command.path,
        kind=command.kind,
        due=command.due,
        signal=command.signal,
        approvers=node.wait.approvers if command.kind == "approval" and node.wait is not None else (),
        required=node.wait.required if command.kind == "approval" and node.wait is not None else 0,
        form=dict(node.wait.form) if node.wait is not None and node.wait.form is not None else None,
        input=None if command.input is None else encode(command.input),
        task_type=node.type,
        task_hash=node.task_hash,
        effect=node.effect,
        ready_at=state.tasks[index].ready_at,
        child=command.child,
        ref=command.ref,
        attempt=command.attempt,
    )


def _open(state: State, command: OpenScope, now: int, encode: Encode) -> ev.Event:
    index = state.index[command.path]
    node, task = state.nodes[index], state.tasks[index]
    first = not task.attempt and task.wait is None
    return ev.ScopeOpened(
        at=now,
        path=command.path,
        kind=command.kind,
        branch=command.branch,
        count=command.count,
        items=None if command.items is None else encode(command.items),
        tasks=None if command.tasks is None else inline_value(command.tasks),
        failure=command.failure,
        input=None if command.input is None else encode(command.input),
        task_type=node.type if first else "",
        task_hash=node.task_hash if first else "",
        effect=node.effect if first else "",
        ready_at=task.ready_at if first else 0,
        lanes=command.lanes,
        window=command.window,
        stream=state.streams + 1 if command.lanes else 0,
        outer=None if command.outer is None else encode(command.outer),
    )


def _slot(_state: State, command: RequestSlot, now: int, _encode: Encode) -> ev.Event:
    if command.shared:
        return ev.SlotGranted(at=now, path=command.path, key=command.key, shared=True)
    return ev.SlotRequested(
        at=now,
        path=command.path,
        key=command.key,
        limit=command.limit,
        on_limit=command.on_limit,
        pool=command.pool,
    )


def _retry(_state: State, command: RetryLater, now: int, _encode: Encode) -> ev.Event:
    return ev.RetryScheduled(
        at=now,
        path=command.path,
        attempt=command.attempt,
        due=command.due,
        delay_ms=command.delay_ms,
        why=command.why,
    )


def _finish(state: State, command: FinishTask, now: int, encode: Encode) -> ev.Event:
    if not (command.own_output or command.skip or command.input is not None or command.consumed):
        if command.failure is None:
            return ev.TaskFinished(at=now, path=command.path, status=command.status, policy=command.policy)
        return ev.TaskFinished(
            at=now, path=command.path, status=command.status, failure=_failure(command), policy=command.policy
        )
    index = state.index[command.path]
    node = state.nodes[index]
    task = state.tasks[index]
    pure = not task.attempt and task.wait is None
    return ev.TaskFinished(
        at=now,
        path=command.path,
        status=command.status,
        output=encode(command.output) if command.own_output else None,
        failure=_failure(command),
        skip=command.skip,
        input=None if command.input is None else encode(command.input),
        task_type=node.type if pure else "",
        task_hash=node.task_hash if pure else "",
        effect=node.effect if pure else "",
        ready_at=task.ready_at if pure else 0,
        policy=command.policy,
        consumed=command.consumed,
        degraded=command.degraded,
    )


def _decide(_state: State, command: DecideOutcome, now: int, encode: Encode) -> ev.Event:
    return ev.OutcomeDecided(
        at=now,
        status=command.status,
        output=encode(command.output) if command.status == "succeeded" else None,
        failure=_failure(command),
        failed_task=command.failed_task,
    )


def _conclude(state: State, command: FinishExecution, now: int, encode: Encode) -> ev.Event:
    output: Value | None = None
    if command.status == "succeeded":
        held = state.outcome.output if command.decided and state.outcome is not None else None
        output = held or encode(command.output)
    return ev.ExecutionFinished(
        at=now,
        status=command.status,
        output=output,
        failure=_failure(command),
        failed_task=command.failed_task,
    )


def _failure(command: FinishTask | DecideOutcome | FinishExecution) -> ev.Failure | None:
    return None if command.failure is None else capped(command.failure)


_RECORDERS: dict[type, Callable[[State, Any, int, Encode], ev.Event]] = {
    StartAttempt: _start,
    BeginWait: _wait,
    OpenScope: _open,
    RequestSlot: _slot,
    RetryLater: _retry,
    FinishTask: _finish,
    DecideOutcome: _decide,
    FinishExecution: _conclude,
}
