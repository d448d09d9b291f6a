"""The runner of `lambda` tasks: one attempt is one invocation of a function.

What the function does is not known here, so every attempt of a task gives it the same idempotency key, in the one
place where a handler finds more than its payload.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from pydantic import ValidationError

from millrace.adapters.functions.workers import Workers
from millrace.base.canonical import dumps, parse_json
from millrace.base.errors import (
    Forbidden,
    MillraceError,
    NotFound,
    OutcomeUnknown,
    Throttled,
    TooLarge,
    Unavailable,
    UserError,
)
from millrace.base.limits import LAMBDA_EVENT_BYTES, LAMBDA_PAYLOAD_BYTES
from millrace.expr.secrets import collect_secrets
from millrace.ports.functions import Functions, Invocation, Returned
from millrace.ports.runners import Attempt, Effect, Failure, Outcome, TaskFailed, Usage
from millrace.spec.tasks.invoke import Invoke

MESSAGE_CHARS: Final = 1_000
ANSWERED: Final = 200
ACCEPTED: Final = 202
TIMED_OUT: Final = ("Sandbox.Timedout", "Task timed out after ")  # the type, and the message where there is none
_MEANINGS: Final[tuple[tuple[type[MillraceError], tuple[str, str, bool]], ...]] = (
    (NotFound, ("task", "function-missing", False)),
    (Forbidden, ("task", "function-denied", False)),
    (TooLarge, ("too-large", "function-payload", False)),
    (Throttled, ("task", "function-throttled", True)),
    (OutcomeUnknown, ("network", "function-lost", True)),
    (Unavailable, ("network", "function-unavailable", True)),
    (MillraceError, ("task", "config", False)),
)


class LambdaRunner:
    """Performs lambda attempts. Bind one per process; it may serve several event loops."""

    type = "lambda"
    effect: Effect = "unknown"

    def __init__(self, functions: Functions, *, workers: Workers | None = None) -> None:
        self._functions = functions
        self._workers = workers or Workers()

    async def run(self, attempt: Attempt) -> Outcome:
        """Output: ``{status, payload, version, durationMs}``: 200 and what the function gave back, or 202 and null.
        Raises TaskFailed and nothing else. ``deadline_ms`` bounds everything; a function that is given up goes on."""
        began = time.monotonic()
        function, sent = "", b""
        returned: Returned | None = None
        failure: Failure | None = None
        output: Any = None
        try:
            async with asyncio.timeout(attempt.deadline_ms / 1000):
                invocation = _invocation(attempt)
                function, sent = invocation.function, invocation.payload
                returned = await self._workers.run(lambda: self._functions.invoke(invocation))
            failure = _function_failure(returned) if returned.failed else None
            output = None if failure else _value(returned)
        except TaskFailed as failed:
            failure = failed.failure
        except TimeoutError:
            said = f"the function gave no answer within {attempt.deadline_ms} ms"
            failure = Failure("timeout", "total", said, True, "Raise the timeout.")
        except MillraceError as error:
            failure = _failure(error)
        elapsed = round((time.monotonic() - began) * 1000)
        usage = Usage(
            provider="lambda",
            operation=function,
            requests=1 if sent else 0,
            bytes_out=len(sent),
            bytes_in=len(returned.payload) if returned else 0,
            latency_ms=elapsed,
        )
        # Raised outside the handlers: an exception that was being handled would be kept as the context.
        if failure is not None:
            raise TaskFailed(failure, usage=usage)
        assert returned is not None  # or there is a failure
        status = ANSWERED if invocation.wait else ACCEPTED
        return Outcome({"status": status, "payload": output, "version": returned.version, "durationMs": elapsed}, usage)


def _invocation(attempt: Attempt) -> Invocation:
    """What a rendered block asks for. Raises TaskFailed."""
    plain, secrets = collect_secrets(attempt.config)
    if secrets:
        raise TaskFailed(
            Failure("task", "secret-place", "a secret must not be given to a function", False, "Let it read its own.")
        )
    try:
        block = Invoke.model_validate(plain)
        payload = dumps(block.payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg'][:300]}"
        raise TaskFailed(Failure("task", "config", said, False, "Correct the task.")) from None
    except UserError as error:
        raise TaskFailed(Failure("task", "config", f"payload: {error.message}", False, error.hint)) from None
    wait = block.invocation == "requestResponse"
    limit = LAMBDA_PAYLOAD_BYTES if wait else LAMBDA_EVENT_BYTES
    if len(payload) > limit:
        said = f"the payload of {len(payload)} bytes is larger than {limit} bytes"
        hint = "Send a reference to the data."
        raise TaskFailed(Failure("too-large", "function-payload", said, False, hint, {"limit": limit}))
    context = {
        "idempotencyKey": attempt.idempotency_key,
        "tenant": attempt.tenant,
        "execution": attempt.execution,
        "task": attempt.path,
        "attempt": str(attempt.number),
        "traceparent": attempt.traceparent,
    }
    return Invocation(
        function=block.function,
        payload=payload,
        wait=wait,
        context={name: text for name, text in context.items() if text},
        timeout_ms=attempt.deadline_ms,
    )


def _value(returned: Returned) -> Any:
    """What a function gave back. Raises TaskFailed when that is not JSON."""
    if not returned.payload:
        return None
    try:
        return parse_json(returned.payload)
    except UserError as error:
        said = f"what the function gave back is not JSON: {error.message}"
        raise TaskFailed(Failure("schema", "function-response", said, False)) from None


def _function_failure(returned: Returned) -> Failure:
    """The function's own error: permanent, since nobody here knows better, but for a time limit."""
    try:
        told = parse_json(returned.payload)
    except UserError:
        told = None
    told = told if isinstance(told, dict) else {}
    kind, message = str(told.get("errorType") or "Unknown")[:200], str(told.get("errorMessage") or "")[:MESSAGE_CHARS]
    details = {"errorType": kind, "errorMessage": message}
    if kind == TIMED_OUT[0] or TIMED_OUT[1] in message:
        return Failure(
            "timeout", "function-timeout", f"the function ran into its own limit: {message}", True, "", details
        )
    said = f"the function failed with {kind}{': ' if message else ''}{message}"
    return Failure(
        "task", "function-error", said, False, "See the function's log; name task in retryOn to try again.", details
    )


def _failure(error: MillraceError) -> Failure:
    kind, code, retryable = next(meaning for sort, meaning in _MEANINGS if isinstance(error, sort))
    return Failure(kind, code, error.message, retryable, error.hint, error.facts)
