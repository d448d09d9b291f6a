"""From the bytes of a document to a model and findings; nothing in a document makes this raise.

A driver reads documents that were judged before, so what only a wrong or a foreign one needs is imported then.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from pydantic import ValidationError

from millrace.spec import tasks
from millrace.spec.dialect import is_dialect
from millrace.spec.findings import Finding, Path, has_errors, in_order
from millrace.spec.known import rename_aliases, split_known
from millrace.spec.model_findings import described, model_findings, unknown_key
from millrace.spec.models import API_VERSION, Workflow, WorkflowTask
from millrace.spec.source import Media, Node, Source, Unreadable, read_document
from millrace.spec.suggest import asking, nearest

Kind = Literal["Workflow", "WorkflowTask"]
KINDS: Final[dict[str, type[Workflow] | type[WorkflowTask]]] = {"Workflow": Workflow, "WorkflowTask": WorkflowTask}
REGISTERED: Final = tasks.__all__
"""The types that reading documents brings with it."""


class Loaded(Struct, frozen=True):
    """A document as far as it could be read.

    ``kind`` is None if the document does not say a known one; ``document`` is None if any finding is an error;
    ``value`` is the document as plain JSON data with canonical keys, ``source`` knows where everything stands.
    """

    kind: Kind | None
    document: Workflow | WorkflowTask | None
    findings: tuple[Finding, ...]
    source: Source
    value: Any


def load(data: bytes, *, media: Media) -> Loaded:
    """Read and judge one document on its own; what needs other documents is `check_workflow`'s."""
    try:
        source = read_document(data, media=media)
    except Unreadable as error:
        text = data.decode(errors="replace")
        return Loaded(None, None, (error.finding,), Source(text, media, Node(None, (1, 1))), None)
    return load_source(source)


def load_source(source: Source) -> Loaded:
    """Judge a document that has been read, such as one of `parse_documents`. One of the other dialect is read as the
    workflow it stands for."""
    if is_dialect(source.value):
        from millrace.spec.dialect.document import normalise

        source = normalise(source)
    findings = list(source.notes)
    value = source.value
    head = head_findings(source, tuple(KINDS))
    if head:
        return Loaded(_kind(value), None, in_order([*findings, *head]), source, value)
    kind = _kind(value)
    assert kind is not None
    findings += rename_aliases(source)
    plain, known = split_known(source)
    findings += known
    unavailable = _unavailable(known)
    document = None
    try:
        document = KINDS[kind].model_validate(plain)
    except ValidationError as error:
        from millrace.spec.json_schema import document_schema

        findings += model_findings(error, source, document_schema(kind), unavailable)
    return Loaded(kind, None if has_errors(findings) else document, in_order(findings), source, value)


def _kind(value: Any) -> Kind | None:
    kind = value.get("kind") if isinstance(value, dict) else None
    return "Workflow" if kind == "Workflow" else "WorkflowTask" if kind == "WorkflowTask" else None


def head_findings(source: Source, kinds: tuple[str, ...]) -> list[Finding]:
    """What is wrong with apiVersion and kind, without which nothing else can be judged."""
    value = source.value
    findings = []
    if not isinstance(value, dict):
        message = f"the document is {described(value)}, expected a mapping"
        fix = "Begin with apiVersion, kind, metadata and spec."
        return [Finding("not-a-mapping", "error", message, (), *source.position(()), fix)]
    for key, code, known in (
        ("apiVersion", "unknown-api-version", (API_VERSION,)),
        ("kind", "unknown-kind", kinds),
    ):
        fix = f"Write {key}: {' or '.join(known)}."
        if key not in value:
            findings.append(Finding("missing-key", "error", f'"{key}" is required', (key,), *source.position(()), fix))
        elif value[key] not in known:
            names = nearest(value[key], known) if isinstance(value[key], str) else ()
            message = f'"{key}" is {described(value[key])}, which is not known.{asking(names)}'
            findings.append(Finding(code, "error", message, (key,), *source.position((key,)), fix, names))
    if findings:
        allowed = {"apiVersion", "kind", "metadata", "spec"}
        findings += [unknown_key((key,), source, allowed) for key in value if key not in allowed]
    return findings


def _unavailable(known: list[Finding]) -> list[Path]:
    """Paths about which the models have nothing to add."""
    paths = [finding.path for finding in known]
    gone = [finding.path[:-1] for finding in known if finding.path[-1] == "type" and finding.severity == "error"]
    return [*paths, *gone]
