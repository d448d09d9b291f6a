"""The Value record: how every user value stands in an event, whatever its size.

A value is inline canonical JSON, or a reference to a blob, with its hash and size beside it; never a marker inside
the user's own JSON, so that user data which looks like one of our references stays data. Secrets that belong into
a value are named beside it by path: their text is not there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millrace.base import canonical

NO_INLINE = msgspec.Raw(b"")
_decode = msgspec.json.Decoder().decode


class SecretSite(msgspec.Struct, frozen=True, array_like=True):
    """Where secret text goes: ``path`` into the value, ``parts`` alternating literal text and ``[name]``."""

    path: tuple[str | int, ...]
    parts: tuple[str | tuple[str], ...]


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """``size`` is the length of the canonical JSON in bytes, ``sha256`` its hash in hex. Exactly one of ``inline``
    and ``blob`` is set. ``codec`` other than ``identity`` means that the bytes are encrypted under ``key_id``."""

    sha256: str
    size: int
    inline: msgspec.Raw = NO_INLINE
    blob: tuple[str, ...] = ()
    codec: str = "identity"
    key_id: str = ""
    classification: str = ""
    secrets: tuple[SecretSite, ...] = ()

    def decoded(self) -> Any:
        """The value itself. Only for inline values; a blob has to be fetched first."""
        return _decode(self.inline)


def inline_value(value: Any) -> Value:
    """A Value that holds canonical JSON, whatever its size. Raises InvalidRequest for what JSON cannot hold."""
    data = canonical.dumps(value)
    return Value(sha256=canonical.sha256(data), size=len(data), inline=msgspec.Raw(data))
