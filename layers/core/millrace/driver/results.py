"""From what a runner gave back to the event that remembers it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from millrace.base.errors import UserError
from millrace.driver.attempts import Result, without_output
from millrace.driver.values import ValueCodec, usage_record
from millrace.engine import events as ev
from millrace.engine.failures import capped
from millrace.engine.values import Value
from millrace.ports.runners import Failure, Outcome, TaskFailed, Usage

NO_USAGE = Usage()


def finished_event(result: Result, now: int, codec: ValueCodec) -> tuple[ev.AttemptFinished, Any]:
    """The event for one result, and the output's content. An output that cannot be stored is a permanent failure."""
    outcome = result.outcome
    value: Value | None = None
    content: Any = None
    if isinstance(outcome, Outcome):
        try:
            value = codec.encode(outcome.output)
            content = outcome.output
        except UserError as error:
            kind = "too-large" if error.code == "too-large" else "task"
            return _unstorable(result, now, codec, Failure(kind, error.code, error.message, False, hint=error.hint))
        except TypeError as error:  # a runner gave what JSON has no word for
            return _unstorable(result, now, codec, Failure("task", "runner-error", str(error), False))
    return (
        ev.AttemptFinished(
            at=now,
            path=result.path,
            attempt=result.attempt,
            started_at=result.started_at,
            output=value,
            failure=_failure(outcome.failure) if isinstance(outcome, TaskFailed) else None,
            usage=None if outcome.usage == NO_USAGE else usage_record(outcome.usage),
            exchange=codec.exchange(outcome.exchange),
            policy=result.policy,
            no_retry=result.no_retry,
        ),
        content,
    )


def _unstorable(result: Result, now: int, codec: ValueCodec, failure: Failure) -> tuple[ev.AttemptFinished, Any]:
    failure = replace(failure, message=f"The output cannot be stored: {failure.message}")
    return finished_event(without_output(result, failure), now, codec)


def _failure(failure: Failure) -> ev.Failure:
    return capped(
        ev.Failure(
            kind=failure.kind,
            code=failure.code,
            message=failure.message,
            retryable=failure.retryable,
            hint=failure.hint,
            details=failure.details,
            retry_after_ms=failure.retry_after_ms,
        )
    )
