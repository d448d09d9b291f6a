"""`millrace run`: start a workflow, or publish a file and start it, and follow it to its end."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import Any

from millrace.base.errors import InvalidRequest, MillraceError
from millrace.base.scalars import parse_duration
from millrace.cli import shapes
from millrace.cli.codes import Exit
from millrace.cli.completed import completed
from millrace.cli.inputs import read_input
from millrace.cli.output import Output, plain
from millrace.cli.planned import print_plan
from millrace.cli.progress import progress
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local import documents
from millrace.local.client import Client, Refused, segment

_FIRST_WAIT_S = 0.02
_WAIT_S = 0.25


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument(
        "workflow", metavar="WORKFLOW|FILE", help="a published name or name@range, or a file to publish first"
    )
    parser.add_argument("--input", default="{}", help="JSON, @FILE or @- (default {})")
    parser.add_argument(
        "--version", dest="selected", metavar="VERSION", help="run this version instead of the active one"
    )
    parser.add_argument(
        "--expect-hash", metavar="HASH", help="refuse to start unless the version has this content hash"
    )
    parser.add_argument("--label", action="append", default=[], metavar="KEY:VALUE", help="label it; may be repeated")
    parser.add_argument("--subject", help="whom its data is about, such as the id of a customer")
    parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True, help="follow it to its end")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what it would do; a file is published, and nothing is run"
    )
    parser.add_argument("--timeout", help="stop following after this long, such as 30s (exit code 5)")
    parser.add_argument("--key", help="idempotency key: the same key starts one execution only")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    value = read_input(arguments.input)
    timeout = parse_duration(arguments.timeout) / 1000 if arguments.timeout else None
    with connect(settings_of(arguments)) as client:
        found = _found(client, arguments.workflow, output)
        if found is None:
            return Exit.FAILED
        name, selected, published = found
        if selected is not None and arguments.selected is not None:
            raise InvalidRequest(f"{arguments.workflow} and --version both name a version", hint="Keep one of them.")
        selected = arguments.selected if selected is None else selected
        return start_and_follow(
            client,
            name,
            output,
            value=value,
            version=selected,
            expected=published if arguments.expect_hash is None and selected is None else arguments.expect_hash,
            labels=_labels(arguments.label) or None,
            subject=arguments.subject,
            key=arguments.key,
            wait=arguments.wait,
            timeout=timeout,
            dry=arguments.dry_run,
        )


def _labels(given: list[str]) -> dict[str, str]:
    pairs = [text.partition(":") for text in given]
    if bad := next((key for key, colon, _ in pairs if not (key and colon)), None):
        raise InvalidRequest(f"--label {bad} is no label", hint="Write --label KEY:VALUE.")
    return {key: value for key, _, value in pairs}


def start_and_follow(
    client: Client,
    name: str,
    output: Output,
    *,
    value: Any,
    version: str | None = None,
    expected: str | None = None,
    labels: dict[str, str] | None = None,
    subject: str | None = None,
    key: str | None = None,
    wait: bool = True,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    dry: bool = False,
) -> Exit:
    """Start an execution and follow it, until it is over, ``timeout`` seconds have passed or ``stop`` is set; ``dry``
    shows what it would do instead. ``expected`` is the content hash that its version must have. What is empty is sent,
    for the server to refuse: a variable of a script that is not set must not choose anything."""
    chosen = {"version": version, "labels": labels, "subjectKey": subject, "expectHash": expected}
    body = {"input": value} | {name: given for name, given in chosen.items() if given is not None}
    headers = {"idempotency-key": key} if key else {}
    path = f"/workflows/{segment(name)}/executions"
    if dry:
        _, planned = client.call("POST", path, value=body, query={"dryRun": "true"})
        output.data(planned)
        print_plan(output, planned)
        return Exit.OK
    _, execution = client.call("POST", path, value=body, headers=headers)
    identifier = str(execution["id"])
    output.say(f"{plain(name)}: started {identifier}")
    if not wait:
        output.data(execution)
        return Exit.OK
    execution = _follow(client, identifier, output, timeout, stop or threading.Event())
    execution = completed(client, execution, output)
    output.data(execution)
    if not shapes.is_over(execution):
        output.warn(f"{identifier} still runs; see `millrace executions show {identifier}`")
        return Exit.UNFINISHED
    shapes.print_end(output, execution)
    return Exit.OK if execution["status"] == "succeeded" else Exit.FAILED


def _follow(
    client: Client, identifier: str, output: Output, timeout: float | None, stop: threading.Event
) -> dict[str, Any]:
    deadline = time.monotonic() + timeout if timeout is not None else None
    pause = _FIRST_WAIT_S
    with progress(output) as shown:
        while True:
            asked = time.monotonic()
            execution: dict[str, Any] = client.call("GET", f"/executions/{segment(identifier)}")[1]
            took = time.monotonic() - asked
            shown.show(execution)
            if shapes.is_over(execution) or (deadline is not None and time.monotonic() >= deadline):
                return execution
            if stop.wait(max(pause, 2 * took)):  # a long history is not read without a break
                return execution
            pause = min(_WAIT_S, pause * 1.5)


def _is_workflow(client: Client, name: str) -> bool:
    """Whether the server knows a workflow of this name: a folder beside it, perhaps of that workflow, hides none."""
    try:
        client.call("GET", f"/workflows/{segment(name)}")
    except Refused:
        return False
    return True


def _found(client: Client, given: str, output: Output) -> tuple[str, str | None, str | None] | None:
    """The name of a workflow, the range behind it, and where a file was published, the content hash of what came of it:
    so that nobody else's publish in between is run instead. None where the file has findings that stop it."""
    path = Path(given)
    if path.is_dir() and not _is_workflow(client, given):
        raise InvalidRequest(
            f"{given} is a folder", hint="Name a file in it, or publish all of it with `millrace dev --watch FOLDER`."
        )
    if path.suffix not in documents.SUFFIXES and not path.is_file():
        name, at, selected = given.partition("@")
        return name, selected if at else None, None
    found = documents.tasks_first(documents.read_file(path))
    name = content = ""
    for document in found:
        published = documents.publish(client, documents.development_version(document))
        for line in shapes.finding_lines(published.findings, given):
            output.warn(line)
        if not published.ok:
            if published.findings:
                output.data({"file": given, "findings": published.findings})
                return None
            raise _Refusal(published.answer)
        if document.kind == "Workflow":
            name, content = str(published.answer["name"]), str(published.answer["contentHash"])
            output.say(f"published {name} {published.answer.get('version', '')}")
    if not name:
        raise InvalidRequest(f"{given} holds no workflow", hint="Name a file with a document of kind Workflow.")
    return name, None, content


class _Refusal(MillraceError):
    """The API refused a document for another reason than its findings."""

    code = "refused"

    def __init__(self, problem: dict[str, Any]) -> None:
        detail = str(problem.get("detail") or problem.get("title") or "the server refused the document")
        super().__init__(detail, hint=str(problem.get("hint") or ""), facts=problem)
