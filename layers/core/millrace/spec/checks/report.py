"""Where checks put their findings: positions are looked up here, and nowhere else."""

from __future__ import annotations

from millrace.spec.findings import CODES, Finding, Path, Severity
from millrace.spec.placing import place
from millrace.spec.sites import Site
from millrace.spec.source import Position, Source


class Report:
    """Findings about one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Finding] = []

    def add(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        fix: str = "",
        names: tuple[str, ...] = (),
        at: Position | None = None,
        severity: Severity | None = None,
    ) -> None:
        """A finding about the value at ``path``; the severity is the code's unless given."""
        position = self.source.position(path) if at is None else at
        level = CODES[code][0] if severity is None else severity
        self.findings.append(Finding(code, level, message, path, *position, fix, names))

    def add_at(
        self,
        site: Site,
        offset: int,
        code: str,
        message: str,
        *,
        fix: str = "",
        names: tuple[str, ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """A finding about one character of an expression."""
        at = place(self.source, site.path, site.text, offset)
        self.add(code, message, site.path, fix=fix, names=names, at=at, severity=severity)
