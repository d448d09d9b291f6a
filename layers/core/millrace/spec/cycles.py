"""Finding rings in a graph without recursion: a chain of ten thousand tasks must not need ten thousand frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence


def components(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The strongly connected components, each in reverse order of discovery (R. Tarjan, "Depth-first search and
    linear graph algorithms", 1972), with an explicit stack. Linear in nodes and edges."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(graph[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, edges = work[-1]
            for below in edges:
                if below not in index:
                    index[below] = low[below] = len(index)
                    stack.append(below)
                    on_stack.add(below)
                    work.append((below, iter(graph[below])))
                    break
                if below in on_stack:
                    low[node] = min(low[node], index[below])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = _last(stack, node)
                    found.append(stack[cut:])
                    on_stack.difference_update(stack[cut:])
                    del stack[cut:]
    return found


def _last(stack: list[str], node: str) -> int:
    """Where ``node`` is; searching from the end keeps the whole pass linear."""
    position = len(stack) - 1
    while stack[position] != node:
        position -= 1
    return position


def rings(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One shortest ring through the first node of each component of several nodes: ``[a, b, a]``.

    Nodes that only point to themselves are not rings here.
    """
    order = {node: position for position, node in enumerate(graph)}
    out = []
    for component in components(graph):
        if len(component) > 1:
            first = min(component, key=order.__getitem__)
            out.append(_ring(graph, first, set(component)))
    return sorted(out, key=lambda ring: order[ring[0]])


def _ring(graph: Mapping[str, Sequence[str]], first: str, within: set[str]) -> list[str]:
    came: dict[str, str] = {}
    queue = deque([first])
    while True:  # a strongly connected component always leads back
        node = queue.popleft()
        for below in graph[node]:
            if below == first and node != first:
                ring = [first, node]
                while ring[-1] != first:
                    ring.append(came[ring[-1]])
                return ring[::-1]
            if below in within and below not in came and below != first:
                came[below] = node
                queue.append(below)
