"""The `lambda` type: one invocation of a function that somebody else wrote."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from millrace.spec.models.fields import Model, refusal
from millrace.spec.registry import TaskType

_FUNCTION: Final = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:)?[A-Za-z0-9_-]{1,64}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
"""FunctionName of Lambda's Invoke: a name or a whole ARN, each with a version or alias where wanted."""


def _function(value: str) -> str:
    if "{{" not in value and not _FUNCTION.fullmatch(value):
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        raise refusal(f'"{shown}" is not the name of a function', "Write its name, name:alias, or its whole ARN.")
    return value


class Invoke(Model):
    """Which function, with what, and whether its answer is waited for."""

    function: Annotated[str, AfterValidator(_function), Field(min_length=1, max_length=512)]
    """The name or ARN of the function, with :alias or :version where wanted; a template gives such a text."""
    payload: Any = Field(default_factory=dict)
    """What the function is given, as JSON."""
    invocation: Literal["requestResponse", "event"] = "requestResponse"
    """Whether to wait for the function's answer, or only until the call has been accepted."""


def _output_schema(block: Invoke) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "payload": {"type": "null"} if block.invocation == "event" else {},
            "version": {"type": "string"},
            "durationMs": {"type": "integer"},
        },
        "required": ["status", "payload", "version", "durationMs"],
        "additionalProperties": False,
    }


LAMBDA: Final = TaskType(
    name="lambda",
    effect=lambda _block: "unknown",
    block="invoke",
    config=Invoke,
    fields=("function", "payload", "invocation"),
    output_schema=_output_schema,
    price="request",
)
