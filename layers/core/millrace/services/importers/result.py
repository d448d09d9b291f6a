"""What an importer gives back: a workflow of ours, and everything about it that is not what the source says."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from millrace.spec import pointer

Level = Literal["unmapped", "changed"]
Path = tuple[str | int, ...]


class Note(Struct, frozen=True):
    """``unmapped``: something was left out, and somebody has to act before the workflow does what the source does;
    ``changed``: it does the same in a slightly different way. ``path`` leads into the document that was imported."""

    path: Path
    level: Level
    message: str

    def to_json(self) -> dict[str, Any]:
        """``path`` is a JSON Pointer."""
        return {"path": pointer(self.path), "level": self.level, "message": self.message}


class Imported(Struct, frozen=True):
    """``document`` is plain JSON data of kind Workflow; it need not pass validation."""

    document: dict[str, Any]
    notes: tuple[Note, ...]
