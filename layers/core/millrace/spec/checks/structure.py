"""Checks of the graph: ids, dependencies, rings, and tasks that can never run."""

from __future__ import annotations

from millrace.base.limits import TASKS_PER_WORKFLOW
from millrace.spec.checks.report import Report
from millrace.spec.cycles import rings
from millrace.spec.dependencies import Graph
from millrace.spec.findings import Path
from millrace.spec.models import Workflow
from millrace.spec.outcomes import Outcomes
from millrace.spec.suggest import asking


def check_ids(report: Report, workflow: Workflow) -> None:
    """Ids are unique, and there are not too many of them."""
    tasks = workflow.spec.tasks
    if len(tasks) > TASKS_PER_WORKFLOW:
        message = f"the workflow has {len(tasks)} tasks, more than {TASKS_PER_WORKFLOW}"
        report.add("too-many-tasks", message, ("spec", "tasks"), fix="Split it into several workflows.")
    first: dict[str, int] = {}
    for index, task in enumerate(tasks):
        held = first.setdefault(task.id, index)
        if held != index:
            line = report.source.position(("spec", "tasks", held, "id"))[0]
            message = f'the id "{task.id}" is taken by the task in line {line}'
            report.add("duplicate-id", message, ("spec", "tasks", index, "id"), fix="Give one of them another id.")


def check_graph(report: Report, workflow: Workflow, graph: Graph) -> None:
    """Every dependency exists, nothing waits for itself, and there is no ring. Linear in tasks and edges."""
    tasks = workflow.spec.tasks
    where: dict[str, int] = {}
    for index, task in enumerate(tasks):
        where.setdefault(task.id, index)
    for index, task in enumerate(tasks):
        for at, need in enumerate(task.depends_on):
            if need.task not in where:
                names = report.nearest(need.task, where)
                path = _need_path(report, index, at)
                fix = f"Write {names[0]}." if names else "Add the task, or take the dependency out."
                message = f'there is no task "{need.task}".{asking(names)}'
                report.add("unknown-task", message, path, fix=fix, names=names)
    for name, needs in graph.needs.items():
        if name in needs:
            path = _place(report, workflow, where[name], name)
            report.add("self-reference", f'the task "{name}" waits for itself', path, fix="Take the reference out.")
    for ring in rings(graph.needs):
        path = _place(report, workflow, where[ring[0]], ring[1])
        shown = ring if len(ring) <= 40 else [*ring[:20], f"… {len(ring) - 40} more …", *ring[-20:]]
        message = f"the tasks wait for each other: {' → '.join(shown)}"
        report.add("cycle", message, path, fix="Take one of these dependencies out.")


def check_reachable(report: Report, workflow: Workflow, outcomes: Outcomes) -> None:
    """A task never runs if its condition is constantly false, or if its trigger rule asks for one that never runs."""
    where = {task.id: index for index, task in reversed(list(enumerate(workflow.spec.tasks)))}
    for name, origin in outcomes.dead.items():
        path: Path = ("spec", "tasks", where[name])
        if name == origin:
            message = f'the task "{name}" never runs: its condition is always false'
            report.add("unreachable-task", message, (*path, "condition"), fix="Take the task or its condition out.")
        else:
            message = f'the task "{name}" never runs: it waits for "{origin}", whose condition is always false'
            report.add("unreachable-task", message, path, fix=f"Do not wait for {origin}, or let it run.")


def _need_path(report: Report, index: int, at: int) -> Path:
    path: Path = ("spec", "tasks", index, "dependsOn", at)
    return (*path, "task") if isinstance(_raw(report, path), dict) else path


def _raw(report: Report, path: Path) -> object:
    value = report.source.value
    for part in path:
        value = value[part]
    return value


def _place(report: Report, workflow: Workflow, index: int, need: str) -> Path:
    """Where a task says that it waits for another: its dependsOn if that names it, else the task."""
    for at, item in enumerate(workflow.spec.tasks[index].depends_on):
        if item.task == need:
            return _need_path(report, index, at)
    return ("spec", "tasks", index)
