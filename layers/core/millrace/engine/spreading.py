"""Which loops run in lanes, in how many, and the plan that a lane walks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from millrace.base.errors import Corrupt
from millrace.base.limits import LANE_PARALLEL, LANES, SPREAD_ABOVE
from millrace.engine.events import ExecutionStarted
from millrace.engine.plan import Body, Node, Plan

_ITERATION: Final = re.compile(r"\[[0-9]+\]")


def arrangement(most: int, count: int) -> tuple[int, int]:
    """How many lanes there are for ``count`` items of which ``most`` may run at once, and how many run at once in each.
    Their product is at most ``most``: few lanes for few at once, since each costs a driver."""
    window = max(1, min(LANE_PARALLEL, most // 4))
    return max(1, min(most // window, LANES, count)), window


def threshold(mode: str | None, above: int | None, body: Body, *, limited: bool) -> int | None:
    """With more items than this a loop runs in lanes; None for never. ``limited`` says that the workflow counts what
    runs at once, which it cannot across logs: then a loop has to ask for lanes."""
    if mode == "inline" or listens(body):
        return None
    if mode == "distributed":
        return 0
    return None if limited else SPREAD_ABOVE if above is None else above


def listens(body: Body) -> bool:
    """Whether something inside waits for a message from outside, which comes to the execution and not to a lane."""
    return any(
        (node.wait is not None and node.wait.kind in ("event", "approval")) or any(map(listens, bodies_of(node)))
        for node in body.nodes
    )


def bodies_of(node: Node) -> Iterator[Body]:
    """The bodies that a task holds."""
    if node.scope is not None:
        yield from node.scope.bodies
    if node.fallback is not None and node.fallback.body is not None:
        yield node.fallback.body


def lane_plan(plan: Plan, started: ExecutionStarted) -> Plan:
    """What a log is about: the workflow, or, of a lane, its loop alone. Raises Corrupt for a loop that there is not."""
    if started.lane is None:
        return plan
    path = started.lane.path
    found = _find(plan, path)
    for body in (plan.on_failure, plan.at_end):
        if found is None and body is not None and path.startswith(body.name):
            found = _find(body, path[len(body.name) :])
    if found is None:
        raise Corrupt(f"The log of {started.execution} speaks of {path!r}, which its version does not have.")
    node = replace(
        found, index=0, label=path, needs=(), dependents=(), edges=(), timeout_ms=None, slot=None, fallback=None
    )
    return Plan(
        nodes=(node,),
        index={node.id: 0},
        leaves=(node.id,),
        workflow=plan.workflow,
        config=plan.config,
        state=plan.state,
        slots=plan.slots,
    )


def _find(body: Body, path: str) -> Node | None:
    """The task of a body, or inside it, whose path ends so."""
    for node in body.nodes:
        if path == node.label:
            return node
        if not path.startswith(node.label):
            continue
        rest = path[len(node.label) :]
        loop = _ITERATION.match(rest)
        for inner in bodies_of(node):
            if loop is not None:
                found = _find(inner, rest[loop.end() :])
            elif node.scope is not None and node.scope.kind == "switch" and rest.startswith(f"/{inner.name}"):
                found = _find(inner, rest[len(inner.name) + 1 :])
            else:
                found = _find(inner, rest)
            if found is not None:
                return found
    return None
