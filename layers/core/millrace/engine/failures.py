"""What is kept of a failure: an event has to fit a segment and an item, whatever a runner or a document says."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from millrace.engine.events import Failure

MESSAGE_CHARS: Final = 4_000
HINT_CHARS: Final = 1_000
DETAILS_BYTES: Final = 16 * 1024
"""Of all details together, as JSON. One that is too large for what is left of this is cut, or left out."""
_TEXT_CHARS: Final = 500


def capped(failure: Failure) -> Failure:
    """The same failure within these limits; ``details`` says by ``truncated`` that some of it is gone."""
    details = _details(failure.details)
    if details is failure.details and len(failure.message) <= MESSAGE_CHARS and len(failure.hint) <= HINT_CHARS:
        return failure
    return msgspec.structs.replace(
        failure, message=failure.message[:MESSAGE_CHARS], hint=failure.hint[:HINT_CHARS], details=details
    )


def _details(details: dict[str, Any]) -> dict[str, Any]:
    if not details or _size(details) <= DETAILS_BYTES:
        return details
    kept: dict[str, Any] = {"truncated": True}
    left = DETAILS_BYTES - _size(kept)
    for key, value in details.items():
        shown = value[:_TEXT_CHARS] if isinstance(value, str) else value
        size = _size({key: shown})
        if size <= left:
            kept[key] = shown
            left -= size
    return kept


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
