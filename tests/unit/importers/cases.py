"""The definitions beside this file, and what each is expected to become.

``python -m tests.unit.importers.cases`` writes the expectations anew, for somebody to read before they are committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from millrace.services.import_foreign import import_foreign
from millrace.services.importers.sources import SourceName

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    source: SourceName
    file: Path

    @property
    def expected(self) -> Path:
        return self.file.parent / "expected" / f"{self.file.stem}.txt"

    def report(self) -> dict[str, Any]:
        return import_foreign(self.file.read_bytes(), "json" if self.file.suffix == ".json" else "yaml", self.source)

    def text(self) -> str:
        """The workflow, then what could not be taken over as it is."""
        report = self.report()
        notes = [f"# {note['level']} {note['path'] or '/'}: {note['message']}\n" for note in report["notes"]]
        return str(report["yaml"]) + "".join(notes)


CASES = [
    Case(source, file)
    for source in get_args(SourceName)
    for file in sorted((FOLDER / source).glob("*.*"))
    if file.is_file()
]


if __name__ == "__main__":
    for case in CASES:
        case.expected.parent.mkdir(exist_ok=True)
        case.expected.write_text(case.text(), encoding="utf-8")
