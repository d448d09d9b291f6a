"""A request signed with a shared secret: one rule that spells the schemes services use.

HMAC (RFC 2104) over the parts a task lists, joined by its separator. What is signed is taken from the request as it
is sent, bytes for bytes, so that the receiver's own reading of it gives the same text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from millrace.adapters.http.refusals import invalid
from millrace.adapters.http.requests import check_header
from millrace.adapters.http.transport import Request
from millrace.ports.world import Clock
from millrace.spec.tasks.http_auth import HmacAuth

_SECOND_MS: Final = 1000


class Signature:
    """The authority of `auth.hmac`: signs every request anew, since time and target change from one to the next."""

    def __init__(self, rule: HmacAuth, clock: Clock) -> None:
        self._rule = rule
        self._clock = clock
        self._key = _key(rule)
        self.carriers = frozenset({rule.header.lower()})

    async def authorize(self, request: Request) -> Request:
        return sign(request, self._rule, self._key, self._clock.now())

    async def renew(self) -> bool:
        """A service that refuses a signature refuses the next one too."""
        return False


def sign(request: Request, rule: HmacAuth, key: bytes, now_ms: int) -> Request:
    """The request with the signature's header, and the timestamp's where the rule names one. Raises Refused when the
    request has a header of that name, or lacks one that is signed."""
    stamp = timestamp(rule, now_ms)
    headers = list(request.headers)
    given = {name.lower() for name, _ in headers}
    for name in filter(None, (rule.timestamp_header, rule.header)):
        if name.lower() in given:
            raise invalid("header", f"the header {name} is set by auth.hmac", "Take it out of headers.")
    if rule.timestamp_header is not None:
        headers.append((rule.timestamp_header, stamp))
    stamped = replace(request, headers=tuple(headers))
    text = rule.separator.encode().join(_part(name, stamped, rule, stamp) for name in rule.signed)
    digest = hmac.digest(key, text, rule.algorithm)
    spelled = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    value = rule.format.replace("{timestamp}", stamp).replace("{signature}", spelled)
    for name, shown in ((rule.header, value), *headers[len(request.headers) :]):
        check_header(name, shown)
    return replace(stamped, headers=(*stamped.headers, (rule.header, value)))


def timestamp(rule: HmacAuth, now_ms: int) -> str:
    """The time as the rule spells it; ``now_ms`` is Unix milliseconds. Parts of a second are cut off."""
    if rule.timestamp_format == "milliseconds":
        return str(now_ms)
    if rule.timestamp_format == "iso":
        return datetime.fromtimestamp(now_ms // _SECOND_MS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(now_ms // _SECOND_MS)


def _part(name: str, request: Request, rule: HmacAuth, stamp: str) -> bytes:
    if name == "body":
        return request.body
    path, _, query = request.url.target.partition("?")
    texts = {
        "method": request.method,
        "host": request.url.authority,
        "path": path,
        "query": query,
        "target": request.url.target,
        "timestamp": stamp,
    }
    if name in texts:
        return texts[name].encode()
    if name == "bodyHash":
        return hashlib.new(rule.algorithm, request.body).hexdigest().encode()
    wanted = name.removeprefix("header:").lower()
    values = [value.strip() for given, value in request.headers if given.lower() == wanted]
    if wanted == "host":
        values = [request.url.authority]
    if not values:
        raise invalid("config", f"auth.hmac signs the header {wanted}, which the request lacks", "Add it to headers.")
    return ", ".join(values).encode()


def _key(rule: HmacAuth) -> bytes:
    text = str(rule.key)
    try:
        if rule.key_encoding == "hex":
            return bytes.fromhex(text)
        if rule.key_encoding == "base64":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        failure = invalid(
            "config", f"the key of auth.hmac is not {rule.key_encoding}", "Correct keyEncoding, or the secret."
        )
    else:
        return text.encode()
    raise failure
