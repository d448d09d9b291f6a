"""What goes over the wire when a workflow is exported or a package imported."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from millrace.api.models import Finding, Wire


class ExportedRoot(Wire):
    """The workflow that was exported."""

    name: str
    version: str = Field(description="Its label.")


class WorkflowExport(Wire):
    """A workflow with everything it refers to."""

    package: ExportedRoot
    documents: list[dict[str, Any]] = Field(description="Documents as they are published; what is referred to first.")


class PackageRoot(ExportedRoot):
    """The workflow that a package was made of."""

    format: str


class PackageSignature(Wire):
    """Who signed a package."""

    key_id: str = Field(description="16 hex digits of the public key's SHA-256.")
    trusted: bool = Field(description="Whether the caller named this key; without that it proves nothing.")


class PackageCounts(Wire):
    """How many definitions each action concerns."""

    create: int
    update: int
    unchanged: int
    conflict: int
    skip: int


class ImportedDefinition(Wire):
    """What happens, or would happen, to one definition."""

    kind: Literal["workflow", "task"]
    name: str
    version: str = Field(description="The label in the package.")
    content_hash: str
    action: Literal["create", "update", "unchanged", "conflict", "skip"]
    conflicting: bool = Field(description="Whether the label names other content here.")
    published_as: str | None = Field(description="The label here; null when nothing is published.")
    activates: bool = Field(description="Whether new starts and references without a version get it.")
    revision: int | None = Field(description="The revision that was published; null in a dry run.")


class ReferenceDifference(Wire):
    """A reference that means another version here than in the package."""

    kind: Literal["workflow", "task"]
    name: str
    version: str
    reference: str
    pinned: str = Field(description="The label in the package.")
    resolves: str | None = Field(description="The label here.")


class MissingSecret(Wire):
    """A secret that the package needs and that is not stored here."""

    name: str
    hosts: list[str] = Field(description="Hosts it is sent to, as far as they are written out.")
    hosts_computed: bool = Field(description="Whether it is also sent to hosts only known at run time.")


class DefinitionFinding(Finding):
    """A finding in one of the documents."""

    definition: str = Field(description="Kind, name and label.")


class ImportReport(Wire):
    """What an import did, or would do."""

    package: PackageRoot
    namespace: str
    dry_run: bool
    applied: bool
    valid: bool = Field(description="Whether the import can go through: no errors, no conflicts.")
    signature: PackageSignature | None
    counts: PackageCounts
    definitions: list[ImportedDefinition]
    differences: list[ReferenceDifference]
    secrets_known: bool = Field(
        description="False where the store of secrets does not tell which it holds: then all are given."
    )
    missing_secrets: list[MissingSecret]
    missing_env: list[str]
    findings: list[DefinitionFinding]


class ForeignNote(Wire):
    """Something that an imported workflow does not do as its source says."""

    path: str = Field(description="A JSON Pointer into the document that was imported.")
    level: Literal["unmapped", "changed"] = Field(description="Whether somebody has to act, or it works otherwise.")
    message: str


class ForeignImport(Wire):
    """A workflow of another engine as one of ours; nothing was published."""

    source: Literal["asl", "kestra", "n8n", "conductor"]
    name: str
    valid: bool = Field(description="Whether it could be published as it is.")
    document: dict[str, Any]
    yaml: str = Field(description="The same document as text.")
    notes: list[ForeignNote]
    findings: list[Finding] = Field(description="What our checks say; lines count in `yaml`.")


class ImportAnswer(RootModel[ImportReport | ForeignImport]):
    """A report for a package, a workflow for a definition of another engine."""
