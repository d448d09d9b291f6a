"""The `generate` type: tasks that are known only when the workflow runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from millrace.spec.models.fields import Many, Model, TaskRef
from millrace.spec.registry import TaskType

MOST_GENERATED: Final = 500
GENERATED_TYPES: Final = frozenset({"http", "transform", "wait", "lambda"})
"""What a task that was made at run time may be, besides a reusable task that the block names."""


class Generate(Model):
    """Where the tasks come from. Each is a task as a workflow holds it, judged by the same rules; its text is data:
    it may read the tasks beside it, and nothing else."""

    from_: Any = Field(alias="from")
    """A list of tasks, as a template."""
    max: int = Field(default=50, ge=1, le=MOST_GENERATED)
    """The most tasks that are taken; more are a failure."""
    task_refs: Annotated[tuple[TaskRef, ...], Many] = ()
    """The reusable tasks that a generated task may name, as it has to write them."""


def _output_schema(_block: Generate) -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "status": {"type": "string"}, "output": {}, "error": {}},
        "required": ["id", "status"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": entry}


GENERATE: Final = TaskType(
    name="generate",
    effect=lambda _block: "pure",
    block="generate",
    config=Generate,
    named_by_key=True,
    templates=lambda raw: {"from": raw.get("from")},
    output_schema=_output_schema,
    composes=True,
)
