"""Which version a start gets, and exactly which reusable tasks that means: the lock of an execution.

Every start, from any door, goes through here. What is resolved now is written into the start event, so a running
execution never sees a later publish.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from millrace.base.errors import Conflict
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.parsed_documents import workflow_of
from millrace.services.platform import Platform
from millrace.services.task_references import resolve_tasks
from millrace.spec import Workflow, WorkflowTask, wanted_tasks
from millrace.store.definitions import Version


class Resolved(Struct, frozen=True):
    """``tasks`` maps each `taskRef` text of the workflow to the task it means; ``manifest`` lists the workflow and
    every task as ``{kind, ref, name, revision, version, hash}`` (hash of content); ``routing_reason`` is
    ``requested`` or ``active``."""

    name: str
    revision: int
    version: str
    content_hash: str
    behaviour_hash: str
    workflow: Workflow
    tasks: dict[str, WorkflowTask]
    manifest: list[dict[str, Any]]
    routing_reason: str

    @property
    def short(self) -> bool:
        """Whether an execution may begin with a short actor."""
        return self.workflow.spec.execution.mode != "standard"


def resolve_version(
    platform: Platform, caller: Caller, name: str, *, version: str | None = None, subject_key: str | None = None
) -> Resolved:
    """The version that ``version`` names (label, range, ``rN``, ``latest``), else the active one.

    ``subject_key`` keeps a subject on one variant once a route has several; with one active version it changes
    nothing. Raises NotFound, and Conflict when nothing is active or a referenced task is gone.
    """
    del subject_key
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, "workflow", name)
    found = find_version(definitions, head, version)
    workflow = workflow_of(definitions, found)
    wanted = wanted_tasks(workflow)
    resolved = resolve_tasks(definitions, wanted)
    missing = sorted(set(wanted) - set(resolved))
    if missing:
        raise Conflict(
            f"the workflow {name} refers to the task {missing[0]!r}, of which no version is active",
            hint="Publish or activate the task.",
            facts={"missing": missing},
        )
    return Resolved(
        name=name,
        revision=found.revision,
        version=found.label,
        content_hash=found.content_hash,
        behaviour_hash=found.behaviour_hash,
        workflow=workflow,
        tasks={reference: item.task for reference, item in resolved.items()},
        manifest=[_entry(name, found), *(_entry(ref, item.version) for ref, item in sorted(resolved.items()))],
        routing_reason="active" if version is None else "requested",
    )


def _entry(reference: str, version: Version) -> dict[str, Any]:
    return {
        "kind": version.kind,
        "ref": reference,
        "name": version.name,
        "revision": version.revision,
        "version": version.label,
        "hash": version.content_hash,
    }
