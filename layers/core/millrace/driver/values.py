"""The payload codec in front of every stored value, and the claim check for large ones.

A value above 64 KiB becomes a blob. Its bytes are collected while events are made and are written before the segment
that refers to them is submitted. Blob keys begin with the execution, so that deleting an execution deletes by prefix.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from millrace.base import canonical
from millrace.base.errors import BlobCorrupt, TooLarge
from millrace.base.limits import INLINE_VALUE_BYTES, VALUE_BYTES
from millrace.engine.measures import ExchangeRecord, UsageRecord
from millrace.engine.values import SecretSite, Value
from millrace.expr import SecretRef, collect_secrets, restore_secrets
from millrace.ports.blobs import Blobs
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Exchange, Usage


class ValueCodec:
    """Encodes the values of one execution; ``blobs`` are still to be written, by key."""

    def __init__(self, execution: str) -> None:
        self._execution = execution
        self.blobs: dict[tuple[str, ...], bytes] = {}

    def encode(self, value: Any) -> Value:
        """The Value of plain JSON with secrets in it. Raises TooLarge above 16 MiB, InvalidRequest for what JSON
        cannot hold."""
        plain, found = collect_secrets(value)
        data = canonical.dumps(plain)
        size = len(data)
        if size > VALUE_BYTES:
            raise TooLarge(
                f"A value of {size:,} bytes is more than the {VALUE_BYTES:,} bytes one value may have.",
                hint="Keep the data in a store of your own and pass a reference to it.",
                facts={"limit": VALUE_BYTES, "size": size},
            )
        digest = canonical.sha256(data)
        secrets = tuple(SecretSite(tuple(path), _stored(parts)) for path, parts in found)
        if size <= INLINE_VALUE_BYTES:
            return Value(sha256=digest, size=size, inline=msgspec.Raw(data), secrets=secrets)
        key = ("execution", self._execution, "value", digest)
        self.blobs[key] = data
        return Value(sha256=digest, size=size, blob=key, secrets=secrets)

    def exchange(self, exchange: Exchange | None) -> ExchangeRecord | None:
        if exchange is None:
            return None
        return ExchangeRecord(
            method=exchange.method,
            url=exchange.url,
            status=exchange.status,
            request_headers=tuple(exchange.request_headers),
            response_headers=tuple(exchange.response_headers),
            request_body=self._body(exchange.request_body),
            response_body=self._body(exchange.response_body),
            redirects=tuple(exchange.redirects),
            peer=exchange.peer,
        )

    def _body(self, body: bytes) -> Value | None:
        if not body:
            return None
        try:
            return self.encode(body.decode())
        except UnicodeDecodeError:
            return self.encode({"base64": base64.b64encode(body).decode()})


def _stored(parts: Sequence[str | SecretRef]) -> tuple[str | tuple[str], ...]:
    return tuple((part.name,) if isinstance(part, SecretRef) else part for part in parts)


def with_secrets(value: Any, sites: tuple[SecretSite, ...]) -> Any:
    """``value`` with the secret references that belong into it put back."""
    if not sites:
        return value
    found = [
        (site.path, tuple(SecretRef(part[0]) if isinstance(part, tuple) else part for part in site.parts))
        for site in sites
    ]
    return restore_secrets(value, found)


def usage_record(usage: Usage) -> UsageRecord:
    return UsageRecord(**{name: getattr(usage, name) for name in UsageRecord.__struct_fields__})


def load_value(blobs: Blobs, scope: TenantScope, value: Value) -> Any:
    """The content of a Value, wherever it lies; secrets are not put back. Raises BlobMissing, BlobCorrupt."""
    if not value.blob:
        return value.decoded()
    data = blobs.get(scope, value.blob)
    if canonical.sha256(data) != value.sha256:
        raise BlobCorrupt(
            f"The stored value {'/'.join(value.blob)} does not match its hash.",
            hint="Restore the blob from its previous version.",
            facts={"key": list(value.blob), "sha256": value.sha256},
        )
    return msgspec.json.decode(data)
