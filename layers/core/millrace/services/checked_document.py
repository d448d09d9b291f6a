"""A document read and judged, the same way for `validate` and for `publish`. Nothing here executes anything."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.errors import InvalidDocument, InvalidRequest
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of
from millrace.services.platform import Platform
from millrace.services.task_references import resolve_tasks
from millrace.services.transform_check import check_transform
from millrace.services.workflows_ahead import workflows_ahead
from millrace.spec import (
    Finding,
    Workflow,
    WorkflowTask,
    check_task,
    check_workflow,
    has_errors,
    in_order,
    load,
    wanted_tasks,
)
from millrace.spec import Source as DocumentSource
from millrace.store.definitions import Definitions, Kind

Media = Literal["yaml", "json"]
KIND_NAMES: dict[Kind, str] = {"workflow": "Workflow", "task": "WorkflowTask"}


class Checked(Struct, frozen=True):
    """``document`` is None when the text could not be read as the kind asked for; ``findings`` then say why.
    ``definitions`` are those of the document's namespace."""

    document: Workflow | WorkflowTask | None
    value: Any
    findings: tuple[Finding, ...]
    definitions: Definitions

    @property
    def valid(self) -> bool:
        return self.document is not None and not has_errors(self.findings)

    def findings_json(self) -> list[dict[str, Any]]:
        return [finding.to_json() for finding in self.findings]


def check_document(platform: Platform, caller: Caller, kind: Kind, data: bytes, media: Media) -> Checked:
    """Reads a document and runs every static check, with its references resolved against what is published.

    Raises InvalidRequest when the document names another namespace than the request.
    """
    loaded = load(data, media=media)
    findings = list(loaded.findings)
    document = loaded.document
    if document is not None and document.kind != KIND_NAMES[kind]:
        findings.append(_wrong_kind(loaded.source, kind, document.kind))
        document = None
    caller = caller if document is None else _in_namespace(caller, document)
    definitions = definitions_of(platform, caller)
    if isinstance(document, Workflow) and loaded.source is not None:
        wanted = wanted_tasks(document)
        resolved = resolve_tasks(definitions, wanted)
        tasks = {reference: item.task for reference, item in resolved.items()}
        others = workflows_ahead(definitions, document)
        findings += check_workflow(
            document, loaded.source, tasks=tasks, workflows=others, check_transform=check_transform
        )
    elif isinstance(document, WorkflowTask) and loaded.source is not None:
        findings += check_task(document, loaded.source, check_transform=check_transform)
    return Checked(document, loaded.value, in_order(findings), definitions)


def _in_namespace(caller: Caller, document: Workflow | WorkflowTask) -> Caller:
    """The document's own namespace, where it names one; a request for another one is refused."""
    metadata = document.metadata
    if "namespace" not in metadata.model_fields_set or metadata.namespace == caller.namespace:
        return caller
    if caller.namespace != "default":
        raise InvalidRequest(
            f"the document is of namespace {metadata.namespace}, the request of {caller.namespace}",
            hint="Leave one of them out, or make them equal.",
        )
    return replace(caller, namespace=metadata.namespace)


def refuse(checked: Checked) -> InvalidDocument:
    """The error for a document that cannot be published."""
    errors = [finding for finding in checked.findings if finding.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    at = f"line {first.line}, column {first.column}: " if first.line else ""
    return InvalidDocument(f"{at}{first.message}{more}", hint=first.fix, facts={"findings": checked.findings_json()})


def _wrong_kind(source: DocumentSource | None, kind: Kind, given: str) -> Finding:
    line, column = source.position(("kind",)) if source is not None else (0, 0)
    wanted = KIND_NAMES[kind]
    return Finding(
        "unknown-kind",
        "error",
        f"this is a {given}, and a {wanted} is expected here",
        ("kind",),
        line,
        column,
        "Send a Workflow to /api/v1/workflows and a WorkflowTask to /api/v1/tasks.",
    )
