"""Time, identity and chance as arguments: the three ports that make the rest deterministic."""

from __future__ import annotations

from typing import Protocol

from millrace.base.ids import Millis


class Clock(Protocol):
    def now(self) -> Millis: ...


class Ids(Protocol):
    def new(self) -> str:
        """A fresh id of `millrace.base.ids` shape, in the home region."""
        ...


class Random(Protocol):
    def uniform(self) -> float:
        """In [0, 1)."""
        ...

    def bits(self, count: int) -> int: ...
