"""The `tests` of a workflow: an input, what each task answers, what people and events bring, what is to come of it.

Mocks and expected values are data: nothing in them is a template.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from millrace.base.limits import TESTS_PER_WORKFLOW
from millrace.spec.models.fields import Duration, Many, Model, refusal
from millrace.spec.models.retry import FAILURE_KINDS
from millrace.spec.suggest import asking, nearest

EndStatus = Literal["succeeded", "failed", "cancelled", "timedOut", "waiting"]
TaskStatus = Literal["succeeded", "failed", "skipped", "cancelled", "waiting", "pending"]
SkipReason = Literal["condition_false", "upstream_skipped", "upstream_failed", "trigger_rule", "concurrency_limit"]
TaskPath = Annotated[str, Field(min_length=1, max_length=512)]


INNER_KINDS: Final = ("workflow", "input", "generate", "concurrency", "recursion", "rejected", "cancelled")
"""Kinds of failures that no attempt has: those of other executions, and of what the engine itself refuses."""


def _kind(value: str) -> str:
    kinds = (*FAILURE_KINDS, *INNER_KINDS)
    if value not in kinds:
        known = ", ".join(kinds)
        raise refusal(f'"{value}" is not a kind of failure.{asking(nearest(value, kinds))}', f"Use {known}.")
    return value


def _instant(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise refusal(f'"{value[:80]}" is not an instant', "Write RFC 3339, as in 2026-01-31T09:00:00Z.") from None
    if moment.tzinfo is None:
        raise refusal(f'"{value}" does not say in which time zone', "Add Z, or an offset such as +01:00.")
    return value


Instant = Annotated[str, AfterValidator(_instant)]


class MockFailure(Model):
    """Why an attempt fails."""

    kind: Annotated[str, AfterValidator(_kind)]
    """What retryOn matches: timeout, network, http, schema and so on."""
    code: str | int | None = None
    """What exactly, such as an HTTP status; left out, the kind."""
    message: str = "mocked failure"
    """A sentence for people."""
    retryable: bool | None = None
    """Whether another attempt is worth making by default; left out, as the kind and code say."""
    retry_after: Duration | None = None
    """What the other side asks to wait."""
    no_retry: str = ""
    """Why nothing may be tried again, such as a retry budget that is spent; left out, the retry of the task decides."""


class MockResult(Model):
    """What one attempt brings: an output as it is, an HTTP answer, or a failure. With none, an output of null."""

    output: Any = None
    """The output of the attempt, taken as it is."""
    status: int = Field(default=200, ge=100, le=599)
    """Of an http task: the status of the answer. It is judged by successCodes as a real one."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Of an http task: headers of the answer."""
    body: Any = None
    """Of an http task: the body of the answer; JSON, or text where the content-type header says so."""
    failure: MockFailure | None = None
    """Why the attempt fails."""
    delay: Duration = 0
    """How long the attempt takes, on the clock of the test; one that is longer than attemptTimeout times out."""

    @property
    def answers(self) -> bool:
        """Whether it is an HTTP answer."""
        return bool({"status", "headers", "body"} & self.model_fields_set)

    @model_validator(mode="after")
    def _one_way(self) -> MockResult:
        given = sorted({"output", "failure"} & self.model_fields_set)
        if self.answers:
            given.append("status, headers and body")
        if len(given) > 1:
            raise refusal(f"a result has {' and '.join(given)}", "Keep one: output, failure, or an HTTP answer.")
        return self


def _results(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


MockResults = Annotated[tuple[MockResult, ...], Many, BeforeValidator(_results), Field(min_length=1, max_length=100)]
"""Results by attempt; the last one holds for every further attempt."""


class Moment(Model):
    """When something happens: a time after the start, or as soon as a task has finished."""

    at: Duration | None = None
    """How long after the start."""
    after: TaskPath | None = None
    """As soon as this task has finished."""

    @model_validator(mode="after")
    def _one_moment(self) -> Moment:
        if self.at is not None and self.after is not None:
            raise refusal("at and after both say when it happens", "Keep one of them.")
        return self


class MockSignal(Moment):
    """A signal that is sent to the execution; without at and after, when it starts."""

    name: str = Field(min_length=1, max_length=128)
    """Its name, which is the type of the event that waits for it."""
    payload: Any = None
    """What it brings."""
    id: str | None = Field(default=None, min_length=1, max_length=128)
    """Its id, where that matters."""


class MockDecision(Moment):
    """What a person decides about an approval; without at and after, as soon as it is asked for."""

    task: TaskPath
    """The approval."""
    decision: Literal["approved", "rejected"]
    """The decision."""
    principal: str = Field(default="tester", min_length=1, max_length=256)
    """Who decides. Whether they may is not judged here."""
    comment: str = ""
    """Why."""
    form: Any = None
    """What is filled in."""


class MockCancel(Moment):
    """A request to cancel the execution."""

    reason: str = ""
    """Why."""


class ExpectedSkip(Model):
    """Why a task is skipped, and where that began."""

    reason: SkipReason | None = None
    """The reason."""
    origin: TaskPath | None = None
    """The task where it began."""


class ExpectedTask(Model):
    """What is to become of a task. Only what is written is compared."""

    status: TaskStatus | None = None
    """How it ends; waiting and pending are for one that does not."""
    skip: ExpectedSkip | None = None
    """Why it is skipped."""
    attempts: int | None = Field(default=None, ge=0)
    """How many attempts it takes."""
    output: Any = None
    """Its output, in full."""
    output_contains: Any = None
    """Part of its output: objects may have more keys than are written here."""
    error: dict[str, Any] | None = None
    """Part of its error: kind, code, message."""


def _status(value: Any) -> Any:
    return {"status": value} if isinstance(value, str) else value


class ExpectedCalls(Model):
    """What is asked of the world for one task. An attempt is one call."""

    count: int | None = Field(default=None, ge=0)
    """How many calls; left out, at least one."""
    request: dict[str, Any] | None = None
    """Part of the rendered request of at least one call: method, url, headers, query, body and so on."""
    input: Any = None
    """Part of the rendered input of at least one call."""


class Expected(Model):
    """What is to come of it."""

    status: EndStatus = "succeeded"
    """How the execution ends; waiting is for one that still waits when nothing more happens."""
    output: Any = None
    """The output of the workflow, in full."""
    output_contains: Any = None
    """Part of the output: objects may have more keys than are written here."""
    error: dict[str, Any] | None = None
    """Part of the error of an execution that does not succeed: kind, code, message."""
    failed_task: TaskPath | None = None
    """The task that made the execution fail."""
    tasks: dict[TaskPath, Annotated[ExpectedTask, BeforeValidator(_status)]] = Field(default_factory=dict)
    """By path: a status alone, or more about the task."""
    order: Annotated[tuple[TaskPath, ...], Many] = ()
    """These tasks finish in this order; others may finish in between."""
    calls: dict[TaskPath, ExpectedCalls] = Field(default_factory=dict)
    """By path: what is asked of the world."""
    not_called: Annotated[tuple[TaskPath, ...], Many] = ()
    """Tasks of which no attempt starts."""
    asserts: Annotated[tuple[str, ...], Many] = ()
    """Expressions that are true in the end; they also see output, status and error of the execution."""


class ExecutionFacts(Model):
    """What expressions see as `execution`, where that matters."""

    id: str = Field(default="test", min_length=1, max_length=128)
    """The id."""
    mode: Literal["live", "test"] = "test"
    """The mode."""
    version: str | None = None
    """The version label; left out, that of the document."""


class Case(Model):
    """One test of a workflow: no effect is performed, every answer is written here."""

    name: str = Field(min_length=1, max_length=200)
    """What it shows."""
    description: str | None = None
    """For people."""
    input: Any = Field(default_factory=dict)
    """The input; defaults of the schema are filled in."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Constants that have another value in this test."""
    env: dict[str, Any] = Field(default_factory=dict)
    """The values of env."""
    trigger: dict[str, Any] = Field(default_factory=dict)
    """What expressions see as trigger."""
    execution: ExecutionFacts = Field(default_factory=ExecutionFacts)
    """What expressions see as execution."""
    now: Instant = "2026-01-01T00:00:00Z"
    """When it starts. The clock moves only by delays, waits and retries."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Where the chance in retries is drawn from."""
    on_unmocked: Literal["fail", "succeed-empty"] = "fail"
    """What an attempt without a mock does: end the test with an error, or succeed with nothing."""
    tasks: dict[TaskPath, MockResults] = Field(default_factory=dict)
    """What attempts bring: by path, or by id for every place where a task stands; a list has one result an attempt."""
    signals: Annotated[tuple[MockSignal, ...], Many] = ()
    """Signals that are sent."""
    decisions: Annotated[tuple[MockDecision, ...], Many] = ()
    """What people decide."""
    cancel: MockCancel | None = None
    """A request to cancel."""
    expect: Expected = Field(default_factory=Expected)
    """What is to come of it; left out, that the execution succeeds."""


Cases = Annotated[tuple[Case, ...], Many, Field(max_length=TESTS_PER_WORKFLOW)]
