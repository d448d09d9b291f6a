"""Workflows with one test, run offline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millrace.services.transform_check import check_transform
from millrace.services.workflow_tests import CaseResult, Subject, run_case, subject_of
from millrace.spec import Workflow, WorkflowTask, check_workflow, has_errors, load
from millrace.wiring.rehearsing import rehearse

HEAD = {"apiVersion": "workflow.io/v1"}


def http(name: str, *needs: str, request: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An http task after ``needs``."""
    asked = {"method": "POST", "url": f"https://api.example/{name}", **(request or {})}
    order = {"dependsOn": list(needs)} if needs else {}
    return {"id": name, "type": "http", "request": asked, **order, **more}


def cut(name: str, items: Any, **more: Any) -> dict[str, Any]:
    """A transform that gives the first item."""
    return {"id": name, "type": "transform", "input": {"items": items}, "transform": [{"limit": 1}], **more}


def workflow(tasks: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    return {**HEAD, "kind": "Workflow", "metadata": {"name": "flow"}, "spec": {"tasks": tasks, **spec}}


def reusable(name: str, **spec: Any) -> WorkflowTask:
    document = {**HEAD, "kind": "WorkflowTask", "metadata": {"name": name}, "spec": {"type": "http", **spec}}
    found = load(json.dumps(document).encode(), media="json").document
    assert isinstance(found, WorkflowTask)
    return found


def subject(document: dict[str, Any], tasks: Mapping[str, WorkflowTask] | None = None) -> Subject:
    """A checked workflow without errors."""
    known = dict(tasks or {})
    loaded = load(json.dumps(document).encode(), media="json")
    assert isinstance(loaded.document, Workflow), loaded.findings
    findings = check_workflow(loaded.document, loaded.source, tasks=known, check_transform=check_transform)
    assert not has_errors(findings), findings
    return subject_of(loaded.document, known, dict.fromkeys(known, "hash"))


def outcome(
    graph: list[dict[str, Any]],
    /,
    *,
    reusables: Mapping[str, WorkflowTask] | None = None,
    spec: Any = None,
    **case: Any,
) -> CaseResult:
    """What comes of a test with these keys."""
    made = subject(workflow(graph, **(spec or {}), tests=[{"name": "t", **case}]), reusables)
    return run_case(made, made.workflow.spec.tests[0], rehearse)


def said(result: CaseResult) -> list[str]:
    """What does not hold; the problem of a test that cannot be run."""
    if result.problem is not None:
        return [result.problem.message]
    return [mismatch.message for mismatch in result.mismatches]
