"""`millrace import openapi`: reads or fetches the document; what becomes of it is decided by the server."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from millrace.base.errors import TooLarge, Unavailable
from millrace.base.limits import MIB, OPENAPI_BYTES
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, Refused
from millrace.services.import_openapi import packed
from millrace.wiring.settings import Settings

COLUMNS: Final = ("TASK", "STATUS", "OPERATION")
_PACKED_FROM: Final = 1 * MIB
_BATCH: Final = 600
"""Tasks published by one request: half a minute on a slow machine, below the client's patience."""
_SHOWN: Final = 40


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("document", metavar="FILE|URL", help="an OpenAPI document, 3.0 or 3.1, YAML or JSON")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
    parser.add_argument("--source", default="", help="a name for the API (default: its title)")
    parser.add_argument("--prefix", default="", help="begins the name of every task")
    parser.add_argument("--server", default="", help="the address to call instead of the document's servers")
    parser.add_argument(
        "--server-env", default="", metavar="KEY", help="call the address that env.KEY holds, where there is one"
    )
    parser.add_argument("--check-responses", action="store_true", help="fail attempts whose answer does not fit")
    parser.add_argument("--overwrite", action="store_true", help="replace tasks that were edited here, too")
    parser.add_argument("--fail-on-breaking", action="store_true", help="exit 1 when a change breaks users of a task")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    settings = settings_of(arguments)
    data, url = read_document(arguments.document, settings)
    query = {
        "source": arguments.source,
        "prefix": arguments.prefix,
        "server": arguments.server,
        "serverEnv": arguments.server_env,
        "url": url.split("?")[0],
        "checkResponses": json.dumps(arguments.check_responses),
        "dryRun": json.dumps(arguments.dry_run),
        "overwrite": json.dumps(arguments.overwrite),
        "limit": str(_BATCH),
    }
    with connect(settings) as client:
        report = _import(client, data, query, output)
    output.data(report)
    _show(output, report)
    broke = arguments.fail_on_breaking and report["breaking"]
    return Exit.FAILED if report["counts"]["failed"] or broke else Exit.OK


def read_document(place: str, settings: Settings) -> tuple[bytes, str]:
    """The bytes of a document in a file or at an address, and that address. Raises what a file or a call can."""
    if place.startswith(("http://", "https://")):
        from millrace.wiring.fetching import fetch_document

        return fetch_document(place, settings, limit=OPENAPI_BYTES)
    return _read(Path(place)), ""


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(OPENAPI_BYTES + 1)
    if len(data) > OPENAPI_BYTES:
        raise TooLarge(
            f"{path} has more than {OPENAPI_BYTES} bytes",
            hint="Split it by paths, and import each part with its own --source.",
            facts={"limit": OPENAPI_BYTES, "size": len(data)},
        )
    return data


def _import(client: Client, data: bytes, query: Mapping[str, str], output: Output) -> dict[str, Any]:
    """The first answer, which knows what was there before, completed by what further requests published."""
    body = packed(data) if len(data) > _PACKED_FROM else data
    report = _send(client, body, query)
    done, last = report["published"], report
    total = done + report["remaining"]
    while last["remaining"]:
        output.say(f"published {done} of {total} tasks")
        last = _send(client, body, query)
        if not last["published"]:
            raise Unavailable("the import makes no progress", hint="Run it again; it goes on where it stopped.")
        done += last["published"]
    failed = [item for item in last["items"] if item["status"] == "failed"]
    known = {item["name"] for item in report["items"] if item["status"] == "failed"}
    report["items"] += [item for item in failed if item["name"] not in known]
    report["counts"]["failed"] = last["counts"]["failed"]
    return report | {"published": done, "remaining": 0}


def _send(client: Client, body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
    kind = "json" if body.lstrip()[:1] == b"{" else "yaml"
    target = f"/api/v1/tasks/import?{urlencode({key: value for key, value in query.items() if value})}"
    reply = client.send("POST", target, body=body, headers={"content-type": f"application/{kind}"})
    answer: dict[str, Any] = reply.json()
    if reply.status >= 400:
        raise Refused(reply.status, answer)
    return answer


def _show(output: Output, report: Mapping[str, Any]) -> None:
    did = "would be imported" if report["dryRun"] else "imported"
    counts = ", ".join(f"{count} {name}" for name, count in report["counts"].items() if count)
    output.say(f"{plain(report['title'])} {plain(report['version'])} {did} as {plain(report['source'])}")
    output.say(f"{report['operations']} operations: {counts or 'nothing to do'}")
    shown = [item for item in report["items"] if item["status"] != "added"] or report["items"]
    if shown:
        rows = [[i["name"], f"{i['status']}{' (breaking)' if i['breaking'] else ''}", i["operation"]] for i in shown]
        output.table(COLUMNS, rows[:_SHOWN])
    if len(shown) > _SHOWN or report["itemsOmitted"]:
        output.say(f"… and {len(shown) - len(shown[:_SHOWN]) + report['itemsOmitted']} more; --json lists them")
    for item in shown[:_SHOWN]:
        _explain(output, item)
    for note in report["notes"][:_SHOWN]:
        word = "not imported" if note["refused"] else "note"
        output.say(f"{word}: {plain(note['where'])}: {plain(note['message'])}")
    more = len(report["notes"]) - len(report["notes"][:_SHOWN]) + report["notesOmitted"]
    if more:
        output.say(f"… and {more} more notes; --json lists them")
    for secret in report["secrets"]:
        output.say(f"secret {plain(secret['name'])} is needed for the security scheme {plain(secret['scheme'])}")


def _explain(output: Output, item: Mapping[str, Any]) -> None:
    if item["message"]:
        output.say(f"{plain(item['name'])}: {plain(item['message'])}")
    for change in item["changes"]:
        mark = "breaking" if change["breaking"] else "change"
        output.say(f"{plain(item['name'])}: {mark} {change['rule']}: {plain(change['message'])}")
    if item["usedBy"]:
        output.say(f"{plain(item['name'])}: used by {plain(', '.join(item['usedBy']))}")
