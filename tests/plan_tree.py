"""Every task of a plan by its path without the positions of iterations, tasks inside tasks and handlers included."""

from __future__ import annotations

import re
from collections.abc import Iterator

from millrace.engine.plan import Body, Node, Plan

SLOT = re.compile(r"\[\d+\]")
Tree = dict[str, tuple[Body, Node]]


def tree_of(plan: Plan) -> Tree:
    """Generated tasks are not among them: nobody knows them before they run."""
    found = dict(_below(plan, ""))
    for body in (plan.on_failure, plan.at_end):
        if body is not None:
            found |= dict(_below(body, body.name))
    return found


def _below(body: Body, prefix: str) -> Iterator[tuple[str, tuple[Body, Node]]]:
    for node in body.nodes:
        path = prefix + node.label
        yield path, (body, node)
        if node.scope is not None:
            for inner in node.scope.bodies:
                yield from _below(inner, f"{path}/{inner.name}" if node.scope.kind == "switch" else path)
        if node.fallback is not None and node.fallback.body is not None:
            yield from _below(node.fallback.body, path)
