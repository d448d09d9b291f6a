"""Checks of what is made of tasks: computed state, fallbacks, handlers, sub-workflows."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.spec.checks.report import Report
from millrace.spec.cycles import rings
from millrace.spec.dependencies import entries
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.models.task import Task
from millrace.spec.sites import Sites, texts
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tree import Placed, Tree


def check_state(report: Report, workflow: Workflow, sites: Sites) -> None:
    """No entry of `state` reads itself, directly or through others."""
    names = list(workflow.spec.state)
    reads: dict[str, list[str]] = {name: [] for name in names}
    for site in sites.sites:
        if site.use == "state":
            for one in site.expression.reads:
                if one.path.root == "state":
                    reads[str(site.path[2])] += entries(one.path, names)
    found = [[name, name] for name in names if name in reads[name]] + rings(reads)
    for ring in found:
        message = f"the entries of state read each other: {' → '.join(ring)}"
        report.add("state-cycle", message, ("spec", "state", ring[0]), fix="Compute one of them from tasks or inputs.")


def check_constants(report: Report, workflow: Workflow) -> None:
    """Constants are taken as they are, so that a template in one means nothing."""
    for inside, text in texts(workflow.spec.config):
        if "{{" in text and "}}" in text:
            message = "a constant is taken as it is, braces included"
            fix = "Compute it in state, or write the expression where it is used."
            report.add("no-effect", message, ("spec", "config", *inside), fix=fix)


def check_composition(report: Report, tree: Tree) -> None:
    """What would have no effect."""
    for placed in tree.tasks:
        task, path = placed.task, placed.path
        if task.fallback is not None and task.continue_on_error:
            message = "continueOnError matters only if the fallback fails as well"
            report.add("no-effect", message, (*path, "continueOnError"), fix="Keep it only for that.", severity="hint")


def check_lanes(report: Report, workflow: Workflow, tree: Tree, sources: Mapping[str, WorkflowTask]) -> None:
    """Loops that are to run in lanes and cannot, or would run otherwise there."""
    for placed in tree.tasks:
        block = placed.task.block
        if not isinstance(block, ForEach) or block.for_each.mode == "inline":
            continue
        path = (*placed.path, "forEach", "mode" if block.for_each.mode else "threshold")
        if block.for_each.mode is None and block.for_each.threshold is None:
            continue
        listener = next((one for one in tree.tasks if _within(tree, one, placed) and _listens(one.task, sources)), None)
        if listener is not None:
            message = f'the loop runs inline, because "{listener.task.id}" waits for a message to the execution'
            fix = "Take it out, or move what waits into a workflow that the loop starts."
            report.add("no-effect", message, path, fix=fix)
        elif workflow.spec.parallel_limit is not None and block.for_each.mode is None:
            message = "the loop runs inline, because parallelLimit counts what runs in one log"
            report.add("no-effect", message, path, fix="Write mode: distributed, or take parallelLimit out.")


def _within(tree: Tree, inner: Placed, outer: Placed) -> bool:
    """Whether a task stands inside another one."""
    at = tree.bodies[inner.body].owner
    while at is not None and at != outer.index:
        at = tree.bodies[tree.tasks[at].body].owner
    return at is not None


def _listens(task: Task, sources: Mapping[str, WorkflowTask]) -> bool:
    source = sources.get(task.task_ref) if task.task_ref is not None else None
    return (task.type if source is None else source.spec.type) in ("event", "approval")


def check_keys(report: Report, sites: Sites) -> None:
    """The place of an execution is asked for before its first task, so its key reads no task."""
    for site in sites.sites:
        if site.use != "concurrency" or site.task is not None:
            continue
        for read in site.expression.reads:
            if read.path.root in ("tasks", "state"):
                message = f"{read.path} is read before the first task has begun"
                fix = "Read input, config or trigger in the key of a workflow."
                report.add_at(site, read.offset, "unknown-reference", message, fix=fix)
