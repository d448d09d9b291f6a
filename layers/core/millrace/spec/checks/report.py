"""Where checks put their findings: positions are looked up here, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from millrace.spec.findings import CODES, Finding, Path, Severity
from millrace.spec.placing import place
from millrace.spec.sites import Site
from millrace.spec.source import Position, Source
from millrace.spec.suggest import nearest

_MOST_SUGGESTIONS: Final = 100


class Report:
    """Findings about one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Finding] = []
        self._suggestions = _MOST_SUGGESTIONS

    def nearest(self, word: str, known: Collection[str]) -> tuple[str, ...]:
        """Names like ``word``; none any more once a document has asked often, since each search is linear."""
        self._suggestions -= 1
        return nearest(word, known) if self._suggestions >= 0 else ()

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
