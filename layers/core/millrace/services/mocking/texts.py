"""Texts that fit what a schema says of a text: its format, its pattern, its length. The same schema always gives the
same texts, each another one, so that a list of unique items can be filled."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice
from typing import Any, Final

from millrace.services.mocking.regular import texts_of
from millrace.spec.patterns import found

MOST_CHARS: Final = 64 * 1024
"""A text that has to be longer is not made."""
_TRIES: Final = 400
"""Candidates looked at before a combination of keywords is given up."""
_EPOCH: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)

FORMATS: Final[dict[str, Callable[[int], str]]] = {
    "binary": lambda n: f"bytes-{n}" if n else "bytes",
    "byte": lambda n: base64.b64encode(f"bytes-{n}".encode()).decode(),
    "date": lambda n: (_EPOCH + timedelta(days=n)).date().isoformat(),
    "date-time": lambda n: (_EPOCH + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "duration": lambda n: f"PT{n + 1}M",
    "email": lambda n: f"user{n + 1}@example.com",
    "hostname": lambda n: f"host{n + 1}.example.com",
    "idn-email": lambda n: f"user{n + 1}@example.com",
    "idn-hostname": lambda n: f"host{n + 1}.example.com",
    "ipv4": lambda n: f"192.0.2.{n % 254 + 1}",
    "ipv6": lambda n: f"2001:db8::{n + 1:x}",
    "iri": lambda n: f"https://example.com/{n + 1}",
    "iri-reference": lambda n: f"/{n + 1}",
    "json-pointer": lambda n: f"/{n}",
    "regex": lambda n: f"^[a-z]{{{n + 1}}}$",
    "relative-json-pointer": lambda n: f"{n}/a",
    "time": lambda n: (_EPOCH + timedelta(seconds=n)).strftime("%H:%M:%SZ"),
    "uri": lambda n: f"https://example.com/{n + 1}",
    "uri-reference": lambda n: f"/{n + 1}",
    "uri-template": lambda n: f"/{n + 1}/{{id}}",
    "url": lambda n: f"https://example.com/{n + 1}",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n + 1:012x}",
}
"""Format → the n-th text in it. Addresses are those that are set aside for documentation (RFC 2606, 3849, 5737)."""


def texts(conjuncts: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Texts that fit the keywords of all schemas together; none where there is no such text, or it is hard to find."""
    least = max((one.get("minLength", 0) for one in conjuncts), default=0)
    most = min((one["maxLength"] for one in conjuncts if "maxLength" in one), default=MOST_CHARS)
    patterns = list(dict.fromkeys(one["pattern"] for one in conjuncts if "pattern" in one))
    formats = [one["format"] for one in conjuncts if one.get("format") in FORMATS]
    if least > min(most, MOST_CHARS):
        return
    sources: list[Iterator[str]] = [map(FORMATS[name], count()) for name in formats]
    sources += [texts_of(pattern, least=least) for pattern in patterns]
    sources += [_longer(pattern, least) for pattern in patterns]
    sources.append(_plain(least, most))
    seen: set[str] = set()
    for text in chain.from_iterable(islice(source, _TRIES) for source in sources):
        if least <= len(text) <= most and text not in seen and all(found(pattern, text) for pattern in patterns):
            seen.add(text)
            yield text


def _longer(pattern: str, least: int) -> Iterator[str]:
    """Texts with more behind what the pattern asks for, where it does not say how a text ends."""
    for number in count(1):
        for text in islice(texts_of(pattern), 1):
            yield text + _letters(number, max(1, least - len(text)))


def _plain(least: int, most: int) -> Iterator[str]:
    """``string``, ``string-2`` and so on, made longer or cut; where little fits, counted with letters."""
    for number in count(1):
        mark = "" if number == 1 else f"-{number}"
        if most < len("string") + 4:
            yield _letters(number, max(least, 1) if most else 0)
            continue
        word = "string" + mark
        yield ("string-" * (least // 7 + 1))[: least - len(word)] + word if least > len(word) else word


def _letters(number: int, width: int) -> str:
    text = ""
    number -= 1
    while number or len(text) < width:
        text = chr(ord("a") + number % 26) + text
        number //= 26
    return text
