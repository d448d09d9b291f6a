"""Which operation a request is for: path templates with any number of variables in a segment.

Nothing here is a regular expression, so that no document can make matching slow: a segment is compared piece by piece,
and each variable takes as little as it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from millrace.services.openapi.operations import Operation

_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")
_CLOSE: Final = 0.5


class Match(Struct, frozen=True):
    """The operations of one path by method in lower case, and the texts of its variables, still encoded."""

    path: str
    operations: dict[str, Operation]
    variables: dict[str, str]


class _Template(Struct, frozen=True):
    """``segments`` hold constants and names of variables in turn, beginning and ending with a constant."""

    path: str
    segments: tuple[tuple[str, ...], ...]

    @property
    def rank(self) -> tuple[int, int]:
        """Concrete paths before those with variables, more constant text before less."""
        variables = sum(len(parts) // 2 for parts in self.segments)
        return variables, -sum(len(part) for parts in self.segments for part in parts[::2])


class Routes:
    """The paths of a document. ``bases`` are paths of its servers, which requests may have before them."""

    def __init__(self, operations: Iterable[Operation], bases: Iterable[str] = ()) -> None:
        self._bases = [base for base in dict.fromkeys(bases) if base.strip("/")]
        self._by_path: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            self._by_path.setdefault(operation.path, {})[operation.method] = operation
        self._by_length: dict[int, list[_Template]] = {}
        for path in self._by_path:
            template = _Template(path, tuple(tuple(_VARIABLE.split(part)) for part in path.split("/")[1:]))
            self._by_length.setdefault(len(template.segments), []).append(template)
        for found in self._by_length.values():
            found.sort(key=lambda template: template.rank)

    def find(self, path: str) -> Match | None:
        """The path that a request for ``path``, as it stands in its URL, is meant for."""
        for rest in self._without_base(path):
            segments = rest.split("/")[1:]
            for template in self._by_length.get(len(segments), ()):
                variables = _compared(template, segments)
                if variables is not None:
                    return Match(template.path, self._by_path[template.path], variables)
        return None

    def nearest(self, method: str, path: str) -> list[str]:
        """At most three operations whose paths resemble the path most, as ``GET /pets/{id}``; the method counts
        little."""
        asked = next(iter(list(self._without_base(path))[::-1]))[:300]

        def likeness(operation: Operation) -> float:
            parts = asked.split("/")[1:], operation.path.split("/")[1:]
            same = sum(left == right or right.startswith("{") for left, right in zip(*parts, strict=False))
            spelled = SequenceMatcher(None, asked, operation.path, autojunk=False).quick_ratio()
            return spelled + same / max(map(len, parts)) + (0.1 if operation.method == method.lower() else 0)

        every = (operation for found in self._by_path.values() for operation in found.values())
        best = nlargest(3, ((likeness(one), one.title) for one in every), key=lambda pair: pair[0])
        return [title for value, title in best if value >= _CLOSE]

    def _without_base(self, path: str) -> Iterator[str]:
        yield path
        for base in self._bases:
            if path == base or path.startswith(base + "/"):
                yield path[len(base) :] or "/"


def _compared(template: _Template, segments: list[str]) -> dict[str, str] | None:
    """The texts of the variables, None where a segment differs."""
    found: dict[str, str] = {}
    for parts, text in zip(template.segments, segments, strict=True):
        if len(parts) == 1:
            if parts[0] != text and parts[0] != unquote(text):
                return None
        elif not _taken(parts, text, found):
            return None
    return found


def _taken(parts: tuple[str, ...], text: str, found: dict[str, str]) -> bool:
    """Put the texts of a segment's variables into ``found``; answers whether the segment fits."""
    if not text.startswith(parts[0]):
        return False
    at = len(parts[0])
    for index in range(1, len(parts), 2):
        name, behind = parts[index], parts[index + 1]
        end = len(text) - len(behind) if index + 2 == len(parts) else text.find(behind, at + 1)
        if end <= at or not text.startswith(behind, end):
            return False
        found[name], at = text[at:end], end + len(behind)
    return at == len(text)
