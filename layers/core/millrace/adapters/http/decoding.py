"""Content codings undone with a bound on what comes out: a small response may hold a large one."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

from millrace.adapters.http.refusals import network, too_large, unreadable

ACCEPT_ENCODING: Final = "gzip, deflate"
_GZIP: Final = 31  # zlib's window bits for a gzip wrapper
_ZLIB: Final = 15
_RAW: Final = -15


class Decoder(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...

    def finish(self) -> None: ...


class Plain:
    """The identity coding. ``cap`` in bytes."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._left = cap

    def feed(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_large(self._cap)
        return chunk

    def finish(self) -> None:
        """A body without a coding ends where the transfer ends."""


class Inflater:
    """gzip (any number of members, RFC 1952) or deflate (zlib-wrapped as RFC 9110 says, or raw as some servers
    send it). ``cap`` in bytes of output; output beyond it is never made."""

    def __init__(self, coding: str, cap: int) -> None:
        self._bits = _GZIP if coding == "gzip" else _ZLIB
        self._inner = zlib.decompressobj(self._bits)
        self._begun = False
        self._cap = cap
        self._left = cap

    def feed(self, chunk: bytes) -> bytes:
        out = bytearray()
        while chunk:
            if self._inner.eof:
                if self._bits != _GZIP or not chunk.strip(b"\0"):  # padding after the end is common
                    break
                self._inner = zlib.decompressobj(_GZIP)
            # One byte more than is allowed tells "exactly at the cap" from "beyond it".
            made = self._inflate(chunk, self._left + 1)
            self._left -= len(made)
            if self._left < 0:
                raise _too_large(self._cap)
            out += made
            chunk = self._inner.unused_data
        return bytes(out)

    def finish(self) -> None:
        if self._begun and not self._inner.eof:
            raise network("truncated", "the compressed response ended early")

    def _inflate(self, chunk: bytes, most: int) -> bytes:
        first, self._begun = not self._begun, True
        try:
            return self._inner.decompress(chunk, most)
        except zlib.error:
            if not first or self._bits != _ZLIB:
                raise unreadable("content-encoding", "the response is not validly compressed") from None
        self._bits = _RAW
        self._inner = zlib.decompressobj(_RAW)
        try:
            return self._inner.decompress(chunk, most)
        except zlib.error:
            raise unreadable("content-encoding", "the response is not validly compressed") from None


def decoder(content_encoding: str, cap: int) -> Decoder:
    """For the value of a Content-Encoding header. Raises Refused on codings that were not asked for (br, zstd,
    several at once): their decompressors give no bound on memory, or multiply."""
    coding = content_encoding.strip().lower()
    if coding in ("", "identity"):
        return Plain(cap)
    if coding in ("gzip", "x-gzip"):
        return Inflater("gzip", cap)
    if coding == "deflate":
        return Inflater("deflate", cap)
    raise unreadable(
        "content-encoding",
        f"the response came in the coding {content_encoding[:40]!r}, which was not asked for",
        f"The server must honour Accept-Encoding: {ACCEPT_ENCODING}.",
    )


def _too_large(cap: int) -> Exception:
    return too_large("response-bytes", f"the response is larger than {cap} bytes", limit=cap, hint="Ask for less.")
