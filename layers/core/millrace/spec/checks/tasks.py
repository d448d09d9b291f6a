"""Checks of single tasks: schemas, references to reusable tasks and their inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from millrace.spec.checks.calls import Callee, check_call, words
from millrace.spec.checks.operands import type_of
from millrace.spec.checks.report import Report
from millrace.spec.checks.requests import check_request
from millrace.spec.checks.schemas import check_sense
from millrace.spec.checks.steps import check_items
from millrace.spec.environment import Environment, Environments
from millrace.spec.findings import Path
from millrace.spec.models import Task, Workflow, WorkflowTask, WorkflowTaskSpec
from millrace.spec.schema_check import schema_problems
from millrace.spec.shapes import disjoint, json_type
from millrace.spec.sites import Site, Sites
from millrace.spec.suggest import asking
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Placed, Tree

_ARRAY: Final = frozenset({"array"})
_LISTS: Final[dict[str | None, Path]] = {"forEach": ("forEach", "items"), "generate": ("from",)}
_ITEMS: Final[tuple[Path, ...]] = ((), ("items",))
"""Where below its input the items of a transform may be given."""
_WAITED: Final[dict[Path, frozenset[str]]] = {
    ("wait", "for"): frozenset({"string", "integer"}),
    ("wait", "until"): frozenset({"string"}),
    ("event", "type"): frozenset({"string"}),
}


def check_schema(report: Report, schema: Any, path: Path) -> bool:
    """Whether a JSON Schema in the document can be used; what is wrong with it is reported."""
    problems = schema_problems(schema)
    for inside, message, fix in problems:
        report.add("bad-schema", message, (*path, *inside), fix=fix)
    if not problems:
        check_sense(report, schema, path)
    return not problems


def check_block(report: Report, holder: Task | WorkflowTaskSpec, base: Path) -> None:
    """The parts of a task's block that only its type knows."""
    block = holder.block
    if isinstance(block, Approval) and block.form is not None:
        check_schema(report, block.form, (*base, "form"))
    if not isinstance(block, HttpRequest):
        return
    path: Path = (*base, "request")
    if isinstance(block.response_schema, dict):
        check_schema(report, block.response_schema, (*path, "responseSchema"))
    check_request(report, block, path)


def check_tasks(
    report: Report,
    tree: Tree,
    tasks: Mapping[str, WorkflowTask],
    workflows: Mapping[str, Workflow] | None,
    sites: Sites,
    environments: Environments,
) -> None:
    """Every task against what it refers to; ``workflows`` is None where nobody knows which there are."""
    inputs: dict[tuple[int, Path], Site] = {}
    lists: dict[int, Site] = {}
    for site in sites.sites:
        if site.task is None:
            continue
        placed = tree.tasks[site.task]
        if site.use == "block" and site.whole:
            check_moment(report, site, environments.of(site.task))
            if site.inside == _LISTS.get(placed.task.type):
                lists[site.task] = site
        elif site.use == "input":
            inputs[(site.task, site.inside)] = site
    broken = {fault.path for fault in sites.faults}
    for placed in tree.tasks:
        task, path, index = placed.task, placed.path, placed.index
        environment = environments.of(index)
        check_block(report, task, path)
        referred = None if task.task_ref is None else tasks.get(task.task_ref)
        if task.type == "transform" or (referred is not None and _bare_transform(referred)):
            _given_items(report, placed, inputs, broken, environment)
        if isinstance(task.block, ForEach):
            _items(report, lists.get(index), environment, "items", "forEach goes through an array")
            _literal(report, task.block.for_each.items, (*path, "forEach", "items"))
        elif isinstance(task.block, Generate):
            _items(report, lists.get(index), environment, "from", "generate takes a list of tasks")
            _literal(report, task.block.from_, (*path, "generate", "from"))
            for at, reference in enumerate(task.block.task_refs):
                _known_ref(report, reference, (*path, "generate", "taskRefs", at), tasks)
        if task.task_ref is not None:
            document = _known_ref(report, task.task_ref, placed.place("taskRef"), tasks)
            if document is not None:
                check_call(report, placed, Callee.of(document), inputs, environment)
        if isinstance(task.block, SubWorkflow):
            callee = _known_workflow(report, placed, task.block.workflow_ref, workflows)
            if callee is not None:
                check_call(report, placed, Callee.of(callee), inputs, environment)


def _given_items(
    report: Report,
    placed: Placed,
    inputs: Mapping[tuple[int, Path], Site],
    broken: Collection[Path],
    environment: Environment,
) -> None:
    """What a transform is given, unless an expression there cannot be read: that has been said."""
    if any((*placed.place("input"), *at) in broken for at in _ITEMS):
        return
    found = {at: inputs.get((placed.index, at)) for at in _ITEMS}
    whole = {at: site if site is not None and site.whole else None for at, site in found.items()}
    check_items(report, placed, whole, environment)


def _known_ref(report: Report, reference: str, path: Path, tasks: Mapping[str, WorkflowTask]) -> WorkflowTask | None:
    document = tasks.get(reference)
    if document is None:
        names = report.nearest(reference, list(tasks))
        message = f'there is no reusable task "{reference}".{asking(names)}'
        fix = "Publish it first, or correct the name or range."
        report.add("unknown-task-ref", message, path, fix=fix, names=names)
    return document


def _known_workflow(
    report: Report, placed: Placed, reference: str, workflows: Mapping[str, Workflow] | None
) -> Workflow | None:
    """The workflow that a task starts; itself is always there."""
    found = None if workflows is None else workflows.get(reference)
    if workflows is None or found is not None:
        return found
    own = report.source.value["metadata"]["name"]
    if reference.partition("@")[0] != own:
        names = report.nearest(reference, list(workflows))
        message = f'there is no workflow "{reference}".{asking(names)}'
        fix = "Publish it before this one starts, or correct the name or range."
        report.add("unknown-workflow-ref", message, placed.place("workflowRef"), fix=fix, names=names)
    return None


def _literal(report: Report, value: Any, path: Path) -> None:
    if not isinstance(value, list) and not (isinstance(value, str) and "{{" in value):
        message = f"{path[-1]} is {json_type(value)}, and an array is expected"
        report.add("type-mismatch", message, path, fix="Give it an array, or a template that gives one.")


def _items(report: Report, site: Site | None, environment: Environment, name: str, why: str) -> None:
    if site is None:
        return
    found = type_of(site, environment)
    if disjoint(found, _ARRAY):
        message = f"{name} is {' or '.join(sorted(found or ()))}, and {why}"
        report.add_at(site, site.expression.offset, "type-mismatch", message, fix="Give it an array.")


def _bare_transform(document: WorkflowTask) -> bool:
    """Whether a reusable transform declares nothing about its items, which `_inputs` would judge."""
    declared = document.spec.input_schema.get("properties")
    return document.spec.type == "transform" and not (isinstance(declared, dict) and "items" in declared)


def check_moment(report: Report, site: Site, environment: Environment) -> None:
    """What a wait or event is given by one expression, as far as schemas tell its type."""
    wanted = _WAITED.get(site.path[-2:])
    if wanted is None or len(site.inside) != 1:
        return
    found = type_of(site, environment)
    if disjoint(found, wanted):
        message = f"{site.path[-1]} is {words(found)}, and {site.path[-2]} takes {words(wanted)}"
        report.add_at(site, site.expression.offset, "type-mismatch", message, fix=f"Give it {words(wanted)}.")
