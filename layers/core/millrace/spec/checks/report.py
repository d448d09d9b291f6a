"""Where checks put their findings: positions are looked up here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from millrace.spec.findings import CODES, Finding, Path, Severity
from millrace.spec.placing import place
from millrace.spec.sites import Site
from millrace.spec.source import Position, Source
from millrace.spec.suggest import asking, nearest

_MOST_SUGGESTIONS: Final = 100


class Report:
    """Findings about one document. ``holder`` answers, for a task's id and the index of who names it (None: the
    workflow itself), in which task it is hidden, or nothing; ``handlers`` of which handler a task is."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.holder: Callable[[str, int | None], str] = _nothing
        self.handlers: Mapping[str, str] = {}
        self.findings: list[Finding] = []
        self._suggestions = _MOST_SUGGESTIONS

    def no_task(
        self,
        name: str,
        known: Collection[str],
        path: Path,
        *,
        reader: int | None,
        otherwise: str,
        at: Position | None = None,
    ) -> None:
        """A task that ``reader`` cannot name: it does not exist, or stands inside another one. ``otherwise`` is what to
        do where no ``known`` name is like it."""
        names = self.nearest(name, known)
        fix = f"Write {names[0]}." if names else otherwise
        message = f'there is no task "{name}".{asking(names)}'
        if holder := self.holder(name, reader):
            message = f'the task "{name}" stands inside "{holder}", and is not seen from here'
            names, fix = (holder,), f"Name {holder}: its output holds what came of {name}."
        elif handler := self.handlers.get(name):
            message = f'the task "{name}" is one of {handler}, and is not seen from here'
            names, fix = (), "Name a task of the workflow itself."
        self.add("unknown-task", message, path, fix=fix, names=names, at=at)

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


def _nothing(_name: str, _reader: int | None) -> str:
    return ""
