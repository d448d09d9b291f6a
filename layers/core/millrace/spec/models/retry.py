"""How often, when and for which failures a task is tried again."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from millrace.spec.models.fields import Duration, Many, Model, refusal
from millrace.spec.suggest import asking, nearest

FAILURE_KINDS: Final = (
    "timeout",
    "network",
    "http",
    "schema",
    "blocked",
    "circuit_open",
    "too-large",
    "driver_crash",
    "expression",
    "task",
)
_STATUS_CLASS: Final = re.compile(r"[1-5]xx|[1-5][0-9][0-9]")


def _retry_on(value: Any) -> Any:
    if type(value) is int:
        if not 100 <= value <= 599:
            raise refusal(f"{value} is not an HTTP status", "Use a status from 100 to 599.")
    elif value != "*" and value not in FAILURE_KINDS and not _STATUS_CLASS.fullmatch(value):
        known = ("*", *FAILURE_KINDS)
        raise refusal(
            f'"{value}" is not a kind of failure.{asking(nearest(value, known))}',
            f'Use a status like 429, a class like "5xx", or one of {", ".join(known)}.',
        )
    return value


RetryOn = Annotated[int | str, AfterValidator(_retry_on)]


class Retry(Model):
    """When a failed attempt is followed by another one."""

    max_attempts: int = Field(default=3, ge=1, le=100)
    """How many attempts in all, the first one counted."""
    strategy: Literal["constant", "linear", "exponential"] = "exponential"
    """How the wait grows: the same each time, by one interval each time, or by the multiplier each time."""
    interval: Duration = 1_000
    """The wait before the second attempt."""
    multiplier: float = Field(default=2.0, ge=1, le=100, strict=False)
    """The factor of the exponential strategy."""
    max_interval: Duration = 60_000
    """The longest wait."""
    jitter: Literal["none", "equal", "full"] = "full"
    """How much of the wait is random: none of it, half of it, or all of it."""
    retry_on: Annotated[tuple[RetryOn, ...], Many] | None = None
    """Kinds of failure, HTTP statuses (429) and classes ("5xx"). Left out: whatever is worth another attempt."""
    max_duration: Duration | None = None
    """No attempt starts later than this after the first one started."""
    respect_retry_after: bool = True
    """Whether a wait is at least what Retry-After asks for."""
