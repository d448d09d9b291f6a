"""Checks that what is read will be there: a task that was skipped, has failed or still runs has no output.

Whoever asks for the status of a task, or by `has`, `?.` or `??` for its output, is taken to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from millrace.expr import Read, ReadPath
from millrace.spec.checks.report import Report
from millrace.spec.findings import Severity
from millrace.spec.outcomes import Outcomes, Presence
from millrace.spec.sites import Sites, texts
from millrace.spec.tree import Tree

_ASKING: Final = frozenset({"status", "error"})
_GUARDS: Final = ("?.", "??", "has(")
_WHY: Final[dict[Presence, str]] = {
    "may-skip": 'the task "{need}" may be skipped',
    "may-fail": 'the task "{need}" may fail, and the workflow goes on',
    "by-rule": 'the triggerRule lets this task run when "{need}" has not succeeded',
    "unfinished": 'the triggerRule lets this task run before "{need}" has ended',
    "never": 'the triggerRule lets this task run only when "{need}" has not succeeded',
    "dead": 'the task "{need}" never runs',
    "at-end": 'the workflow may have ended before "{need}" succeeded',
}
_Asked = set[tuple[str, int]]
"""Task ids, and which part of a path may be absent: 0 the task, 1 its output."""


def check_presence(report: Report, tree: Tree, outcomes: Sequence[Outcomes], sites: Sites) -> None:
    """Every read of a task's output, by tasks and by the output of the workflow. Linear in reads."""
    judge = _Judge(tree, outcomes)
    own: dict[int | None, _Asked] = {}
    for site in sites.sites:
        if site.use == "condition":
            own[site.task] = _asked(site.expression.reads)
    conditions = _inherited(tree, own)
    for site in sites.sites:
        if site.use == "state":
            continue  # judged by nobody: an entry that nobody reads is never computed
        edge = site.use == "edge"
        asked = _asked(site.expression.reads) | (set() if edge else conditions[site.task])
        for read in site.expression.reads:
            said = judge.said(site.task, read.path, asked, edge=edge)
            if said is not None:
                severity, message, fix = said
                report.add_at(site, read.offset, "may-be-missing", message, fix=fix, severity=severity)
    guarded: dict[int | None, bool] = {}
    for at, place, path in sites.step_reads:
        if at not in guarded:  # compiled steps do not say which of their reads is guarded, so any guard counts
            block = None if at is None else tree.tasks[at].task.block_json
            guarded[at] = any(guard in text for _, text in texts(block) for guard in _GUARDS)
        said = None if guarded[at] else judge.said(at, path, conditions[at], edge=False)
        if said is not None:
            severity, message, fix = said
            report.add("may-be-missing", message, place, fix=fix, severity=severity)


def _inherited(tree: Tree, own: dict[int | None, _Asked]) -> dict[int | None, _Asked]:
    """What the condition of each task, or of one around it, has asked for."""
    found: dict[int | None, _Asked] = {None: own.get(None, set())}
    for placed in tree.tasks:  # a task stands before those inside it
        owner = tree.bodies[placed.body].owner
        found[placed.index] = own.get(placed.index, set()) | (set() if owner is None else found[owner])
    return found


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
    def __init__(self, tree: Tree, outcomes: Sequence[Outcomes]) -> None:
        self._tree = tree
        self._outcomes = outcomes

    def said(
        self, reader: int | None, path: ReadPath, asked: _Asked, *, edge: bool
    ) -> tuple[Severity, str, str] | None:
        """Severity, message and fix for one read; None if what it reads is there, or may be absent."""
        need = path.segments[0] if path.root == "tasks" and path.segments else None
        presence = self._presence(reader, need, edge=edge) if isinstance(need, str) else "there"
        level = 0 if presence == "unfinished" else 1
        reads_it = level == 0 or path.segments[1:2] == ("output",)
        if presence == "there" or not reads_it or (str(need), level) in asked:
            return None
        surely = presence in ("never", "dead")
        message = f"{path} {'is' if surely else 'may be'} missing: {_WHY[presence].format(need=need)}"
        plain = all(isinstance(part, str | int) for part in path.segments)
        example = path if plain else ReadPath("tasks", (str(need), "output"))
        fix = f"Give it a default, as in {example} ?? 'none'."
        return ("error" if surely else "warning"), message, fix

    def _presence(self, reader: int | None, need: str, *, edge: bool) -> Presence:
        tree = self._tree
        found = tree.lookup(0 if reader is None else tree.tasks[reader].body, need)
        if found is None:
            return "there"  # another check says that there is no such task
        body, index = found
        outcomes = self._outcomes[body.index]
        if reader is None:
            return outcomes.at_end(need)
        waiter = tree.holder(reader, body.index)
        if waiter is None:
            return "at-end"
        if waiter == index:
            return "there"  # another check says that it waits for itself
        return outcomes.for_task(tree.tasks[waiter].task.id, need, edge=edge)
