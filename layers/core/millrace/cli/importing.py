"""`millrace import package`: what is checked, planned and published is decided by the server, never here."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from millrace.base.limits import PACKAGE_BYTES
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, Refused

COLUMNS = ("KIND", "NAME", "VERSION", "ACTION", "HERE", "ACTIVE")


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="a package, as `millrace export` writes it")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
    parser.add_argument(
        "--on-conflict",
        choices=["fail", "new-version", "skip"],
        default="fail",
        help="when a version label names other content here (default: fail)",
    )
    parser.add_argument("--verify", type=Path, metavar="KEYFILE", help="the Ed25519 key (PEM) that must have signed it")
    parser.add_argument("--require-signature", action="store_true", help="refuse unless --verify is given as well")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    with arguments.file.open("rb") as stream:
        data = stream.read(PACKAGE_BYTES + 1)
    query = {
        "dryRun": json.dumps(arguments.dry_run),
        "onConflict": arguments.on_conflict,
        "requireSignature": json.dumps(arguments.require_signature),
    }
    if arguments.verify is not None:
        from millrace.services.packaging import public_key

        query["trustedKey"] = public_key(arguments.verify)
    with connect(settings_of(arguments)) as client:
        report = _send(client, data, query)
    output.data(report)
    _show(output, report)
    return Exit.OK if report["valid"] or report["applied"] else Exit.FAILED


def _send(client: Client, data: bytes, query: Mapping[str, str]) -> Mapping[str, Any]:
    target = f"/api/v1/workflows/import?{urlencode(query)}"
    reply = client.send("POST", target, body=data, headers={"content-type": "application/zip"})
    answer: dict[str, Any] = reply.json()
    if reply.status >= 400:
        raise Refused(reply.status, answer)
    return answer


def _show(output: Output, report: Mapping[str, Any]) -> None:
    root = report["package"]
    did = "would be imported" if report["dryRun"] else "imported"
    output.say(f"{plain(root['name'])} {plain(root['version'])} {did} into the namespace {plain(report['namespace'])}")
    if report["signature"]:
        trust = "trusted" if report["signature"]["trusted"] else "not compared with a key: name one with --verify"
        output.say(f"signed by the key {report['signature']['keyId']} ({trust})")
    rows = [
        [
            one["kind"],
            one["name"],
            one["version"],
            one["action"],
            one["publishedAs"] or "",
            "becomes active" if one["activates"] else "",
        ]
        for one in report["definitions"]
    ]
    output.table(COLUMNS, rows)
    for one in report["differences"]:
        means = one["resolves"] or "nothing"
        output.say(
            f"{one['kind']} {one['name']}: {one['reference']} means {means} here, {one['pinned']} in the package"
        )
    for secret in report["missingSecrets"]:
        known = "missing" if report["secretsKnown"] else "needed (what is stored here is not known)"
        hosts = [*secret["hosts"], *(["hosts computed at run time"] if secret["hostsComputed"] else [])]
        output.say(f"secret {plain(secret['name'])} is {known}; it is sent to {plain(', '.join(hosts)) or 'no host'}")
    for key in report["missingEnv"]:
        output.say(f"env key {plain(key)} is missing")
    for one in report["findings"]:
        where = f"{one['definition']}:{one['line']}:{one['column']}"
        output.say(f"{plain(where)}: {one['severity']} {one['code']}: {plain(one['message'])}")
