"""Reading a document of tests: on its own, and as a part of the workflow that it tests.

What a test may say hangs on its workflow, so the tests are put into that and judged there, by the same rules; findings
come back to the places in the file of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from millrace.base.canonical import dumps
from millrace.spec.checks import check_workflow
from millrace.spec.findings import Finding, Path, has_errors, in_order
from millrace.spec.json_schema import document_schema
from millrace.spec.load import Loaded, head_findings, load
from millrace.spec.model_findings import model_findings
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.models.workflow_test import WorkflowTest
from millrace.spec.sites import TransformCheck
from millrace.spec.source import Media, Node, Source, Unreadable, read_document

KIND: Final = "WorkflowTest"
_TESTS: Final = ("spec", "tests")


class LoadedTests(Struct, frozen=True):
    """A document of tests as far as it could be read. ``document`` is None if any finding is an error."""

    document: WorkflowTest | None
    findings: tuple[Finding, ...]
    source: Source


def load_tests(data: bytes, *, media: Media) -> LoadedTests:
    """Read a document whose kind is `WorkflowTest`, and judge what needs no workflow."""
    try:
        source = read_document(data, media=media)
    except Unreadable as error:
        return LoadedTests(None, (error.finding,), Source(data.decode(errors="replace"), media, Node(None, (1, 1))))
    found = [*source.notes, *head_findings(source, (KIND,))]
    document = None
    if not found:
        try:
            document = WorkflowTest.model_validate(source.value)
        except ValidationError as error:
            found += model_findings(error, source, document_schema(KIND), ())
    return LoadedTests(None if has_errors(found) else document, in_order(found), source)


def with_tests(
    tests: LoadedTests,
    workflow: Loaded,
    *,
    tasks: Mapping[str, WorkflowTask],
    check_transform: TransformCheck | None = None,
) -> tuple[Workflow | None, tuple[Finding, ...]]:
    """The workflow with these tests in place of its own, None if any finding is an error; and what is to be said of the
    tests, with their positions. ``workflow`` is one without errors; the other arguments are those of `check_workflow`.
    """
    held: Any = tests.source.value["spec"]["tests"]
    spec = {**workflow.value["spec"], "tests": held}
    loaded = load(dumps({**workflow.value, "spec": spec}), media="json")
    if not isinstance(loaded.document, Workflow):  # such as two documents that are too large together
        return None, in_order([*tests.findings, *(_placed(one, tests.source) for one in loaded.findings)])
    checked = check_workflow(loaded.document, loaded.source, tasks=tasks, check_transform=check_transform)
    placed = [_placed(one, tests.source) for one in (*loaded.findings, *checked) if one.path[:2] == _TESTS]
    if has_errors(placed):
        return None, in_order([*tests.findings, *placed])
    return loaded.document, in_order([*tests.findings, *placed])


def _placed(finding: Finding, source: Source) -> Finding:
    """A finding where it stands in the file of the tests, which has them at the same path."""
    path: Path = finding.path
    line, column = source.position(path)
    return replace(finding, line=line, column=column)
