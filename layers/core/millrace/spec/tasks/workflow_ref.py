"""The `workflowRef` type: another workflow runs as a task of this one."""

from __future__ import annotations

from typing import Final

from millrace.spec.models.fields import Model, TaskRef
from millrace.spec.registry import TaskType


class SubWorkflow(Model):
    """Which workflow, and whether its end is waited for."""

    workflow_ref: TaskRef
    """The workflow: name, or name@range."""
    detached: bool = False
    """Whether the task is over as soon as the other workflow has been started."""


WORKFLOW_REF: Final = TaskType(
    name="workflowRef",
    effect=lambda _block: "unknown",
    fields=("workflowRef", "detached"),
    config=SubWorkflow,
    named_by_key=True,
    templated=False,
    waits=True,
    composes=True,
)
