"""The command `millrace`: reads the command line, runs one verb, and turns errors into exit codes.

Each verb is a module of this package with ``add`` (its arguments) and ``run`` (what it does, answering an exit code);
only the verb that was asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from millrace.base.errors import Conflict, MillraceError, NotFound, Unavailable
from millrace.cli.codes import MEANING, Exit
from millrace.cli.output import Output

VERBS: Final[Mapping[str, str]] = {
    "dev": "start the platform on this machine and keep serving",
    "validate": "check workflow and task documents",
    "fmt": "write documents in their canonical form",
    "test": "run the tests of workflows, without any effect",
    "run": "run a workflow, or a file, and follow it",
    "publish": "publish the documents of files and folders",
    "workflows": "list, show, activate and delete workflows",
    "tasks": "list, show, activate and delete reusable tasks",
    "executions": "list, show, pause and cancel executions, and answer what they wait for",
    "breakers": "list, show, open, close and reset circuit breakers",
    "export": "write a workflow with everything it depends on",
    "mock": "answer for the API of an OpenAPI document, from its examples",
    "import": "take in packages, API descriptions and workflows of other engines",
    "secrets": "store, list and delete the secrets of this machine",
    "version": "print the version",
}
_MODULES: Final[Mapping[str, str]] = {"import": "import_verb", "workflows": "definitions", "tasks": "definitions"}
"""Verbs whose module has another name: a word of Python cannot be one, and two verbs may do the same."""


_JSON: Final = "--json"


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The parser; with ``verb``, the arguments of that verb are filled in (of every verb when None)."""
    codes = "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in MEANING.items())
    top = argparse.ArgumentParser(
        prog="millrace",
        description="Durable workflow orchestration.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, summary in VERBS.items():
        sub = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        sub.add_argument(_JSON, action="store_true", help="print JSON for programs")
        if verb in {None, name}:
            _module(name).add(sub)
    return top


def _module(verb: str) -> Any:
    return importlib.import_module(f"millrace.cli.{_MODULES.get(verb, verb)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers its exit code."""
    given = _json_first(list(sys.argv[1:] if arguments is None else arguments))
    verb = next((word for word in given if not word.startswith("-")), None)
    if verb == "import":
        given = _module(verb).spelled(given)
    asked = parser(verb if verb in VERBS else "").parse_args(given)
    output = Output(as_json=asked.json)
    try:
        code: Exit = _module(asked.verb).run(asked, output)
        output.out.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone; what is left of the output goes nowhere, and exiting must not write to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except MillraceError as error:
        output.problem(error.message, hint=error.hint, facts=error.facts, code=_told_code(error))
        return code_of(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        output.problem(f"{where}{error.strerror or error}", hint="Check the path and its permissions.", code="file")
        return Exit.USAGE
    return code


def _json_first(given: list[str]) -> list[str]:
    """The command line with ``--json`` right behind the verb, wherever it stood: some verbs have actions, whose own
    parsers read what follows them."""
    end = given.index("--") if "--" in given else len(given)
    rest = [word for word in given[:end] if word != _JSON]
    if len(rest) == end:
        return given
    verb = next((index for index, word in enumerate(rest) if not word.startswith("-")), -1)
    return [*rest[: verb + 1], _JSON, *rest[verb + 1 :], *given[end:]]


def _told_code(error: MillraceError) -> str:
    """What a program tells errors apart by: of an answer of the server, the code of its problem."""
    return str(error.facts.get("code") or error.code) if error.code == "refused" else error.code


def code_of(error: MillraceError) -> Exit:
    """The exit code of an error, also of one that a server answered with."""
    status = getattr(error, "status", 0)
    if isinstance(error, NotFound) or status == 404:
        return Exit.NOT_FOUND
    if isinstance(error, Unavailable) or (isinstance(error, Conflict) and "pid" in error.facts) or status >= 500:
        return Exit.UNREACHABLE
    return Exit.FAILED if error.facts.get("findings") else Exit.USAGE


def existing_folder(text: str) -> Path:
    """An argparse type."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path
