"""Times at the edge: milliseconds inside, RFC 3339 in UTC outside."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: int) -> str:
    """``at`` (ms since the epoch) as ``2026-01-02T03:04:05.678Z``."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
