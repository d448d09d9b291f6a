"""The `wait` type: a task that is over when its time has come. Nothing runs meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from millrace.base.errors import InvalidRequest
from millrace.base.scalars import parse_duration
from millrace.spec.models.fields import DURATION_SCHEMA, Model, refusal
from millrace.spec.registry import TaskType

_INSTANT: Final = "Write RFC 3339 with an offset, such as 2026-01-31T09:00:00Z, or a template."


def _duration(value: Any) -> int | str:
    if isinstance(value, str) and "{{" in value:
        return value
    try:
        return parse_duration(value)
    except InvalidRequest as error:
        raise refusal(error.message, error.hint) from None


def _instant(value: Any) -> Any:
    if not isinstance(value, str) or "{{" in value:
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise refusal(f"{value!r} is not an instant", _INSTANT) from None
    if moment.tzinfo is None:
        raise refusal(f"{value!r} does not say in which time zone", _INSTANT)
    return value


class Wait(Model):
    """Exactly one of a duration and an instant."""

    for_: Annotated[int | str, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)] | None = Field(
        default=None, alias="for"
    )
    """How long to wait, from when the task starts; a template gives a duration."""
    until: Annotated[str, BeforeValidator(_instant)] | None = None
    """When to go on: RFC 3339 with an offset; a template gives such a text. An instant that is past does not wait."""

    @model_validator(mode="after")
    def _one(self) -> Wait:
        given = sum(value is not None for value in (self.for_, self.until))
        if given != 1:
            raise refusal(f"a wait has {given} of for and until", "Give it one: for a duration, or until an instant.")
        return self


WAIT: Final = TaskType(
    name="wait",
    effect=lambda _block: "pure",
    block="wait",
    config=Wait,
    named_by_key=True,
    waits=True,
    output_schema=lambda _block: {
        "type": "object",
        "properties": {"until": {"type": "string"}},
        "required": ["until"],
        "additionalProperties": False,
    },
)
