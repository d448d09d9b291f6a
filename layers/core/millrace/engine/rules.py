"""Trigger rules: when a task may run, by what became of the tasks it waits for.

The names and meanings are Airflow's, with one difference: what counts as failed is the cause, not the last hop. A task
that was skipped because something above it failed counts as failed here, through any number of hops, so that a failure
cannot turn into an allowed skip on its way down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from millrace.engine.state import DONE, FAILED, SKIPPED, SUCCEEDED, TaskState


def counts_as_failed(task: TaskState) -> bool:
    """Whether a rule sees a failure here: the task's own, or one that it was skipped for, however far above."""
    return task.status == FAILED or (task.skip is not None and task.skip.reason == "upstream_failed")


def _skipped(task: TaskState) -> bool:
    return task.status == SKIPPED and not counts_as_failed(task)


def _succeeded(task: TaskState) -> bool:
    return task.status == SUCCEEDED


def _done(task: TaskState) -> bool:
    return task.status in DONE


def _any(*judges: Callable[[TaskState], bool]) -> Callable[[Sequence[TaskState]], bool]:
    return lambda tasks: any(judge(task) for task in tasks for judge in judges)


def _all(judge: Callable[[TaskState], bool]) -> Callable[[Sequence[TaskState]], bool]:
    return lambda tasks: all(judge(task) for task in tasks)


def _none_failed_min_one_success(tasks: Sequence[TaskState]) -> bool:
    return not any(map(counts_as_failed, tasks)) and any(map(_succeeded, tasks))


RULES: dict[str, Callable[[Sequence[TaskState]], bool]] = {
    "all_success": _all(_succeeded),
    "all_failed": _all(counts_as_failed),
    "all_done": _all(_done),
    "all_skipped": _all(_skipped),
    "always": lambda _tasks: True,
    "none_failed": lambda tasks: not any(map(counts_as_failed, tasks)),
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": lambda tasks: not any(map(_skipped, tasks)),
    "one_done": _any(_succeeded, counts_as_failed),
    "one_failed": _any(counts_as_failed),
    "one_success": _any(_succeeded),
}
EARLY = frozenset({"always", "one_done", "one_failed", "one_success"})
"""Rules that do not wait for every dependency."""
BROKEN_BY_FAILURE = frozenset({"none_failed", "none_failed_min_one_success", "one_success"})
"""Rules that a failure keeps from holding, also one with which the workflow goes on."""


def holds(rule: str, tasks: Sequence[TaskState]) -> bool:
    """Whether ``rule`` is satisfied by the present states of all dependencies."""
    return RULES[rule](tasks)
