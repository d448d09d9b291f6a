"""HTTP requests and retries as every source has them, in our spelling."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.base.errors import InvalidRequest
from millrace.base.scalars import format_duration, parse_duration
from millrace.services.importers.draft import Draft
from millrace.services.importers.reading import number
from millrace.services.importers.result import Path

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MOST_ATTEMPTS: Final = 100
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")


def request(draft: Draft, path: Path, method: Any, url: Any, **parts: Any) -> dict[str, Any]:
    """The request of an http task. ``parts`` may hold headers, query, body, form, bodyText and auth; empty ones are
    left out, and so are headers that no request may have."""
    verb = "a computed one" if "{{" in str(method) else str(method or "GET").upper()
    if verb not in METHODS:
        draft.unmapped(path, f"the method {verb[:40]} is not known: GET stands in its place")
        verb = "GET"
    made: dict[str, Any] = {"method": verb, "url": url if isinstance(url, str) and url else "https://example.invalid/"}
    if made["url"] != url:
        draft.unmapped(path, "the request has no address that could be taken over")
    headers = parts.pop("headers", None) or {}
    kept = {name: value for name, value in headers.items() if _HEADER.fullmatch(name) and _scalar(value)}
    for name in (name for name in headers if name not in kept):
        draft.unmapped(path, f"the header {name[:80]!r} cannot be sent as it is")
    if kept:
        made["headers"] = kept
    made |= {key: value for key, value in parts.items() if value not in (None, {}, [])}
    return made


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def seconds(value: Any) -> str | None:
    """A number of seconds as a duration; None for what is none, or no time at all."""
    amount = number(value)
    return None if amount is None or amount <= 0 else format_duration(max(1, int(amount * 1000)))


def duration(value: Any) -> str | None:
    """A duration as the sources write it (``PT5M``, ``30s``, seconds) in our spelling; None for what is none."""
    try:
        length = parse_duration(value)
    except InvalidRequest:
        return None
    return format_duration(length) if length else None


def attempts(value: Any, *, more: int = 0) -> int | None:
    """A number of attempts, at least one; ``more`` is added where the source counts only what comes after the first."""
    amount = number(value)
    return None if amount is None else max(1, min(MOST_ATTEMPTS, int(amount) + more))
