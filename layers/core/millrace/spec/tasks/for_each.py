"""The `forEach` type: a list of tasks runs once per item, several items at a time."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from millrace.base.errors import InvalidRequest
from millrace.base.limits import ITERATIONS
from millrace.base.scalars import parse_percent
from millrace.spec.models.fields import Many, Model, refusal
from millrace.spec.models.task import Task
from millrace.spec.registry import InnerBody, TaskType

MOST_PARALLEL: Final = 1_000
DEFAULT_PARALLEL: Final = 10
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
RESERVED: Final = frozenset(
    {"input", "tasks", "config", "state", "trigger", "execution", "env", "secrets", "output", "error", "event", "value"}
    | {"true", "false", "null", "in", "has", "and", "or", "not"}
)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refusal(f'"{value[:80]}" is not a name', "Use letters, digits and underscore, beginning with a letter.")
    if value in RESERVED:
        raise refusal(f'"{value}" is the name of something else', "Use another name, such as order or row.")
    return value


Named = Annotated[str, AfterValidator(_name)]


def _failures(value: int | str) -> int | str:
    if isinstance(value, int):
        if value < 0:
            raise refusal("a number of failures below zero", "Write 0 or more, or a percentage such as 10%.")
        return value
    try:
        share = parse_percent(value)
    except InvalidRequest as error:
        raise refusal(error.message, error.hint) from None
    if share > 1:
        raise refusal(f"{value} of the items are more than all of them", "Use at most 100%.")
    return value


class Tolerance(Model):
    """How many items may fail."""

    failures: Annotated[int | str, AfterValidator(_failures)]
    """A number of items, or a percentage of all of them such as 10%; with more failures than that the task fails."""


class Each(Model):
    """What is gone through, and how."""

    items: Any
    """The items: an array, as a template."""
    as_: Named = Field(default="item", alias="as")
    """The name of the present item."""
    index: Named = "index"
    """The name of its position, from 0."""
    max_parallel: int = Field(default=DEFAULT_PARALLEL, ge=1, le=MOST_PARALLEL)
    """How many items are under way at once."""
    tolerate: Tolerance = Tolerance.model_construct(failures=0)
    """How many items may fail before the task does."""
    mode: Literal["inline", "distributed"] | None = None
    """Where the iterations run: `inline` in the execution itself, `distributed` in lanes with logs of their own.
    Without it the number of items decides."""
    threshold: int | None = Field(default=None, ge=1, le=ITERATIONS)
    """With more items than this, 500 without it, the iterations run in lanes."""

    @model_validator(mode="after")
    def _two_names(self) -> Each:
        if self.as_ == self.index:
            raise refusal(f'the item and its index are both called "{self.as_}"', "Give one of them another name.")
        return self

    @model_validator(mode="after")
    def _one_rule(self) -> Each:
        if self.mode is not None and self.threshold is not None:
            raise refusal(f'threshold has no effect beside mode "{self.mode}"', "Leave one of them out.")
        return self


class ForEach(Model):
    """The `forEach` block and the tasks that run per item."""

    for_each: Each
    """What is gone through, and how."""
    tasks: Annotated[tuple[Task, ...], Many, Field(min_length=1)]
    """The tasks that run per item."""


def _bodies(block: ForEach) -> tuple[InnerBody, ...]:
    each = block.for_each
    return (InnerBody("", ("tasks",), block.tasks, (each.as_, each.index)),)


FOR_EACH: Final = TaskType(
    name="forEach",
    effect=lambda _block: "pure",
    fields=("forEach", "tasks"),
    config=ForEach,
    named_by_key=True,
    bodies=_bodies,
    templates=lambda raw: {"forEach": {"items": (raw.get("forEach") or {}).get("items")}},
    composes=True,
)
