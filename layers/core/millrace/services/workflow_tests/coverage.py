"""What the tests of a workflow never took: tasks that never ran, conditions that were never false, failures that
nothing showed although the document says what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from millrace.engine import events as ev
from millrace.services.workflow_tests.running import CaseResult
from millrace.spec import Workflow, dependencies
from millrace.spec.task_names import general

RUNS: Final = "runs"
FALSE: Final = "condition is false"
ATTEMPT_FAILS: Final = "an attempt fails"
FAILS: Final = "fails"


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
    """The failure of a task is a branch where something follows from it: a retry, another trigger rule, going on."""
    tasks = workflow.spec.tasks
    watched: set[str] = set()
    needs = dependencies(workflow)
    for task in tasks:
        if task.trigger_rule != "all_success":
            watched.update(needs[task.id])
    for task in tasks:
        yield task.id, RUNS
        if task.condition is not None:
            yield task.id, FALSE
        if task.retry is not None:
            yield task.id, ATTEMPT_FAILS
        if task.continue_on_error or task.id in watched:
            yield task.id, FAILS


def _taken(events: Iterable[ev.Event]) -> Iterator[tuple[str, str]]:
    for event in events:
        match event:
            case ev.AttemptStarted(path=path) | ev.WaitStarted(path=path):
                yield general(path), RUNS
            case ev.AttemptFinished(path=path, failure=ev.Failure()):
                yield general(path), ATTEMPT_FAILS
            case ev.TaskFinished(path=path, skip=ev.Skip(reason="condition_false")):
                yield general(path), FALSE
            case ev.TaskFinished(path=path, skip=None, status=status):
                yield general(path), RUNS
                if status == "failed":
                    yield general(path), FAILS
            case _:
                pass
