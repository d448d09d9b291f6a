"""How a package is refused: one prefix, so that every reader of a message knows what was wrong with what."""

from __future__ import annotations

from typing import Any

from millrace.base.errors import InvalidRequest, TooLarge

_HINT = "Export the workflow again, and send the package as it was written."


def refused(why: str, *, hint: str = _HINT, **facts: Any) -> InvalidRequest:
    """The error for a package that is not read any further. ``facts`` name the entry or definition."""
    return InvalidRequest(f"the package is refused: {why}", hint=hint, facts=facts)


def too_large(what: str, *, limit: int, size: int, unit: str = "bytes") -> TooLarge:
    """The error for a package that passes a limit."""
    return TooLarge(
        f"{what}: {size} {unit}, and at most {limit} are taken",
        hint="Split the workflow, or export fewer definitions at once.",
        facts={"limit": limit, "size": size, "unit": unit},
    )


def shown(text: str) -> str:
    """Text from inside a package, made safe and short for a message."""
    return ascii(text[:80])
