"""`millrace breakers`: which calls are stopped at the moment, and stopping or allowing them by hand."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from millrace.cli.actions import misused, take_action
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, segment

COLUMNS: Final = ("NAME", "STATE", "SINCE", "FAILURES")


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    take_action(parser, ["show", "open", "close", "reset"])
    parser.add_argument("name", nargs="?", help="such as host~api.example.com~443; needed by all but list")
    parser.add_argument("--reason", default="", help="open, close, reset: stays with the breaker")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    if (arguments.action == "list") != (arguments.name is None):
        return misused(
            arguments, output, "takes no name" if arguments.action == "list" else "needs the name of a breaker"
        )
    with connect(settings_of(arguments)) as client:
        if arguments.action == "list":
            return _list(client, output)
        path = f"/breakers/{segment(arguments.name)}"
        if arguments.action == "show":
            _, breaker = client.call("GET", path)
        else:
            reason = arguments.reason or "from the command line"
            _, breaker = client.call("POST", f"{path}/{arguments.action}", value={"reason": reason})
        output.data(breaker)
        _show(output, breaker)
        return Exit.OK


def _list(client: Client, output: Output) -> Exit:
    rows: list[list[str]] = []
    for page in client.pages("/breakers"):
        output.data(page)
        rows += [_row(breaker) for breaker in page["items"]]
    if rows:
        output.table(COLUMNS, rows)
    else:
        output.say("No circuit breaker has counted anything yet.")
    return Exit.OK


def _row(breaker: Mapping[str, Any]) -> list[str]:
    return [breaker["name"], breaker["state"], breaker["since"] or "", str(breaker["counts"]["failures"])]


def _show(output: Output, breaker: Mapping[str, Any]) -> None:
    counts = breaker["counts"]
    until = f" until {breaker['openUntil']}" if breaker["openUntil"] else ""
    output.say(f"{plain(breaker['name'])}  {breaker['state']}{until}")
    output.say(f"failures {counts['failures']}, successes {counts['successes']}")
    for change in breaker["changes"]:
        output.say(f"{change['at']}  {change['state']}  {plain(change['by'])}: {plain(change['why'])}")
