"""The `switch` type: one of several lists of tasks runs, by a value."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from millrace.spec.models.fields import Many, Model, refusal
from millrace.spec.models.task import Task
from millrace.spec.registry import InnerBody, TaskType

MOST_CASES: Final = 100
Tasks = Annotated[tuple[Task, ...], Many, Field(min_length=1)]


class SwitchCase(Model):
    """One case: the tasks that run when it is the first one that holds."""

    match: Any = None
    """A literal: the case holds when the value equals it."""
    when: str | bool | None = None
    """An expression over `value`: the case holds when it is true."""
    tasks: Tasks
    """The tasks of the case."""

    @model_validator(mode="after")
    def _one(self) -> SwitchCase:
        given = len({"match", "when"} & self.model_fields_set)
        if given != 1:
            raise refusal(
                f"a case has {given} of match and when", "Give it one: match a literal, or when an expression."
            )
        return self


class SwitchDefault(Model):
    """What runs when no case holds."""

    tasks: Tasks
    """The tasks."""


class Switch(Model):
    """The value that is looked at, and the cases in the order in which they are tried."""

    value: Any = None
    """What the cases judge, as a template; they see it as `value`."""
    cases: Annotated[tuple[SwitchCase, ...], Many, Field(min_length=1, max_length=MOST_CASES)]
    """The cases; the first one that holds runs, and only that."""
    default: SwitchDefault | None = None
    """The tasks for all other values; left out, nothing runs then."""


def _bodies(block: Switch) -> tuple[InnerBody, ...]:
    cases = [
        InnerBody(str(index), ("switch", "cases", index, "tasks"), case.tasks) for index, case in enumerate(block.cases)
    ]
    if block.default is not None:
        cases.append(InnerBody("default", ("switch", "default", "tasks"), block.default.tasks))
    return tuple(cases)


def _conditions(block: Switch) -> tuple[tuple[tuple[str | int, ...], str | bool], ...]:
    return tuple(
        (("cases", index, "when"), case.when) for index, case in enumerate(block.cases) if case.when is not None
    )


SWITCH: Final = TaskType(
    name="switch",
    effect=lambda _block: "pure",
    block="switch",
    config=Switch,
    named_by_key=True,
    bodies=_bodies,
    conditions=_conditions,
    condition_root="value",
    templates=lambda raw: {"value": raw.get("value")},
    composes=True,
)
