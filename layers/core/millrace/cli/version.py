"""`millrace version`."""

from __future__ import annotations

import argparse
import platform

import millrace
from millrace.cli.codes import Exit
from millrace.cli.output import Output


def add(parser: argparse.ArgumentParser) -> None:
    del parser  # it takes no arguments of its own


def run(arguments: argparse.Namespace, output: Output) -> Exit:
    del arguments
    output.say(f"millrace {millrace.__version__} (Python {platform.python_version()})")
    output.data({"version": millrace.__version__, "python": platform.python_version()})
    return Exit.OK
