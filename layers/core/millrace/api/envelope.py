"""Limits on everything of a request that is not its body, judged before any route is looked for.

Names in our paths are plain (letters, digits, ``. _ ~ -``), so an encoded, doubled or dotted segment is never
needed and always refused: two readers of one path can then not disagree about it. The one exception is the path of a
task (``loop[3]/ship``), which ends an address: it is read in one way, and handed on as one segment in one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from millrace.base.errors import InvalidRequest, TooLarge

PATH_CHARS: Final = 2048
QUERY_CHARS: Final = 8 * 1024
QUERY_NAMES: Final = 32
HEADERS: Final = 100
HEADER_BYTES: Final = 32 * 1024

_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_DOTS: Final = re.compile(r"/\.{1,2}(?:/|$)")
_TASK: Final = re.compile(r"(/api/v1/executions/[a-z0-9]+/approvals/)(.+)")
_STEP: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[0-9]+\])?"
_TASK_PATH: Final = re.compile(rf"{_STEP}(?:/{_STEP})*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]|[\ud800-\udfff]")


def checked_path(event: Mapping[str, Any]) -> str:
    """The path, with that of a task at its end as one encoded segment, however it came: gateways differ in whether they
    decode. Raises InvalidRequest or TooLarge."""
    path = event.get("path")
    if not isinstance(path, str):
        raise InvalidRequest("the event has no path", hint="Send the request through the gateway.")
    if len(path) > PATH_CHARS:
        raise TooLarge(
            f"the path is longer than {PATH_CHARS} characters",
            hint="Correct the address.",
            facts={"limit": PATH_CHARS, "size": len(path), "unit": "characters"},
        )
    if task := _TASK.fullmatch(path):
        return task[1] + _task_path(task[2])
    if not _PATH.fullmatch(path) or _DOTS.search(path):
        raise InvalidRequest(
            "the path holds something other than plain segments",
            hint="Use letters, digits and . _ ~ - between single slashes, without a slash at the end.",
        )
    return path


def _task_path(text: str) -> str:
    """What decodes to the path of a task holds no ``%``, so decoding once more would change nothing."""
    path = unquote(text)
    if not _TASK_PATH.fullmatch(path):
        raise InvalidRequest(
            "the path ends in something other than the path of a task",
            hint="Use it as GET /api/v1/executions/{id} shows it, percent-encoded: loop%5B0%5D%2Fsign.",
        )
    return quote(path, safe="")


def checked_query(event: Mapping[str, Any]) -> dict[str, str]:
    """One value per name. Raises InvalidRequest on a name given twice or a control character, TooLarge on bulk."""
    pairs = _pairs(event, "multiValueQueryStringParameters", "queryStringParameters")
    size = sum(len(name) + len(value) for name, value in pairs)
    if len(pairs) > QUERY_NAMES or size > QUERY_CHARS:
        raise TooLarge(
            f"the query holds more than {QUERY_NAMES} parameters or {QUERY_CHARS} characters",
            hint="Send fewer parameters.",
            facts={"limit": QUERY_CHARS, "size": size, "unit": "characters"},
        )
    found: dict[str, str] = {}
    for name, value in pairs:
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise InvalidRequest("the query holds a control character", hint="Remove it.")
        if name in found:
            raise InvalidRequest(f"the query parameter {name!r} is given twice", hint="Give it once.")
        found[name] = value
    return found


def checked_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Keyed in lower case; values of a repeated header are joined by a comma, as RFC 9110 §5.3 has it."""
    pairs = _pairs(event, "multiValueHeaders", "headers")
    size = sum(len(name) + len(value) for name, value in pairs)
    if len(pairs) > HEADERS or size > HEADER_BYTES:
        raise TooLarge(
            f"more than {HEADERS} headers or {HEADER_BYTES} bytes of them",
            hint="Send fewer headers.",
            facts={"limit": HEADER_BYTES, "size": size},
        )
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _pairs(event: Mapping[str, Any], several: str, single: str) -> list[tuple[str, str]]:
    many = event.get(several)
    if isinstance(many, Mapping) and many:
        return [(str(name), str(value)) for name, values in many.items() for value in values or []]
    one = event.get(single)
    if isinstance(one, Mapping):
        return [(str(name), str(value)) for name, value in one.items() if value is not None]
    return []
