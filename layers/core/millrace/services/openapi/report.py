"""What an import did, or would do: one entry per task that is not as it was, counts for all of them, and notes."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct, field

from millrace.services.openapi.schema_drift import Change
from millrace.services.openapi.tasks import Conversion

Status = Literal["added", "changed", "unchanged", "removed", "edited", "conflict", "failed"]
STATUSES: Final[tuple[Status, ...]] = (
    "added",
    "changed",
    "unchanged",
    "removed",
    "edited",
    "conflict",
    "failed",
)
ITEMS: Final = 1_000
"""Entries of one answer."""
CHANGES: Final = 3_000
"""Changes of all entries of one answer together; an answer must fit into a response."""


class Entry(Struct):
    """One task. ``written`` says whether a version was published by this request; ``used_by`` names the definitions
    that use the task, looked up for breaking changes."""

    name: str
    operation: str
    status: Status
    changes: list[Change] = field(default_factory=list)
    written: bool = False
    message: str = ""
    used_by: list[str] = field(default_factory=list)

    @property
    def breaking(self) -> bool:
        return any(change.breaking for change in self.changes)

    def to_json(self, left: int) -> dict[str, Any]:
        return {
            "name": self.name,
            "operation": self.operation,
            "status": self.status,
            "breaking": self.breaking,
            "written": self.written,
            "message": self.message,
            "changes": [change.to_json() for change in self.changes[:left]],
            "changesOmitted": max(0, len(self.changes) - left),
            "usedBy": self.used_by,
        }


class Report:
    """Gathers entries; only those of tasks that changed are kept."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(STATUSES, 0)
        self.entries: list[Entry] = []
        self.omitted = 0
        self.breaking = 0
        self.published = 0
        self.remaining = 0
        self.secrets: dict[str, str] = {}

    def add(self, entry: Entry) -> None:
        self.counts[entry.status] += 1
        self.breaking += entry.breaking
        self.published += entry.written
        if entry.status == "unchanged":
            return
        if len(self.entries) < ITEMS or entry.breaking or entry.status not in ("added", "changed"):
            self.entries.append(entry)
        else:
            self.omitted += 1

    def to_json(self, conversion: Conversion, *, dry_run: bool) -> dict[str, Any]:
        """Breaking entries first, then by status and name."""
        order = sorted(self.entries, key=lambda entry: (not entry.breaking, entry.status, entry.name))
        items, left = [], CHANGES
        for entry in order[:ITEMS]:
            items.append(entry.to_json(left))
            left -= min(left, len(entry.changes))
        notes = sorted(conversion.notes.kept, key=lambda note: (not note.refused, note.where))
        return {
            "source": conversion.source,
            "title": conversion.title,
            "version": conversion.version,
            "documentHash": conversion.document_hash,
            "dryRun": dry_run,
            "operations": conversion.total,
            "counts": self.counts,
            "breaking": self.breaking,
            "published": self.published,
            "remaining": self.remaining,
            "items": items,
            "itemsOmitted": self.omitted + max(0, len(order) - ITEMS),
            "notes": [note.to_json() for note in notes],
            "notesOmitted": conversion.notes.omitted,
            "secrets": [{"name": name, "scheme": scheme} for name, scheme in sorted(self.secrets.items())],
        }
