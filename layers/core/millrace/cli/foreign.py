"""`millrace import asl|conductor|kestra|n8n FILE`: another engine's workflow as a document of ours, in this process."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from millrace.base.errors import TooLarge
from millrace.base.limits import DOCUMENT_BYTES
from millrace.cli.codes import Exit
from millrace.cli.output import Output, plain
from millrace.services.import_foreign import import_foreign


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the definition, as YAML or JSON")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: print it)")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    with arguments.file.open("rb") as stream:
        data = stream.read(DOCUMENT_BYTES + 1)
    if len(data) > DOCUMENT_BYTES:
        said = f"{arguments.file} has more than {DOCUMENT_BYTES} bytes"
        raise TooLarge(said, hint="Import it in parts.", facts={"size": len(data)})
    report = import_foreign(data, "json" if data.lstrip()[:1] == b"{" else "yaml", arguments.source)
    if arguments.output is not None:
        arguments.output.write_text(report["yaml"], encoding="utf-8")
        output.say(f"wrote {arguments.output}")
    elif not output.as_json:
        output.out.write(plain(report["yaml"], lines=True) if output.live else report["yaml"])
        output.out.flush()
    output.data(report)
    _explain(output, report)
    return Exit.OK if report["valid"] else Exit.FAILED


def _explain(output: Output, report: dict[str, Any]) -> None:
    for note in report["notes"]:
        output.warn(f"{note['level']}: {plain(note['path']) or '/'}: {plain(note['message'])}")
    for finding in report["findings"]:
        if finding["severity"] == "error":
            output.warn(f"error: line {finding['line']}: {plain(finding['message'])} [{finding['code']}]")
