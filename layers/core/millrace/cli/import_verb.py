"""`millrace import`: one action for each kind of thing that can be imported, each a module of its own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from millrace.cli.codes import Exit
from millrace.cli.output import Output

ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "asl": ("foreign", "turn a state machine of Step Functions into a workflow"),
    "conductor": ("foreign", "turn a workflow definition of Conductor into a workflow"),
    "kestra": ("foreign", "turn a flow of Kestra into a workflow"),
    "n8n": ("foreign", "turn a workflow of n8n into one of ours"),
    "openapi": ("openapi", "make a reusable task of each operation of an OpenAPI document"),
    "package": ("importing", "publish what a package holds, once all of it has been checked"),
}
"""Module of this package, with ``add`` and ``run`` like a verb, and summary of each action."""

_FROM: Final = "--from"


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{_FROM} ACTION is another spelling of ACTION."
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (_, summary) in ACTIONS.items():
        sub = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        sub.set_defaults(source=name)
        _module(name).add(sub)


def spelled(arguments: Sequence[str]) -> list[str]:
    """A command line with ``--from asl`` as ``asl``, wherever behind the verb it stands."""
    given = list(arguments)
    for index, word in enumerate(given):
        name, sign, value = word.partition("=")
        if name == _FROM and sign:
            given[index : index + 1] = []
        elif name == _FROM and index + 1 < len(given):
            value = given[index + 1]
            given[index : index + 2] = []
        else:
            continue
        behind = given.index("import") + 1
        while given[behind : behind + 1] == ["--json"]:
            behind += 1
        given.insert(behind, value)
        break
    return given


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    code: Exit = _module(arguments.action).run(arguments, output)
    return code


def _module(action: str) -> Any:
    return importlib.import_module(f"millrace.cli.{ACTIONS[action][0]}")
