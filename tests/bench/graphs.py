"""Graphs to measure on: the shapes that workflows have, at sizes that show how cost grows."""

from __future__ import annotations

import random
from collections.abc import Callable

from millrace.engine.plan import Node, Plan

Edges = list[tuple[int, ...]]
"""For each task the tasks it needs, all of them earlier."""


def chain(count: int) -> Edges:
    return [(number - 1,) if number else () for number in range(count)]


def fan_out(count: int) -> Edges:
    return [() for _ in range(count)]


def layered(count: int, edges: int, *, seed: int = 7) -> Edges:
    """A random graph in layers of about the square root of its size, with this many edges."""
    rng = random.Random(seed)
    width = max(int(count**0.5), 2)
    needs: list[set[int]] = [set() for _ in range(count)]
    total = 0
    while total < edges:
        task = rng.randrange(width, count)
        below = task // width * width
        need = rng.randrange(max(0, below - width), below)
        if need not in needs[task]:
            needs[task].add(need)
            total += 1
    return [tuple(sorted(above)) for above in needs]


SHAPES: dict[str, Callable[[int], Edges]] = {
    "chain": chain,
    "fan-out": fan_out,
    "layered": lambda count: layered(count, 3 * count if count > 10 else 12),
}


def make_plan(edges: Edges, *, type_: str = "noop") -> Plan:
    """A plan of tasks without input, whose attempts do nothing."""
    dependents: list[list[int]] = [[] for _ in edges]
    for task, needs in enumerate(edges):
        for need in needs:
            dependents[need].append(task)
    label = {"label"} & set(Node.__match_args__)  # earlier engines, which are measured too, have none
    nodes = tuple(
        Node(
            index=task,
            id=f"t{task}",
            type=type_,
            effect="write",
            needs=needs,
            dependents=tuple(dependents[task]),
            **dict.fromkeys(label, f"t{task}"),
        )
        for task, needs in enumerate(edges)
    )
    leaves = tuple(node.id for node in nodes if not node.dependents)
    return Plan(nodes=nodes, index={node.id: node.index for node in nodes}, workflow="bench", leaves=leaves)
