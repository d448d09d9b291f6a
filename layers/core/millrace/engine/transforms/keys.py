"""Keys made of JSON values: to sort by and to group by.

Order of kinds: false, true, numbers, texts by code point, lists, maps; lists and maps among themselves by their
canonical JSON. Equality is that of expressions: 1 and 1.0 are one key, 1 and true are two.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from millrace.expr.faults import NOWHERE
from millrace.expr.fuel import Fuel
from millrace.expr.values import DEPTH_MAX, json_text, kind, secret_fault

MISSING: Final = object()
"""Stands for a field that is not there, which is told from null."""

_ORDER: Final = (("bool",), ("int", "double"), ("string",), ("list",), ("map",))
_RANKS: Final = {what: rank for rank, group in enumerate(_ORDER) for what in group}


def sort_key(value: Any, fuel: Fuel) -> tuple[int, Any]:
    """Comparable with every other sort key. ``value`` is neither null nor missing."""
    what = kind(value)
    if what not in _RANKS:
        raise _unfit(what)
    rank = _RANKS[what]
    return (rank, json_text(value, fuel, NOWHERE) if rank > 2 else value)


def group_key(value: Any, fuel: Fuel, depth: int = 0) -> Hashable:
    """Equal for equal values. A missing value counts as null."""
    if value is MISSING:
        return None
    what = kind(value)
    if what in {"null", "int", "double", "string"}:
        scalar: Hashable = value
        return scalar
    if what == "bool":
        return ("bool", value)
    if what not in _RANKS:
        raise _unfit(what)
    if depth > DEPTH_MAX:
        raise NOWHERE.fault("depth", f"a key is nested deeper than {DEPTH_MAX} levels")
    fuel.spend(len(value) + 1, NOWHERE)
    if isinstance(value, Mapping):
        return ("map", frozenset((key, group_key(entry, fuel, depth + 1)) for key, entry in value.items()))
    return ("list", tuple(group_key(entry, fuel, depth + 1) for entry in value))


def _unfit(what: str) -> Exception:
    if what == "secret":
        return secret_fault(NOWHERE)
    return NOWHERE.fault("type", "a key is not a JSON value", found=what)
