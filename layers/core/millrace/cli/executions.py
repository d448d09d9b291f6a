"""`millrace executions`: what ran and what runs, and what those that wait are told."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from typing import Any, Final

from millrace.base.errors import InvalidRequest
from millrace.cli import shapes
from millrace.cli.actions import misused, take_action
from millrace.cli.codes import Exit
from millrace.cli.completed import completed
from millrace.cli.inputs import read_input
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, segment

_FILTERS: Final = {
    "workflow": "workflow",
    "version": "label_of_version",
    "status": "status",
    "label": "label",
    "subject": "subject",
    "trigger": "trigger",
    "replayOf": "replay_of",
    "since": "since",
    "until": "until",
    "cursor": "cursor",
}
"""Query parameter of the list → where the argument for it is."""
_VERDICTS: Final = {"approve": "approved", "reject": "rejected"}
_SAID: Final = {
    "cancel": "is being cancelled",
    "pause": "starts nothing new until it is resumed",
    "resume": "goes on",
}
"""What an execution can be told as a whole, and what is said of it then."""
SHOWN: Final = 10
"""Approvals named at most."""


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    take_action(parser, ["show", "events", *_SAID, *_VERDICTS, "signal", "to-test"])
    parser.add_argument("id", nargs="?", help="of the execution; needed by all but list")
    parser.add_argument(
        "what",
        nargs="?",
        help="approve, reject: the approval, such as sign-off or loop[0]/sign; may be left out where one waits. "
        "signal: its name",
    )
    parser.add_argument("--workflow", help="list: only executions of this workflow")
    parser.add_argument(
        "--version", dest="label_of_version", help="list: only of this version; with --workflow and --status"
    )
    parser.add_argument("--status", help="list: only with this status; with --workflow, --version too")
    parser.add_argument("--label", help="list: only with this label, as KEY:VALUE")
    parser.add_argument("--subject", help="list: only about this subject")
    parser.add_argument("--trigger", help="list: only started by this trigger")
    parser.add_argument("--replay-of", help="list: only replays of this execution")
    parser.add_argument("--since", help="list: only started from this time on (RFC 3339)")
    parser.add_argument("--until", help="list: only started before this time (RFC 3339)")
    parser.add_argument("--cursor", help="list: go on behind the page that gave this cursor")
    parser.add_argument("--limit", type=int, default=20, help="list: at most this many (default 20)")
    parser.add_argument("--name", help="to-test: the name of the test")
    parser.add_argument("--reason", default="", help="cancel: recorded in the history")
    parser.add_argument("--comment", default="", help="approve, reject: recorded with the decision")
    parser.add_argument("--form", help="approve, reject: what the approval asks for, as JSON, @FILE or @-")
    parser.add_argument("--payload", help="signal: what it brings, as JSON, @FILE or @-")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    if wanted := _lacks(arguments):
        return misused(arguments, output, wanted)
    given = {
        name: read_input(text, f"--{name}")
        for name in ("form", "payload")
        if (text := getattr(arguments, name)) is not None
    }
    with connect(settings_of(arguments)) as client:
        if arguments.action == "list":
            return _list(client, arguments, output)
        path = f"/executions/{segment(arguments.id)}"
        if arguments.action == "events":
            return _events(client, path, output)
        if arguments.action == "to-test":
            return _to_test(client, path, arguments.name, output)
        if arguments.action in {"signal", *_SAID, *_VERDICTS}:
            return _tell(client, path, arguments, given, output)
        execution = completed(client, client.call("GET", path)[1], output)
        output.data(execution)
        shapes.print_execution(output, execution)
        return Exit.OK


def _list(client: Client, arguments: argparse.Namespace, output: Output) -> Exit:
    query = {"limit": str(arguments.limit)}
    query |= {name: given for name, key in _FILTERS.items() if (given := getattr(arguments, key)) is not None}
    _, page = client.call("GET", "/executions", query=query)
    output.data(page)
    rows = [shapes.execution_row(execution) for execution in page["items"]]
    if not rows and len(query) > 1:
        output.say("No execution is like that.")
        return Exit.OK
    if not rows:
        output.say("No executions yet. Start one with `millrace run WORKFLOW`.")
        return Exit.OK
    output.table(shapes.EXECUTION_COLUMNS, rows)
    if page["cursor"]:
        output.say(f"There are more: --cursor {page['cursor']}")
    return Exit.OK


def _events(client: Client, path: str, output: Output) -> Exit:
    after = "-1"
    while True:
        _, page = client.call("GET", f"{path}/events", query={"limit": "100", "after": after})
        for event in page["items"]:
            output.data(event)
            output.say(shapes.event_line(event))
        if not page["items"]:
            return Exit.OK
        after = page["next"]


def _to_test(client: Client, path: str, name: str | None, output: Output) -> Exit:
    """The execution as a list of one test, to be pasted into the spec of its workflow."""
    from millrace.cli.yaml_text import yaml_text

    _, answer = client.call("GET", f"{path}/test", query={"name": name} if name else None)
    output.data(answer)
    case = answer["test"]
    ordered = {key: case[key] for key in sorted(case, key=lambda key: (key == "expect", key != "name", key))}
    output.say(yaml_text({"tests": [ordered]}).rstrip("\n"))
    for line in answer["differences"]:
        output.warn(f"left out: {line}" if answer["passes"] else line)
    if not answer["passes"]:
        output.warn("the test does not pass on the version that ran")
    return Exit.OK if answer["passes"] else Exit.FAILED


def _lacks(arguments: argparse.Namespace) -> str:
    """What the words of the command line have too many or too few of; empty when they are right."""
    if arguments.action == "list" and arguments.id is not None:
        return "takes no id"
    if arguments.action != "list" and arguments.id is None:
        return "needs the id of an execution"
    if arguments.action == "signal" and arguments.what is None:
        return "needs the name of the signal"
    if arguments.what is not None and arguments.action not in {"signal", *_VERDICTS}:
        return f"takes nothing behind the id, and {arguments.what} stands there"
    return ""


def _tell(client: Client, path: str, arguments: argparse.Namespace, given: Mapping[str, Any], output: Output) -> Exit:
    """Send what an execution is to be told; each command line is one message."""
    action, value = arguments.action, {"messageId": secrets.token_hex(16)}
    if action in _VERDICTS:
        task = arguments.what or _asking(client, path)
        value |= {"decision": _VERDICTS[action], "comment": arguments.comment, **given}
        _, answer = client.call("POST", f"{path}/approvals/{segment(task)}", value=value)
        said = f"sent: {plain(task)} {_VERDICTS[action]}"
    elif action == "signal":
        _, answer = client.call("POST", f"{path}/signals/{segment(arguments.what)}", value={**value, **given})
        said = f"sent: {plain(arguments.what)}"
    else:
        value |= {"reason": arguments.reason or "cancelled from the command line"} if action == "cancel" else {}
        _, answer = client.call("POST", f"{path}/{action}", value=value)
        said = "is cancelled" if answer["status"] == "cancelled" else _SAID[action]
        said = f"{plain(answer['id'])} {said}"
    output.data(answer)
    output.say(said)
    return Exit.OK


def _asking(client: Client, path: str) -> str:
    """The one approval that waits. Raises InvalidRequest where there is none, or more than one."""
    _, execution = client.call("GET", path, query={"tasks": "all"})
    waits = [name for name, task in execution["tasks"].items() if (task.get("waiting") or {}).get("kind") == "approval"]
    if len(waits) == 1:
        return str(waits[0])
    if not waits:
        raise InvalidRequest(
            f"no approval of {execution['id']} waits: it is {execution['status']}",
            hint=f"`millrace executions show {execution['id']}` shows what does.",
        )
    raise InvalidRequest(f"{len(waits)} approvals wait", hint=f"Name one of {', '.join(waits[:SHOWN])}.")
