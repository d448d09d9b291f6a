"""What judging a document costs: everything that validating does, against the YAML parser's own pass over the text.

The documents call, branch, loop and transform, and each task reads one before it.
"""

from __future__ import annotations

import time
from typing import Any

import yaml

from millrace.services.transform_check import check_transform
from millrace.spec import Workflow, check_workflow, has_errors, load

from .engine import best

SIZES = {100: 200.0, 1_000: None}
"""Numbers of tasks, with the most milliseconds that judging so many may take."""
KINDS = 5


def document(count: int) -> bytes:
    """A workflow of ``count`` tasks, those inside others included; valid, and without a warning."""
    tasks: list[dict[str, Any]] = []
    made = 0
    while made < count:
        number = len(tasks)
        task = _task(number, ("http", "transform", "switch", "forEach", "http")[number % KINDS])
        tasks.append(task)
        made += 1 + len(_inside(task))
    ends = {f"r{number}": f"{{{{tasks.t{number}.status}}}}" for number in range(len(tasks))}
    spec = {
        "input": {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array"}}},
        "tasks": tasks,
        "output": ends,
    }
    head = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": "bench"}}
    return yaml.safe_dump({**head, "spec": spec}, sort_keys=False).encode()


def _inside(task: dict[str, Any]) -> list[Any]:
    cases = task.get("switch", {}).get("cases", [])
    return [*task.get("tasks", []), *(inner for case in cases for inner in case["tasks"])]


def _task(number: int, kind: str) -> dict[str, Any]:
    task: dict[str, Any] = {"id": f"t{number}"}
    before = f"tasks.t{number - 1}" if number else ""
    if before:
        task["condition"] = f"{before}.status == 'succeeded' && size(input.rows) > {number}"
    if kind == "http":
        return task | _call(f"{{{{size(input.rows) + {number}}}}}")
    if kind == "transform":
        steps = [{"filter": "item.total > 10"}, {"map": {"id": "{{item.id}}", "gross": "{{item.total * 2}}"}}]
        return task | {"type": "transform", "input": {"items": "{{input.rows}}"}, "transform": steps}
    if kind == "switch":
        cases = [{"match": "gold", "tasks": [{"id": "a", **_call("{{size(input.rows)}}")}]}]
        return task | {"switch": {"value": "{{execution.mode}}", "cases": cases}}
    loop = {"items": "{{input.rows}}", "as": "row", "maxParallel": 5}
    return task | {"forEach": loop, "tasks": [{"id": "b", **_call("{{row.id}}")}]}


def _call(value: str) -> dict[str, Any]:
    request = {"method": "POST", "url": "https://api.example.com/orders", "body": {"value": value}}
    return {"type": "http", "timeout": "10s", "request": request}


def judge(data: bytes) -> float:
    """Seconds to read and judge a document."""
    began = time.perf_counter()
    loaded = load(data, media="yaml")
    workflow = loaded.document
    assert isinstance(workflow, Workflow)
    assert loaded.source is not None
    found = (*loaded.findings, *check_workflow(workflow, loaded.source, tasks={}, check_transform=check_transform))
    elapsed = time.perf_counter() - began
    assert not has_errors(found), found
    return elapsed


def parse(data: bytes) -> float:
    """Seconds that the parser itself needs for the text: its events, of which nothing is made."""
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    began = time.perf_counter()
    for _ in yaml.parse(data.decode(), Loader=loader):
        pass
    return time.perf_counter() - began


def rows() -> list[dict[str, Any]]:
    out = []
    for count, most_ms in SIZES.items():
        data = document(count)
        times = 20 if count < 1_000 else 5
        ours, floor = best(lambda data=data: judge(data), times), best(lambda data=data: parse(data), times)
        out.append(
            {
                "name": f"validate {count} tasks",
                "ms": ours * 1e3,
                "required_ms": most_ms,
                "floor": "the parser's events alone",
                "floor_ms": floor * 1e3,
                "ratio": ours / floor,
            }
        )
    return out


if __name__ == "__main__":
    for row in rows():
        print(row)
