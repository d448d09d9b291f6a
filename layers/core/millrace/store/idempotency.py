"""Idempotency records: a creating request that is sent again gets the answer of the first, and creates nothing.

A record is one item (tenant, route, key), put in the transaction that creates the resource, so that there never is
one without the other. It lives for a day; expiry is judged on read, deletion by the store only cleans.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import dumps, parse_json
from millrace.base.errors import IdempotencyMismatch, InvalidRequest
from millrace.base.ids import Millis
from millrace.ports.documents import AnyOf, Check, Documents, Item, Key, Put, Table, TenantScope

KEPT_MS: Final = 24 * 60 * 60 * 1000
KEY_CHARS: Final = 255
_READ_DEPTH: Final = 128


class Claim(Struct, frozen=True):
    """A request's claim to one answer. ``route`` is the method and path; ``body_hash`` covers everything that
    decides what the request does."""

    table: Table
    route: str
    key: str
    body_hash: str

    @property
    def item_key(self) -> Key:
        return Key(self.table, ("idempotency", self.route), self.key)


def checked_key(key: str) -> str:
    """An Idempotency-Key as the header gives it. Raises InvalidRequest unless it is 1 to 255 printable ASCII."""
    if not 1 <= len(key) <= KEY_CHARS or not all("\x20" < char < "\x7f" for char in key):
        raise InvalidRequest(
            f"an Idempotency-Key is 1 to {KEY_CHARS} printable ASCII characters without spaces",
            hint="Send a fresh UUID.",
        )
    return key


def earlier_answer(documents: Documents, scope: TenantScope, claim: Claim, *, now: Millis) -> Any | None:
    """The answer that was given to this claim, or None. Raises IdempotencyMismatch when the key stands for another
    request."""
    item = documents.get(scope, claim.item_key)
    if item is None or int(str(item.attrs["expiresAt"])) <= now:
        return None
    if item.attrs["bodyHash"] != claim.body_hash:
        raise IdempotencyMismatch(
            "the Idempotency-Key was used with another request", hint="Send a fresh key with a new request."
        )
    body = item.attrs["body"]
    return parse_json(body, depth=_READ_DEPTH) if isinstance(body, bytes) else None


def record(claim: Claim, answer: Any, *, now: Millis) -> Put:
    """The operation that keeps ``answer``. It is refused when a living record is there already; read it then."""
    expires = now + KEPT_MS
    return Put(
        Item(
            claim.item_key,
            {"bodyHash": claim.body_hash, "expiresAt": expires, "body": dumps(answer)},
            expires_at=expires // 1000,
        ),
        when=(AnyOf((Check("absent"), Check("le", "expiresAt", now))),),
    )
