"""States one behind the other, and the names they go by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

Chain = list[tuple[str, dict[str, Any]]]
"""Named states. One marked ``_side`` is not fallen into from above; one marked ``_fixed`` knows its successor."""
_UNNAME: Final = re.compile(r"[^A-Za-z0-9_]+")


def side(result: Any, where: str, *, key: str = "Result") -> dict[str, Any]:
    """A Pass state beside the line, which goes on where the line does."""
    return {"Type": "Pass", key: result, "ResultPath": where, "_side": True}


def linked(chain: Chain, end: str | None = None) -> dict[str, Any]:
    """States by name, each leading to the next that stands in the line; the last one ends the machine, or leads to
    ``end``."""
    states: dict[str, Any] = {}
    for index, (name, state) in enumerate(chain):
        made = {key: value for key, value in state.items() if key not in ("_side", "_fixed")}
        after = next((name for name, one in chain[index + 1 :] if not {"_side", "_fixed"} & one.keys()), end)
        if made["Type"] != "Choice" and "_fixed" not in state:
            made |= {"End": True} if after is None else {"Next": after}
        states[name] = made
    return states


def fixed(states: dict[str, Any]) -> Chain:
    """States that are linked already, as a part of a longer line beside which they stand."""
    return [(name, {**state, "_fixed": True}) for name, state in states.items()]


def names_of(ids: Iterable[str]) -> list[str]:
    """A name for each task that may stand in a path and, with a word behind it, name a state (80 characters)."""
    found: list[str] = []
    taken = {"Begin", "End"}
    for name in ids:
        base = _UNNAME.sub("_", name)[:60]
        base = base if base[:1].isalpha() or base[:1] == "_" else f"t_{base}"
        made, count = base, 1
        while made in taken:
            count += 1
            made = f"{base}_{count}"
        taken.add(made)
        found.append(made)
    return found
