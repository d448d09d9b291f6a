"""What the tests of a workflow never took: tasks that never ran, conditions that were never false, failures that
nothing showed although the document says what follows from them.

Every task counts, however deep it stands: those of cases, loops, fallbacks and handlers by their path, once for all
iterations. Generated tasks are not known before they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from millrace.engine import events as ev
from millrace.services.workflow_tests.running import CaseResult
from millrace.spec import Workflow
from millrace.spec.dependencies import graphs_of
from millrace.spec.sites import workflow_sites
from millrace.spec.task_names import general
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tree import Tree, tree_of

RUNS: Final = "runs"
FALSE: Final = "condition is false"
ATTEMPT_FAILS: Final = "an attempt fails"
FAILS: Final = "fails"
STANDS_IN: Final = "falls back"


def coverage(workflow: Workflow, results: Iterable[CaseResult]) -> dict[str, Any]:
    """``{branches, taken, percent, untaken: [{task, branch}]}``; tests that could not be run took nothing."""
    taken = {branch for result in results if result.played is not None for branch in _taken(result.played.events)}
    known = list(_branches(workflow))
    untaken = [branch for branch in known if branch not in taken]
    count = len(known) - len(untaken)
    return {
        "branches": len(known),
        "taken": count,
        "percent": 100 * count // len(known),
        "untaken": [{"task": task, "branch": branch} for task, branch in untaken],
    }


def _branches(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The failure of a task is a branch where something follows from it: a retry, another trigger rule, going on, a
    loop that tolerates it, something that stands in."""
    tree = tree_of(workflow)
    watched = _watched(workflow, tree)
    for placed in tree.tasks:
        task, path = placed.task, tree.general(placed.index)
        yield path, RUNS
        if task.condition is not None:
            yield path, FALSE
        if task.retry is not None:
            yield path, ATTEMPT_FAILS
        if task.fallback is not None:
            yield path, STANDS_IN
        elif task.continue_on_error or placed.index in watched:
            yield path, FAILS


def _watched(workflow: Workflow, tree: Tree) -> set[int]:
    """The tasks whose failure a trigger rule or the tolerance of a loop lets the rest go on after."""
    found: set[int] = set()
    graphs = graphs_of(workflow, tree, workflow_sites(workflow, tree=tree))
    for placed in tree.tasks:
        body = tree.bodies[placed.body]
        if placed.task.trigger_rule != "all_success":
            found |= {body.ids[need] for need in graphs[body.index].needs.get(placed.task.id, ())}
        owner = None if body.owner is None or body.single else tree.tasks[body.owner].task.block
        if isinstance(owner, ForEach) and owner.for_each.tolerate.failures not in (0, "0%"):
            found.add(placed.index)
    return found


def _taken(events: Iterable[ev.Event]) -> Iterator[tuple[str, str]]:
    for event in events:
        match event:
            case ev.AttemptStarted(path=path) | ev.WaitStarted(path=path) | ev.ScopeOpened(path=path):
                yield general(path), RUNS
            case ev.AttemptFinished(path=path, failure=ev.Failure()):
                yield general(path), ATTEMPT_FAILS
            case ev.TaskFinished(path=path, skip=ev.Skip(reason="condition_false")):
                yield general(path), FALSE
            case ev.TaskFinished(path=path, skip=None, status=status, degraded=degraded):
                yield general(path), RUNS
                if degraded:
                    yield general(path), STANDS_IN
                if status == "failed":
                    yield general(path), FAILS
            case _:
                pass
