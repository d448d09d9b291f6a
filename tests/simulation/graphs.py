"""Plans made by hand or by seed, and what their outputs must be."""

from __future__ import annotations

import random
from typing import Any

from millrace.engine.plan import NO_RETRY, Node, Plan, RetryPolicy, WaitPlan
from millrace.expr import compile_expression, compile_template

RETRY = RetryPolicy(
    max_attempts=6, strategy="exponential", interval_ms=200, max_interval_ms=4_000, jitter="full", declared=True
)

SLOW = RetryPolicy(max_attempts=4, strategy="constant", interval_ms=12_000, jitter="none", declared=True)
"""Delays above what a driver sleeps through: the execution parks."""

WAITS: dict[str, tuple[WaitPlan, Any]] = {
    "short": (WaitPlan("time"), {"for": "3s"}),
    "long": (WaitPlan("time"), {"for": "40s"}),
    "event": (WaitPlan("event", timeout_ms=25_000), {"type": "go"}),
    "people": (WaitPlan("approval", approvers=("user:ann",), timeout_ms=20_000, on_timeout="approve"), {}),
}


def make_plan(edges: dict[str, list[str]], **options: Any) -> Plan:
    """A plan of ``work`` tasks with these dependencies; each output is its id with the outputs it reads.

    ``options``: ``retry``, ``parallel_limit``, ``timeout_ms``, ``skips`` (ids with a false condition), ``pure`` (ids
    computed by the engine), ``waits`` (ids that wait, and for what of `WAITS`).
    """
    index = {name: position for position, name in enumerate(edges)}
    dependents: dict[str, list[int]] = {name: [] for name in edges}
    for name, needs in edges.items():
        for need in needs:
            dependents[need].append(index[name])
    nodes = tuple(_node(name, needs, index, dependents[name], options) for name, needs in edges.items())
    return Plan(
        nodes=nodes,
        index=index,
        workflow="simulated",
        parallel_limit=options.get("parallel_limit"),
        timeout_ms=options.get("timeout_ms"),
        leaves=tuple(name for name in edges if not dependents[name]),
    )


def _node(name: str, needs: list[str], index: dict[str, int], dependents: list[int], options: dict[str, Any]) -> Node:
    reads = {need: f"{{{{tasks.{need}.output}}}}" for need in needs}
    pure = name in options.get("pure", ())
    wait = options.get("waits", {}).get(name)
    return Node(
        index=index[name],
        id=name,
        label=name,
        type="pure" if pure else "work",
        effect="pure" if pure else "write",
        needs=tuple(index[need] for need in needs),
        dependents=tuple(dependents),
        reads=tuple(needs),
        trigger_rule=options.get("rules", {}).get(name, "all_success"),
        input=compile_template(reads) if reads else None,
        wait=None if wait is None else WAITS[wait][0],
        config=None if wait is None else compile_template(WAITS[wait][1]),
        continue_on_error=wait is not None,
        condition=compile_expression("false") if name in options.get("skips", ()) else None,
        compute=(lambda value, _scope, name=name: output_of(name, value)) if pure else None,
        retry=options.get("retry", NO_RETRY),
        priority=options.get("priorities", {}).get(name, 0),
        timeout_ms=options.get("task_timeout_ms"),
    )


def output_of(name: str, value: Any) -> Any:
    """What a task gives back: short, and dependent on everything it read."""
    parts = [f"{key}={_digest(item)}" for key, item in sorted((value or {}).items())]
    return {"task": name, "read": parts}


def _digest(value: Any) -> str:
    if isinstance(value, dict) and "task" in value:
        return str(value["task"]) + "(" + ",".join(value["read"]) + ")"
    return repr(value)[:40]


def expected_outputs(plan: Plan) -> dict[str, Any]:
    """The outputs of the leaves when every task succeeds."""
    outputs: dict[str, Any] = {}
    for node in plan.nodes:  # documents order is topological in these plans
        value = {plan.nodes[need].id: outputs[plan.nodes[need].id] for need in node.needs}
        outputs[node.id] = output_of(node.id, value or None)
    return {leaf: outputs[leaf] for leaf in plan.leaves}


SMALL: dict[str, dict[str, list[str]]] = {
    "one": {"a": []},
    "chain2": {"a": [], "b": ["a"]},
    "chain3": {"a": [], "b": ["a"], "c": ["b"]},
    "pair": {"a": [], "b": []},
    "join": {"a": [], "b": [], "c": ["a", "b"]},
    "fork": {"a": [], "b": ["a"], "c": ["a"]},
    "diamond": {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]},
    "wide": {"a": [], "b": ["a"], "c": ["a"], "d": ["a"], "e": ["a"], "f": ["b", "c", "d", "e"]},
    "ladder": {"a": [], "b": [], "c": ["a", "b"], "d": ["a", "b"], "e": ["c", "d"], "f": ["c", "d"]},
}


def random_edges(rng: random.Random, most: int) -> dict[str, list[str]]:
    """A random directed acyclic graph of 1 to ``most`` tasks."""
    count = rng.randint(1, most)
    names = [f"t{number}" for number in range(count)]
    density = rng.choice((0.2, 0.4, 0.7))
    return {
        name: [earlier for earlier in names[:position] if rng.random() < density][:4]
        for position, name in enumerate(names)
    }
