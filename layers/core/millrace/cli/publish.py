"""`millrace publish`: documents of files and folders become versions, tasks before the workflows that use them."""

from __future__ import annotations

import argparse
from pathlib import Path

from millrace.base.errors import InvalidRequest
from millrace.cli.changes import tell
from millrace.cli.codes import Exit
from millrace.cli.output import Output
from millrace.cli.session import connect
from millrace.cli.settings import settings_of, take_data
from millrace.local import documents
from millrace.local.documents import Document
from millrace.local.watch import Change


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE|DIR", help="files, or folders to look through")
    parser.add_argument(
        "--no-activate", action="store_true", help="keep the versions that new starts get now; activate them later"
    )
    parser.add_argument("--message", default="", help="why, for people; stays with the versions")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    found = documents.tasks_first(one for path in arguments.files for one in _documents(path))
    if not found:
        raise InvalidRequest("there is nothing to publish", hint="Name a file with a workflow or a reusable task.")
    query = {"activate": "false"} if arguments.no_activate else {}
    query |= {"message": arguments.message} if arguments.message else {}
    refused: list[int] = []
    with connect(settings_of(arguments)) as client:
        for document in found:
            published = documents.publish(client, document, query)
            tell(Change("published" if published.ok else "refused", document.file, published), output)
            refused += [] if published.ok else [published.status]
    if len(found) > 1:
        output.say(f"published {len(found) - len(refused)} of {len(found)} documents")
    return Exit.FAILED if refused else Exit.OK


def _documents(path: Path) -> list[Document]:
    if not path.is_dir():
        return documents.read_file(path)
    files = documents.files_in(path)
    return [one for file in files for one in documents.read_file(file) if documents.is_ours(one)]
