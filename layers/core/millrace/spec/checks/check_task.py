"""All static checks of a reusable task."""

from __future__ import annotations

from millrace.spec.checks.breaker import check_breaker
from millrace.spec.checks.comparisons import check_comparisons
from millrace.spec.checks.credentials import check_given
from millrace.spec.checks.expressions import check_faults, check_sites
from millrace.spec.checks.limits import check_policies_of
from millrace.spec.checks.operands import check_operands
from millrace.spec.checks.report import Report
from millrace.spec.checks.step_types import check_step_types, items_in
from millrace.spec.checks.steps import check_strays
from millrace.spec.checks.tasks import check_block, check_schema
from millrace.spec.checks.waiting import check_length, check_policies
from millrace.spec.environment import task_environment
from millrace.spec.findings import Finding, in_order
from millrace.spec.models import WorkflowTask
from millrace.spec.shapes import Shape
from millrace.spec.sites import TransformCheck, task_sites
from millrace.spec.source import Source


def check_task(
    document: WorkflowTask, source: Source, *, check_transform: TransformCheck | None = None
) -> tuple[Finding, ...]:
    """Judge a reusable task that `load` made from ``source``; the arguments are those of `check_workflow`."""
    report = Report(source)
    spec = document.spec
    check_schema(report, spec.input_schema, ("spec", "inputSchema"))
    if spec.output_schema is not None:
        check_schema(report, spec.output_schema, ("spec", "outputSchema"))
    check_block(report, spec, ("spec",))
    check_policies(report, spec, spec.type, ("spec",))
    check_length(report, spec, ("spec",))
    check_breaker(report, spec, spec, ("spec",))
    check_policies_of(report, spec, spec, ("spec",))
    check_given(report, spec, ("spec",))
    sites = task_sites(document, check_transform)
    check_faults(report, sites)
    environment = task_environment(document)
    check_sites(report, sites, lambda _task: (environment, ()), {})
    check_operands(report, sites, lambda _task: environment, {})
    check_comparisons(report, sites, lambda _task: environment)
    check_strays(report, sites)
    items = items_in(Shape.of(spec.input_schema))
    check_step_types(report, sites, lambda _task: environment, lambda _task: items)
    return in_order(report.findings)
