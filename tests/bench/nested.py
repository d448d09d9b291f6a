"""What tasks inside tasks cost: an iteration of a loop against a task of a flat workflow and a bare pass, in one run;
and the start of another execution against that of the one above it."""

from __future__ import annotations

import time
from typing import Any

from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.spec import Workflow
from tests.unit.driver.families import Family
from tests.unit.driver.runs import call

from .engine import best, engine_s, floor_s
from .graphs import fan_out, make_plan

SIZES = (1_000, 10_000)
CHILDREN = 100
ITEMS = 400


def loop_plan(size: int, parallel: int) -> Plan:
    """A loop of one task over ``size`` numbers."""
    body = {"id": "a", "type": "http", "request": {"url": "https://api.example/"}}
    block = {"items": list(range(size)), "maxParallel": parallel}
    return plan_of([{"id": "loop", "forEach": block, "tasks": [body]}])


def plan_of(tasks: list[dict[str, Any]]) -> Plan:
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "bench"},
        "spec": {"tasks": tasks},
    }
    return compile_plan(Workflow.model_validate(document), {}, hashes={})


def rows() -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for size in SIZES:
        edges = fan_out(size)
        times = 3 if size > 1_000 else 10
        flat = make_plan(edges)
        bare = best(lambda edges=edges: floor_s(edges), times)
        flat_s = best(lambda flat=flat: engine_s(flat)[0], times)
        for parallel in (10, 1_000):
            plan = loop_plan(size, parallel)
            ours = best(lambda plan=plan: engine_s(plan)[0], times)
            out.append(
                {
                    "name": f"forEach {size}, {parallel} at a time",
                    "us_per_item": ours / size * 1e6,
                    "flat_us_per_task": flat_s / size * 1e6,
                    "floor_us_per_task": bare / size * 1e6,
                    "ratio_to_flat": ours / flat_s,
                }
            )
    return out


def family_s(tasks: list[dict[str, Any]]) -> float:
    """A workflow and everything it starts, on the memory store; the time is that of the machine, not of its clock."""
    family = Family()
    family.family(tasks, [call("inner")])
    began = time.process_time()
    family.settle()
    return time.process_time() - began


def child_rows() -> list[dict[str, object]]:
    """Per execution: one that is started by a task, with all that is said between the two, and one of its own."""
    items = list(range(CHILDREN))
    alone = best(lambda: family_s([call("inner")]), 5)
    loop = {"id": "l", "forEach": {"items": items, "maxParallel": 10}, "tasks": [{"id": "c", "workflowRef": "child"}]}
    ours = best(lambda: family_s([loop]), 2)
    return [
        {
            "name": f"sub-workflow, {CHILDREN} in a loop",
            "us_per_child": ours / CHILDREN * 1e6,
            "floor_us_per_execution": alone * 1e6,
            "ratio": ours / CHILDREN / alone,
        }
    ]


def lane_rows() -> list[dict[str, object]]:
    """Per item of a loop: in lanes, with logs of their own and all that is said between them and the root, and within
    the one driver."""
    body = [call("a")]
    block = {"items": list(range(ITEMS)), "maxParallel": 10}
    inline = best(lambda: family_s([{"id": "l", "forEach": block, "tasks": body}]), 2)
    lanes = best(lambda: family_s([{"id": "l", "forEach": {**block, "mode": "distributed"}, "tasks": body}]), 2)
    return [
        {
            "name": f"forEach {ITEMS} in lanes, 10 at a time",
            "us_per_item": lanes / ITEMS * 1e6,
            "floor_us_per_item_in_one_driver": inline / ITEMS * 1e6,
            "ratio": lanes / inline,
        }
    ]


if __name__ == "__main__":
    for row in [*rows(), *child_rows(), *lane_rows()]:
        print(row)
