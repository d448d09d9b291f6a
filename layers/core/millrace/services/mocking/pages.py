"""One page of a list that comes in pages: without it, whoever reads all pages of the same made answer never ends.

The first request gets the list, and nothing in the answer leads on; a request for anything behind it gets an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millrace.base.canonical import dumps, parse_json

if TYPE_CHECKING:
    from millrace.services.mocking.answers import Made


def last_page(block: Mapping[str, Any], made: Made, query: Mapping[str, str]) -> Made:
    """The answer as the last page; ``block`` is the paging that the operation's task would have."""
    body = parse_json(made.body)
    if "path" in block:
        _put(body, block["path"], None)
    if "more" in block:
        _put(body, block["more"], False)
    strategy = block["strategy"]
    if strategy in ("cursor", "offset", "page"):
        given = query.get(block["param"])
        first = {"offset": "0", "page": str(block.get("start", 1))}.get(strategy)
        if given not in (None, "", first):
            body = _emptied(body, block.get("items", ""))
    if "total" in block:
        items = _get(body, block.get("items", ""))
        if isinstance(items, list):
            _put(body, block["total"], len(items))
    return replace(made, body=dumps(body))


def _steps(path: str) -> list[str]:
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    return path.split(".") if path else []


def _get(body: Any, path: str) -> Any:
    for step in _steps(path):
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _put(body: Any, path: str, value: Any) -> None:
    """Changes a field that is there; None takes it out."""
    *above, last = _steps(path)
    for step in above:
        body = body.get(step) if isinstance(body, dict) else None
    if isinstance(body, dict) and last in body:
        if value is None:
            del body[last]
        else:
            body[last] = value


def _emptied(body: Any, path: str) -> Any:
    if not path:
        return [] if isinstance(body, list) else body
    if isinstance(_get(body, path), list):
        _put(body, path, [])
    return body
