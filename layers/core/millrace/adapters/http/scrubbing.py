"""Secret values taken out of whatever came back, in every spelling a server is likely to echo them in.

A service that answers with the request it received would otherwise write a credential into the history. This is a
second line: the first is that secrets are references until the moment of the call. It cannot see a value that the
other side transformed in its own way (encrypted, reversed, split).
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from millrace.base.canonical import dumps

_ALIGNED_CHARS: Final = 8  # shorter pieces of base64 are too common to be replaced


class Scrubber:
    """``secrets`` maps names to values; each spelling of a value is replaced by ``[secret:NAME]``."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)
        self._marker: dict[str, str] = {}
        for name, value in self.secrets.items():
            for spelling in spellings(value):
                self._marker.setdefault(spelling, f"[secret:{name}]")
        longest_first = sorted(self._marker, key=len, reverse=True)
        self._bytes = [(spelling.encode(), spelling) for spelling in longest_first]
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._raw = re.compile(b"|".join(re.escape(raw) for raw, _ in self._bytes))

    def __bool__(self) -> bool:
        return bool(self._marker)

    def text(self, text: str) -> str:
        # A substring search is some hundred times faster than the alternation, and most texts hold nothing.
        if not any(spelling in text for spelling in self._marker):
            return text
        return self._pattern.sub(lambda match: self._marker[match.group()], text)

    def raw(self, data: bytes) -> bytes:
        if not any(raw in data for raw, _ in self._bytes):
            return data
        return self._raw.sub(lambda match: self._marker[match.group().decode()].encode(), data)

    def value(self, value: Any) -> Any:
        """A JSON value with every string, key and number scrubbed; a number that spells a secret becomes text."""
        if not self:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        spelled = dumps(value).decode()
        scrubbed = self.text(spelled)
        return value if scrubbed == spelled else scrubbed

    def names_in(self, data: bytes) -> list[str]:
        """The secrets that ``data`` holds in any spelling."""
        return [name for name, value in self.secrets.items() if any(s.encode() in data for s in spellings(value))]


def spellings(value: str) -> set[str]:
    """A value as it is, URL-encoded, JSON- and HTML-escaped, in hexadecimal, and in base64 (both alphabets, and at
    each of the three places it can have inside a longer encoded text)."""
    if not value:
        return set()
    raw = value.encode()
    found = {value, value.strip() or value, html.escape(value), html.escape(value, quote=False)}
    found |= {raw.hex(), raw.hex().upper()}
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        found |= {escaped, escaped.replace("/", "\\/")}
    for encoded in (quote(value), quote(value, safe=""), quote_plus(value)):
        found |= {encoded, re.sub("%..", lambda match: match.group().lower(), encoded)}
    found |= set(_base64(raw))
    return found


def _base64(raw: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        for lead in range(3):
            # The first characters mix with what stands before, the last with what comes after.
            inner = encode(b"\0" * lead + raw).decode().rstrip("=")
            start = (0, 2, 3)[lead]
            end = len(inner) - ((lead + len(raw)) % 3 != 0)
            if end - start >= _ALIGNED_CHARS:
                yield inner[start:end]
