"""The `event` type: a task that is over when a signal arrives that it was waiting for."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from millrace.spec.models.fields import Model, Timeout, refusal
from millrace.spec.registry import TaskType

_SIGNAL: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def _signal(value: str) -> str:
    if "{{" not in value and not _SIGNAL.fullmatch(value):
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        raise refusal(f'"{shown}" is not the name of a signal', "Use 1 to 128 of letters, digits, dot, _ and hyphen.")
    return value


class Event(Model):
    """The event that is waited for. One that came before the wait began counts as well."""

    type: Annotated[str, AfterValidator(_signal)]
    """The name of the signal; a template gives such a name."""
    match: str | bool | None = None
    """An expression over `event` (type, id, at, data) that is true for the event meant; left out, any event is."""
    timeout: Timeout | None = None
    """How long to wait; the task fails when it has passed. Left out, the timeout of the task."""


EVENT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}, "at": {"type": "integer"}, "data": {}},
    "required": ["type", "id", "at", "data"],
    "additionalProperties": False,
}
"""An event as ``match`` and the output of the task show it; ``at`` is milliseconds since 1970, UTC."""

EVENT: Final = TaskType(
    name="event",
    effect=lambda _block: "pure",
    block="event",
    config=Event,
    named_by_key=True,
    conditions=lambda block: () if block.match is None else ((("match",), block.match),),
    condition_root="event",
    templates=lambda raw: {key: value for key, value in raw.items() if key != "match"},
    waits=True,
    output_schema=lambda _block: EVENT_SCHEMA,
)
