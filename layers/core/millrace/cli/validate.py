"""`millrace validate`: every static check, without a server and without running anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from millrace.base.errors import InvalidRequest
from millrace.cli.codes import Exit
from millrace.cli.output import Output
from millrace.cli.tested import TESTS, loaded, tested
from millrace.local import documents
from millrace.local.documents import Document
from millrace.services.task_references import meant_among
from millrace.services.transform_check import check_transform
from millrace.services.workflows_ahead import workflows_among
from millrace.spec import (
    CODES,
    Finding,
    Loaded,
    Workflow,
    WorkflowTask,
    check_task,
    check_workflow,
    findings_text,
    has_errors,
    in_order,
    sarif,
    wanted_tasks,
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders to look through")
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif"),
        default="text",
        help="text for people, json as --json prints it, SARIF 2.1.0 for code scanning",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings too")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    found: list[Document] = []
    unread = False
    for path in files_of(arguments.files):
        try:
            found += documents.read_file(path)
        except OSError as error:
            unread = True
            hint = "Check the path and its permissions."
            output.problem(f"{path}: {error.strerror or error}", hint=hint, code="file")
    if unread and not found:
        return Exit.USAGE
    judged = judge(found)
    names = {document.file: None for document, _ in judged}
    by_file = {name: [f for document, fs in judged if document.file == name for f in fs] for name in names}
    output.as_json = output.as_json or arguments.format == "json"
    if arguments.format == "sarif":
        print(json.dumps(sarif((name.as_posix(), list(fs)) for name, fs in by_file.items()), indent=2), file=output.out)
    elif output.as_json:
        output.data([{"file": str(name), "findings": [f.to_json() for f in fs]} for name, fs in by_file.items()])
    else:
        for name, findings in by_file.items():
            output.say(findings_text(findings, str(name), name.read_bytes().decode(errors="replace")).rstrip("\n"))
    every = [finding for findings in by_file.values() for finding in findings]
    warned = arguments.strict and any(finding.severity == "warning" for finding in every)
    return Exit.FAILED if has_errors(every) or warned else Exit.USAGE if unread else Exit.OK


def files_of(given: Sequence[Path]) -> list[Path]:
    """The files given, and those in the folders given that hold a document of ours. Raises InvalidRequest when a
    folder holds none."""
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
        elif inside := [
            one for one in documents.files_in(path) if any(map(documents.is_ours, documents.read_file(one)))
        ]:
            found += inside
        else:
            raise InvalidRequest(f"{path} holds no workflow or task", hint="Name a file.")
    return list(dict.fromkeys(found))


def judge(found: Sequence[Document]) -> list[tuple[Document, list[Finding]]]:
    """Findings of each document, with the lines of its file. References to tasks are looked up among the same
    documents, by name and by version where a document states one."""
    read = [(one, loaded(one)) for one in found if one.kind != TESTS]
    tasks = [task for _, each in read if isinstance(task := each.document, WorkflowTask)]
    workflows = [flow for _, each in read if isinstance(flow := each.document, Workflow)]
    again = _again(read)
    judged = {id(one): in_order([*findings_of(each, tasks, workflows), *again.get(id(one), ())]) for one, each in read}
    judged |= {id(one): tested(one, read).findings for one in found if one.kind == TESTS}
    return [(one, [moved(finding, one.before) for finding in judged[id(one)]]) for one in found]


def _again(read: Sequence[tuple[Document, Loaded]]) -> dict[int, list[Finding]]:
    """Warnings about documents that say what another one before them is, by the id of the document."""
    first: dict[tuple[object, ...], tuple[Document, Loaded]] = {}
    found: dict[int, list[Finding]] = {}
    for one, each in read:
        if each.document is None:
            continue
        meta, version = each.document.metadata, each.document.spec.version
        before, theirs = first.setdefault((each.document.kind, meta.namespace, meta.name, version), (one, each))
        if theirs.value == each.value:
            continue
        what = f'"{meta.name}"' if version is None else f'version {version} of "{meta.name}"'
        place = f"{before.file}:{before.before + 1}"
        path = ("metadata", "name")
        found[id(one)] = [
            Finding(
                "duplicate-name",
                CODES["duplicate-name"][0],
                f"{what} stands at {place} already, as another document",
                path,
                *each.source.position(path),
                "Give one of them another name or version.",
            )
        ]
    return found


def findings_of(
    document: Loaded, tasks: Sequence[WorkflowTask], workflows: Sequence[Workflow] | None = None
) -> tuple[Finding, ...]:
    """Every finding about a document; ``tasks`` and ``workflows`` are those beside it, None where nobody looked."""
    more: Sequence[Finding] = ()
    if isinstance(document.document, Workflow):
        known = named_tasks(document.document, tasks)
        others = None if workflows is None else workflows_among(document.document, workflows)
        more = check_workflow(
            document.document, document.source, tasks=known, workflows=others, check_transform=check_transform
        )
    elif document.document is not None:
        more = check_task(document.document, document.source, check_transform=check_transform)
    return in_order([*document.findings, *more])


def named_tasks(workflow: Workflow, tasks: Sequence[WorkflowTask]) -> dict[str, WorkflowTask]:
    """The reusable tasks that a workflow names, by the text of each reference."""
    references = wanted_tasks(workflow)
    return {ref: task for ref in references if (task := meant_among(ref, tasks)) is not None}


def moved(finding: Finding, lines: int) -> Finding:
    """A finding with the line of the file, ``lines`` below that of the document."""
    return replace(finding, line=finding.line + lines) if finding.line else finding
