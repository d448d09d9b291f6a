"""`millrace mock`: the API of an OpenAPI document, answered from its examples, until interrupted."""

from __future__ import annotations

import argparse
import os
from typing import Any

from millrace.base.errors import InvalidRequest
from millrace.cli.codes import Exit
from millrace.cli.dev import interrupts
from millrace.cli.openapi import read_document
from millrace.cli.output import Output, plain
from millrace.cli.settings import settings_of, take_data
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.local.mock import PORT, MockApp
from millrace.services.mocking.exchange import Answer, Request
from millrace.services.mocking.service import Mock
from millrace.services.openapi import read_openapi


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    parser.add_argument("document", metavar="FILE|URL", help="an OpenAPI document, 3.0 or 3.1, YAML or JSON")
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0 takes a free one")
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="OPERATION=CODE[:EXAMPLE]",
        help="what an operation answers, such as getPet=404; repeatable",
    )


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    data, _ = read_document(arguments.document, settings_of(arguments))
    mock = Mock(read_openapi(data), arguments.answer)
    if not mock.operations:
        raise InvalidRequest("the document has no operation to answer", hint="Name an OpenAPI document with paths.")
    with interrupts() as stop, bind(arguments.port, variable="--port") as front:
        port = port_of(front)

        def tell(request: Request, answer: Answer) -> None:
            which = f"{answer.operation}, {answer.source}" if answer.operation else "no operation"
            output.say(f"{plain(request.method)} {plain(request.path)[:200]} {answer.status} ({plain(which)})")
            output.data(_event(request, answer))

        listener = Listener(MockApp(mock, port=port, tell=tell), front, name="mock", grace=1)
        listener.start()
        try:
            output.say(f"{plain(mock.title)} {plain(mock.version)} listens on http://{HOST}:{port}")
            output.say(f"{mock.operations} operations; workflows call them with MILLRACE_ALLOW_HOSTS={HOST}:{port}")
            for said in mock.ignored:
                output.say(f"left out: {plain(said)}")
            told = {"event": "listening", "port": port, "operations": mock.operations, "pid": os.getpid()}
            output.data(told)
            stop.wait()
            output.say("stopping")
        finally:
            listener.stop()
    return Exit.OK


def _event(request: Request, answer: Answer) -> dict[str, Any]:
    return {
        "event": "answered",
        "method": request.method,
        "path": request.path,
        "status": answer.status,
        "operation": answer.operation,
        "source": answer.source,
    }
