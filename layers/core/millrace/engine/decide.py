"""`decide`: what to do next. Pure: the same plan, state and time give the same commands, however often it is asked.

Order of questions: is it over; is it cancelled or out of time; which attempts have ended and what follows; which
deadlines have passed; which retries are due; which ready tasks may start. Work is proportional to what is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from millrace.base.limits import UNKNOWN_ATTEMPTS
from millrace.engine.commands import (
    CancelChild,
    Command,
    Fetch,
    FinishTask,
    OpenScope,
    RetryLater,
    StartAttempt,
    StartChild,
)
from millrace.engine.ending import concluded, end, outcome
from millrace.engine.events import Failure
from millrace.engine.frames import Frame, Opened
from millrace.engine.heap import ascending
from millrace.engine.plan import Node, Plan, SlotPlan
from millrace.engine.ready import prepare
from millrace.engine.rendering import rendered, scope_for, unresolved
from millrace.engine.retry import delay_ms, matches
from millrace.engine.scopes import closed
from millrace.engine.slots import DENIED, HELD, SHARED, held_around, no_place, place_of_execution, slot_effects
from millrace.engine.state import (
    CANCELLED,
    DONE,
    FAILED,
    INDEX_MASK,
    READY,
    RETRYING,
    SUCCEEDED,
    WAITING,
    State,
    TaskState,
    held,
)
from millrace.engine.unfolding import error_of, inside, unfinished
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
    if state.outcome is None:
        if state.cancel is not None:
            reason = state.cancel.reason or "cancelled on request"
            return _stop(state, "cancelled", Failure(kind="cancelled", code="cancelled", message=reason))
        if plan.timeout_ms is not None and now >= state.started.at + plan.timeout_ms and state.open:
            message = f"The workflow's timeout of {plan.timeout_ms} ms passed."
            return _stop(state, "timedOut", Failure(kind="timeout", code="workflow-timeout", message=message))
        if plan.slot is not None and (state.slot is None or state.slot.status not in (HELD, SHARED)):
            return _place(plan.slot, state)
    elif state.abort and state.handlers is not None:
        return _abort(state, state.handlers)
    commands: list[Command] = []
    if state.ended:
        for index in state.ended:
            commands.extend(_judge(state, index, now))
    if state.waiting or (state.waits and state.waits[0][0] <= now):
        commands.extend(_mapped(state, command) for command in ended_waits(state, now))
    if state.deadlines and state.deadlines[0][0] <= now:
        commands.extend(_overdue(state, now))
    if not any(type(command) is FinishTask for command in commands):
        # otherwise what becomes ready by these competes for the room that they leave
        if (state.retries or state.ready) and not held(state):
            again = sum(type(command) is StartAttempt for command in commands)
            commands.extend(_starts(plan, state, now, running=state.running + again))
        commands.extend(_ending(plan, state))
    commands.extend(_child(state, index) for index in state.children)
    commands.extend(slot_effects(state))
    return [_stood_in(state, command) for command in commands]


def _ending(plan: Plan, state: State) -> Iterator[Command]:
    """What follows when all tasks are over: the outcome, then, once handlers are over, the end."""
    if state.outcome is None:
        if not state.open:
            yield concluded(plan, state)
    elif state.handled and not state.releases:
        yield end(state)


def _place(plan: SlotPlan, state: State) -> list[Command]:
    """The place that the execution needs before its first task begins."""
    slot = state.slot
    if slot is None:
        missing = unresolved((), state, state.root)
        asked = missing or place_of_execution(state, plan)
        return _stop(state, "failed", asked) if isinstance(asked, Failure) else [asked]
    if slot.status != DENIED:
        return list(slot_effects(state))
    return _stop(state, "cancelled" if slot.on_limit == "cancel" else "failed", no_place(slot))


def _child(state: State, index: int) -> StartChild:
    task, wait = state.tasks[index], state.nodes[index].wait
    assert task.wait is not None  # only a task that waits for one is among them
    assert wait is not None
    slots = held_around(state, state.frames[index])
    if task.slot is not None and task.slot.status == HELD:
        slots.add(task.slot.key)
    return StartChild(
        path=state.path(index),
        child=task.wait.child,
        ref=wait.ref,
        input=task.input,
        detached=wait.detached,
        slots=() if wait.detached else tuple(sorted(slots)),
    )


def _stop(state: State, status: str, failure: Failure) -> list[Command]:
    """End everything that is not done. Executions that were started are told to stop before it is forgotten that they
    were; nobody waits for their end."""
    left = unfinished(state, state.root)
    told = [command for index in left if (command := _told(state, index)) is not None]
    if told:
        return [*told, *(_child(state, index) for index in state.children)]
    commands: list[Command] = [
        FinishTask(path=state.path(index), status=CANCELLED, failure=failure, replaceable=False) for index in left
    ]
    commands.append(outcome(state, status, failure=failure))
    return commands


def _abort(state: State, handlers: Frame) -> list[Command]:
    """A cancel that comes when handlers run already ends these."""
    left = unfinished(state, handlers)
    told = [command for index in left if (command := _told(state, index)) is not None]
    failure = Failure(kind="cancelled", code="cancelled", message="The handlers were cancelled on request.")
    return told or [
        FinishTask(path=state.path(index), status=CANCELLED, failure=failure, replaceable=False) for index in left
    ]


def _told(state: State, index: int) -> Command | None:
    """The command that tells the execution of a task to stop, unless that has been done."""
    task = state.tasks[index]
    wait = task.wait
    if task.status != WAITING or wait is None or wait.kind != "child" or wait.cancelled:
        return None
    return CancelChild(path=state.path(index), child=wait.child)


def _stood_in(state: State, command: Command) -> Command:
    """The command, or, of a failure that a fallback stands in for, the fallback."""
    if type(command) is not FinishTask or command.status != FAILED or not command.replaceable:
        return command
    assert command.failure is not None  # what fails says why
    index = state.index[command.path]
    plan, task = state.nodes[index].fallback, state.tasks[index]
    if plan is None or task.fallen:
        return command
    failure = command.failure
    if plan.value is None:
        return OpenScope(path=command.path, kind="fallback", failure=failure, input=command.input)
    node, frame = state.nodes[index], state.frames[index]
    missing = unresolved(node.reads, state, frame)
    if missing is not None:
        return missing
    env = scope_for(state, frame, node.state)
    if isinstance(env, Failure):
        return command
    scope = {**env, "error": {**error_of(failure), "task": command.path}}
    result = rendered(plan.value, scope, command.path, "fallback")
    if isinstance(result, Failure):
        return msgspec.structs.replace(command, failure=result)
    return msgspec.structs.replace(
        command,
        status=SUCCEEDED,
        output=result.value,
        own_output=True,
        degraded=True,
        policy=(*command.policy, f"fallback: value after {failure.kind}/{failure.code}"),
    )


def _judge(state: State, index: int, now: int) -> Sequence[Command]:
    """What follows from an attempt, a scope or another execution that has ended."""
    opened = state.opened.get(index)
    return (_attempt_over(state, index, now),) if opened is None else _scope_over(state, index, opened, now)


def _attempt_over(state: State, index: int, now: int) -> Command:
    node, task, path = state.nodes[index], state.tasks[index], state.path(index)
    if task.unknown:
        return _after_crash(path, node, task)
    failure = task.failure
    if failure is None:
        return _success(state, index, path)
    policy = node.retry
    if node.wait is not None:
        return FinishTask(path=path, status=FAILED, failure=failure)
    if not matches(policy, failure):
        return FinishTask(path=path, status=FAILED, failure=failure, policy=("retry: not for this failure",))
    if task.attempt >= policy.max_attempts:
        used = f"retry: {task.attempt} of {policy.max_attempts} attempts used"
        return FinishTask(path=path, status=FAILED, failure=failure, policy=(used,))
    if task.no_retry:
        return FinishTask(path=path, status=FAILED, failure=failure, policy=(f"retry: {task.no_retry}",))
    assert state.started is not None  # decide asked before
    delay = delay_ms(policy, attempt=task.attempt, seed=state.started.seed, path=path, failure=failure)
    if now + delay > _last_moment(state, index):
        return FinishTask(
            path=path, status=FAILED, failure=_without_time(failure, delay), policy=("retry: no time left",)
        )
    return RetryLater(
        path=path, attempt=task.attempt + 1, due=now + delay, delay_ms=delay, why=f"{failure.kind}/{failure.code}"
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


def _last_moment(state: State, index: int) -> float:
    node, task = state.nodes[index], state.tasks[index]
    limits = [float("inf")]
    if node.timeout_ms is not None:
        limits.append(task.started_at + node.timeout_ms)
    if node.retry.max_duration_ms is not None:
        limits.append(task.started_at + node.retry.max_duration_ms)
    if state.plan.timeout_ms is not None and state.started is not None and state.outcome is None:
        limits.append(state.started.at + state.plan.timeout_ms)
    return min(limits)


def _after_crash(path: str, node: Node, task: TaskState) -> Command:
    """An unknown attempt counts towards a declared maxAttempts; undeclared, a task outlives crashes up to a limit."""
    worn = task.unknowns >= UNKNOWN_ATTEMPTS or (node.retry.declared and task.attempt >= node.retry.max_attempts)
    if worn or not node.keyed:
        why = "attempts used up" if worn else "the task is not keyed"
        return FinishTask(path=path, status=FAILED, failure=CRASHED, policy=(f"crash: {why}",))
    return StartAttempt(path=path, attempt=task.attempt + 1, policy=("crash: the attempt before is unknown",))


def _scope_over(state: State, index: int, opened: Opened, now: int) -> Sequence[Command]:
    """What follows when everything inside a task is over; what has to be fetched is asked for at once."""
    path, node = state.path(index), state.nodes[index]
    if opened.stopped:
        if _past_deadline(node, state.tasks[index], now):
            return (_late(path, node),)
        failure = Failure(kind="cancelled", code="cancelled", message="The tasks inside it were cancelled.")
        return (FinishTask(path=path, status=CANCELLED, failure=failure, replaceable=False),)
    found = closed(state, opened)
    if isinstance(found, list):
        return found
    output, failure_found = found
    if failure_found is not None:
        return (FinishTask(path=path, status=FAILED, failure=failure_found),)
    stands_in = opened.kind == "fallback"
    trail = (f"fallback: {path}/fallback",) if stands_in else ()
    done = FinishTask(
        path=path,
        status=SUCCEEDED,
        output=output,
        own_output=True,
        degraded=stands_in,
        policy=trail,
        failure=opened.failure,
    )
    return (done if stands_in else _mapped(state, done),)


def _success(state: State, index: int, path: str) -> Command:
    node, task = state.nodes[index], state.tasks[index]
    output = task.output
    if task.wait is not None and output is None:  # of a detached execution, which goes on without this one
        started = {"executionId": task.wait.child}
        return _mapped(state, FinishTask(path=path, status=SUCCEEDED, output=started, own_output=True))
    if node.output is None:
        return FinishTask(path=path, status=SUCCEEDED)
    assert output is not None  # a result without a failure has an output
    if output.sha256 in state.contents:
        produced = state.contents[output.sha256]
    elif output.blob:
        return Fetch(output)
    else:
        produced = output.decoded()
    return _mapped(state, FinishTask(path=path, status=SUCCEEDED, output=produced, own_output=True))


def _mapped(state: State, command: FinishTask | CancelChild | Fetch) -> Command:
    """A success, its output through the task's mapping."""
    if not isinstance(command, FinishTask):
        return command
    index = state.index[command.path]
    node, frame = state.nodes[index], state.frames[index]
    if node.output is None or command.status != SUCCEEDED:
        return command
    missing = unresolved(node.reads, state, frame)
    if missing is not None:
        return missing
    env = scope_for(state, frame, node.state)
    if isinstance(env, Failure):
        return FinishTask(path=command.path, status=FAILED, failure=env)
    scope = {**env, "output": command.output}
    result = rendered(node.output, scope, command.path, "output")
    if isinstance(result, Failure):
        return FinishTask(path=command.path, status=FAILED, failure=result)
    return msgspec.structs.replace(command, output=result.value)


def _overdue(state: State, now: int) -> Iterator[Command]:
    """The end of tasks whose time is over. Of a task that holds others, that of those which hold none: what is around
    them is judged when they are over, since they may end by themselves at the very moment."""
    for at, index in ascending(state.deadlines):
        if at > now:
            return
        task = state.tasks[index]
        if task.status in DONE or index in state.ended or task.fallen:
            continue
        late = _late(state.path(index), state.nodes[index])
        if index not in state.opened:
            yield late
            continue
        left = [inner for inner in inside(state, index) if inner not in state.opened]
        told = [command for inner in left if (command := _told(state, inner)) is not None]
        yield from told or (
            FinishTask(path=state.path(inner), status=CANCELLED, failure=late.failure, replaceable=False)
            for inner in left
        )


def _late(path: str, node: Node) -> FinishTask:
    message = f"Task {path!r} took longer than its timeout of {node.timeout_ms} ms, all attempts together."
    return FinishTask(path=path, status=FAILED, failure=Failure(kind="timeout", code="task-timeout", message=message))


def _starts(plan: Plan, state: State, now: int, *, running: int) -> Iterator[Command]:
    """Due retries first, then ready tasks by priority and document order, up to the parallel limit, of which
    ``running`` are taken."""
    room = (plan.parallel_limit if plan.parallel_limit is not None else len(state.tasks)) - running
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
            node = state.nodes[index]
            trail = f"retry: attempt {task.attempt + 1} of {node.retry.max_attempts}"
            yield StartAttempt(path=state.path(index), attempt=task.attempt + 1, policy=(trail,))
    ready = sorted(state.ready) if room >= len(state.ready) else ascending(state.ready)
    for key in ready:
        if room <= 0:
            return
        index = key & INDEX_MASK
        task = state.tasks[index]
        if task.status == READY:
            command = prepare(state, index, now)
            if type(command) is StartAttempt:
                room -= 1
            elif type(command) is FinishTask and state.nodes[index].scope is not None:
                command = _mapped(state, command)  # nothing was there to be opened
            yield command


def _past_deadline(node: Node, task: TaskState, now: int) -> bool:
    return node.timeout_ms is not None and now >= task.started_at + node.timeout_ms
