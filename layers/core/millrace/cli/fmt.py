"""`millrace fmt`: documents in their canonical form, comments kept."""

from __future__ import annotations

import argparse
import difflib
import os
import tempfile
from pathlib import Path

from millrace.base.errors import InvalidDocument, InvalidRequest
from millrace.cli.codes import Exit
from millrace.cli.output import Output
from millrace.cli.validate import files_of
from millrace.local import documents
from millrace.spec import format_source, parse_document
from millrace.spec.dialect import is_dialect
from millrace.spec.dialect.document import normalise


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders to look through")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file would change")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    changed: list[str] = []
    refused: list[dict[str, object]] = []
    for path in files_of(arguments.files):
        try:
            before = path.read_bytes().decode()
            after = formatted(path)
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{path} is not UTF-8 (byte {error.start})", hint="Save it as UTF-8.") from error
        except InvalidDocument as error:
            refused.append({"file": str(path), "message": error.message, **error.facts})
            output.warn(f"{path}: {error.message}")
            continue
        if after == before:
            continue
        _explain(path, output)
        changed.append(str(path))
        if arguments.check:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="")
            output.say("\n".join(lines))
        else:
            replace(path, after)
            output.say(f"formatted {path}")
    output.data({"changed": changed, "refused": refused})
    return Exit.FAILED if refused or (arguments.check and changed) else Exit.OK


def formatted(path: Path) -> str:
    """The canonical text of a file, document by document. Raises InvalidDocument when one cannot be read."""
    parts = documents.read_file(path)
    texts = [format_source(part.text.decode(), "json" if part.media == "json" else "yaml") for part in parts]
    return "---\n".join(text if text.endswith("\n") else f"{text}\n" for text in texts)


def _explain(path: Path, output: Output) -> None:
    """What was read otherwise than it was written, for the documents of the other dialect."""
    for part in documents.read_file(path):
        source = parse_document(part.text, media="json" if part.media == "json" else "yaml")
        if is_dialect(source.value):
            for finding in normalise(source).notes:
                output.say(f"{path}:{finding.line + part.before}: {finding.severity}: {finding.message}")


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the permissions that it had."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(temporary).chmod(path.stat().st_mode & 0o777)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
