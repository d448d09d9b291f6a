"""What the tests of a document say instead of the world: results of attempts, signals, decisions, a cancel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from millrace.base.errors import InvalidInput, InvalidRequest, TooLarge
from millrace.base.ids import idempotency_key
from millrace.base.limits import INLINE_VALUE_BYTES
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.ports.rehearsal import Canned, Rehearse
from millrace.ports.runners import Attempt, Failure, Outcome, TaskFailed
from millrace.services.workflow_tests.player import Call, Landing
from millrace.spec import validate_input
from millrace.spec.models.testing import Case, MockDecision, MockFailure, MockResult, MockSignal, Moment
from millrace.spec.task_names import general, task_id

RETRYABLE_KINDS: Final = frozenset({"timeout", "network"})
RETRYABLE_STATUSES: Final = frozenset({"408", "425", "429"})


def names(wanted: str, path: str) -> bool:
    """Whether a test that names ``wanted`` means the task at ``path``: by path, by path for every iteration, or by
    id for every place."""
    return wanted in (path, general(path), task_id(path))


def meant(wanted: str, paths: Iterable[str]) -> list[str]:
    """The paths that a test means: the one of exactly this name, or else every one that `names` accepts."""
    known = list(paths)
    return [wanted] if wanted in known else [path for path in known if names(wanted, path)]


def named(table: Mapping[str, Any], path: str) -> Any:
    """The entry for a path, the most exact name first; None without one."""
    for name in (path, general(path), task_id(path)):
        if name in table:
            return table[name]
    return None


class CaseAnswers:
    """Answers attempts from the mocks of one test."""

    def __init__(self, case: Case, execution: str, rehearse: Rehearse) -> None:
        self._case = case
        self._execution = execution
        self._rehearse = rehearse

    def __call__(self, call: Call, *, config: Any, now: int, limit: int) -> Landing:
        """Raises InvalidRequest for an attempt that nothing is said about."""
        del limit  # the player judges what takes longer
        results = named(self._case.tasks, call.path)
        if results is None:
            if self._case.on_unmocked == "succeed-empty":
                return Landing(now, Outcome(_nothing(call.type)))
            raise InvalidRequest(
                f"The task {call.path!r} ({_what(call)}) would be performed, and has no mock.",
                hint=f"Add it to the tasks of the test, as in tasks: {{{task_id(call.path)}: {{output: …}}}}, "
                "or set onUnmocked: succeed-empty.",
                facts={"task": call.path},
            )
        result: MockResult = results[min(call.attempt, len(results)) - 1]
        no_retry = "" if result.failure is None else result.failure.no_retry
        return Landing(now + result.delay, self._outcome(call, config, result, now), no_retry)

    def _outcome(self, call: Call, config: Any, result: MockResult, now: int) -> Outcome | TaskFailed | None:
        if result.failure is not None:
            return None if result.failure.kind == "driver_crash" else TaskFailed(_failure(result.failure))
        if not result.answers:
            return Outcome(result.output)
        attempt = Attempt(
            tenant="test",
            execution=self._execution,
            path=call.path,
            number=call.attempt,
            type=call.type,
            config=config,
            input=call.input,
            idempotency_key=idempotency_key(self._execution, call.path),
            deadline_ms=60_000,
        )
        answer = Canned(result.status, result.headers, result.body, now + result.delay, result.delay)
        outcome = self._rehearse(attempt, answer)
        return outcome if isinstance(outcome, TaskFailed) else Outcome(outcome.output)


def _nothing(kind: str) -> Any:
    return {"status": 200, "headers": {}, "body": None, "durationMs": 0} if kind == "http" else None


def _what(call: Call) -> str:
    if call.type == "http" and isinstance(call.request, dict):
        return f"{call.request.get('method', 'GET')} {call.request.get('url')}"[:200]
    return call.type


def _failure(mock: MockFailure) -> Failure:
    code = mock.kind if mock.code is None else str(mock.code)
    usual = mock.kind in RETRYABLE_KINDS
    if mock.kind == "http":
        usual = code in RETRYABLE_STATUSES or (len(code) == 3 and code.startswith("5"))
    retryable = usual if mock.retryable is None else mock.retryable
    return Failure(mock.kind, code, mock.message, retryable, retry_after_ms=mock.retry_after)


class CaseMessages:
    """Sends the messages of one test when their moment has come. ``notes`` says which of them were never sent."""

    def __init__(self, case: Case, begin: int, codec: ValueCodec) -> None:
        self._codec = codec
        self._waiting: dict[str, ev.WaitStarted] = {}
        self._timed: list[tuple[int, int, _Message, str]] = []
        self._number = 0
        self._after: list[_Message] = []
        self._asked: list[_Message] = []
        messages = [_Message(signal, f"signal-{number}") for number, signal in enumerate(case.signals, 1)]
        messages += [_Message(decision, f"decision-{number}") for number, decision in enumerate(case.decisions, 1)]
        messages += [] if case.cancel is None else [_Message(case.cancel, "cancel")]
        for message in messages:
            what = message.what
            if what.after is not None:
                self._after.append(message)
            elif what.at is None and isinstance(what, MockDecision):
                self._asked.append(message)
            else:
                self._at(begin + (what.at or 0), message)

    def _at(self, at: int, message: _Message, path: str = "") -> None:
        """``path`` is the one approval that a decision is about; without it, every one that its task means."""
        self._number += 1
        self._timed.append((at, self._number, message, path))
        self._timed.sort(key=lambda entry: entry[:2])

    def next_at(self) -> int | None:
        return self._timed[0][0] if self._timed else None

    def due(self, now: int) -> Iterator[ev.Event]:
        """Raises InvalidRequest for a decision that nobody asked for, InvalidInput for a form that does not fit."""
        while self._timed and self._timed[0][0] <= now:
            _, _, message, path = self._timed.pop(0)
            yield from self._events(message, path, now)

    def note(self, events: Sequence[ev.Event], now: int) -> None:
        for event in events:
            if isinstance(event, ev.WaitStarted) and event.kind == "approval":
                self._waiting[event.path] = event
                for message in self._asked:
                    if names(message.task, event.path):
                        self._at(now, message, event.path)
            elif isinstance(event, ev.TaskFinished):
                self._waiting.pop(event.path, None)
                ready = [message for message in self._after if names(message.what.after or "", event.path)]
                for message in ready:
                    self._after.remove(message)
                    self._at(now, message)

    def unsent(self) -> list[str]:
        """A sentence for each message whose moment never came."""
        said = [f"{one.label} was not sent: {one.what.after!r} never finished" for one in self._after]
        said += [f"{one.label} was not asked for: {one.task!r} never waited" for one in self._asked if not one.sent]
        return said

    def _events(self, message: _Message, path: str, now: int) -> Iterator[ev.Event]:
        what = message.what
        message.sent += 1
        label = message.label if message.sent == 1 else f"{message.label}-{message.sent}"
        if isinstance(what, MockSignal):
            payload = self._small(what.payload, f"The payload of the signal {what.name!r}")
            yield ev.SignalReceived(at=now, message=what.id or label, signal=what.name, payload=payload)
        elif isinstance(what, MockDecision):
            yield from self._decisions(what, label, path, now)
        else:
            yield ev.CancelRequested(at=now, message=label, reason=getattr(what, "reason", ""))

    def _small(self, value: Any, what: str) -> Value:
        """A message is as large as a real one may be. Raises TooLarge."""
        encoded = self._codec.encode(value)
        if encoded.blob:
            raise TooLarge(
                f"{what} has {encoded.size:,} bytes; a message may have {INLINE_VALUE_BYTES:,}.",
                hint="Pass a reference to the data.",
                facts={"limit": INLINE_VALUE_BYTES, "size": encoded.size},
            )
        return encoded

    def _decisions(self, what: MockDecision, label: str, path: str, now: int) -> Iterator[ev.Event]:
        asked = [self._waiting[at] for at in meant(path or what.task, self._waiting)]
        if not asked:
            raise InvalidRequest(
                f"A decision about {what.task!r} comes when it waits for none.",
                hint="Leave at and after out, to decide as soon as it is asked for.",
                facts={"task": what.task},
            )
        for number, wait in enumerate(asked, 1):
            form = what.form if wait.form is None else _filled(wait.form, what)
            yield ev.DecisionReceived(
                at=now,
                message=label if number == 1 else f"{label}.{number}",
                path=wait.path,
                decision=what.decision,
                comment=what.comment,
                form=None if form is None else self._small(form, f"The form of a decision about {what.task!r}"),
                principal=what.principal,
            )


class _Message:
    """A message of a test, and how often it was sent: one for every place that its task stands in."""

    def __init__(self, what: Moment, label: str) -> None:
        self.what = what
        self.label = label
        self.sent = 0

    @property
    def task(self) -> str:
        return self.what.task if isinstance(self.what, MockDecision) else ""


def _filled(schema: dict[str, Any], what: MockDecision) -> Any:
    checked = validate_input(schema, {} if what.form is None else what.form)
    if not checked.valid:
        raise InvalidInput(
            f"The form of a decision about {what.task!r} does not fit its schema.",
            hint=checked.suggested_prompt,
            facts=checked.to_json(),
        )
    return checked.value
