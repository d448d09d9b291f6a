"""`millrace workflows` and `millrace tasks`: what is published, which version new starts get, and deleting a name."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from millrace.cli.actions import misused, take_action
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, segment

COLUMNS: Final = ("NAME", "ACTIVE", "LATEST", "UPDATED", "BY", "DESCRIPTION")
VERSION_COLUMNS: Final = ("VERSION", "REVISION", "ACTIVE", "CREATED", "BY", "MESSAGE")


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    take_action(parser, ["show", "versions", "activate", "delete"])
    parser.add_argument("name", nargs="?", help="needed by all but list")
    parser.add_argument(
        "--version", dest="selected", metavar="VERSION", help="show, activate: a label, a range, rN or latest"
    )
    parser.add_argument("--force", action="store_true", help="delete: although others refer to it")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    action, name, verb = arguments.action, arguments.name, arguments.verb
    if (action == "list") != (name is None):
        return misused(arguments, output, "takes no name" if action == "list" else "needs a name")
    if action == "activate" and not arguments.selected:
        return misused(arguments, output, "needs --version")
    with connect(settings_of(arguments)) as client:
        if action == "list":
            return _list(client, verb, output)
        path = f"/{verb}/{segment(name)}"
        if action == "versions":
            return _versions(client, path, output)
        if action == "delete":
            return _delete(client, path, output, force=arguments.force)
        if action == "activate":
            _, head = client.call("POST", f"{path}/activate", value={"version": arguments.selected})
            output.data(head)
            output.say(f"{plain(head['name'])}: new starts get {plain(str(head['activeVersion']))}")
            return Exit.OK
        return _show(client, path, output, arguments.selected)


def _items(client: Client, path: str, output: Output) -> Iterator[dict[str, Any]]:
    for page in client.pages(path):
        output.data(page)
        yield from page["items"]


def _list(client: Client, verb: str, output: Output) -> Exit:
    rows = [
        [
            head["name"],
            str(head["activeVersion"] or ""),
            str(head["latestVersion"]),
            head["updatedAt"],
            head["updatedBy"],
            head["description"],
        ]
        for head in _items(client, f"/{verb}", output)
    ]
    if rows:
        output.table(COLUMNS, rows)
    else:
        output.say(f"No {verb} yet. Publish one with `millrace publish FILE`.")
    return Exit.OK


def _versions(client: Client, path: str, output: Output) -> Exit:
    rows = [
        [
            str(version["version"]),
            f"r{version['revision']}",
            "yes" if version["active"] else "",
            version["createdAt"],
            version["createdBy"],
            version["message"],
        ]
        for version in _items(client, f"{path}/versions", output)
    ]
    output.table(VERSION_COLUMNS, rows)
    return Exit.OK


def _show(client: Client, path: str, output: Output, version: str | None) -> Exit:
    """The document as it was sent; `--json` has everything that is known of it."""
    _, found = client.call("GET", f"{path}/versions/{segment(version)}" if version else path)
    output.data(found)
    output.say(found["source"].rstrip("\n"))
    return Exit.OK


def _delete(client: Client, path: str, output: Output, *, force: bool) -> Exit:
    _, deleted = client.call("DELETE", path, query={"force": "true"} if force else None)
    output.data(deleted)
    output.say(f"{plain(deleted['name'])} is deleted: nothing new starts with it, and what runs goes on")
    for one in deleted["affected"]:
        output.warn(_affected(one))
    return Exit.OK


def _affected(one: Mapping[str, Any]) -> str:
    return plain(f"the {one['kind']} {one['name']} refers to it" + (" through others" if one["distance"] > 1 else ""))
