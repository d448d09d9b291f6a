"""The `approval` type: a task that is over when enough people have agreed, or one has not."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from millrace.spec.models.fields import Many, Model, refusal
from millrace.spec.registry import TaskType

_APPROVER: Final = re.compile(r"(?:role|group|user):[^\s{}]{1,256}")
MOST_APPROVERS: Final = 100


def _approver(value: str) -> str:
    if not _APPROVER.fullmatch(value):
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        raise refusal(f'"{shown}" names nobody', "Write role:name, group:name or user:name, without a template.")
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
    if twice is not None:
        raise refusal(f'"{twice}" is an approver twice', "Name everybody once.")
    return values


class Approval(Model):
    """Who decides, how many of them must agree, and what happens if they do not in time."""

    approvers: Annotated[
        tuple[Annotated[str, AfterValidator(_approver)], ...],
        Many,
        Field(min_length=1, max_length=MOST_APPROVERS),
        AfterValidator(_distinct),
    ]
    """Who may decide: role:name, group:name, user:name."""
    required: int = Field(default=1, ge=1, le=MOST_APPROVERS)
    """How many different people must approve; one who rejects decides it."""
    form: dict[str, Any] | None = None
    """A JSON Schema (2020-12) of what a decision comes with."""
    on_timeout: Literal["fail", "approve", "reject", "task"] = "fail"
    """What the timeout of the task does: fail it, approve, reject, or let its fallback decide, and only then."""

    @field_validator("required")
    @classmethod
    def _enough(cls, required: int, info: ValidationInfo) -> int:
        """Nobody knows how many people a role or a group has; users can be counted."""
        approvers = info.data.get("approvers", ())
        if approvers and all(one.startswith("user:") for one in approvers) and required > len(approvers):
            message = f"{required} people must approve, and only {len(approvers)} may"
            raise refusal(message, "Name more approvers, or require fewer.")
        return required


def _output_schema() -> dict[str, Any]:
    decision = {
        "type": "object",
        "properties": {
            "principal": {"type": "string"},
            "decision": {"type": "string"},
            "comment": {"type": "string"},
            "at": {"type": "integer"},
            "form": {},
        },
        "required": ["principal", "decision", "comment", "at", "form"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "decision": {"type": "string"},
            "timedOut": {"type": "boolean"},
            "decisions": {"type": "array", "items": decision},
        },
        "required": ["decision", "timedOut", "decisions"],
        "additionalProperties": False,
    }


APPROVAL: Final = TaskType(
    name="approval",
    effect=lambda _block: "pure",
    config=Approval,
    fields=("approvers", "required", "form", "onTimeout"),
    templated=False,
    waits=True,
    output_schema=lambda _block: _output_schema(),
)
