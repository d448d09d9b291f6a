"""Waiting: for a time, for an event, for people. A wait costs nothing while it lasts; a timer or a message ends it.

An event that came before its wait began is not lost: signals are kept until a wait takes them, and each is taken once,
by the first wait in document order that it matches.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from millrace.base.errors import ExpressionError, InvalidRequest
from millrace.base.ids import make_id
from millrace.base.limits import HOPS
from millrace.base.scalars import parse_duration, shown
from millrace.engine.commands import BeginWait, CancelChild, Command, Fetch, FinishTask
from millrace.engine.events import ExecutionStarted, Failure
from millrace.engine.heap import ascending
from millrace.engine.plan import Node, WaitPlan
from millrace.engine.rendering import scope_for, unresolved
from millrace.engine.state import FAILED, SUCCEEDED, WAITING, Decision, Signal, State, TaskState, Waiting
from millrace.expr import Expression

_SIGNAL = re.compile(r"[A-Za-z0-9._-]{1,128}")
APPROVED, REJECTED = "approved", "rejected"


def begin_wait(state: State, path: str, wait: WaitPlan, config: Any, value: Any, now: int) -> Command:
    """The command for a task that is ready to wait; ``config`` is its rendered block, ``value`` its input."""
    if wait.kind == "child":
        return _begin_child(state, path, wait, value, now)
    due = None if wait.timeout_ms is None else now + wait.timeout_ms
    signal = ""
    try:
        if wait.kind == "time":
            due = _until(config, now)
        elif wait.kind == "event":
            signal = _signal_name(config)
    except InvalidRequest as error:
        failure = Failure(kind="expression", code=error.code, message=error.message, hint=error.hint)
        return FinishTask(path=path, status=FAILED, failure=failure)
    return BeginWait(path=path, kind=wait.kind, due=due, signal=signal, input=value)


def _begin_child(state: State, path: str, wait: WaitPlan, value: Any, now: int) -> Command:
    """The id of the other execution follows from this one's and the task, so that it is started once."""
    started = state.started
    assert started is not None  # a log begins with it
    if started.hops >= HOPS:
        failure = Failure(
            kind="recursion",
            code="too-many-hops",
            message=f"{HOPS} executions stand above this one already, so task {path!r} starts no other.",
            hint="Give the task that starts the next one a condition that ends it.",
        )
        return FinishTask(path=path, status=FAILED, failure=failure)
    due = None if wait.timeout_ms is None else now + wait.timeout_ms
    again = repeats(state, state.nodes[state.index[path]])
    child = _child_id(started, path, now, 1)
    return BeginWait(
        path=path, kind="child", due=due, input=value, child=child, ref=wait.ref, attempt=1 if again else 0
    )


def repeats(state: State, node: Node) -> bool:
    """Whether a task may start its execution again after one that has failed."""
    wait = node.wait
    if wait is None or wait.kind != "child" or wait.detached or state.started is None:
        return False
    return node.retry.declared and state.started.semantics >= 3


def begin_again(state: State, index: int, now: int) -> BeginWait:
    """The next execution of a task whose last one has failed. The time for all of them began with the first."""
    node, task, path = state.nodes[index], state.tasks[index], state.path(index)
    assert node.wait is not None  # only a task that waits for one is tried again here
    assert state.started is not None
    limit, attempt = node.wait.timeout_ms, task.attempt + 1
    due = None if limit is None else task.started_at + limit
    child = _child_id(state.started, path, now, attempt)
    return BeginWait(path=path, kind="child", due=due, child=child, ref=node.wait.ref, attempt=attempt)


def _child_id(started: ExecutionStarted, path: str, now: int, attempt: int) -> str:
    """The same for whoever asks: it follows from this execution, the task and the try."""
    origin = f"{started.execution}\n{path}" if attempt == 1 else f"{started.execution}\n{path}\n{attempt}"
    digest = hashlib.sha256(origin.encode()).digest()
    return make_id(now, started.region, int.from_bytes(digest[:9], "big"))


def _until(config: Any, now: int) -> int:
    """When a wait ends (ms). Raises InvalidRequest for what is neither a duration nor an instant."""
    if "for" in config:
        return now + parse_duration(config["for"])
    text = config["until"]
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(
            f"{shown(text)} is not an instant.", hint="Write RFC 3339 with an offset: 2026-01-31T09:00:00Z."
        )
    return int(moment.timestamp() * 1000)


def _signal_name(config: Any) -> str:
    name = config["type"]
    if not isinstance(name, str) or not _SIGNAL.fullmatch(name):
        raise InvalidRequest(
            f"{shown(name)} is not the name of a signal.",
            hint="Use 1 to 128 of letters, digits, dot, _ and hyphen.",
        )
    return name


def ended_waits(state: State, now: int) -> Iterator[FinishTask | CancelChild | Fetch]:
    """The waits that are over: by a message, or because their time has come; or what is needed to judge one."""
    taken: set[str] = set()
    over: set[int] = set()
    for index in state.waiting:
        command = _by_message(state, index, taken)
        if command is not None:
            over.add(index)
            yield command
    for due, index in ascending(state.waits):
        if due > now:
            return
        task = state.tasks[index]
        if task.status == WAITING and index not in over:
            yield _by_time(state.path(index), state.nodes[index], task)


def _by_message(state: State, index: int, taken: set[str]) -> FinishTask | Fetch | None:
    node, task, frame = state.nodes[index], state.tasks[index], state.frames[index]
    wait, held, path = node.wait, task.wait, frame.prefix + node.label
    assert wait is not None  # only tasks that wait are among the waiting
    assert held is not None
    if held.kind == "approval":
        return _approval(path, wait, held)
    signals = state.signals.get(held.signal, [])
    scope: Mapping[str, Any] = frame.env
    if signals and wait.match is not None:
        missing = unresolved(node.reads, state, frame)
        if missing is not None:
            return missing
        seen = scope_for(state, frame, node.state)
        if isinstance(seen, Failure):
            return FinishTask(path=path, status=FAILED, failure=seen)
        scope = seen
    if signals and node.own_scope and task.input is not None:
        given = task.input
        if given.blob and given.sha256 not in state.contents:
            return Fetch(given)
        scope = {**scope, "input": state.contents[given.sha256] if given.blob else given.decoded()}
    return _event(path, wait, held, scope, signals, taken)


def _event(
    path: str, wait: WaitPlan, held: Waiting, scope: Mapping[str, Any], signals: Sequence[Signal], taken: set[str]
) -> FinishTask | None:
    for signal in signals:
        if signal.id in taken:
            continue
        seen = _seen(held.signal, signal)
        if wait.match is not None and not _matches(wait.match, {**scope, "event": seen}):
            continue
        taken.add(signal.id)
        return FinishTask(path=path, status=SUCCEEDED, output=seen, own_output=True, consumed=signal.id)
    return None


def _matches(match: Expression, scope: Mapping[str, Any]) -> bool:
    """Whether an event is the one meant. One that lacks what is asked for is another one, not a failure."""
    try:
        return match.evaluate(scope) is True
    except ExpressionError:
        return False


def _seen(name: str, signal: Signal) -> dict[str, Any]:
    """An event as expressions and outputs show it."""
    return {"type": name, "id": signal.id, "at": signal.at, "data": signal.payload.decoded()}


def _approval(path: str, wait: WaitPlan, held: Waiting) -> FinishTask | None:
    rejected = [decision for decision in held.decisions if decision.decision == REJECTED]
    if rejected:
        over = _rejected(path, f"{rejected[0].principal} rejected it.", held.decisions)
        return msgspec.structs.replace(over, replaceable=wait.on_timeout != "task")
    if len(held.decisions) >= wait.required:
        return _approved(path, held.decisions, timed_out=False)
    return None


def _approved(path: str, decisions: list[Decision], *, timed_out: bool) -> FinishTask:
    output = {"decision": APPROVED, "timedOut": timed_out, "decisions": [_decision(one) for one in decisions]}
    return FinishTask(path=path, status=SUCCEEDED, output=output, own_output=True)


def _rejected(path: str, why: str, decisions: list[Decision]) -> FinishTask:
    failure = Failure(
        kind="rejected",
        code=REJECTED,
        message=f"The approval {path!r} was not given: {why}",
        details={"decisions": [_decision(one) for one in decisions]},
    )
    return FinishTask(path=path, status=FAILED, failure=failure)


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "principal": decision.principal,
        "decision": decision.decision,
        "comment": decision.comment,
        "at": decision.at,
        "form": None if decision.form is None else decision.form.decoded(),
    }


def _instant(at: int) -> str:
    """``at`` (ms) as RFC 3339 in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def _by_time(path: str, node: Node, task: TaskState) -> FinishTask | CancelChild:
    wait, held = node.wait, task.wait
    assert wait is not None  # only waits have a due time
    assert held is not None
    if held.kind == "time":
        assert held.due is not None  # what is over by time had one
        output = {"until": _instant(held.due)}
        return FinishTask(path=path, status=SUCCEEDED, output=output, own_output=True)
    if held.kind == "approval" and wait.on_timeout == "approve":
        return _approved(path, held.decisions, timed_out=True)
    if held.kind == "approval" and wait.on_timeout == "reject":
        return _rejected(path, "nobody decided in time.", held.decisions)
    if held.kind == "child" and not held.cancelled:
        return CancelChild(path=path, child=held.child)
    what = (
        f"end of {wait.ref!r}"
        if held.kind == "child"
        else "decision"
        if held.kind == "approval"
        else f"event {held.signal!r}"
    )
    message = f"No {what} came within {wait.timeout_ms} ms."
    return FinishTask(
        path=path, status=FAILED, failure=Failure(kind="timeout", code=f"{held.kind}-timeout", message=message)
    )
