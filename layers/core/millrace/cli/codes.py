"""Exit codes, for scripts. They are documented in `docs/reference/cli.md`, and a test compares."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    UNFINISHED = 5
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "It did what was asked.",
    Exit.FAILED: "The execution or a test failed or was cancelled, or a document has errors or is not formatted.",
    Exit.USAGE: "The command line, a file, an input or a setting cannot be used.",
    Exit.UNREACHABLE: "No server answers, its port is taken, or another process holds the data folder.",
    Exit.NOT_FOUND: "There is no such workflow or execution.",
    Exit.UNFINISHED: "The time given by --timeout passed; the execution goes on.",
    Exit.INTERRUPTED: "Interrupted from the keyboard; an execution goes on while its server runs.",
}
