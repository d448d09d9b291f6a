"""Verbs that list things of one kind, or do something with one of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from millrace.cli.codes import Exit
from millrace.cli.output import Output


def take_action(parser: argparse.ArgumentParser, actions: Sequence[str]) -> None:
    """The first word behind the verb: ``list``, which may be left out, or one of the others."""
    parser.add_argument("action", nargs="?", default="list", choices=["list", *actions], help="default: list")


def misused(arguments: argparse.Namespace, output: Output, what: str) -> Exit:
    """Say that an action has words too many or too few, such as "takes no name"; answers the exit code."""
    verb = arguments.verb
    output.problem(f"{verb} {arguments.action} {what}", hint=f"See `millrace {verb} --help`.", code="usage")
    return Exit.USAGE
