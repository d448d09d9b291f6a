"""The results of the tests of one workflow, as the API answers and the command line prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millrace.services.workflow_tests.coverage import coverage
from millrace.services.workflow_tests.running import CaseResult, Subject


def report(subject: Subject, results: Sequence[CaseResult], *, covered: bool = False) -> dict[str, Any]:
    """``{workflow, version, passed, failed, errors, tests, coverage}``; ``coverage`` is None unless asked for."""
    statuses = [result.status for result in results]
    return {
        "workflow": subject.name,
        "version": subject.version or None,
        "passed": statuses.count("passed"),
        "failed": statuses.count("failed"),
        "errors": statuses.count("error"),
        "tests": [result.to_json() for result in results],
        "coverage": coverage(subject.workflow, results) if covered else None,
    }
