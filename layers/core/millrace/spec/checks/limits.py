"""Checks of limits that contradict each other: retries that never happen, and times that another one cuts off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from millrace.base.scalars import format_duration
from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.models import Retry, Task, Workflow, WorkflowTask, WorkflowTaskSpec
from millrace.spec.registry import find_type
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Tree

_SHARE: Final = {"none": 1.0, "equal": 0.5, "full": 0.0}
"""The part of a wait that is never left out by chance."""


def check_limits(report: Report, workflow: Workflow, tree: Tree, tasks: Mapping[str, WorkflowTask]) -> None:
    """Every task of a workflow."""
    whole = workflow.spec.timeout
    for placed in tree.tasks:
        task = placed.task
        document = tasks.get(task.task_ref) if task.task_ref is not None else None
        check_policies_of(report, task, task if document is None else document.spec, placed.path)
        if task.timeout is not None and whole is not None and task.timeout > whole:
            message = f"timeout has no effect: the workflow may take {format_duration(whole)} in all"
            fix = "Shorten it, or give the workflow more time."
            report.add("no-effect", message, (*placed.path, "timeout"), fix=fix)
        if isinstance(task.block, ForEach):
            _tolerance(report, task.block, placed.path)


def check_policies_of(
    report: Report, holder: Task | WorkflowTaskSpec, work: Task | WorkflowTaskSpec, path: Path
) -> None:
    """``holder`` declares the policies; ``work`` says what is done, which may be another document."""
    if holder.timeout is not None and holder.attempt_timeout is not None and holder.attempt_timeout > holder.timeout:
        message = f"attemptTimeout has no effect: the task may take {format_duration(holder.timeout)} in all"
        fix = "Make timeout longer than one attempt, or take attemptTimeout out."
        report.add("no-effect", message, (*path, "attemptTimeout"), fix=fix)
    kind = None if work.type is None else find_type(work.type)
    again = isinstance(work.block, SubWorkflow) and not work.block.detached
    if holder.retry is None or (kind is not None and (kind.waits or kind.composes) and not again):
        return
    _retry(report, holder.retry, holder, (*path, "retry"))
    if kind is None or kind.name == "http" or again:  # what is inside another workflow may fail in any way
        return
    for index, wanted in enumerate(holder.retry.retry_on or ()):
        if wanted == "http" or isinstance(wanted, int) or wanted[:1].isdigit():
            message = f"{wanted} never happens: a task of type {kind.name} has no HTTP status"
            report.add("no-effect", message, (*path, "retry", "retryOn", index), fix="Take it out.")


def _retry(report: Report, retry: Retry, holder: Task | WorkflowTaskSpec, path: Path) -> None:
    more = retry.model_fields_set - {"max_attempts"}
    if retry.max_attempts == 1:
        if more:
            fix = "Raise maxAttempts, which counts the first attempt, or take the rest out."
            report.add("no-effect", "nothing is tried again: maxAttempts is 1", (*path, "maxAttempts"), fix=fix)
        return
    if retry.interval > retry.max_interval and "interval" in more:
        longest = format_duration(retry.max_interval)
        message = f"the interval is cut to {longest}, the longest wait there may be"
        report.add("no-effect", message, (*path, "interval"), fix="Shorten it, or raise maxInterval.")
    wait = min(retry.interval, retry.max_interval) * _SHARE[retry.jitter]
    for key, limit, at in (
        ("timeout", holder.timeout, path),
        ("maxDuration", retry.max_duration, (*path, "maxDuration")),
    ):
        if limit is not None and wait >= limit:
            message = f"nothing is tried again: the first wait takes {format_duration(int(wait))}, and {key} is over"
            report.add("no-effect", message, at, fix=f"Shorten interval, or raise {key}.")


def _tolerance(report: Report, block: ForEach, path: Path) -> None:
    """A loop whose items are written out, and may all fail."""
    failures, items = block.for_each.tolerate.failures, block.for_each.items
    if not isinstance(items, list) or not items:
        return
    if failures == "100%" or (isinstance(failures, int) and failures >= len(items)):
        message = f"the loop never fails: it has {len(items)} items, and all of them may"
        fix = "Tolerate fewer, or use continueOnError."
        report.add("no-effect", message, (*path, "forEach", "tolerate", "failures"), fix=fix)
