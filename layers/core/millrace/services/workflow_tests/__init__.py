"""Tests of workflows: mocked, on a clock of their own, without any effect."""

from millrace.services.workflow_tests.coverage import coverage
from millrace.services.workflow_tests.recording import Recording, record_case
from millrace.services.workflow_tests.report import report
from millrace.services.workflow_tests.running import CaseResult, Subject, run_case, run_cases, subject_of

__all__ = [
    "CaseResult",
    "Recording",
    "Subject",
    "coverage",
    "record_case",
    "report",
    "run_case",
    "run_cases",
    "subject_of",
]
