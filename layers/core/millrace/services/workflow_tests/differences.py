"""Where two JSON values differ, by path, in words that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from msgspec import Struct

MOST: Final = 20
"""Differences that are reported of one value."""
SHOWN_CHARS: Final = 400
"""How much of a value stands in a sentence."""


class _Absent:
    """No value at all, which null is not."""


ABSENT: Final = _Absent()


class Difference(Struct, frozen=True):
    """``path`` leads into the value (``body.items[2].id``, empty for the whole); `ABSENT` stands for no value."""

    path: str
    expected: Any
    actual: Any

    def line(self) -> str:
        """One line for people."""
        at = f"{self.path}: " if self.path else ""
        if self.expected is ABSENT:
            return f"{at}not expected: {short(self.actual)}"
        if self.actual is ABSENT:
            return f"{at}missing, expected {short(self.expected)}"
        return f"{at}expected {short(self.expected)}, got {short(self.actual)}"


def differences(expected: Any, actual: Any, *, part: bool = False) -> list[Difference]:
    """The first differences in order of their paths; none if the values are equal as JSON (1 equals 1.0, and true is
    no number). With ``part``, objects may have more keys than expected, at any depth."""
    return list(islice(_walk(expected, actual, "", part), MOST))


def _walk(expected: Any, actual: Any, path: str, part: bool) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected:
            yield from _walk(expected[key], actual.get(key, ABSENT), _key(path, key), part)
        if not part:
            yield from (Difference(_key(path, key), ABSENT, actual[key]) for key in actual if key not in expected)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            before = expected[index] if index < len(expected) else ABSENT
            after = actual[index] if index < len(actual) else ABSENT
            yield from _walk(before, after, f"{path}[{index}]", part)
    elif not _equal(expected, actual):
        yield Difference(path, expected, actual)


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual
    return type(expected) is type(actual) and bool(expected == actual)


def _key(path: str, key: str) -> str:
    if not key.replace("-", "_").isidentifier():
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def short(value: Any) -> str:
    """A value as one line of JSON, cut where it is long."""
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text)} characters)"
