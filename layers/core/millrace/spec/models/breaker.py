"""When calls that keep failing are not made for a while, and how they are taken up again."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from millrace.base.errors import InvalidRequest
from millrace.base.limits import BREAKER_PROBES, BREAKER_WINDOW_MS
from millrace.base.scalars import DAY_MS, SECOND_MS, format_duration, parse_percent
from millrace.spec.models.fields import Duration, Model, refusal

Scope = Literal["host", "task", "workflow"]
_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


def _rate(value: Any) -> Decimal:
    try:
        rate = parse_percent(value)
    except InvalidRequest as error:
        raise refusal(error.message, error.hint) from None
    if not 0 < rate <= 1:
        raise refusal(f"a failure rate of {value}", 'Use more than 0% and at most "100%".')
    return rate


def _within(least: int, most: int) -> AfterValidator:
    def check(value: int) -> int:
        if not least <= value <= most:
            raise refusal(
                f"{format_duration(value)} is out of range",
                f"Use {format_duration(least)} to {format_duration(most)}.",
            )
        return value

    return AfterValidator(check)


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise refusal(
            f'"{value[:80]}" is not a key of a circuit breaker',
            "Use fixed text of 1 to 128 letters, digits, dot, underscore and hyphen.",
        )
    return value


class CircuitBreaker(Model):
    """When calls that keep failing are not made for a while; shared by all executions that have its key."""

    failure_threshold: int | None = Field(default=None, ge=1, le=1000)
    """So many failures within samplingDuration open it; 5 where failureRate is not given either."""
    failure_rate: (
        Annotated[
            Decimal, BeforeValidator(_rate), WithJsonSchema({"type": "string", "examples": ["50%"], "pattern": "%$"})
        ]
        | None
    ) = None
    """This share of failures within samplingDuration opens it."""
    sampling_duration: Annotated[Duration, _within(SECOND_MS, BREAKER_WINDOW_MS)] = 60_000
    """How far back attempts are counted: 1 s to 10 minutes."""
    minimum_throughput: int | None = Field(default=None, ge=1, le=10_000)
    """It does not open before so many attempts were counted; with failureRate 10 where it is left out."""
    break_duration: Annotated[Duration, _within(SECOND_MS, DAY_MS)] = 30_000
    """How long it stays open before probes are let through: 1 s to a day."""
    permitted_probes: int = Field(default=1, ge=1, le=BREAKER_PROBES)
    """How many attempts are let through when it is half-open; it closes when all of them succeed."""
    ramp_duration: Annotated[Duration, _within(0, DAY_MS)] | None = None
    """After it closed, 10 % of the attempts are let through for the first half of this time, 50 % for the second;
    a third of breakDuration where it is left out, 0 for all at once."""
    scope: Scope | None = None
    """What shares it: attempts to one host (the default of a task with a url), uses of one reusable task (the default
    of a taskRef), or this task of this workflow (the default of everything else)."""
    key: Annotated[str, AfterValidator(_key)] | None = None
    """A name instead of scope: everything with this key in the namespace shares it."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if self.failure_threshold is not None and self.failure_rate is not None:
            raise refusal('"failureThreshold" and "failureRate" exclude each other', "Keep one of them.")
        if self.scope is not None and self.key is not None:
            raise refusal('"scope" and "key" exclude each other', "Keep one of them.")
        return self
