"""One execution on a clock that only the test moves: the engine decides, and every attempt is answered from outside.

What a driver does with a log, a lease and a network happens here at once and in memory. Waits, retries and delays are
jumped over, so that a wait of days takes no time, and the same test gives the same history every time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, field

from millrace.base.errors import TooLarge
from millrace.driver.attempts import Result
from millrace.driver.results import finished_event
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import AcquireSlot, CancelChild, Effect, ReleaseSlot, StartAttempt, StartChild
from millrace.engine.evolve import evolve
from millrace.engine.plan import Node, Plan
from millrace.engine.settle import settle
from millrace.engine.state import State, next_due
from millrace.engine.values import Value
from millrace.ports.runners import Failure, Outcome, TaskFailed
from millrace.services.shown import shown

CHILD: Final = 0
"""The attempt number of another execution, which has attempts of its own."""
CHILD_LIMIT_MS: Final = 365 * 24 * 3600 * 1000
"""How long another execution may take; its task's own timeout is the engine's."""
MOST_EVENTS: Final = 250_000
"""Events of one test; a workflow of the largest size with a few retries has fewer."""


class Call(Struct, frozen=True):
    """One attempt: what it was given, rendered. Secrets stand by their names."""

    path: str
    attempt: int
    type: str
    input: Any
    request: Any


class Landing(Struct, frozen=True):
    """When an attempt ends (ms), and with what; None when its driver is lost and nobody knows. ``no_retry`` says why
    nothing may follow it."""

    at: int
    outcome: Outcome | TaskFailed | None
    no_retry: str = ""


class Answers(Protocol):
    def __call__(self, call: Call, *, config: Any, now: int, limit: int) -> Landing:
        """What becomes of an attempt that starts at ``now`` and may take ``limit`` ms; ``config`` is the rendered
        block with its secrets as references. Raises MillraceError to end the test."""
        ...


class Messages(Protocol):
    """What reaches the execution from outside while it runs."""

    def next_at(self) -> int | None:
        """When the next message is due (ms)."""
        ...

    def due(self, now: int) -> Iterable[ev.Event]:
        """The messages whose time has come. Raises MillraceError to end the test."""
        ...

    def note(self, events: Sequence[ev.Event], now: int) -> None:
        """What has just happened: some messages wait for that."""
        ...


class Played(Struct):
    """The history that came of it. ``waiting`` says that nothing more can happen without a message."""

    codec: ValueCodec
    events: list[ev.Event] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    waiting: bool = False

    def content(self, value: Value) -> Any:
        """The content of a value, wherever it lies."""
        return msgspec.json.decode(self.codec.blobs[value.blob]) if value.blob else value.decoded()


class Player:
    """Plays one execution from its start event to its end, or until nothing can happen any more, or until it has
    ``most`` events."""

    def __init__(
        self, plan: Plan, answers: Answers, messages: Messages, codec: ValueCodec, *, most: int = MOST_EVENTS
    ) -> None:
        self._plan = plan
        self._most = most
        self._answers = answers
        self._messages = messages
        self._state = State(plan)
        self._played = Played(codec)
        self._first: dict[str, tuple[StartAttempt, str]] = {}
        self._flying: list[tuple[int, int, Result | None, StartAttempt]] = []
        self._running: dict[str, int] = {}
        self._order = count()
        self._now = 0

    def play(self, started: ev.ExecutionStarted, value: Any) -> Played:
        """``value`` is the content of the input. Raises TooLarge past ``most`` events, and what answers raise."""
        self._now = started.at
        self._state.contents[started.input.sha256] = value
        self._take(started)
        self._receive()
        self._settle()
        while self._state.finished is None:
            flying = self._flying[0][0] if self._flying else None
            moments = [at for at in (next_due(self._state), flying, self._messages.next_at()) if at is not None]
            if not moments:
                self._played.waiting = True
                break
            self._now = max(self._now, min(moments))
            while self._flying and self._flying[0][0] <= self._now:
                self._land()
            self._receive()
            self._settle()
        return self._played

    def _take(self, event: ev.Event) -> None:
        evolve(self._state, event)
        self._played.events.append(event)
        self._messages.note([event], self._now)

    def _receive(self) -> None:
        for event in self._messages.due(self._now):
            self._take(event)

    def _settle(self) -> None:
        """Everything that follows now. A message may wait for something that has just happened, so that more
        follows at the same moment."""
        while True:
            settled = settle(self._plan, self._state, self._now, encode=self._played.codec.encode)
            self._played.events.extend(settled.events)
            self._check_size()
            kinds = {event.path: event for event in settled.events if type(event) is ev.AttemptStarted}
            for event in settled.events:
                if type(event) is ev.TaskFinished:
                    self._running.pop(event.path, None)
            for start in settled.starts:
                self._start(start, kinds[start.path].task_type)
            self._messages.note(settled.events, self._now)
            before = len(self._played.events)
            for effect in settled.effects:
                self._act(effect)
            for value in settled.fetches:
                self._state.resolve(value, self._played.content(value))
            if self._state.finished is None:
                self._receive()
            if not settled.fetches and len(self._played.events) == before:
                return

    def _check_size(self) -> None:
        size = len(self._played.events)
        if size > self._most:
            raise TooLarge(
                f"The test has more than {self._most:,} events.",
                hint="Test with fewer items, or with fewer attempts.",
                facts={"limit": self._most, "size": size, "unit": "events"},
            )

    def _start(self, start: StartAttempt, kind: str) -> None:
        if start.attempt == 1:
            self._first[start.path] = start, kind
        first, kind = self._first[start.path]
        call = Call(start.path, start.attempt, kind, shown(first.input), shown(first.config))
        self._played.calls.append(call)
        limit = self._node(start.path).attempt_timeout_ms
        landing = self._answers(call, config=first.config, now=self._now, limit=limit)
        at, outcome = landing.at, landing.outcome
        if outcome is not None and at > self._now + limit:
            at, outcome = self._now + limit, _timed_out(call, limit)
        result = None
        if outcome is not None:
            result = Result(start.path, start.attempt, self._now, outcome, no_retry=landing.no_retry)
        self._running[start.path] = start.attempt
        heapq.heappush(self._flying, (at, next(self._order), result, start))

    def _node(self, path: str) -> Node:
        return self._state.nodes[self._state.index[path]]

    def _act(self, effect: Effect) -> None:
        """What concerns other executions: one that is started answers as its mock says; places are free, since a test
        is alone."""
        at = self._now
        if isinstance(effect, StartChild):
            self._start_child(effect)
        elif isinstance(effect, CancelChild):
            self._running.pop(effect.path, None)
            self._take(ev.ChildCancelled(at=at, path=effect.path, child=effect.child))
        elif isinstance(effect, AcquireSlot):
            self._take(ev.SlotGranted(at=at, path=effect.path, key=effect.slot.key))
        elif isinstance(effect, ReleaseSlot):
            self._take(ev.SlotReleased(at=at, path=effect.path, key=effect.slot.key))

    def _start_child(self, order: StartChild) -> None:
        value = None if order.input is None else self._played.content(order.input)
        config = {"workflow": order.ref, "detached": order.detached}
        call = Call(order.path, order.attempt, "workflowRef", shown(value), config)
        self._played.calls.append(call)
        self._take(ev.ChildStarted(at=self._now, path=order.path, child=order.child, workflow=order.ref))
        if order.detached:
            return
        landing = self._answers(call, config=config, now=self._now, limit=CHILD_LIMIT_MS)
        self._running[order.path] = CHILD
        if landing.outcome is not None:
            result = Result(order.path, CHILD, self._now, landing.outcome)
            start = StartAttempt(order.path, CHILD, config=order.child)
            heapq.heappush(self._flying, (landing.at, next(self._order), result, start))

    def _return(self, result: Result, child: str) -> None:
        """Another execution has ended, as its mock says."""
        event, content = finished_event(result, self._now, self._played.codec)
        if event.output is not None:
            self._state.contents[event.output.sha256] = content
        status = "succeeded" if event.failure is None else "failed"
        self._take(
            ev.ChildFinished(
                at=self._now,
                path=result.path,
                child=child,
                status=status,
                output=event.output,
                failure=event.failure,
            )
        )

    def _land(self) -> None:
        """An attempt ends, unless its task has ended before."""
        _, _, result, start = heapq.heappop(self._flying)
        if self._running.get(start.path) != start.attempt:
            return
        del self._running[start.path]
        if result is None:
            self._take(ev.AttemptUnknown(at=self._now, path=start.path, attempt=start.attempt))
            return
        if start.attempt == CHILD:
            self._return(result, start.config)
            return
        event, content = finished_event(result, self._now, self._played.codec)
        if event.output is not None:
            self._state.contents[event.output.sha256] = content
        self._take(event)


def _timed_out(call: Call, limit: int) -> TaskFailed:
    message = f"Attempt {call.attempt} of task {call.path!r} took longer than {limit} ms."
    return TaskFailed(Failure("timeout", "attempt-timeout", message, retryable=True))
