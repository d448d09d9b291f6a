"""Reads the JSON of ``--input`` and its like: on the command line, in a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from millrace.base.canonical import parse_json
from millrace.base.errors import InvalidRequest
from millrace.base.limits import REQUEST_BYTES


def read_input(text: str, option: str = "--input") -> Any:
    """The JSON value of ``text``, given as ``option``; ``@path`` reads a file and ``@-`` standard input.

    Raises InvalidRequest, saying where the JSON is wrong, and OSError when the file cannot be read.
    """
    if not text.startswith("@"):
        return _parse(text.encode(errors="surrogateescape"), option)
    if text == "@-":
        return _parse(sys.stdin.buffer.read(REQUEST_BYTES + 1), "standard input")
    with Path(text[1:]).open("rb") as stream:
        return _parse(stream.read(REQUEST_BYTES + 1), text[1:])


def _parse(data: bytes, where: str) -> Any:
    if len(data) > REQUEST_BYTES:
        raise InvalidRequest(f"{where} exceeds {REQUEST_BYTES} bytes", hint="Send less, or a reference to it.")
    try:
        return parse_json(data)
    except InvalidRequest as error:
        raise InvalidRequest(f"{where}: {error.message}", hint=error.hint, facts=error.facts) from error
