"""What goes over the wire, as models: the shapes that OpenAPI, and every client made from it, is generated from.

Requests refuse unknown fields. Responses describe; tests hold every answer against them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from millrace.api.access import API

Text = Annotated[str, Field(max_length=1024)]
Selector = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z^~.+<>= -]+$")]


class Wire(BaseModel):
    # Most models only describe; building their validators is put off until one is used, for the sake of cold starts.
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, strict=True, defer_build=True
    )


class ActivateRequest(Wire):
    """Which version new starts get."""

    version: Selector = Field(description="A label, a range, rN for a revision, or latest.", examples=["2.1.0"])


class ValidateInputRequest(Wire):
    """An input to judge, against the active version unless another is named."""

    input: Any = Field(default_factory=dict, description="The input.")
    version: Selector | None = Field(default=None, description="A label, a range, rN or latest.")


class StartRequest(Wire):
    """A start of a workflow."""

    input: Any = Field(default_factory=dict, description="The input; it has to fit the workflow's schema.")
    labels: dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict, max_length=32, description="Labels by which the execution can be listed."
    )
    version: Selector | None = Field(default=None, description="A label, a range, rN or latest; else the active one.")
    subject_key: Annotated[str, Field(max_length=256)] = Field(
        default="", description="Whom its data is about, such as the id of a customer; executions are listed by it."
    )
    expect_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(
        default="", description="The contentHash that the version must have; another one is refused with 412."
    )


class CancelRequest(Wire):
    """Why an execution is cancelled, and an id that makes sending it twice harmless."""

    reason: Text = Field(default="", description="For people.")
    message_id: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="The same id sent again does nothing."
    )


class SignalRequest(Wire):
    """A signal to a waiting execution."""

    payload: Any = Field(default=None, description="What the waiting task gets.")
    message_id: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="The same id sent again does nothing."
    )


class MessageRequest(Wire):
    """A request without content, and an id that makes sending it twice harmless."""

    message_id: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="The same id sent again does nothing."
    )


class DecisionRequest(Wire):
    """What a person decides about an approval."""

    decision: Literal["approved", "rejected"] = Field(description="The decision.")
    comment: Text = Field(default="", description="For people.")
    form: Any = Field(default=None, description="What the approval's form asks for.")
    message_id: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="The same id sent again does nothing."
    )


class Finding(Wire):
    """Something wrong or doubtful in a document. Line and column count from 1; 0 where there is no position."""

    code: str
    severity: Literal["error", "warning", "hint"]
    message: str
    path: str = Field(description="A JSON Pointer into the document.")
    line: int
    column: int
    fix: str
    did_you_mean: list[str]


class Version(Wire):
    """What is known of one version."""

    name: str
    namespace: str
    version: str = Field(description="The label, unique among the versions of the name.")
    revision: int = Field(ge=1)
    content_hash: str
    behaviour_hash: str
    created_at: str
    created_by: str
    parent_revision: int | None
    message: str
    active: bool = Field(description="Whether new starts get it.")


class Published(Version):
    """A version, as published now or (with status 200) before."""

    findings: list[Finding] = Field(description="Warnings and hints.")


class VersionDetail(Version):
    """One version with its document."""

    input: Any = Field(description="The JSON Schema of its input.")
    examples: list[Any]
    description: str
    tags: list[str]
    categories: list[str]
    document: Any = Field(description="The document as data.")
    source: str = Field(description="The document as it was sent, with its comments.")
    media_type: str


class Definition(Wire):
    """The state of a name."""

    name: str
    namespace: str
    latest_version: str
    latest_revision: int
    active_version: str | None
    active_revision: int | None
    description: str
    owner: str
    tags: list[str]
    categories: list[str]
    labels: dict[str, str]
    updated_at: str
    updated_by: str


class Affected(Wire):
    """A definition whose active version leads to a deleted one, over so many references."""

    kind: Literal["workflow", "task"]
    name: str
    distance: int


class Deleted(Wire):
    """A name that nothing new starts with; ``affected`` refer to it, nearest first."""

    kind: Literal["workflow", "task"]
    name: str
    namespace: str
    deleted_at: str
    deleted_by: str
    affected: list[Affected]


class DefinitionDetail(Definition, VersionDetail):
    """The state of a name, with its active version (the latest while none is active)."""


class DefinitionList(Wire):
    items: list[Definition]
    cursor: str | None = Field(description="Send it as ?cursor= to go on; null at the end.")


class VersionList(Wire):
    items: list[Version]
    cursor: str | None = Field(description="Send it as ?cursor= to go on; null at the end.")


class Validation(Wire):
    """What was found in a document that was only checked."""

    valid: bool
    name: str | None
    content_hash: str | None
    behaviour_hash: str | None
    findings: list[Finding]


class MissingInput(Wire):
    name: str
    type: str
    description: str


class InvalidInput(Wire):
    model_config = ConfigDict(extra="allow")

    name: str
    message: str


class MissingInputsResult(Wire):
    """What an input lacks, and a sentence that asks for it."""

    valid: bool
    missing_inputs: list[MissingInput]
    invalid_inputs: list[InvalidInput]
    suggested_prompt: str


class GraphNode(Wire):
    """A task. One inside another has a path without positions, such as ``loop/ship``, and names that as its parent."""

    id: str
    type: str
    task_ref: str | None
    description: str
    layer: int
    parent: str | None


class GraphEdge(Wire):
    """``from`` ends before ``to`` begins. ``why`` says whether data, order or a condition asks for that."""

    from_: str = Field(alias="from")
    to: str
    why: list[Literal["data", "order"]]
    reads: list[str] = Field(description="The paths that are read, for data.")


class Graph(Wire):
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    layers: list[list[str]] = Field(description="Ids by the longest way from a task without dependencies.")


class Durations(Wire):
    """Milliseconds. Quantiles are of nearest rank, each within ``quantileError`` of the true one."""

    mean: int
    p50: int
    p90: int
    p99: int


class Counts(Wire):
    count: int = Field(description="Ends of every kind but skipped.")
    failures: int
    cancelled: int
    duration_ms: Durations | None = Field(description="Null when nothing ended.")


class TaskCounts(Counts):
    """A task is named by its path without indices."""

    task: str
    skipped: int
    attempts: int = Field(description="Attempts started; a retry is one more.")


class WorkflowStatistics(Wire):
    """Whole minutes from ``since`` to before ``until``, all versions together unless one was asked for."""

    workflow: str
    version: str | None
    since: str
    until: str
    quantile_error: float
    executions: Counts
    tasks: list[TaskCounts]


class Execution(BaseModel):
    """An execution. A finished one carries its output, or what failed and what was done until then."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: str
    status: str


class Started(BaseModel):
    """An execution; or, for a dry run, what it would do: then it has no id, and its status is planned."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: str | None
    status: str


class ExecutionList(Wire):
    items: list[Execution]
    cursor: str | None


class ExecutionEvents(Wire):
    """Events in order; ``next`` is what ``?after=`` takes to go on."""

    items: list[Any]
    next: str
    complete: bool = Field(description="Whether nothing will follow.")


class SignalSent(Wire):
    """A signal is part of the execution's inbox; the same id again is the same signal."""

    execution: str
    signal: str
    message_id: str


class DecisionSent(Wire):
    """A decision is part of the execution's inbox."""

    execution: str
    task: str
    decision: Literal["approved", "rejected"]
    message_id: str


class Health(Wire):
    status: Literal["ok", "degraded"]
    version: str
    checks: dict[str, str]


class Problem(BaseModel):
    """RFC 9457 problem details, with members that belong to the kind of problem."""

    model_config = ConfigDict(
        extra="allow",
        defer_build=True,
        alias_generator=to_camel,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:millrace:problem:not-found",
                    "title": "There is no such thing",
                    "status": 404,
                    "code": "not-found",
                    "detail": "there is no workflow 'order-flow'",
                    "hint": "Publish it, or list the workflows there are.",
                    "instance": f"{API}/workflows/order-flow",
                    "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    instance: str
    request_id: str
    findings: list[Finding] = Field(default_factory=list)
