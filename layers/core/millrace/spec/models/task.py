"""One task of a workflow: what it does, in which order, and how failures are met."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from millrace.base.limits import ATTEMPT_TIMEOUT_MS
from millrace.spec.models.blocks import BlockHolder
from millrace.spec.models.breaker import CircuitBreaker
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


class Dependency(Model):
    """Order without data, only where a condition holds."""

    task: TaskId
    """The task to wait for."""
    condition: str | bool | None = None
    """The order holds only where this expression is true."""


def _dependency(value: Any) -> Any:
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
