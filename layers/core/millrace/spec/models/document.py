"""The documents that are published: a workflow, and a reusable task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, PrivateAttr, WithJsonSchema, model_validator

from millrace.base.limits import TASKS_PER_WORKFLOW
from millrace.spec.models.blocks import BlockHolder
from millrace.spec.models.concurrency import Concurrency
from millrace.spec.models.deprecated import Deprecated
from millrace.spec.models.execution import Execution
from millrace.spec.models.fields import Many, Model, Name, Timeout, Version, refusal
from millrace.spec.models.task import Policies, Task, inline_task
from millrace.spec.models.testing import Cases

API_VERSION: Final = "workflow.io/v1"
ON_FAILURE: Final = "onFailure"
"""The path of the task, or the beginning of the paths of the tasks, that run when the workflow has failed."""
FINALLY: Final = "finally"
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]|[\ud800-\udfff]")
MOST_STATE: Final = 200  # entries; whoever reads one waits for all that it reads, through the others
_LABEL_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?")


def labels_fault(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """The first thing wrong with labels, and what to do; None if nothing is."""
    for key, text in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return f"{key[:160]!a} is not a label name", "Use up to 128 of letters, digits, dot, slash, hyphen."
        if len(text) > 256:
            return f"the label {key} has {len(text)} characters", "Use at most 256."
        if CONTROL.search(text):
            return f"the label {key} holds a control character", "Take it out."
    return None


def _labels(value: dict[str, str]) -> dict[str, str]:
    if why := labels_fault(value):
        raise refusal(*why)
    return value


class Metadata(Model):
    """What a document is called and whose it is."""

    name: Name
    """The name, unique in its tenant."""
    namespace: Name = "default"
    """A grouping of documents."""
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    """Short text by name, for selection."""
    annotations: dict[str, Any] = Field(default_factory=dict)
    """Anything by name, for tools and people."""
    owner: str | None = None
    """The person or team that answers for it."""


class Example(Model):
    """One input that can be tried."""

    name: str | None = None
    """What the example shows."""
    description: str | None = None
    """For people."""
    input: dict[str, Any] = Field(default_factory=dict)
    """The input."""
    output: Any = None
    """What comes out."""


class OnFailure(Model):
    """What runs when the workflow has failed: tasks, or one task without an id."""

    tasks: Annotated[tuple[Task, ...], Many, Field(min_length=1)]
    """The tasks; they see the `error`: kind, code, message and task."""
    _single: bool = PrivateAttr(default=False)

    @property
    def single(self) -> bool:
        """Whether it was written as one task without a list."""
        return self._single

    @model_validator(mode="wrap")
    @classmethod
    def _one_task(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        single = isinstance(data, dict) and data.keys() != {"tasks"}
        made = handler({"tasks": [Task.model_validate(inline_task(data, ON_FAILURE))]} if single else data)
        made._single = single
        return made


class WorkflowSpec(Model):
    """What a workflow does."""

    description: str | None = None
    """For people."""
    version: Version | None = None
    """A semantic version, unique among the published versions; left out, the next patch."""
    deprecated: Deprecated = None
    """That it should not be used any more: true, or since when and what to use instead."""
    tags: Annotated[tuple[str, ...], Many] = ()
    """Free words, for search."""
    categories: Annotated[tuple[str, ...], Many] = ()
    """Words from the list of categories."""
    examples: Annotated[tuple[Example, ...], Many] = ()
    """Inputs that can be tried."""
    input: dict[str, Any] = Field(default_factory=dict)
    """A JSON Schema (2020-12) of the input."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Constants, read as {{config.name}}."""
    state: dict[str, Any] = Field(default_factory=dict, max_length=MOST_STATE)
    """Values computed from inputs, constants and tasks, read as {{state.name}}."""
    tasks: Annotated[tuple[Task, ...], Many, Field(min_length=1)]
    """The tasks; their order is that of their dependencies, not of this list."""
    on_failure: Annotated[OnFailure, WithJsonSchema({"type": "object"})] | None = None
    """What runs when the workflow has failed or run out of time: one task without an id, or tasks."""
    finally_: Annotated[tuple[Task, ...], Many] = Field(default=(), alias="finally")
    """Tasks that run at the end, whatever came of the others; they see the `error`, or null."""
    output: Any = None
    """The output of the workflow, as templates; left out, the outputs of the last tasks by id."""
    timeout: Timeout | None = None
    """How long an execution may take."""
    concurrency: Concurrency | None = None
    """How many executions with the same key may run at once; the others wait, or do not run."""
    execution: Execution = Field(default_factory=Execution)
    """How executions are run."""
    parallel_limit: int | None = Field(default=None, ge=1, le=TASKS_PER_WORKFLOW)
    """How many tasks may run at once."""
    tests: Cases = ()
    """Tests that `millrace test` runs, without any effect."""


class WorkflowTaskSpec(Policies, BlockHolder):
    """What a reusable task does; in its expressions, `input` is the task's own."""

    description: str | None = None
    """For people."""
    version: Version | None = None
    """A semantic version, unique among the published versions; left out, the next patch."""
    deprecated: Deprecated = None
    """That it should not be used any more: true, or since when and what to use instead."""
    tags: Annotated[tuple[str, ...], Many] = ()
    """Free words, for search."""
    category: str | None = None
    """A word from the list of categories."""
    examples: Annotated[tuple[Example, ...], Many] = ()
    """Inputs that can be tried."""
    type: str
    """What the task does."""
    input_schema: dict[str, Any] = Field(default_factory=dict)
    """A JSON Schema (2020-12) of the input: defaults are filled in, and what does not fit fails the task at once."""
    output_schema: dict[str, Any] | None = None
    """A JSON Schema of the output; left out, the shape that the type declares."""


class Workflow(Model):
    """A workflow: tasks, their order, and what goes in and comes out."""

    api_version: Literal["workflow.io/v1"]
    """The version of this format."""
    kind: Literal["Workflow"]
    """The kind of document."""
    metadata: Metadata
    spec: WorkflowSpec


class WorkflowTask(Model):
    """A reusable task, named by `taskRef`."""

    api_version: Literal["workflow.io/v1"]
    """The version of this format."""
    kind: Literal["WorkflowTask"]
    """The kind of document."""
    metadata: Metadata
    spec: WorkflowTaskSpec
