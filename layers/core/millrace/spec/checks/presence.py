"""Checks that what is read will be there: a task that was skipped, has failed or still runs has no output.

Whoever asks for the status of a task, or by `has`, `?.` or `??` for its output, is taken to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from millrace.expr import Read, ReadPath
from millrace.spec.checks.report import Report
from millrace.spec.findings import Severity
from millrace.spec.models import Workflow
from millrace.spec.outcomes import Outcomes, Presence
from millrace.spec.sites import Sites, texts

_ASKING: Final = frozenset({"status", "error"})
_GUARDS: Final = ("?.", "??", "has(")
_WHY: Final[dict[Presence, str]] = {
    "may-skip": 'the task "{need}" may be skipped',
    "may-fail": 'the task "{need}" may fail, and the workflow goes on',
    "by-rule": 'the triggerRule lets this task run when "{need}" has not succeeded',
    "unfinished": 'the triggerRule lets this task run before "{need}" has ended',
    "never": 'the triggerRule lets this task run only when "{need}" has not succeeded',
    "dead": 'the task "{need}" never runs',
}
_Asked = set[tuple[str, int]]
"""Task ids, and which part of a path may be absent: 0 the task, 1 its output."""


def check_presence(report: Report, workflow: Workflow, outcomes: Outcomes, sites: Sites) -> None:
    """Every read of a task's output, by tasks and by the output of the workflow. Linear in reads."""
    names = [task.id for task in workflow.spec.tasks]
    judge = _Judge(outcomes, frozenset(names))
    conditions: dict[int | None, _Asked] = {}
    for site in sites.sites:
        if site.use == "condition":
            conditions[site.task] = _asked(site.expression.reads)
    for site in sites.sites:
        edge = site.use == "edge"
        asked = _asked(site.expression.reads) | (set() if edge else conditions.get(site.task, set()))
        reader = None if site.task is None else names[site.task]
        for read in site.expression.reads:
            said = judge.said(reader, read.path, asked, edge=edge)
            if said is not None:
                severity, message, fix = said
                report.add_at(site, read.offset, "may-be-missing", message, fix=fix, severity=severity)
    guarded: dict[int | None, bool] = {}
    for at, place, path in sites.step_reads:
        if at not in guarded:  # compiled steps do not say which of their reads is guarded, so any guard counts
            block = None if at is None else workflow.spec.tasks[at].block_json
            guarded[at] = any(guard in text for _, text in texts(block) for guard in _GUARDS)
        reader = None if at is None else names[at]
        said = None if guarded[at] else judge.said(reader, path, conditions.get(at, set()), edge=False)
        if said is not None:
            severity, message, fix = said
            report.add("may-be-missing", message, place, fix=fix, severity=severity)


def _asked(reads: Iterable[Read]) -> _Asked:
    found: _Asked = set()
    for read in reads:
        path = read.path
        if path.root == "tasks" and path.segments:
            head = str(path.segments[0])
            found.update((head, level) for level in (0, 1) if level in read.tolerated)
            if path.segments[1:2] and path.segments[1] in _ASKING:
                found.add((head, 1))
    return found


class _Judge:
    def __init__(self, outcomes: Outcomes, ids: frozenset[str]) -> None:
        self._outcomes = outcomes
        self._ids = ids

    def said(
        self, reader: str | None, path: ReadPath, asked: _Asked, *, edge: bool
    ) -> tuple[Severity, str, str] | None:
        """Severity, message and fix for one read; None if what it reads is there, or may be absent."""
        need = str(path.segments[0]) if path.root == "tasks" and path.segments else ""
        if need not in self._ids or need == reader:
            return None
        presence = self._presence(reader, need, edge=edge)
        level = 0 if presence == "unfinished" else 1
        reads_it = level == 0 or path.segments[1:2] == ("output",)
        if presence == "there" or not reads_it or (need, level) in asked:
            return None
        surely = presence in ("never", "dead")
        message = f"{path} {'is' if surely else 'may be'} missing: {_WHY[presence].format(need=need)}"
        plain = all(isinstance(part, str | int) for part in path.segments)
        example = path if plain else ReadPath("tasks", (need, "output"))
        fix = f"Give it a default, as in {example} ?? 'none'."
        return ("error" if surely else "warning"), message, fix

    def _presence(self, reader: str | None, need: str, *, edge: bool) -> Presence:
        if reader is None:
            return self._outcomes.at_end(need)
        return self._outcomes.for_task(reader, need, edge=edge)
