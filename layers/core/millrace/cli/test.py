"""`millrace test`: the tests of workflows in files, without a server, and those of published workflows by name."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from millrace.base.errors import InvalidRequest
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.settings import settings_of, take_data
from millrace.cli.tested import TESTS, loaded, tested
from millrace.cli.validate import files_of, findings_of, moved, named_tasks
from millrace.local import documents
from millrace.local.client import segment
from millrace.local.documents import Document
from millrace.services.workflow_tests import Subject, report, run_case, subject_of
from millrace.spec import Finding, Workflow, WorkflowTask, content_hash, findings_text, has_errors
from millrace.wiring.rehearsing import rehearse

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MARKS: Final = {"passed": "pass ", "failed": "FAIL ", "error": "ERROR"}


class _Run(Struct):
    """What has been found so far; ``seconds`` is how long a test really took, by workflow and name."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)

    def count(self, key: str) -> int:
        return sum(one[key] for one in self.reports)


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument(
        "what",
        nargs="*",
        default=["."],
        metavar="FILE|DIR|NAME",
        help="files, folders to look through, or names of published workflows (default: this folder)",
    )
    parser.add_argument("--only", action="append", default=[], metavar="TEST", help="the name of a test; repeatable")
    parser.add_argument("--coverage", action="store_true", help="say what the tests never took")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    files, names = _sorted(arguments.what)
    found = _Run()
    for document, subject, findings in _subjects(files):
        _test_file(found, document, subject, findings, arguments, output)
    if names:
        _test_published(found, names, arguments, output)
    if not any(one["tests"] for one in found.reports):
        raise _nothing(arguments)
    _conclude(found, arguments, output)
    return Exit.FAILED if found.count("failed") or found.count("errors") else Exit.OK


def _nothing(arguments: argparse.Namespace) -> InvalidRequest:
    where = ", ".join(arguments.what)
    if arguments.only:
        called = ", ".join(repr(name) for name in arguments.only)
        return InvalidRequest(
            f"There is no test called {called} in {where}.", hint="Name tests as they are written in the document."
        )
    return InvalidRequest(
        f"There are no tests in {where}.",
        hint="Add tests to a workflow, or make one with `millrace executions to-test ID`.",
    )


def _sorted(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Files and names: what is there, or looks like a path, is a file."""
    names = [one for one in given if _NAME.fullmatch(one) and not Path(one).exists()]
    return [Path(one) for one in given if one not in names], names


def _subjects(files: Sequence[Path]) -> Iterator[tuple[Document, Subject | None, tuple[Finding, ...]]]:
    """What is tested in files: each workflow with its own tests, and with those of documents of tests. Reusable tasks,
    and workflows that tests name, stand in the same files or beside them. None where there is an error."""
    paths = files_of(files)
    found = [document for path in paths for document in documents.read_file(path)]
    beside = sorted({other for path in paths for other in path.parent.iterdir() if other.suffix in documents.SUFFIXES})
    other = [one for path in beside if path not in paths and path.is_file() for one in documents.read_file(path)]
    known = [(one, loaded(one)) for one in [*other, *found] if one.kind not in ("", TESTS)]
    tasks = [task for _, each in known if isinstance(task := each.document, WorkflowTask)]
    for document in found:
        if document.kind == TESTS:
            made = tested(document, known)
            yield document, _subject(made.workflow, made.tasks), made.findings
        elif document.kind != "WorkflowTask":
            one = next((each for held, each in known if held is document), None) or loaded(document)
            findings = findings_of(one, tasks)
            workflow = None if has_errors(findings) or not isinstance(one.document, Workflow) else one.document
            yield document, _subject(workflow, {} if workflow is None else named_tasks(workflow, tasks)), findings


def _subject(workflow: Workflow | None, tasks: Mapping[str, WorkflowTask]) -> Subject | None:
    if workflow is None:
        return None
    hashes = {reference: content_hash(task.model_dump(mode="json")) for reference, task in tasks.items()}
    return subject_of(workflow, tasks, hashes)


def _test_file(
    found: _Run,
    document: Document,
    subject: Subject | None,
    findings: Sequence[Finding],
    arguments: argparse.Namespace,
    output: Output,
) -> None:
    if subject is None:
        placed = [moved(finding, document.before) for finding in findings if finding.severity == "error"]
        text = document.file.read_bytes().decode(errors="replace")
        output.warn(findings_text(placed, str(document.file), text).rstrip("\n"))
        _add(found, _broken(document, placed[0]), str(document.file), output)
        return
    results = []
    for case in subject.workflow.spec.tests:
        if arguments.only and case.name not in arguments.only:
            continue
        begun = time.perf_counter()
        results.append(run_case(subject, case, rehearse))
        found.seconds[subject.name, case.name] = time.perf_counter() - begun
    if results:
        _add(found, report(subject, results, covered=arguments.coverage), str(document.file), output)


def _broken(document: Document, finding: Finding) -> dict[str, Any]:
    """The report on a document that has errors: nothing in it can be tested, which is a result too."""
    error = {"code": finding.code, "message": f"line {finding.line}: {finding.message}", "hint": finding.fix}
    test = {"name": "document", "status": "error", "durationMs": 0, "failures": [], "error": error, "notes": []}
    return {
        "workflow": document.file.name,
        "version": None,
        "passed": 0,
        "failed": 0,
        "errors": 1,
        "tests": [{**test, "tasks": {}}],
        "coverage": None,
    }


def _test_published(found: _Run, names: Sequence[str], arguments: argparse.Namespace, output: Output) -> None:
    from millrace.cli.session import connect

    body = {"only": arguments.only, "coverage": arguments.coverage}
    with connect(settings_of(arguments)) as client:
        for name in names:
            _add(found, client.call("POST", f"/workflows/{segment(name)}/test", value=body)[1], name, output)


def _add(found: _Run, one: dict[str, Any], source: str, output: Output) -> None:
    found.reports.append({"source": source, **one})
    output.say(f"{one['workflow']}" if source == one["workflow"] else f"{one['workflow']} ({source})")
    for test in one["tests"]:
        output.say(f"  {_MARKS[test['status']]} {plain(test['name'])}")
        for failure in test["failures"]:
            output.say(f"        {plain(failure['message'])}")
            if len(failure["differences"]) > 1:
                output.say("\n".join(f"          {plain(line)}" for line in failure["differences"]))
        if test["error"] is not None:
            output.say(f"        {plain(test['error']['message'])}\n        {plain(test['error']['hint'])}")
        for note in test["notes"] if test["status"] != "passed" else ():
            output.say(f"        note: {plain(note)}")
    if one["coverage"] is not None:
        _coverage(one["coverage"], output)


def _coverage(covered: dict[str, Any], output: Output) -> None:
    output.say(f"  {covered['taken']} of {covered['branches']} branches taken ({covered['percent']} %)")
    for one in covered["untaken"]:
        output.say(f"        never: {one['task']} {one['branch']}")


def _conclude(found: _Run, arguments: argparse.Namespace, output: Output) -> None:
    counts = {key: found.count(key) for key in ("passed", "failed", "errors")}
    if arguments.junit is not None:
        from millrace.services.workflow_tests.junit import junit_xml

        arguments.junit.write_text(junit_xml(found.reports, found.seconds), encoding="utf-8")
    output.data({**counts, "reports": found.reports})
    output.say(f"{counts['passed']} passed, {counts['failed']} failed, {counts['errors']} errors")
