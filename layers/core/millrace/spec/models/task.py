"""One task of a workflow: what it does, in which order, and how failures are met."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from millrace.base.limits import ATTEMPT_TIMEOUT_MS
from millrace.spec.models.blocks import BlockHolder, ModelType
from millrace.spec.models.breaker import CircuitBreaker
from millrace.spec.models.concurrency import Concurrency
from millrace.spec.models.fields import Many, Model, TaskId, TaskRef, Timeout, refusal
from millrace.spec.models.retry import Retry

TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_skipped",
    "always",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "one_done",
    "one_failed",
    "one_success",
]
"""Airflow's names. ``one_…`` rules start a task as soon as one dependency satisfies them."""
TRIGGER_RULES: Final[tuple[TriggerRule, ...]] = get_args(TriggerRule)


FALLBACK: Final = "fallback"
"""The id of a task that stands in for another, below that one's path."""


class Dependency(Model):
    """Order without data, only where a condition holds."""

    task: TaskId
    """The task to wait for."""
    condition: str | bool | None = None
    """The order holds only where this expression is true."""


def _dependency(value: Any) -> Any:
    if not isinstance(value, str | dict | Dependency):
        hint = 'Write the id of a task as text ("1" in quotes), or {task: its id, condition: an expression}.'
        raise refusal("a dependency is the id of a task, or a mapping", hint, "wrong-type")
    return {"task": value} if isinstance(value, str) else value


def _attempt_timeout(value: int) -> int:
    if value > ATTEMPT_TIMEOUT_MS:
        raise refusal(
            "an attempt may take at most 14 minutes",
            "Shorten attemptTimeout; timeout, which covers all attempts, may be longer.",
            "attempt-timeout-too-long",
        )
    return value


AttemptTimeout = Annotated[Timeout, AfterValidator(_attempt_timeout)]


INLINE_SCHEMA: Final = {"anyOf": [{"type": "string"}, {"type": "object"}]}


def inline_task(value: Any, name: str) -> Any:
    """A task written without an id, or the name of a reusable one, as the task ``name``."""
    if isinstance(value, str):
        return {"id": name, "taskRef": value}
    if isinstance(value, dict):
        if "id" in value:
            raise refusal("a task here has no id", "Take the id out: the task has a path of its own.")
        return {"id": name, **value}
    return value


def _standing_in(value: Any) -> Any:
    return inline_task(value, FALLBACK)


class Policies(Model):
    """What is around the work of a task, wherever it is declared."""

    timeout: Timeout | None = None
    """How long the task may take, all attempts and waits included."""
    attempt_timeout: AttemptTimeout | None = None
    """How long one attempt may take; at most 14 minutes."""
    retry: Retry | None = None
    """When a failed attempt is followed by another one."""
    circuit_breaker: CircuitBreaker | None = None
    """When calls that keep failing are not made for a while."""


class Task(Policies, BlockHolder):
    """One task of a workflow."""

    id: TaskId
    """The name of the task in its workflow."""
    type: str | None = None
    """What the task does. Either this or taskRef, or nothing where wait or event say it."""
    task_ref: TaskRef | None = None
    """The reusable task that does it: name, name@range, or marketplace/package@version/task."""
    description: str | None = None
    """For people."""
    input: dict[str, Any] | str = Field(default_factory=dict)
    """What the task reads, as templates."""
    output: Any = None
    """A mapping over what the task produced, as templates; left out, the output is what was produced."""
    condition: str | bool | None = None
    """The task runs only where this expression is true; otherwise it is skipped."""
    depends_on: Annotated[tuple[Annotated[Dependency, BeforeValidator(_dependency)], ...], Many] = ()
    """Tasks to wait for beside those whose output is read."""
    trigger_rule: TriggerRule = "all_success"
    """Which outcomes of the tasks it waits for let this task run."""
    continue_on_error: bool = False
    """Whether the workflow goes on after this task has failed."""
    priority: int = Field(default=0, ge=-1000, le=1000)
    """Among tasks that are ready, higher starts first."""
    concurrency: Concurrency | None = None
    """How many tasks with the same key may run at once, in all executions; the place is held until the task is over."""
    fallback: Annotated[Any, WithJsonSchema({"type": "object"})] = None
    """What stands in when the task has failed, after all its attempts."""

    @classmethod
    def inner_models(cls) -> dict[str, ModelType]:
        return {"fallback": Fallback}


class Fallback(Model):
    """What stands in for the result of a task that has failed: exactly one of value, task and workflow. Its
    expressions see the `error`: kind, code and message."""

    value: Any = None
    """The output, as templates."""
    task: Annotated[Task, BeforeValidator(_standing_in), WithJsonSchema(INLINE_SCHEMA)] | None = None
    """A task without an id, or the name of a reusable task; its output is the output."""
    workflow: TaskRef | None = None
    """A workflow; its output is the output."""
    input: dict[str, Any] | str | None = None
    """What the workflow, or the reusable task named by task, reads, as templates."""
    _named: bool = PrivateAttr(default=False)

    @property
    def named(self) -> bool:
        """Whether what stands in is written as a name alone, its input beside it."""
        return self._named

    @model_validator(mode="wrap")
    @classmethod
    def _by_name(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """The input beside the name of a reusable task is that task's."""
        named = isinstance(data, dict) and isinstance(data.get("task"), str)
        if named and "input" in data:
            inner = {"taskRef": data["task"], "input": data["input"]}
            data = {**{key: item for key, item in data.items() if key != "input"}, "task": inner}
        made = handler(data)
        made._named = named or made.workflow is not None
        return made

    @field_validator("task", "workflow", mode="before")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        if value is None:
            raise refusal("a fallback that names nothing", "Name a task or a workflow, or give a value.")
        return value

    @model_validator(mode="after")
    def _one(self) -> Fallback:
        given = len({"value", "task", "workflow"} & self.model_fields_set)
        if given != 1:
            raise refusal(f"a fallback has {given} of value, task and workflow", "Keep one of them.")
        if self.input is not None and self.workflow is None:
            raise refusal("input has no effect here", "Write it into the task, or take it out.")
        return self

    @property
    def inner(self) -> Task | None:
        """The task that runs, if one does."""
        if self.workflow is not None:
            made = {"id": FALLBACK, "workflowRef": self.workflow, "input": self.input or {}}
            return Task.model_validate(made)
        return self.task
