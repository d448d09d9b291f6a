"""Values of documents that nobody has checked, taken as what they should be, or as nothing."""

from __future__ import annotations

from typing import Any

MOST_TASKS = 2_000
"""Tasks that one import makes: each is checked against the others afterwards."""


def larger(value: Any, most: int) -> bool:
    """Whether a value has more than so many parts, those that stand in several places counted in each."""
    stack = [value]
    count = 0
    while stack:
        item = stack.pop()
        count += 1
        if count > most:
            return True
        stack.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
    return False


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any, otherwise: str = "") -> str:
    return value if isinstance(value, str) else otherwise


def number(value: Any) -> int | float | None:
    """A number, also one that is written as text; True, False, and what is beyond a million millions are none."""
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 10**12 or value != value:
        return None
    return int(value) if value == int(value) else value


def truth(value: Any) -> bool:
    return value is True or value == "true"
