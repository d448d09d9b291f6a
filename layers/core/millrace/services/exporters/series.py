"""Whether an order is series-parallel, and how: the only orders that Parallel states can keep.

A set of tasks falls apart in parallel where no task of one part waits for one of another, and in series where every
task of one part waits for every task of the part before; a set of more than one that does neither has the shape of an N
(Valdes, Tarjan and Lawler, "The recognition of series parallel digraphs", 1982). Cubic in the number of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct


class Series(Struct, frozen=True):
    """Parts one behind the other."""

    parts: tuple[Order, ...]


class Side(Struct, frozen=True):
    """Parts side by side."""

    parts: tuple[Order, ...]


Order = str | Series | Side


class Crossed(Exception):
    """Tasks whose order is not series-parallel; ``tasks`` are they."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(", ".join(tasks))
        self.tasks = tuple(tasks)


def above(needs: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Everything that each task waits for, through any number of others. ``needs`` has no rings."""
    found: dict[str, frozenset[str]] = {}
    stack = list(needs)
    while stack:
        name = stack[-1]
        missing = [need for need in needs[name] if need not in found]
        if missing:
            stack += missing
            continue
        stack.pop()
        found[name] = frozenset(needs[name]).union(*(found[need] for need in needs[name]))
    return found


def series_parallel(tasks: Sequence[str], before: Mapping[str, frozenset[str]]) -> Order:
    """The order of some tasks, in the order of the document where nothing else decides. Raises Crossed."""
    if len(tasks) == 1:
        return tasks[0]
    sides = _parts(tasks, lambda a, b: a in before[b] or b in before[a])
    if len(sides) > 1:
        return Side(tuple(series_parallel(part, before) for part in sides))
    steps = _parts(tasks, lambda a, b: a not in before[b] and b not in before[a])
    if len(steps) == 1:
        raise Crossed(tasks)
    steps.sort(key=lambda part: len(before[part[0]].intersection(tasks)))
    return Series(tuple(series_parallel(part, before) for part in steps))


def _parts(tasks: Sequence[str], linked: Callable[[str, str], bool]) -> list[list[str]]:
    """The connected parts of the tasks."""
    left = list(tasks)
    found: list[list[str]] = []
    while left:
        part, grown = [left.pop(0)], 0
        while grown < len(part):
            near = [name for name in left if linked(part[grown], name)]
            left = [name for name in left if name not in set(near)]
            part += near
            grown += 1
        found.append([name for name in tasks if name in set(part)])
    return found
