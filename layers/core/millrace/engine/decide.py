"""`decide`: what to do next. Pure: the same plan, state and time give the same commands, however often it is asked.

Order of questions: is it over; is it cancelled or out of time; which attempts have ended and what follows; which
deadlines have passed; which retries are due; which ready tasks may start. Work is proportional to what is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
)
from millrace.engine.ending import concluded, end
from millrace.engine.events import Failure
from millrace.engine.frames import Opened
from millrace.engine.halts import child_of, halted, told_to_stop
from millrace.engine.heap import ascending
from millrace.engine.lanes import CANCEL, in_lane, lane_effects, lane_outcome, stopping
from millrace.engine.plan import Node, Plan
from millrace.engine.ready import prepare
from millrace.engine.rendering import rendered, scope_for, unresolved
from millrace.engine.retry import delay_ms, matches
from millrace.engine.scopes import closed
from millrace.engine.slots import slot_effects
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
    held,
)
from millrace.engine.unfolding import error_of, inside
from millrace.engine.waits import begin_again, ended_waits, repeats

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
    if state.cancel is not None or state.outcome is not None or plan.timeout_ms is not None or plan.slot is not None:
        instead = halted(plan, state, state.started.at, now)
        if instead is not None:
            return instead
    commands: list[Command] = []
    for index in state.ended:
        opened = state.opened.get(index)
        if opened is None:
            commands.append(_attempt_over(state, index, now))
        else:
            commands.extend(_scope_over(state, index, opened, now))
    if state.waiting or (state.waits and state.waits[0][0] <= now):
        commands.extend(_mapped(state, command) for command in ended_waits(state, now))
    if state.deadlines and state.deadlines[0][0] <= now:
        commands.extend(_overdue(state, now))
    if not (commands and _finishing(state, commands)):
        # otherwise what becomes ready by these competes for the room that they leave
        if (state.ready or state.retries) and not held(state):
            _start(plan, state, now, commands)
        if not state.root.open or state.outcome is not None:
            commands.extend(_ending(plan, state))
    if state.children or state.wanted or state.releases:
        commands.extend(child_of(state, index) for index in state.children)
        commands.extend(slot_effects(state))
    if state.spread or state.started.lane is not None:
        commands.extend(lane_effects(state))
    return commands


def _finishing(state: State, commands: list[Command]) -> bool:
    """Whether some of the commands end tasks. In their list fallbacks take the place of failures that they stand in
    for."""
    found = False
    for at, command in enumerate(commands):
        if type(command) is FinishTask:
            found = True
            if command.status == FAILED:
                commands[at] = _stood_in(state, command)
    return found


def _ending(plan: Plan, state: State) -> Iterator[Command]:
    """What follows when all tasks are over: the outcome, then, once handlers are over, the end."""
    if state.outcome is None:
        yield concluded(plan, state)
    elif state.handled and not state.releases:
        yield end(state)


def _stood_in(state: State, command: FinishTask) -> Command:
    """The failure of a task, or the fallback that stands in for it."""
    if not command.replaceable:
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


def _attempt_over(state: State, index: int, now: int) -> Command:
    """What follows from an attempt or another execution that has ended."""
    node, task = state.nodes[index], state.tasks[index]
    path = state.frames[index].prefix + node.label
    if task.unknown:
        return _after_crash(path, node, task)
    failure = task.failure
    if failure is None:
        if node.output is None and task.wait is None:
            return FinishTask(path=path, status=SUCCEEDED)
        return _success(state, index, path)
    policy = node.retry
    if node.wait is not None and not repeats(state, node):
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
    stop = f"{failure.message.rstrip('.')}. " if failure.message else ""
    return Failure(
        kind=failure.kind,
        code=failure.code,
        message=f"{stop}Not retried: the next try would be due in {delay} ms, after the time allowed.",
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
    if node.wait is not None and node.wait.timeout_ms is not None:
        limits.append(task.started_at + node.wait.timeout_ms)
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
    if opened.stopped or opened.told == CANCEL:
        if _past_deadline(node, state.tasks[index], now):
            return (_late(path, node),)
        failure = Failure(kind="cancelled", code="cancelled", message="The tasks inside it were cancelled.")
        return (FinishTask(path=path, status=CANCELLED, failure=failure, replaceable=False),)
    part = not index and in_lane(state)
    found = ([], None) if part and opened.closing else closed(state, opened)
    if part:
        return lane_outcome(found)
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
        left = [inner for inner in inside(state, index) if inner not in state.opened or inner in state.spread]
        if index in state.spread:
            left.append(index)
        told = [command for inner in left if (command := told_to_stop(state, inner, late.failure)) is not None]
        if stopping(state, left) and not told:
            continue
        yield from told or (
            FinishTask(path=state.path(inner), status=CANCELLED, failure=late.failure, replaceable=False)
            for inner in left
        )


def _late(path: str, node: Node) -> FinishTask:
    message = f"Task {path!r} took longer than its timeout of {node.timeout_ms} ms, all attempts together."
    return FinishTask(path=path, status=FAILED, failure=Failure(kind="timeout", code="task-timeout", message=message))


def _once(line: Iterable[int]) -> Iterator[int]:
    """The entries of ready tasks but for repeated ones: who has come back with a place may be in line from before."""
    seen: set[int] = set()
    for key in line:
        index = key & INDEX_MASK
        if index not in seen:
            seen.add(index)
            yield key


def _start(plan: Plan, state: State, now: int, commands: list[Command]) -> None:
    """Due retries first, then ready tasks by priority and document order, up to the parallel limit, of which those
    that run and those of ``commands`` take their part."""
    room = (plan.parallel_limit if plan.parallel_limit is not None else len(state.tasks)) - state.running
    for command in commands:
        room -= type(command) is StartAttempt
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
            node = state.nodes[index]
            if node.wait is not None:
                commands.append(begin_again(state, index, now))
                continue
            room -= 1
            trail = f"retry: attempt {task.attempt + 1} of {node.retry.max_attempts}"
            commands.append(StartAttempt(path=state.path(index), attempt=task.attempt + 1, policy=(trail,)))
    tasks = state.tasks
    line = sorted(state.ready) if room >= len(state.ready) else ascending(state.ready)
    for key in _once(line) if plan.slots else line:
        if room <= 0:
            return
        index = key & INDEX_MASK
        if tasks[index].status == READY:
            command = prepare(state, index, now)
            if type(command) is StartAttempt:
                room -= 1
            elif type(command) is FinishTask:
                if state.nodes[index].scope is not None:
                    command = _mapped(state, command)  # nothing was there to be opened
                if type(command) is FinishTask and command.status == FAILED:
                    command = _stood_in(state, command)
            commands.append(command)


def _past_deadline(node: Node, task: TaskState, now: int) -> bool:
    return node.timeout_ms is not None and now >= task.started_at + node.timeout_ms
