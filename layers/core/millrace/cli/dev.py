"""`millrace dev`: the platform on this machine, until interrupted."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import millrace
from millrace.base.errors import MillraceError
from millrace.cli.changes import tell
from millrace.cli.codes import Exit
from millrace.cli.inputs import read_input
from millrace.cli.main import existing_folder
from millrace.cli.output import Output
from millrace.cli.settings import settings_of, take_data
from millrace.local import documents
from millrace.local.listener import HOST
from millrace.local.server import LocalServer
from millrace.local.watch import Change, Watcher


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("--port", type=int, help="default: MILLRACE_PORT, else 8321; 0 takes a free one")
    parser.add_argument(
        "--demo-port", type=int, help="default: MILLRACE_DEMO_PORT, else the port after --port; 0 takes a free one"
    )
    parser.add_argument("--load", type=existing_folder, metavar="DIR", help="publish the documents of a folder")
    parser.add_argument("--watch", type=existing_folder, metavar="DIR", help="publish them, and again on every change")
    parser.add_argument("--run", metavar="WORKFLOW", help="run this workflow once, then keep serving")
    parser.add_argument("--input", default="{}", help="of that run: JSON, @FILE or @- (default {})")


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    value = read_input(arguments.input)
    with interrupts() as stop, LocalServer(settings_of(arguments)) as server:
        output.say(
            f"Millrace {millrace.__version__} listens on http://{HOST}:{server.port} "
            f"(data in {server.settings.data}, demo service on port {server.demo_port})"
        )
        output.data({"event": "listening", "port": server.port, "demoPort": server.demo_port, "pid": os.getpid()})
        if server.resumed:
            output.say(f"resumed {server.resumed} unfinished executions")
        if arguments.load:
            load(server, arguments.load, output)
        watcher = (
            Watcher(server.client, arguments.watch, lambda change: tell(change, output)) if arguments.watch else None
        )
        if watcher:
            watcher.look()
            watcher.start()
            output.say(f"watching {arguments.watch}")
        if arguments.run:
            _run_once(server, arguments.run, value, output, stop)
        output.say("Press Ctrl+C to stop.")
        stop.wait()
        output.say("stopping")
        if watcher:
            watcher.stop()
    return Exit.OK


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl+C and SIGTERM set, instead of ending the process in the middle of something."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def load(server: LocalServer, folder: Path, output: Output) -> None:
    """Publish every document of a folder as it stands, and say what was refused."""
    found = [one for path in documents.files_in(folder) for one in documents.read_file(path) if documents.is_ours(one)]
    refused = 0
    for document in documents.tasks_first(found):
        published = documents.publish(server.client, document)
        if not published.ok:
            refused += 1
            tell(Change("refused", document.file, published), output)
    output.say(f"published {len(found) - refused} of {len(found)} documents of {folder}")


def _run_once(server: LocalServer, name: str, value: object, output: Output, stop: threading.Event) -> None:
    from millrace.cli.run import start_and_follow

    try:
        start_and_follow(server.client, name, output, value=value, stop=stop)
    except MillraceError as error:
        output.problem(error.message, hint=error.hint, facts=error.facts, code=error.code)
