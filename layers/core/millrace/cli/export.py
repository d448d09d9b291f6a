"""`millrace export`: a workflow with everything it depends on. A private key stays in this process."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from urllib.parse import urlencode

from millrace.base.errors import InvalidRequest
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local.client import Client, Refused, segment


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("workflow", metavar="WORKFLOW", help="its name")
    parser.add_argument("--version", help="a label, a range, rN or latest (default: the active version)")
    parser.add_argument(
        "--format",
        choices=["yaml", "json", "package"],
        default="yaml",
        help="sources, canonical documents, or an archive that can be imported (default: yaml)",
    )
    parser.add_argument("--to", choices=["asl"], help="another engine in place of a format: asl, a state machine")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it; needed for a package")
    parser.add_argument(
        "--sign", type=Path, metavar="KEYFILE", help="package: an Ed25519 private key (PEM) to sign with"
    )


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    packed = arguments.format == "package"
    if packed and arguments.output is None:
        raise InvalidRequest("a package is not text, so it is not printed", hint="Name a file: -o FILE.")
    if arguments.to is not None and packed:
        raise InvalidRequest("a package is not for another engine", hint="Take out --format or --to.")
    if arguments.sign is not None and not packed:
        raise InvalidRequest(f"{arguments.format} has no place for a signature", hint="Use --format package.")
    shape = {"to": arguments.to} if arguments.to else {"format": arguments.format}
    query = shape | ({"version": arguments.version} if arguments.version else {})
    with connect(settings_of(arguments)) as client:
        data = _fetch(client, arguments.workflow, query)
    if arguments.sign is not None:
        from millrace.services.packaging import sign

        data = sign(data, arguments.sign.read_bytes())
    if arguments.output is None:
        _print(output, data.decode())
        return Exit.OK
    arguments.output.write_bytes(data)
    output.say(f"wrote {arguments.output} ({len(data)} bytes)")
    output.data({"file": str(arguments.output), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    return Exit.OK


def _fetch(client: Client, name: str, query: dict[str, str]) -> bytes:
    reply = client.send("GET", f"/api/v1/workflows/{segment(name)}/export?{urlencode(query)}")
    if reply.status >= 400:
        raise Refused(reply.status, reply.json())
    return reply.body


def _print(output: Output, text: str) -> None:
    """As it is into a pipe or a file; on a terminal, and as JSON, without anything that could steer it."""
    if output.as_json:
        output.data({"content": text})
        return
    output.out.write(plain(text, lines=True) if output.live else text)
    output.out.flush()
