"""Checks of tasks that wait: what has no effect on them, and what may wait for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millrace.spec.checks.report import Report
from millrace.spec.dependencies import Graph
from millrace.spec.findings import Path
from millrace.spec.models import Task, Workflow, WorkflowTask, WorkflowTaskSpec
from millrace.spec.registry import find_type
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.wait import Wait
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Tree


def check_waiting(
    report: Report, workflow: Workflow, tree: Tree, tasks: Mapping[str, WorkflowTask], graphs: Sequence[Graph]
) -> None:
    """Every task of a workflow, with what the reusable task it names says."""
    for placed in tree.tasks:
        task, path = placed.task, placed.path
        document = tasks.get(task.task_ref) if task.task_ref is not None else None
        work = task if document is None else document.spec
        check_policies(report, task, work.type, path)
        check_length(report, task, path)
        _check_end(report, workflow, task, work, path)
        needs = graphs[placed.body].needs.get(task.id, ())
        if task.trigger_rule != "all_success" and not needs:
            message = f'triggerRule has no effect: the task "{task.id}" waits for no other'
            report.add("no-effect", message, (*path, "triggerRule"), fix="Add dependsOn, or take it out.")


def check_policies(report: Report, holder: Task | WorkflowTaskSpec, kind: str | None, path: Path) -> None:
    """A wait is not attempted, nor is what is only computed, so nothing about attempts applies to them. But another
    workflow that is waited for may be run again."""
    known = None if kind is None else find_type(kind)
    if known is None or not (known.waits or known.composes or known.steps):
        return
    attempts = {
        "retry": holder.retry,
        "attemptTimeout": holder.attempt_timeout,
        "circuitBreaker": holder.circuit_breaker,
    }
    if isinstance(holder.block, SubWorkflow) and not holder.block.detached:
        del attempts["retry"]
    for key, value in attempts.items():
        if value is not None and not (known.steps and key == "circuitBreaker"):  # the check of breakers says so
            message = f"{key} has no effect: a task of type {known.name} is not attempted itself"
            report.add("no-effect", message, (*path, key), fix="Take it out; timeout limits how long it may take.")


def check_length(report: Report, holder: Task | WorkflowTaskSpec, path: Path) -> None:
    """A wait of no length, and a limit that another one takes the place of."""
    if isinstance(holder.block, Event) and holder.block.timeout is not None and holder.timeout is not None:
        message = "timeout has no effect: the event has its own"
        report.add("no-effect", message, (*path, "timeout"), fix="Keep one of them.")
    if isinstance(holder.block, Wait) and holder.block.for_ == 0:
        fix = "Give it a duration, or take the task out."
        report.add("no-effect", "the wait is over at once", (*path, "wait", "for"), fix=fix)


def _check_end(report: Report, workflow: Workflow, task: Task, work: Task | WorkflowTaskSpec, path: Path) -> None:
    """Something has to end the wait for an event or for people if nothing happens."""
    limit = task.timeout or work.timeout
    if isinstance(work.block, Event) and not (limit or work.block.timeout or workflow.spec.timeout):
        message = f'the task "{task.id}" may wait for ever: neither it nor the workflow has a timeout'
        report.add("no-timeout", message, (*path, "event") if work is task else path, fix="Add timeout to the event.")
    if isinstance(work.block, Approval) and not limit:
        message = f'nothing is decided by time: the approval "{task.id}" has no timeout'
        report.add("no-timeout", message, path, fix="Add timeout to the task, and say what it does by onTimeout.")
    if isinstance(work.block, Approval) and work.block.on_timeout == "task" and task.fallback is None:
        message = f'the approval "{task.id}" leaves it to a task when nobody decides, and names none'
        report.add("missing-key", message, path, fix="Add fallback: {task: …}, or {workflow: …}; or change onTimeout.")
