"""What one evaluation works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millrace.expr.fuel import Fuel


class Frame:
    """Data roots, fuel, and the variables of macros by slot. One frame may serve many evaluations in a row."""

    __slots__ = ("env", "fuel", "slots")

    def __init__(self, env: Mapping[str, Any], fuel: Fuel, slots: int) -> None:
        self.env = env
        self.fuel = fuel
        self.slots: list[Any] = [None] * slots


Run = Callable[[Frame], Any]
