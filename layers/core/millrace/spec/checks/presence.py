"""Checks that what is read will be there: a task that was skipped, has failed or still runs has no output.

Nor has one that succeeded an error. Whoever asks for the status of a task, or by `has`, `?.` or `??` for what it reads
of it, is taken to know; whoever reads its error, to know about its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from millrace.expr import Read, ReadPath, Segment, Wild
from millrace.spec.checks.report import Report
from millrace.spec.dependencies import entries, state_reads
from millrace.spec.findings import Severity
from millrace.spec.models import FINALLY, Workflow
from millrace.spec.outcomes import Outcomes, Presence
from millrace.spec.produced import Products
from millrace.spec.sites import GUARDS, Sites, texts
from millrace.spec.tree import Tree

_ASKING: Final = frozenset({"status", "error"})
_WHY: Final[dict[Presence, str]] = {
    "may-skip": 'the task "{need}" may be skipped',
    "may-fail": 'the task "{need}" may fail, and the workflow goes on',
    "by-rule": 'the triggerRule lets this task run when "{need}" has not succeeded',
    "unfinished": 'the triggerRule lets this task run before "{need}" has ended',
    "never": 'the triggerRule lets this task run only when "{need}" has not succeeded',
    "dead": 'the task "{need}" never runs',
    "at-end": 'the workflow may have ended before "{need}" succeeded',
}
_Place = tuple[Segment, ...]
_Asked = set[_Place]
"""Places below ``tasks`` that may be absent for all the reader cares, positions in lists as `Wild`; an empty one stands
for ``error`` itself."""
_Said = tuple[Severity, str, str]


def check_presence(
    report: Report, workflow: Workflow, tree: Tree, outcomes: Sequence[Outcomes], products: Products, sites: Sites
) -> None:
    """Every read of a task's output, by tasks and by the output of the workflow. Linear in reads."""
    judge = _Judge(tree, outcomes, products, state_reads(workflow, sites))
    conditions, around = _inherited(tree, sites)
    for site in sites.sites:
        if site.use == "state":
            continue  # judged where it is read: an entry that nobody reads is never computed
        edge = site.use == "edge"
        asked = _asked(site.expression.reads) | (set() if edge else conditions[site.task])
        for read in site.expression.reads:
            said = judge.said(site.task, read.path, asked, edge=edge)
            # the state is computed before a task asks anything, so that only what is around it can have asked
            said = said or judge.through_state(site.task, read.path, around[site.task], edge=edge)
            said = said or (judge.error(site.task, read, asked) if site.use != "fallback" else None)
            if said is not None:
                severity, message, fix = said
                report.add_at(site, read.offset, "may-be-missing", message, fix=fix, severity=severity)
    guarded: dict[int, bool] = {}
    for at, place, path in sites.step_reads:
        if at not in guarded:  # compiled steps do not say which of their reads is guarded, so any guard counts
            block = tree.tasks[at].task.block_json
            guarded[at] = any(guard in text for _, text in texts(block) for guard in GUARDS)
        said = None if guarded[at] else judge.said(at, path, conditions[at], edge=False)
        if said is not None:
            severity, message, fix = said
            report.add("may-be-missing", message, place, fix=fix, severity=severity)


def _inherited(tree: Tree, sites: Sites) -> tuple[dict[int | None, _Asked], dict[int | None, _Asked]]:
    """What the condition of each task, of one around it, or of the case it stands in, has asked for; the same without
    its own."""
    own: dict[int | None, _Asked] = {None: set()}
    cases: dict[tuple[int, str], _Asked] = {}
    for site in sites.sites:
        if site.use == "condition":
            own[site.task] = _asked(site.expression.reads)
        elif site.task is not None and site.path[-3:-2] == ("cases",):
            cases[site.task, str(site.path[-2])] = _asked(site.expression.reads)
    found: dict[int | None, _Asked] = {None: own[None]}
    around: dict[int | None, _Asked] = {None: own[None]}
    for placed in tree.tasks:  # a task stands before those inside it
        body = tree.bodies[placed.body]
        outer: _Asked = set()
        if body.owner is not None:
            outer = found[body.owner] | cases.get((body.owner, body.name), set())
        around[placed.index] = outer
        found[placed.index] = own.get(placed.index, set()) | outer
    return found, around


def _asked(reads: Iterable[Read]) -> _Asked:
    found: _Asked = set()
    for read in reads:
        place = _plain(read.path.segments)
        if read.path.root == "error" and not place:
            found.add(())
        if read.path.root != "tasks":
            continue
        found.update(place[: level + 1] for level in read.tolerated if level >= 0)
        if place[1:2] and place[1] in _ASKING:
            found.add((place[0], "output"))
        if place[1:2] == ("status",):
            found.add((place[0], "error"))
        if place[2:4] == (Wild.ANY, "status"):  # of an entry of a loop, which says what else the entry has
            found.add(place[:3])
    return found


def _plain(segments: Iterable[Segment]) -> _Place:
    return tuple(part if isinstance(part, str) else Wild.ANY for part in segments)


class _Judge:
    def __init__(
        self,
        tree: Tree,
        outcomes: Sequence[Outcomes],
        products: Products,
        state: Mapping[str, Mapping[ReadPath, bool]],
    ) -> None:
        self._tree = tree
        self._outcomes = outcomes
        self._products = products
        self._state = state

    def said(self, reader: int | None, path: ReadPath, asked: _Asked, *, edge: bool) -> _Said | None:
        """Severity, message and fix for one read; None if what it reads is there, or may be absent."""
        body = 0 if reader is None else self._tree.tasks[reader].body
        return self._said(reader, body, path, asked, edge=edge)

    def through_state(self, reader: int | None, read: ReadPath, asked: _Asked, *, edge: bool) -> _Said | None:
        """The same for what an entry of the state reads, on behalf of whoever reads that."""
        for name in entries(read, self._state) if read.root == "state" else ():
            for path, guarded in self._state[name].items():
                said = None if guarded else self._said(reader, 0, path, asked, edge=edge)
                if said is not None:
                    return said[0], f"state.{name} cannot be computed: {said[1]}", said[2]
        return None

    def error(self, reader: int | None, read: Read, asked: _Asked) -> _Said | None:
        """The error of the workflow is null in what runs at the end of a workflow that has succeeded."""
        if reader is None or read.path.root != "error" or not read.path.segments or read.guarded or () in asked:
            return None
        bodies = self._tree.around(self._tree.tasks[reader].body)
        giving = next((body for body in bodies if "error" in body.roots), None)
        if giving is None or giving.name != FINALLY:
            return None
        message = f"{read.path} may be missing: the error is null when the workflow has succeeded"
        return "warning", message, f"Ask for it: error?.{read.path.segments[0]} ?? 'none'."

    def _said(self, reader: int | None, body: int, path: ReadPath, asked: _Asked, *, edge: bool) -> _Said | None:
        need = path.segments[0] if path.root == "tasks" and path.segments else None
        found = self._tree.lookup(body, need) if isinstance(need, str) else None
        if found is None:
            return None  # another check says that there is no such task
        where, index = found
        if reader is not None and self._tree.holder(reader, where.index) == index:
            return None  # another check says that it waits for itself
        presence = self._presence(reader, where.index, index, edge=edge)
        place = _plain(path.segments)
        reads_it = presence == "unfinished" or place[1:2] == ("output",)
        wanted = place[:1] if presence == "unfinished" else (place[0], "output")
        if presence != "there" and reads_it:
            surely = presence in ("never", "dead")
            why = _WHY[presence].format(need=need)
            return None if wanted in asked else _missing(path, 2, why, surely=surely)
        if place[1:2] == ("error",) and presence != "never" and not {place[:1], place[:2]} & asked:
            return _missing(path, 2, f'the task "{need}" has an error only when it has failed', surely=False)
        for below, why in self._products.doubts.get(index, {}).items():
            whole = (place[0], "output", *below)
            if place[: len(whole)] == whole and not {whole, whole[:3]} & asked:
                return _missing(path, len(whole), why, surely=False)
        return None

    def _presence(self, reader: int | None, body: int, need: int, *, edge: bool) -> Presence:
        tree, outcomes = self._tree, self._outcomes[body]
        name = tree.tasks[need].task.id
        if reader is None:
            return outcomes.at_end(name)
        waiter = tree.holder(reader, body)
        if waiter is None:
            return "at-end"
        return outcomes.for_task(tree.tasks[waiter].task.id, name, edge=edge)


def _missing(path: ReadPath, depth: int, why: str, *, surely: bool) -> _Said:
    plain = all(isinstance(part, str | int) for part in path.segments)
    example = path if plain else ReadPath("tasks", path.segments[:depth])
    named = all(isinstance(part, str | int) for part in example.segments)
    fix = f"Give it a default, as in {example} ?? 'none'." if named else "Ask for it by has, ?. or ??."
    message = f"{path} {'is' if surely else 'may be'} missing: {why}"
    return ("error" if surely else "warning"), message, fix
