"""Which version a reference means, and which label comes next: the algorithm alone, on plain data.

Ordering is that of Semantic Versioning 2.0.0 §11. Ranges are npm's two common ones: ``^1.2`` is any version from
1.2.0 below 2.0.0 (below 0.3.0 for ``^0.2``), ``~1.2.3`` any from 1.2.3 below 1.3.0; ``1.2`` is the newest of 1.2.
Comparisons stand beside each other where all must hold: ``>=1 <2.5``; ``>1.2`` and ``<=1.2`` mean past and up to all of
1.2. Pre-releases are chosen only by their exact label.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_TERM: Final = re.compile(r"(\^|~|>=|<=|>|<|=)?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?")
MOST_TERMS: Final = 5
_LABEL: Final = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
FIRST: Final = "1.0.0"
Triple = tuple[int, int, int]
_FIRST: Final = (0, 0, 0)
_LAST: Final = (10**9, 0, 0)

Order = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def order(label: str) -> Order:
    """A sort key of a label. Raises ValueError on anything that is not a semantic version."""
    match = _LABEL.fullmatch(label)
    if match is None:
        raise ValueError(f"not a semantic version: {label!r}")
    major, minor, patch, pre = match.groups()
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")) if pre else ()
    return int(major), int(minor), int(patch), 0 if pre else 1, parts


def next_patch(label: str, taken: Collection[str]) -> str:
    """The first free patch after ``label``; after a pre-release, the release it leads to."""
    major, minor, patch, release, _ = order(label)
    number = patch + 1 if release else patch
    while f"{major}.{minor}.{number}" in taken:
        number += 1
    return f"{major}.{minor}.{number}"


def choose(wanted: str, labels: Mapping[str, int]) -> int | None:
    """The revision that a label or range names among ``labels`` (label to revision), or None.

    ``wanted`` is an exact label, or up to MOST_TERMS terms with spaces between them: one to three numbers behind
    ``^``, ``~`` or a comparison, or one or two numbers alone.
    """
    if wanted in labels:
        return labels[wanted]
    spans = [_span(term) for term in wanted.split(" ") if term]
    if not 0 < len(spans) <= MOST_TERMS:
        return None
    fitting = [
        (key, revision)
        for label, revision in labels.items()
        if (key := order(label))[3] == 1 and all(low <= key[:3] < high for low, high in spans)
    ]
    return max(fitting)[1] if fitting else None


def _span(term: str) -> tuple[Triple, Triple]:
    """The first version in a range and the first one past it; an empty range for what is no term."""
    match = _TERM.fullmatch(term)
    operator = (match[1] or "") if match is not None else ""
    given = [int(part) for part in match.groups()[1:] if part is not None] if match is not None else []
    if match is None or (not operator and len(given) == 3):
        return _FIRST, _FIRST
    major, minor, patch = [*given, 0, 0][:3]
    low, past = (major, minor, patch), _past(given)
    return {
        "": (low, past),
        "=": (low, past),
        ">=": (low, _LAST),
        ">": (past, _LAST),
        "<": (_FIRST, low),
        "<=": (_FIRST, past),
        "~": (low, past if len(given) < 3 else (major, minor + 1, 0)),
        "^": (low, _compatible(given)),
    }[operator]


def _past(given: list[int]) -> Triple:
    """The first version that does not begin with these numbers."""
    major, minor, patch = [*given, 0, 0][:3]
    return ((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))[len(given) - 1]


def _compatible(given: list[int]) -> Triple:
    """The first version that may break what these numbers promise: the leftmost one that is not zero counts."""
    first = next((place for place, number in enumerate(given) if number), len(given) - 1)
    return _past(given[: first + 1])
