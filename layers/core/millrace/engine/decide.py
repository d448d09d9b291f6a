"""`decide`: what to do next. Pure: the same plan, state and time give the same commands, however often it is asked.

Order of questions: is it over; is it cancelled or out of time; which attempts have ended and what follows; which
deadlines have passed; which retries are due; which ready tasks may start. Work is proportional to what is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from millrace.base.limits import UNKNOWN_ATTEMPTS
from millrace.engine.commands import Command, Fetch, FinishExecution, FinishTask, RetryLater, StartAttempt
from millrace.engine.events import Failure
from millrace.engine.heap import ascending
from millrace.engine.plan import Node, Plan
from millrace.engine.ready import Rendered, prepare, refused, rendered
from millrace.engine.retry import delay_ms, matches
from millrace.engine.state import (
    CANCELLED,
    DONE,
    FAILED,
    INDEX_MASK,
    READY,
    RETRYING,
    SUCCEEDED,
    State,
    TaskState,
)
from millrace.engine.waits import ended_waits

CRASHED = Failure(
    kind="driver_crash",
    code="driver_crash",
    message="The process that ran this attempt ended before it recorded a result.",
    hint="The attempt may or may not have had its effect; look at the target by the idempotency key.",
)


def decide(plan: Plan, state: State, now: int) -> list[Command]:
    """The commands that follow from ``state`` at ``now`` (ms). Empty when there is nothing to do yet."""
    if state.finished is not None or state.started is None:
        return []
    if state.cancel is not None:
        reason = state.cancel.reason or "cancelled on request"
        return _stop(state, "cancelled", Failure(kind="cancelled", code="cancelled", message=reason))
    if plan.timeout_ms is not None and now >= state.started.at + plan.timeout_ms and state.open:
        message = f"The workflow's timeout of {plan.timeout_ms} ms passed."
        return _stop(state, "timedOut", Failure(kind="timeout", code="workflow-timeout", message=message))
    commands: list[Command] = []
    if state.ended:
        commands.extend(_judge(plan.nodes[index], state.tasks[index], state, now) for index in state.ended)
    if state.waiting or (state.waits and state.waits[0][0] <= now):
        commands.extend(_mapped(plan, state, command) for command in ended_waits(plan, state, now))
    if state.deadlines and state.deadlines[0][0] <= now:
        commands.extend(_overdue(plan, state, now))
    if any(type(command) is FinishTask for command in commands):
        return commands  # what becomes ready by these competes for the room that they leave
    if (state.retries or state.ready) and not state.paused:
        again = sum(type(command) is StartAttempt for command in commands)
        commands.extend(_starts(plan, state, now, running=state.running + again))
    if not state.open:
        commands.append(_conclude(plan, state))
    return commands


def _stop(state: State, status: str, failure: Failure) -> list[Command]:
    commands: list[Command] = [
        FinishTask(path=node.id, status=CANCELLED, failure=failure)
        for node, task in zip(state.plan.nodes, state.tasks, strict=True)
        if task.status not in DONE
    ]
    commands.append(FinishExecution(status=status, failure=failure))
    return commands


def _judge(node: Node, task: TaskState, state: State, now: int) -> Command:
    """What follows from an attempt that has ended."""
    if task.unknown:
        return _after_crash(node, task)
    failure = task.failure
    if failure is None:
        return _success(node, task, state)
    policy = node.retry
    if not matches(policy, failure):
        return FinishTask(path=node.id, status=FAILED, failure=failure, policy=("retry: not for this failure",))
    if task.attempt >= policy.max_attempts:
        used = f"retry: {task.attempt} of {policy.max_attempts} attempts used"
        return FinishTask(path=node.id, status=FAILED, failure=failure, policy=(used,))
    if task.no_retry:
        return FinishTask(path=node.id, status=FAILED, failure=failure, policy=(f"retry: {task.no_retry}",))
    assert state.started is not None  # decide asked before
    delay = delay_ms(policy, attempt=task.attempt, seed=state.started.seed, path=node.id, failure=failure)
    if now + delay > _last_moment(node, task, state):
        return FinishTask(
            path=node.id, status=FAILED, failure=_without_time(failure, delay), policy=("retry: no time left",)
        )
    return RetryLater(
        path=node.id, attempt=task.attempt + 1, due=now + delay, delay_ms=delay, why=f"{failure.kind}/{failure.code}"
    )


def _without_time(failure: Failure, delay: int) -> Failure:
    return Failure(
        kind=failure.kind,
        code=failure.code,
        message=f"{failure.message} Not retried: the next try would be due in {delay} ms, after the time allowed.",
        retryable=False,
        hint=failure.hint,
        details=failure.details,
        retry_after_ms=failure.retry_after_ms,
    )


def _last_moment(node: Node, task: TaskState, state: State) -> float:
    limits = [float("inf")]
    if node.timeout_ms is not None:
        limits.append(task.started_at + node.timeout_ms)
    if node.retry.max_duration_ms is not None:
        limits.append(task.started_at + node.retry.max_duration_ms)
    if state.plan.timeout_ms is not None and state.started is not None:
        limits.append(state.started.at + state.plan.timeout_ms)
    return min(limits)


def _after_crash(node: Node, task: TaskState) -> Command:
    """An unknown attempt counts towards a declared maxAttempts; undeclared, a task outlives crashes up to a limit."""
    worn = task.unknowns >= UNKNOWN_ATTEMPTS or (node.retry.declared and task.attempt >= node.retry.max_attempts)
    if worn or not node.keyed:
        why = "attempts used up" if worn else "the task is not keyed"
        return FinishTask(path=node.id, status=FAILED, failure=CRASHED, policy=(f"crash: {why}",))
    return StartAttempt(path=node.id, attempt=task.attempt + 1, policy=("crash: the attempt before is unknown",))


def _success(node: Node, task: TaskState, state: State) -> Command:
    if node.output is None:
        return FinishTask(path=node.id, status=SUCCEEDED)
    output = task.output
    assert output is not None  # a result without a failure has an output
    if output.sha256 in state.contents:
        produced = state.contents[output.sha256]
    elif output.blob:
        return Fetch(output)
    else:
        produced = output.decoded()
    result = rendered(node.output, state, {**state.env, "output": produced}, node.id, "output", reads=node.reads)
    if isinstance(result, Rendered):
        return FinishTask(path=node.id, status=SUCCEEDED, output=result.value, own_output=True)
    return refused(node, result)


def _mapped(plan: Plan, state: State, command: FinishTask | Fetch) -> Command:
    """A wait that is over, its output through the task's mapping."""
    if isinstance(command, Fetch):
        return command
    node = plan.nodes[plan.index[command.path]]
    if node.output is None or command.status != SUCCEEDED:
        return command
    scope = {**state.env, "output": command.output}
    result = rendered(node.output, state, scope, node.id, "output", reads=node.reads)
    if isinstance(result, Rendered):
        return msgspec.structs.replace(command, output=result.value)
    return refused(node, result)


def _overdue(plan: Plan, state: State, now: int) -> Iterator[Command]:
    for at, index in ascending(state.deadlines):
        if at > now:
            return
        if state.tasks[index].status in DONE or index in state.ended:
            continue
        node = plan.nodes[index]
        message = f"Task {node.id!r} took longer than its timeout of {node.timeout_ms} ms, all attempts together."
        yield FinishTask(
            path=node.id, status=FAILED, failure=Failure(kind="timeout", code="task-timeout", message=message)
        )


def _starts(plan: Plan, state: State, now: int, *, running: int) -> Iterator[Command]:
    """Due retries first, then ready tasks by priority and document order, up to the parallel limit, of which
    ``running`` are taken."""
    room = (plan.parallel_limit if plan.parallel_limit is not None else len(plan.nodes)) - running
    before: tuple[int, int] | None = None
    for entry in ascending(state.retries):
        due, index = entry
        if due > now or room <= 0:
            break
        if entry == before:  # stale: the task was retried before at this very time
            continue
        before = entry
        task = state.tasks[index]
        if task.status == RETRYING and task.due == due:
            room -= 1
            node = plan.nodes[index]
            trail = f"retry: attempt {task.attempt + 1} of {node.retry.max_attempts}"
            yield StartAttempt(path=node.id, attempt=task.attempt + 1, policy=(trail,))
    ready = sorted(state.ready) if room >= len(state.ready) else ascending(state.ready)
    for key in ready:
        if room <= 0:
            return
        index = key & INDEX_MASK
        task = state.tasks[index]
        if task.status == READY:
            command = prepare(plan, plan.nodes[index], task, state, now)
            if type(command) is StartAttempt:
                room -= 1
            yield command


def _conclude(plan: Plan, state: State) -> Command:
    if plan.timeout_ms is not None:
        for task in state.tasks:
            if task.status == CANCELLED:  # a stop by the timeout whose end was not recorded
                return FinishExecution(status="timedOut", failure=task.failure)
    if state.failed is not None:
        node = plan.nodes[state.failed]
        failure = state.tasks[state.failed].failure
        return FinishExecution(status="failed", failure=failure, failed_task=node.id)
    if plan.output is not None:
        result = rendered(plan.output, state, state.env, "", "output", reads=plan.output_reads)
        if isinstance(result, Fetch):
            return result
        if isinstance(result, Failure):
            return FinishExecution(status="failed", failure=result)
        return FinishExecution(status="succeeded", output=result.value)
    outputs: dict[str, Any] = {}
    for leaf in plan.leaves:
        if leaf in state.unresolved:
            return Fetch(state.unresolved[leaf])
        entry = state.view[leaf]
        if entry["status"] == SUCCEEDED:
            outputs[leaf] = entry["output"]
    return FinishExecution(status="succeeded", output=outputs)
