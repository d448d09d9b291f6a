"""`millrace import`: one action for each kind of thing that can be imported, each a module of its own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import Any, Final

from millrace.cli.codes import Exit
from millrace.cli.output import Output

ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "openapi": ("openapi", "make a reusable task of each operation of an OpenAPI document"),
    "package": ("importing", "publish what a package holds, once all of it has been checked"),
}
"""Module of this package, with ``add`` and ``run`` like a verb, and summary of each action."""


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (_, summary) in ACTIONS.items():
        sub = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        _module(name).add(sub)


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    code: Exit = _module(arguments.action).run(arguments, output)
    return code


def _module(action: str) -> Any:
    return importlib.import_module(f"millrace.cli.{ACTIONS[action][0]}")
