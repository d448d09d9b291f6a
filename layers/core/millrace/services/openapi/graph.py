"""Which schemas apply each other to the same value, found before any of them is used.

A schema that reaches itself through ``allOf`` and its like alone would be judged without end, and a ladder of
schemas that each apply the next one twice would take exponential time. Both are found on the graph of in-place
references: its strongly connected components (Tarjan 1972, here without recursion), and for each schema the number
of applications below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

WEIGHT: Final = 1_000
"""Applications of schemas to one value that a reference may stand for."""
HEIGHT: Final = 24
"""Schemas that may apply one another in a row."""


class InPlaceGraph:
    """``targets`` gives the in-place references of a schema, by name, repeated as often as they are written."""

    def __init__(self, targets: Callable[[str], Iterable[str]]) -> None:
        self._targets = targets
        self._index: dict[str, int] = {}
        self._low: dict[str, int] = {}
        self._group: dict[str, int] = {}
        self._weight: dict[str, int] = {}
        self._height: dict[str, int] = {}
        self._stack: list[str] = []

    def refused(self, source: str | None, target: str) -> str:
        """Why ``source`` (None: a schema that nothing refers to) must not apply ``target`` in place: ``cycle`` or
        ``heavy``; empty when it may."""
        self._visit(target)
        if source is not None:
            self._visit(source)
            if self._group[source] == self._group[target]:
                return "cycle"
        heavy = self._weight[target] > WEIGHT or self._height[target] > HEIGHT
        return "heavy" if heavy else ""

    def _visit(self, start: str) -> None:
        if start in self._index:
            return
        work = [self._enter(start)]
        while work:
            node, targets, place = work[-1]
            if place < len(targets):
                work[-1] = (node, targets, place + 1)
                target = targets[place]
                if target not in self._index:
                    work.append(self._enter(target))
                elif target not in self._group:
                    self._low[node] = min(self._low[node], self._index[target])
                continue
            work.pop()
            if work:
                parent = work[-1][0]
                self._low[parent] = min(self._low[parent], self._low[node])
            if self._low[node] == self._index[node]:
                self._close(node)

    def _enter(self, node: str) -> tuple[str, list[str], int]:
        self._index[node] = self._low[node] = len(self._index)
        self._stack.append(node)
        return node, list(self._targets(node)), 0

    def _close(self, node: str) -> None:
        """Ends the component of ``node``; whatever it leads to outside of itself is closed already."""
        members = []
        while True:
            member = self._stack.pop()
            members.append(member)
            self._group[member] = self._index[node]
            if member == node:
                break
        for member in members:
            outside = [t for t in self._targets(member) if self._group[t] != self._index[node]]
            allowed = [t for t in outside if self._weight[t] <= WEIGHT and self._height[t] <= HEIGHT]
            self._weight[member] = 1 + sum(self._weight[target] for target in allowed)
            self._height[member] = 1 + max((self._height[target] for target in allowed), default=0)
