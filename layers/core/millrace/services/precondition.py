"""If-Match: a write on a definition goes through only if the caller has seen its current state."""

from __future__ import annotations

import re
from typing import Final

from millrace.base.errors import InvalidRequest, PreconditionFailed
from millrace.store.definitions import Head

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS: Final = re.compile(rf"\s*(?:\*|{_TAG}(?:\s*,\s*{_TAG})*)\s*")


def check_match(if_match: str, head: Head | None) -> None:
    """Raises PreconditionFailed unless the If-Match header allows this head (RFC 9110 §13.1.1), and InvalidRequest
    on what is no such header. Weak tags match nothing, as that section has it."""
    if not if_match:
        return
    if not _TAGS.fullmatch(if_match):
        raise InvalidRequest(
            f"If-Match holds {if_match[:80]!a}, which is no list of entity tags",
            hint='Send an ETag as it was given, in its quotes, such as "3"; or *.',
        )
    tags = [part.strip() for part in if_match.split(",")]
    if head is None or not ("*" in tags or f'"{head.etag}"' in tags):
        raise PreconditionFailed(
            "the definition was changed since it was read" if head else "there is nothing to change yet",
            hint="Read it again and send its ETag as If-Match.",
            facts={"etag": f'"{head.etag}"' if head else None},
        )
