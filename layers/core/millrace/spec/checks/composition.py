"""Checks of what is made of tasks: computed state, fallbacks, handlers, sub-workflows."""

from __future__ import annotations

from millrace.spec.checks.report import Report
from millrace.spec.cycles import rings
from millrace.spec.dependencies import entries
from millrace.spec.models import Workflow
from millrace.spec.sites import Sites, texts
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Tree


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


def check_composition(report: Report, workflow: Workflow, tree: Tree) -> None:
    """What would have no effect, and a workflow that only calls itself."""
    for placed in tree.tasks:
        task, path = placed.task, placed.path
        if task.fallback is not None and task.continue_on_error:
            message = "continueOnError matters only if the fallback fails as well"
            report.add("no-effect", message, (*path, "continueOnError"), fix="Keep it only for that.", severity="hint")
        block = task.block
        if isinstance(block, SubWorkflow):
            name = block.workflow_ref.partition("@")[0]
            if name == workflow.metadata.name and task.condition is None and placed.body == 0:
                message = "the workflow starts itself, without a condition that ends it"
                report.add("endless-recursion", message, (*path, "workflowRef"), fix="Give the task a condition.")


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
