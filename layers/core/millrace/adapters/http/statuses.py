"""What a status code means for the attempt: success, failure, whether to try again and when."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.adapters.http.refusals import invalid
from millrace.ports.runners import Failure

RETRYABLE: Final = frozenset({408, 425, 429})
"""The 4xx that say "not now" (RFC 9110 408, RFC 8470 425, RFC 6585 429); every 5xx is retryable as well."""

_CLASS: Final = re.compile(r"([1-5])xx", re.IGNORECASE)
_RANGE: Final = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def is_success(status: int, codes: Any) -> bool:
    """``codes`` is one of, or a list of, integers, "2xx", "404" or "200-204"; empty means 200 to 299. Raises
    Refused on anything else."""
    if codes == () or codes == []:
        return 200 <= status <= 299
    spans = [_span(code) for code in (codes if isinstance(codes, list | tuple) else [codes])]
    return any(first <= status <= last for first, last in spans)


def status_failure(status: int, *, retry_after: str, now_ms: int, details: dict[str, Any]) -> Failure:
    """Kind ``http``, code the status as text. ``retry_after`` is the header's value, or empty."""
    retryable = status in RETRYABLE or status >= 500
    hint = ""
    if 300 <= status <= 399:
        hint = "Set followRedirects, or list the status in successCodes."
    elif not retryable:
        hint = "Correct the request, or list the status in successCodes."
    return Failure(
        "http",
        str(status),
        f"the server answered {status}",
        retryable,
        hint,
        details,
        retry_after_ms(retry_after, now_ms) if retryable else None,
    )


def retry_after_ms(value: str, now_ms: int) -> int | None:
    """Milliseconds until the time a Retry-After header names (RFC 9110, 10.2.3): seconds, or a date that is
    compared with ``now_ms`` (Unix ms). None when it names neither; 0 when the date has passed."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return int(value) * 1000
    if not value or not value.isascii():
        return None
    from email.utils import parsedate_to_datetime

    try:
        # A date without a zone is read as UTC: HTTP dates are always GMT.
        moment = parsedate_to_datetime(re.sub(r"\s-0000$", " GMT", value))
        return max(0, round(moment.timestamp() * 1000) - now_ms)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _span(code: Any) -> tuple[int, int]:
    if type(code) is int and 100 <= code <= 599:
        return code, code
    if isinstance(code, str):
        if match := _CLASS.fullmatch(code):
            return int(match[1]) * 100, int(match[1]) * 100 + 99
        if match := _RANGE.fullmatch(code):
            return int(match[1]), int(match[2] or match[1])
    raise invalid("success-codes", f"{code!r} is not a status code", "Write 404, 2xx or 200-204.")
