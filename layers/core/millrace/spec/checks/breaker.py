"""Checks of circuit breakers: what has no effect, and a scope that the task does not have."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.models import Task, WorkflowTask, WorkflowTaskSpec
from millrace.spec.registry import find_type
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tree import Tree


def check_breakers(report: Report, tree: Tree, tasks: Mapping[str, WorkflowTask]) -> None:
    """The breaker of every task of a workflow, against what the reusable task it names does."""
    for placed in tree.tasks:
        task = placed.task
        document = tasks.get(task.task_ref) if task.task_ref is not None else None
        if task.task_ref is None or document is not None:
            check_breaker(report, task, task if document is None else document.spec, placed.path)


def check_breaker(report: Report, holder: Task | WorkflowTaskSpec, work: Task | WorkflowTaskSpec, path: Path) -> None:
    """``holder`` declares the breaker; ``work`` says what is done, which may be another document."""
    breaker = holder.circuit_breaker
    if breaker is None:
        return
    path = (*path, "circuitBreaker")
    kind = None if work.type is None else find_type(work.type)
    if kind is not None and kind.steps:  # of what waits or holds tasks, the checks of those say so
        message = f"circuitBreaker has no effect: a task of type {kind.name} is not attempted itself"
        report.add("no-effect", message, path, fix="Take it out.")
    threshold = 5 if breaker.failure_threshold is None else breaker.failure_threshold
    least = breaker.minimum_throughput
    if breaker.failure_rate is None and least is not None and least <= threshold:
        message = f"minimumThroughput has no effect: {threshold} failures are {threshold} attempts already"
        report.add("no-effect", message, (*path, "minimumThroughput"), fix="Use failureRate, or take it out.")
    if breaker.scope == "host" and not isinstance(work.block, HttpRequest):
        message = "only a task with a url has a host"
        report.add("bad-value", message, (*path, "scope"), fix="Use workflow, or give it a key.")
    if breaker.scope == "task" and isinstance(holder, Task) and holder.task_ref is None:
        message = "the task names no reusable task that could share it"
        report.add("bad-value", message, (*path, "scope"), fix="Use workflow, or give it a key.")
