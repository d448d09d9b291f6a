"""All static checks of a workflow, in the order that lets each trust the ones before."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.spec.checks.breaker import check_breakers
from millrace.spec.checks.expressions import check_faults, check_sites
from millrace.spec.checks.operands import check_operands
from millrace.spec.checks.presence import check_presence
from millrace.spec.checks.report import Report
from millrace.spec.checks.steps import check_strays
from millrace.spec.checks.structure import check_graph, check_ids, check_reachable
from millrace.spec.checks.tasks import check_schema, check_tasks
from millrace.spec.checks.testing import check_cases
from millrace.spec.checks.waiting import check_waiting
from millrace.spec.dependencies import graph_of
from millrace.spec.environment import produced, workflow_environment
from millrace.spec.findings import Finding, in_order
from millrace.spec.input_check import validate_input
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.outcomes import Outcomes
from millrace.spec.sites import TransformCheck, workflow_sites
from millrace.spec.source import Source


def check_workflow(
    workflow: Workflow,
    source: Source,
    *,
    tasks: Mapping[str, WorkflowTask],
    check_transform: TransformCheck | None = None,
) -> tuple[Finding, ...]:
    """Judge a workflow that `load` made from ``source``.

    ``tasks`` maps each taskRef, as written, to the reusable task it leads to; ``check_transform`` compiles the steps
    of a transform (`millrace.engine.transforms`), without it their insides are not judged. Linear in tasks and
    references.
    """
    report = Report(source)
    spec = workflow.spec
    check_ids(report, workflow)
    if check_schema(report, spec.input, ("spec", "input")):
        for index, example in enumerate(spec.examples):
            checked = validate_input(spec.input, example.input)
            if not checked.valid:
                path = ("spec", "examples", index)
                message = f"the example does not fit the input schema. {checked.suggested_prompt}"
                report.add("type-mismatch", message, path, fix="Correct the example.", severity="warning")
    sites = workflow_sites(workflow, check_transform)
    environment = workflow_environment(workflow, tasks)
    own = {i: produced(task, tasks) for i, task in enumerate(spec.tasks) if task.output is not None}
    check_faults(report, sites)
    check_sites(report, sites, environment, {task.id for task in spec.tasks}, own)
    check_operands(report, sites, environment, own)
    check_strays(report, sites)
    graph = graph_of(workflow, sites)
    check_graph(report, workflow, graph)
    outcomes = Outcomes(workflow, graph, sites)
    check_reachable(report, workflow, outcomes)
    check_presence(report, workflow, outcomes, sites)
    check_tasks(report, workflow, tasks, sites, environment)
    check_waiting(report, workflow, tasks, graph)
    check_breakers(report, workflow, tasks)
    check_cases(report, workflow, tasks, graph, outcomes)
    return in_order(report.findings)
