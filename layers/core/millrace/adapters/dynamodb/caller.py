"""Sending requests: bounded retries with full jitter, translation of errors, and counting of consumed capacity.

The SDK's own retries are off, so that there is one place which knows whether a write may have happened. Full jitter
follows the AWS Architecture Blog, "Exponential Backoff And Jitter": sleep = uniform(0, min(cap, base * 2^attempt)).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from millrace.adapters.aws import Judged, client_errors, judge
from millrace.base.errors import (
    ConditionRefused,
    InvalidRequest,
    MillraceError,
    OutcomeUnknown,
    StoreUnavailable,
    TooLarge,
)
from millrace.base.limits import ITEM_BYTES
from millrace.ports.world import Random

if TYPE_CHECKING:
    from pynamodb.connection.base import Connection

ATTEMPTS: Final = 6
BACKOFF_BASE_S: Final = 0.05
BACKOFF_CAP_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 5.0

_CLEAR: Final = frozenset({"throttled", "busy", "unsent"})
"""It certainly did not happen, and may succeed later."""
_READS: Final = frozenset({"GetItem", "BatchGetItem", "Query"})


class Consumed:
    """Capacity units used so far, as DynamoDB reported them."""

    def __init__(self) -> None:
        self.read_units = 0.0
        self.write_units = 0.0
        self.calls = 0
        self._lock = threading.Lock()

    def count(self, operation: str, answer: dict[str, Any]) -> None:
        told = answer.get("ConsumedCapacity") or []
        units = sum(float(one.get("CapacityUnits", 0)) for one in (told if isinstance(told, list) else [told]))
        with self._lock:
            self.calls += 1
            if operation in _READS:
                self.read_units += units
            else:
                self.write_units += units


class Caller:
    """``random`` gives the jitter and ``sleep`` takes seconds; both are arguments so that tests need not wait."""

    def __init__(
        self, *, region: str, endpoint: str | None, random: Random, sleep: Callable[[float], None], pool: int
    ) -> None:
        self.consumed = Consumed()
        self._region = region
        self._endpoint = endpoint
        self._random = random
        self._sleep = sleep
        self._pool = pool
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """PynamoDB's connection, made at first use; its client may be used by many threads."""
        with self._lock:
            if self._connection is None:
                from pynamodb.connection.base import Connection

                self._connection = Connection(
                    region=self._region,
                    host=self._endpoint,
                    connect_timeout_seconds=CONNECT_TIMEOUT_S,
                    read_timeout_seconds=READ_TIMEOUT_S,
                    max_retry_attempts=0,
                    max_pool_connections=self._pool,
                )
            _ = self._connection.client
            return self._connection

    def call(self, operation: str, arguments: dict[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
        """One request, tried up to `ATTEMPTS` times. ``repeatable`` says that doing it twice equals doing it once.

        Raises ConditionRefused, StoreUnavailable (it did not happen), OutcomeUnknown (it may have), TooLarge,
        InvalidRequest."""
        reading = operation in _READS
        maybe_done = False
        attempt = 0
        while not isinstance(judged := self._once(operation, arguments), dict):
            unanswered = judged.verdict in ("ambiguous", "lost")
            maybe_done = maybe_done or (unanswered and not reading)
            again = (
                reading or (repeatable and judged.verdict == "ambiguous") if unanswered else judged.verdict in _CLEAR
            )
            attempt += 1
            if not again or attempt == ATTEMPTS:
                raise _translated(operation, judged, maybe_done)
            self.pause(attempt - 1)
        return judged

    def _once(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any] | Judged:
        try:
            answer = self.connection().dispatch(operation, dict(arguments))
        except client_errors() as error:
            if (judged := judge(error)) is not None:
                return judged
            raise
        self.consumed.count(operation, answer)
        return answer

    def pause(self, attempt: int) -> None:
        """Sleeps before the attempt after ``attempt`` (from 0)."""
        self._sleep(self._random.uniform() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**attempt))


def _translated(operation: str, judged: Judged, maybe_done: bool) -> MillraceError:
    facts = {"operation": operation, "code": judged.code}
    # After an attempt without an answer, a refusal may be our own earlier success.
    if maybe_done:
        return OutcomeUnknown(f"{operation} may or may not have happened ({judged.code})", facts=facts)
    match judged.verdict:
        case "refused":
            codes = [code for code, _ in judged.reasons]
            index = codes.index("ConditionalCheckFailed") if codes else 0
            return ConditionRefused(
                f"operation {index} was refused by its condition",
                index=index,
                hint="read the item again and decide anew",
                facts=facts | {"index": index},
            )
        case "large":
            return TooLarge(f"the item is larger than {ITEM_BYTES} bytes", facts=facts | {"limit": ITEM_BYTES})
        case "invalid":
            return InvalidRequest(f"DynamoDB refused {operation}: {_reason(judged)}", facts=facts)
        case "broken" | "absent":
            hint = "check the table name, the region and the permissions of this function"
            return StoreUnavailable(f"{operation} cannot be done: {judged.code}", hint=hint, facts=facts)
    return StoreUnavailable(f"{operation} did not happen after {ATTEMPTS} attempts ({judged.code})", facts=facts)


def _reason(judged: Judged) -> str:
    return next((message for code, message in judged.reasons if code not in ("None", "")), judged.message)
