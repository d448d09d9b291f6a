"""Which version a reference means, and which label comes next: the algorithm alone, on plain data.

Ordering is that of Semantic Versioning 2.0.0 §11. Ranges are npm's two common ones: ``^1.2`` is any version from
1.2.0 below 2.0.0 (below 0.3.0 for ``^0.2``), ``~1.2.3`` any from 1.2.3 below 1.3.0; ``1.2`` is the newest of 1.2.
Pre-releases are chosen only by their exact label.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_CORE: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?")
_LABEL: Final = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
FIRST: Final = "1.0.0"

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

    ``wanted`` is an exact label, ``^`` or ``~`` and one to three numbers, or one or two numbers alone.
    """
    if wanted in labels:
        return labels[wanted]
    operator = wanted[0] if wanted[:1] in ("^", "~") else ""
    match = _CORE.fullmatch(wanted.removeprefix(operator))
    if match is None:
        return None
    given = [int(part) for part in match.groups() if part is not None]
    if not operator and len(given) == 3:
        return None
    low = tuple(given + [0] * (3 - len(given)))
    high = _bound(operator, given)
    fitting = [
        (key, revision) for label, revision in labels.items() if (key := order(label))[3] == 1 and low <= key[:3] < high
    ]
    return max(fitting)[1] if fitting else None


def _bound(operator: str, given: list[int]) -> tuple[int, int, int]:
    """The first version past the range."""
    major, minor, patch = [*given, 0, 0][:3]
    if operator == "^":
        if major > 0 or len(given) == 1:
            return major + 1, 0, 0
        if minor > 0 or len(given) == 2:
            return 0, minor + 1, 0
        return 0, 0, patch + 1
    return (major + 1, 0, 0) if len(given) == 1 else (major, minor + 1, 0)
