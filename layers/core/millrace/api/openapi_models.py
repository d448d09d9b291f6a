"""What goes over the wire when an OpenAPI document is imported."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from millrace.api.models import Wire


class OpenApiChange(Wire):
    """One difference between a task and what the document says now."""

    rule: str = Field(description="Stable, such as required-input-added.")
    breaking: bool = Field(description="Whether it breaks those who use the task.")
    where: str = Field(description="Such as input.body.name; empty for the whole task.")
    message: str


class OpenApiItem(Wire):
    """One task that is not as the document says, or was not."""

    name: str
    operation: str = Field(description="Such as GET /users/{id}.")
    status: Literal["added", "changed", "unchanged", "removed", "edited", "conflict", "failed"]
    breaking: bool
    written: bool = Field(description="Whether this request published a version.")
    message: str
    changes: list[OpenApiChange]
    changes_omitted: int
    used_by: list[str] = Field(description="Definitions that use the task, for breaking changes.")


class OpenApiCounts(Wire):
    """How many operations have each status. Edited and conflicting tasks are left as they are."""

    added: int
    changed: int
    unchanged: int
    removed: int
    edited: int
    conflict: int
    failed: int


class OpenApiNote(Wire):
    """Something that could not be mapped."""

    code: str
    where: str = Field(description="A JSON Pointer into the OpenAPI document.")
    message: str
    refused: bool = Field(description="Whether no task was made because of it.")


class OpenApiSecret(Wire):
    """A secret that generated tasks need."""

    name: str
    scheme: str = Field(description="The security scheme it is for.")


class OpenApiImport(Wire):
    """What an import did, or with a dry run would do."""

    source: str
    title: str
    version: str
    document_hash: str = Field(description="Hex SHA-256 of the document as it was sent.")
    dry_run: bool
    operations: int
    counts: OpenApiCounts
    breaking: int = Field(description="Tasks with breaking changes.")
    published: int
    remaining: int = Field(description="Tasks that wait for the next request because of the limit.")
    items: list[OpenApiItem] = Field(description="Breaking ones first; unchanged tasks are only counted.")
    items_omitted: int
    notes: list[OpenApiNote]
    notes_omitted: int
    secrets: list[OpenApiSecret]
