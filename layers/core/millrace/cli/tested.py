"""Which workflow a document of tests means: one in a file beside it, or one of the files given, by name and range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from millrace.local import documents
from millrace.local.documents import Document
from millrace.services.task_references import meant_among
from millrace.services.transform_check import check_transform
from millrace.spec import Finding, Loaded, Workflow, WorkflowTask, in_order, load, wanted_tasks
from millrace.spec.models.workflow_test import is_path
from millrace.spec.workflow_tests import LoadedTests, load_tests, with_tests

TESTS = "WorkflowTest"


class Tested(Struct, frozen=True):
    """A document of tests, judged. ``workflow`` has its tests, None where there is an error; ``tasks`` are the reusable
    ones that it names, by reference."""

    workflow: Workflow | None
    findings: tuple[Finding, ...]
    tasks: dict[str, WorkflowTask]


def tested(document: Document, known: Sequence[tuple[Document, Loaded]]) -> Tested:
    """``known`` are the other documents that were given, or stand beside this one."""
    tests = load_tests(document.text, media="json" if document.media == "json" else "yaml")
    if tests.document is None:
        return Tested(None, tests.findings, {})
    beside, reference = list(known), tests.document.spec.workflow
    if is_path(reference):
        beside += _beside(document, reference, {one.file.resolve() for one, _ in known})
    workflow = _meant(document, reference, beside)
    if workflow is None or not isinstance(workflow.document, Workflow):
        return Tested(None, in_order([*tests.findings, _lost(tests, reference, found=workflow is not None)]), {})
    reusable = [one for _, each in beside if isinstance(one := each.document, WorkflowTask)]
    names = wanted_tasks(workflow.document)
    tasks = {name: task for name in names if (task := meant_among(name, reusable)) is not None}
    made, findings = with_tests(tests, workflow, tasks=tasks, check_transform=check_transform)
    return Tested(made, findings, tasks)


def loaded(document: Document) -> Loaded:
    """A workflow or reusable task, as far as it can be read."""
    return load(document.text, media="json" if document.media == "json" else "yaml")


def _beside(document: Document, reference: str, known: Iterable[object]) -> list[tuple[Document, Loaded]]:
    """The documents in the folder of the file that is named, as far as they are not known already."""
    folder = (document.file.parent / reference).resolve().parent
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    left = [one for one in files if one.suffix in documents.SUFFIXES and one.is_file() and one.resolve() not in known]
    found = [each for one in left for each in documents.read_file(one)]
    return [(one, loaded(one)) for one in found if one.kind in ("Workflow", "WorkflowTask")]


def _meant(document: Document, reference: str, known: Sequence[tuple[Document, Loaded]]) -> Loaded | None:
    if is_path(reference):
        wanted = (document.file.parent / reference).resolve()
        return next((each for one, each in known if one.file.resolve() == wanted and each.kind == "Workflow"), None)
    workflows = [one for _, each in known if isinstance(one := each.document, Workflow)]
    meant = meant_among(reference, workflows)
    return next((each for _, each in known if meant is not None and each.document is meant), None)


def _lost(tests: LoadedTests, reference: str, *, found: bool) -> Finding:
    path = ("spec", "workflow")
    message = f'the workflow "{reference}" has errors' if found else f'there is no workflow "{reference}" here'
    fix = "Correct it first." if found else "Give its file too, or write the path from this file to it."
    code = "impossible-test" if found else "unknown-workflow-ref"
    return Finding(code, "error", message, path, *tests.source.position(path), fix)
