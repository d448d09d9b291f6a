"""Which blob keys and secret names are accepted, and how blob key parts become path segments.

A path segment is the part with everything but ASCII letters, digits, ``-``, ``_`` and ``.`` percent-encoded, in a case
that survives file systems which fold case: upper-case letters are encoded too. A segment never begins with ``.``, so
no key can name a parent folder or a temporary file.
"""

from __future__ import annotations

import re
from typing import Final

from millrace.adapters.guard import text_bytes
from millrace.base.errors import InvalidRequest, TooLarge
from millrace.ports.documents import TenantScope

SEGMENT_BYTES: Final = 200
"""A file name holds 255 bytes on the usual file systems; the rest is for the temporary suffix."""
KEY_BYTES: Final = 900
"""An object key holds 1,024 bytes on S3; the rest is for the prefix."""

_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")
_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


def segment(part: str) -> str:
    """One path segment for one key part; different parts give different segments."""
    text_bytes(part, "a key part")
    out = "".join([chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in part.encode()])
    return "%2e" + out[1:] if out.startswith(".") else out


def part(encoded: str) -> str:
    """The key part that `segment` was given."""
    pieces = encoded.split("%")
    raw = pieces[0].encode() + b"".join([bytes([int(piece[:2], 16)]) + piece[2:].encode() for piece in pieces[1:]])
    return raw.decode()


def blob_parts(scope: TenantScope, key: tuple[str, ...], *, whole: bool = True) -> tuple[str, ...]:
    """Tenant and key parts, checked. ``whole`` keys have at least one part; a prefix may have none."""
    parts = (scope.tenant, *key)
    if whole and not key:
        raise InvalidRequest("a blob key needs at least one part")
    if not all(parts) or any("\0" in part for part in parts):
        raise InvalidRequest("a part of the blob key is empty or holds NUL", facts={"key": list(key)})
    lengths = [len(segment(part)) for part in parts]
    if max(lengths) > SEGMENT_BYTES or sum(lengths) + len(lengths) > KEY_BYTES:
        facts = {"limit": SEGMENT_BYTES, "size": max(lengths)}
        raise TooLarge("the blob key is too long once encoded", facts=facts)
    return parts


def secret_name(scope: TenantScope, name: str) -> str:
    """``name``, checked: up to 128 of letters, digits, ``.``, ``_``, ``-``, with a letter or digit at both ends."""
    if not scope.tenant:
        raise InvalidRequest("the tenant is empty")
    if not _SECRET_NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} is no secret name",
            hint="use up to 128 letters, digits, '.', '_' or '-', with a letter or digit first and last",
        )
    return name
