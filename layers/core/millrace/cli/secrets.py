"""`millrace secrets`: put, list and delete the secrets of local mode.

The value is read from standard input or asked for, never taken from the command line, where other processes could
read it. A running server sees the change with its next call.
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys

from millrace.adapters.files import FileSecrets
from millrace.base.errors import InvalidRequest, NotFound
from millrace.cli.codes import Exit
from millrace.cli.output import Output
from millrace.cli.settings import settings_of, take_data
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret

SCOPE = TenantScope("default")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[?[0-9a-fA-F:]{2,45}\]?")


def add(parser: argparse.ArgumentParser) -> None:
    take_data(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    put = actions.add_parser("put", help="store a secret; its value comes from standard input or a prompt")
    put.add_argument("name")
    put.add_argument(
        "--host", action="append", default=[], help="a host it may be sent to, or *.suffix; may be given again"
    )
    listing = actions.add_parser("list", help="list names, never values")
    delete = actions.add_parser("delete", help="forget a secret")
    delete.add_argument("name")
    for action in (put, listing, delete):
        take_data(action, again=True)


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    folder = settings_of(arguments).data
    folder.mkdir(parents=True, exist_ok=True)
    secrets = FileSecrets(folder)
    if arguments.action == "put":
        if not arguments.host:
            raise InvalidRequest(
                f"the secret {arguments.name} is bound to no host, so it could be sent nowhere",
                hint="Name the hosts: --host api.example.com",
            )
        for host in arguments.host:
            if not _HOST.fullmatch(host):
                raise InvalidRequest(
                    f"{host!r} is not a host that a secret can be bound to",
                    hint="Write a name or address without scheme, port and path, or *.suffix: api.example.com",
                )
        secrets.put(SCOPE, arguments.name, Secret(_value(), tuple(arguments.host)))
        output.say(f"stored {arguments.name} for {', '.join(arguments.host)}")
        output.data({"name": arguments.name, "hosts": arguments.host})
    elif arguments.action == "delete":
        if arguments.name not in secrets.names(SCOPE):
            raise NotFound(f"there is no secret {arguments.name!r}", hint="`millrace secrets list` shows the names.")
        secrets.delete(SCOPE, arguments.name)
        output.say(f"deleted {arguments.name}")
        output.data({"name": arguments.name})
    else:
        names = secrets.names(SCOPE)
        output.table(["name"], [[name] for name in names])
        output.data({"names": names})
    return Exit.OK


def _value() -> str:
    value = getpass.getpass("value: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    if not value:
        raise InvalidRequest("the value is empty", hint="Pipe it in: printf %s VALUE | millrace secrets put NAME …")
    return value
