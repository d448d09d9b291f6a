"""If-Match: a write on a definition goes through only if the caller has seen its current state."""

from __future__ import annotations

from millrace.base.errors import PreconditionFailed
from millrace.store.definitions import Head


def check_match(if_match: str, head: Head | None) -> None:
    """Raises PreconditionFailed unless the If-Match header allows this head (RFC 9110 §13.1.1)."""
    if not if_match:
        return
    tags = [part.strip() for part in if_match.split(",")]
    if head is None or not ("*" in tags or f'"{head.etag}"' in tags):
        raise PreconditionFailed(
            "the definition was changed since it was read" if head else "there is nothing to change yet",
            hint="Read it again and send its ETag as If-Match.",
            facts={"etag": f'"{head.etag}"' if head else None},
        )
