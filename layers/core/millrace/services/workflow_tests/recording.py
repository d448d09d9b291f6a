"""From an execution that has ended to a test that shows the same: its input, what each attempt brought and when, what
people and events brought, and what came of it.

A driver takes a few milliseconds between two events, and a test takes none. So the history is played once with every
result arriving exactly when it did, and the delays of the test are counted from when its attempts start there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.canonical import dumps
from millrace.base.errors import Conflict, MillraceError, TooLarge
from millrace.base.limits import DOCUMENT_BYTES
from millrace.base.scalars import format_duration
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.ports.rehearsal import Rehearse
from millrace.ports.runners import Failure, Outcome, TaskFailed
from millrace.services.execution_view import view
from millrace.services.times import rfc3339
from millrace.services.workflow_tests.expecting import expectations, without_mismatches
from millrace.services.workflow_tests.mocks import CaseMessages
from millrace.services.workflow_tests.player import Call, Landing
from millrace.services.workflow_tests.running import Subject, instant, play_case, run_case
from millrace.spec.models.testing import Case

CASE_BYTES: Final = DOCUMENT_BYTES
"""A test stands in a document, and cannot be larger."""
_NEVER_MS: Final = 366 * 86_400_000
"""The delay of an attempt whose result nobody waited for."""


class Recording(Struct, frozen=True):
    """``case`` is the document of the test, ``passes`` whether it passes now. ``differences`` say what of the history a
    test does not show again, such as a time that was a few milliseconds later."""

    case: dict[str, Any]
    passes: bool
    differences: tuple[str, ...]


def record_case(
    subject: Subject,
    events: Sequence[ev.Event],
    content: Callable[[Value], Any],
    *,
    name: str,
    text: str,
    rehearse: Rehearse,
) -> Recording:
    """``text`` is that of the documents, by which is seen what they read; ``content`` loads a recorded value.

    Raises Conflict for an execution that has not ended, TooLarge when the test would not fit a document.
    """
    started, last = events[0], events[-1]
    if not isinstance(started, ev.ExecutionStarted) or not isinstance(last, ev.ExecutionFinished):
        raise Conflict("The execution has not ended, so it is not known what to expect.", hint="Wait for its end.")
    _check_size(sum(value.size for value in _values(events)))
    case = _head(started, name, text, content) | _messages(events, started.at, content)
    answers = _Recorded(events, content)
    _play(subject, case, answers)
    mocks = answers.mocks()
    if mocks:
        case["tasks"] = mocks
    case["expect"] = expectations(view(events, content), events)
    result = run_case(subject, _model(case), rehearse)
    differences = tuple(mismatch.message for mismatch in result.mismatches)
    if result.mismatches:
        case["expect"] = without_mismatches(case["expect"], result)
        result = run_case(subject, _model(case), rehearse)
    if result.problem is not None:
        differences += (result.problem.message,)
    _check_size(len(dumps(case)))
    return Recording(case, result.status == "passed", differences)


def _model(case: Mapping[str, Any]) -> Case:
    return Case.model_validate(case)


def _check_size(size: int) -> None:
    if size > CASE_BYTES:
        raise TooLarge(
            f"The test would have {size:,} bytes, and a document may have {CASE_BYTES:,}.",
            hint="Write a test by hand, with less data than the execution had.",
            facts={"limit": CASE_BYTES, "size": size},
        )


def _values(events: Sequence[ev.Event]) -> list[Value]:
    """The recorded values that the test is made from, each once."""
    found: dict[str, Value] = {}
    for event in events:
        match event:
            case ev.ExecutionStarted(input=value) | ev.SignalReceived(payload=value):
                found[value.sha256] = value
            case ev.AttemptFinished(output=Value() as value) | ev.ExecutionFinished(output=Value() as value):
                found[value.sha256] = value
            case ev.ChildFinished(output=Value() as value):
                found[value.sha256] = value
            case _:
                pass
    return list(found.values())


def _head(started: ev.ExecutionStarted, name: str, text: str, content: Callable[[Value], Any]) -> dict[str, Any]:
    """What the execution began with; what no document reads is left out."""
    case: dict[str, Any] = {"name": name, "input": content(started.input), "now": rfc3339(started.at)}
    env = {key: value for key, value in started.env.items() if key in text}
    if env:
        case["env"] = env
    if started.trigger and re.search(r"\btrigger\b", text):
        case["trigger"] = started.trigger
    if re.search(r"\bexecution\b", text):
        mode = "live" if started.mode == "live" else "test"
        case["execution"] = {"id": started.execution, "mode": mode, "version": started.version}
    if '"retry"' in text:
        case["seed"] = started.seed
    return case


def _messages(events: Sequence[ev.Event], begin: int, content: Callable[[Value], Any]) -> dict[str, Any]:
    """Signals, decisions and the request to cancel, each once, and no decision that came too late to count."""
    signals: list[dict[str, Any]] = []
    decisions: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    consumed = {event.consumed for event in events if isinstance(event, ev.TaskFinished)}
    seen: set[str] = set()
    waiting: set[str] = set()
    for event in events:
        match event:
            case ev.WaitStarted(kind="approval"):
                waiting.add(event.path)
            case ev.TaskFinished():
                waiting.discard(event.path)
            case ev.SignalReceived() if event.message not in seen:
                seen.add(event.message)
                one = {"name": event.signal, "payload": content(event.payload), "at": _span(event.at - begin)}
                signals.append(one | ({"id": event.message} if event.message in consumed else {}))
            case ev.DecisionReceived() if event.message not in seen and event.path in waiting:
                seen.add(event.message)
                decisions.append(_decision(event, begin, content))
            case ev.CancelRequested() if "cancel" not in found:
                found["cancel"] = {"at": _span(event.at - begin), "reason": event.reason}
            case _:
                pass
    return ({"signals": signals} if signals else {}) | ({"decisions": decisions} if decisions else {}) | found


def _decision(event: ev.DecisionReceived, begin: int, content: Callable[[Value], Any]) -> dict[str, Any]:
    body = {"task": event.path, "decision": event.decision, "principal": event.principal or "tester"}
    if event.comment:
        body["comment"] = event.comment
    form = {} if event.form is None else {"form": content(event.form)}
    return {**body, **form, "at": _span(event.at - begin)}


def _span(milliseconds: int) -> str:
    return format_duration(max(milliseconds, 0))


def _play(subject: Subject, case: dict[str, Any], answers: _Recorded) -> None:
    model = _model(case)
    codec = ValueCodec(model.execution.id)
    messages = CaseMessages(model, instant(model.now), codec)
    try:
        play_case(subject, model, answers, messages, codec)
    except MillraceError:
        return  # the run of the finished test meets the same, and says so


class _Recorded:
    """Answers every attempt as the history did, at the very moment, and notes how long that took."""

    def __init__(self, events: Sequence[ev.Event], content: Callable[[Value], Any]) -> None:
        self._content = content
        self._ends: dict[tuple[str, int], ev.AttemptFinished | ev.AttemptUnknown] = {}
        self._found: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            if isinstance(event, ev.AttemptFinished | ev.AttemptUnknown):
                self._ends.setdefault((event.path, event.attempt), event)
            elif isinstance(event, ev.ChildFinished):  # another execution answers like one attempt
                end = ev.AttemptFinished(
                    at=event.at, path=event.path, attempt=1, output=event.output, failure=event.failure
                )
                self._ends.setdefault((event.path, 1), end)

    def __call__(self, call: Call, *, config: Any, now: int, limit: int) -> Landing:
        del config
        event = self._ends.get((call.path, call.attempt))
        if event is None:
            return self._noted(call, {}, now, now + _NEVER_MS, Outcome(None))
        at = max(now, event.at)
        if isinstance(event, ev.AttemptUnknown):
            return self._noted(call, {"failure": {"kind": "driver_crash"}}, now, at, None)
        if event.failure is not None:
            failure = event.failure
            if failure.code != "attempt-timeout":
                at = min(at, now + limit)
            said = _failure(failure) | ({"noRetry": event.no_retry} if event.no_retry else {})
            return replace(self._noted(call, {"failure": said}, now, at, _failed(failure)), no_retry=event.no_retry)
        output = None if event.output is None else self._content(event.output)
        return self._noted(call, {"output": output}, now, min(at, now + limit), Outcome(output))

    def _noted(
        self, call: Call, result: dict[str, Any], now: int, at: int, outcome: Outcome | TaskFailed | None
    ) -> Landing:
        delay = {"delay": format_duration(at - now)} if at > now else {}
        self._found.setdefault(call.path, []).append({**result, **delay})
        return Landing(at, outcome)

    def mocks(self) -> dict[str, Any]:
        """The ``tasks`` of the test: one result, or a list with one an attempt."""
        return {path: found[0] if len(found) == 1 else found for path, found in self._found.items()}


def _failure(failure: ev.Failure) -> dict[str, Any]:
    body = {
        "kind": failure.kind,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
    }
    again = failure.retry_after_ms
    return body if again is None else {**body, "retryAfter": format_duration(again)}


def _failed(failure: ev.Failure) -> TaskFailed:
    return TaskFailed(
        Failure(
            failure.kind,
            failure.code,
            failure.message,
            failure.retryable,
            retry_after_ms=failure.retry_after_ms,
        )
    )
