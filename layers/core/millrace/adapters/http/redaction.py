"""What an exchange may show: credentials by their names, whoever put them there."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from millrace.adapters.http.contents import read_body
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.scrubbing import Scrubber
from millrace.base.canonical import dumps
from millrace.base.limits import KIB

CAPTURE_BYTES: Final = 64 * KIB
REDACTED: Final = "[redacted]"

_CREDENTIAL: Final = re.compile(
    r"auth|cookie|token|secret|passw|session|signature|credential|api-?_?key|access-?_?key|private-?_?key",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(r"(?P<before>[?&](?P<name>[^=&#]*)=)(?P<value>[^&#]*)")
Headers = tuple[tuple[str, str], ...]


def redact_headers(headers: Headers, scrub: Scrubber, carriers: Collection[str] = ()) -> Headers:
    """Values of headers named like a credential, or in ``carriers`` (lower case), are replaced; others scrubbed."""
    return tuple(
        (
            scrub.text(name),
            REDACTED if name.lower() in carriers or _CREDENTIAL.search(name) else scrub.text(value),
        )
        for name, value in headers
    )


def redact_url(url: str, scrub: Scrubber) -> str:
    """Query values named like a credential are replaced, and what is left is scrubbed."""
    return scrub.text(
        _PARAMETER.sub(
            lambda match: match["before"] + REDACTED if _CREDENTIAL.search(match["name"]) else match.group(), url
        )
    )


def capture(body: bytes, scrub: Scrubber) -> bytes:
    """The first CAPTURE_BYTES of a body, scrubbed before it is cut, so that no half of a value is left."""
    return scrub.raw(body)[:CAPTURE_BYTES]


def capture_response(body: bytes, content_type: str, scrub: Scrubber) -> bytes:
    """Like `capture`, but a secret is also found behind escapes or another charset: what is then kept is the
    scrubbed value as canonical JSON, or the scrubbed text as UTF-8, instead of the bytes that came."""
    if not scrub:
        return body[:CAPTURE_BYTES]
    try:
        value = read_body(body, content_type)
    except Refused:
        return capture(body, scrub)
    shown = scrub.value(value)
    if shown == value or _is_binary(value):
        return capture(body, scrub)
    return (shown.encode() if isinstance(shown, str) else dumps(shown))[:CAPTURE_BYTES]


def _is_binary(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"base64"}
