"""All static checks of a workflow, in the order that lets each trust the ones before."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.spec.checks.breaker import check_breakers
from millrace.spec.checks.comparisons import check_comparisons
from millrace.spec.checks.composition import (
    check_composition,
    check_constants,
    check_keys,
    check_lanes,
    check_state,
)
from millrace.spec.checks.credentials import check_references
from millrace.spec.checks.deprecation import check_deprecation
from millrace.spec.checks.expressions import check_faults, check_sites
from millrace.spec.checks.limits import check_limits
from millrace.spec.checks.operands import check_operands
from millrace.spec.checks.pools import check_pools
from millrace.spec.checks.presence import check_presence
from millrace.spec.checks.recursion import check_recursion
from millrace.spec.checks.refining import refine
from millrace.spec.checks.report import Report
from millrace.spec.checks.sizes import check_sizes
from millrace.spec.checks.step_types import check_step_types, items_given
from millrace.spec.checks.steps import check_strays
from millrace.spec.checks.structure import check_graph, check_ids, check_reachable
from millrace.spec.checks.switches import check_switches
from millrace.spec.checks.tasks import check_schema, check_tasks
from millrace.spec.checks.testing import check_cases
from millrace.spec.checks.use import check_use
from millrace.spec.checks.waiting import check_waiting
from millrace.spec.checks.worst_case import check_worst_case
from millrace.spec.dependencies import graphs_of
from millrace.spec.environment import Environments
from millrace.spec.findings import Finding, in_order
from millrace.spec.input_check import validate_input
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.outcomes import outcomes_of
from millrace.spec.produced import Products
from millrace.spec.sites import TransformCheck, workflow_sites
from millrace.spec.source import Source
from millrace.spec.tree import tree_of


def check_workflow(
    workflow: Workflow,
    source: Source,
    *,
    tasks: Mapping[str, WorkflowTask],
    workflows: Mapping[str, Workflow] | None = None,
    check_transform: TransformCheck | None = None,
) -> tuple[Finding, ...]:
    """Judge a workflow that `load` made from ``source``.

    ``tasks`` maps each taskRef, as written, to the reusable task it leads to; ``check_transform`` compiles the steps
    of a transform (`millrace.engine.transforms`), without it their insides are not judged. ``workflows`` maps each
    workflowRef in the same way, those of these workflows too where they lead on; None says that nobody knows which
    there are. Linear in tasks and references.
    """
    report = Report(source)
    spec = workflow.spec
    if check_schema(report, spec.input, ("spec", "input")):
        for index, example in enumerate(spec.examples):
            checked = validate_input(spec.input, example.input)
            if not checked.valid:
                path = ("spec", "examples", index)
                message = f"the example does not fit the input schema. {checked.suggested_prompt}"
                report.add("type-mismatch", message, path, fix="Correct the example.", severity="warning")
    tree = tree_of(workflow)
    report.holder, report.handlers = tree.holders(), tree.handlers()
    check_ids(report, tree)
    sites = workflow_sites(workflow, check_transform, tree)
    graphs = graphs_of(workflow, tree, sites)
    outcomes = outcomes_of(tree, graphs, sites)
    products = Products(tree, graphs, outcomes, tasks, workflows or {})
    environments = Environments(workflow, tree, products, sites)
    refine(workflow, source, tree, graphs, products, environments, sites)
    check_faults(report, sites)
    check_sites(
        report,
        sites,
        lambda at: (environments.of(at), tree.visible[0 if at is None else tree.tasks[at].body]),
        products.shapes,
    )
    check_operands(report, sites, environments.of, products.shapes)
    check_comparisons(report, sites, environments.of)
    check_strays(report, sites)
    check_step_types(report, sites, environments.of, items_given(tree, sites, environments))
    check_graph(report, tree, graphs, sites)
    check_state(report, workflow, sites)
    check_reachable(report, tree, outcomes)
    check_presence(report, workflow, tree, outcomes, products, sites)
    check_tasks(report, tree, tasks, workflows, sites, environments)
    check_deprecation(report, tree, tasks, workflows or {}, sites, environments)
    check_waiting(report, workflow, tree, tasks, graphs)
    check_composition(report, tree)
    check_recursion(report, workflow, tree, outcomes, workflows or {})
    check_lanes(report, workflow, tree, tasks)
    check_keys(report, sites)
    check_pools(report, workflow, tree)
    check_constants(report, workflow)
    check_breakers(report, tree, tasks)
    check_limits(report, workflow, tree, tasks)
    check_references(report, tree)
    check_cases(report, workflow, tasks, graphs[0], outcomes[0])
    check_sizes(report, tree, environments)
    check_worst_case(report, workflow, tree, tasks, products, environments)
    check_switches(report, tree, sites, environments)
    check_use(report, workflow, tree, sites, graphs, tasks)
    return in_order(report.findings)
