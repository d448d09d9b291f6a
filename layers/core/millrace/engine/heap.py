"""Reading a binary heap in order without changing it.

`decide` must not mutate State, yet needs the smallest few of a heap. Walking with a second heap of positions yields
the k smallest in O(k log k), whatever the heap's size: a position is offered when its parent is taken (the simple
variant in G. N. Frederickson, "An optimal algorithm for selection in a min-heap", 1993).
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T", int, tuple[int, int])


def ascending(heap: list[T]) -> Iterator[T]:
    """The items of a heapq list, smallest first. The list must not change while this is read."""
    if not heap:
        return
    size = len(heap)
    front: list[tuple[Any, int]] = [(heap[0], 0)]
    while front:
        item, position = heappop(front)
        yield item
        child = 2 * position + 1
        if child < size:
            heappush(front, (heap[child], child))
            if child + 1 < size:
                heappush(front, (heap[child + 1], child + 1))
