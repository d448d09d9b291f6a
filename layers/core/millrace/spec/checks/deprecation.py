"""Warnings about what is deprecated and used all the same: tasks, workflows, inputs that are given, outputs that are
read.

A workflow that reads its own deprecated input is not told: it has to serve that input until it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from millrace.expr import ReadPath
from millrace.spec.checks.calls import Callee
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment, Environments
from millrace.spec.findings import Path
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.references import task_refs, workflow_refs
from millrace.spec.shapes import ANYTHING, Shape, deprecation_of, follow
from millrace.spec.sites import Sites
from millrace.spec.tasks.generate import Generate
from millrace.spec.tree import Placed, Tree


def check_deprecation(
    report: Report,
    tree: Tree,
    tasks: Mapping[str, WorkflowTask],
    workflows: Mapping[str, Workflow],
    sites: Sites,
    environments: Environments,
) -> None:
    """What every task of a workflow uses. Linear in tasks and reads."""
    for placed in tree.tasks:
        task = placed.task
        for reference in task_refs(task):
            if (document := tasks.get(reference)) is not None:
                own = reference == task.task_ref
                _used(report, placed, document, placed.place("taskRef") if own else _listed(placed, reference))
        for reference in workflow_refs(task):
            if (other := workflows.get(reference)) is not None:
                _used(report, placed, other, placed.place("workflowRef"))
    seen: set[tuple[Path, ReadPath]] = set()
    for site in sites.sites:
        for read in site.expression.reads:
            if (site.path, read.path) not in seen and (said := _read(environments.of(site.task), read.path)):
                seen.add((site.path, read.path))
                report.add_at(site, read.offset, "deprecated", said, fix="Read what takes its place.")
    for at, path, read_path in sites.step_reads:
        if said := _read(environments.of(at), read_path):
            report.add("deprecated", said, path, fix="Read what takes its place.")


def _listed(placed: Placed, reference: str) -> Path:
    block = placed.task.block
    listed = block.task_refs if isinstance(block, Generate) else ()
    return (*placed.path, "generate", "taskRefs", listed.index(reference))


def _used(report: Report, placed: Placed, document: Workflow | WorkflowTask, path: Path) -> None:
    """A task or workflow that should not be used, and inputs of it that should not be given."""
    callee = Callee.of(document)
    said = document.spec.deprecated
    if said is not None:
        what = "reusable task" if isinstance(document, WorkflowTask) else "workflow"
        fix = f"Use {said.replacement}." if said.replacement else "Use another one."
        names = (said.replacement,) if said.replacement else ()
        report.add("deprecated", f"the {what} {callee.name} is {said.sentence}", path, fix=fix, names=names)
    for inside, why in _given(placed.task.input, Shape.of(callee.schema)):
        where = (*placed.place("input"), *inside)
        message = f"the input {'.'.join(map(str, inside))} of {callee.name} is deprecated{why}"
        at = report.source.key_position(where)
        report.add("deprecated", message, where, fix="Give it what takes its place, or leave it out.", at=at)


def _given(value: Any, shape: Shape) -> Iterator[tuple[Path, str]]:
    """The keys of a value whose schemas are deprecated, and what those say of it."""
    for key, item in value.items() if isinstance(value, dict) else ():
        below = follow(shape, (key,)).shape or ANYTHING
        why = deprecation_of(below)
        if why is not None:
            yield (key,), why
        for inside, more in _given(item, below):
            yield (key, *inside), more


def _read(environment: Environment, path: ReadPath) -> str:
    """What is to be said of reading below the output of a task; nothing, mostly."""
    if path.root != "tasks" or path.segments[1:2] != ("output",):
        return ""
    for length, _ in enumerate(path.segments[2:], 3):
        shape = environment.follow(ReadPath(path.root, path.segments[:length])).shape
        why = None if shape is None else deprecation_of(shape)
        if why is not None:
            return f"{ReadPath(path.root, path.segments[:length])} is deprecated{why}"
    return ""
