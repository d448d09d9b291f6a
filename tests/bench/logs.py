"""Loading logs of 100 to 100,000 events, expressions, transforms, and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.engine.evolve import evolve, fold
from millrace.engine.plan import Plan
from millrace.engine.snapshot import freeze, thaw
from millrace.engine.state import State
from millrace.engine.transforms import compile_transform
from millrace.expr import compile_expression, compile_template
from millrace.ports.documents import TenantScope
from millrace.store.runlog import Stamp, read_segments, segment_puts

from .engine import best, history
from .graphs import fan_out, make_plan

SCOPE = TenantScope("bench")


def log_rows() -> list[dict[str, Any]]:
    """Reading and folding a log per event, against decoding its bytes alone; and from a snapshot."""
    out = []
    for wanted in (100, 10_000, 100_000):
        plan = replace(make_plan(fan_out(max((wanted - 2) // 3, 1))), leaves=())
        events = history(plan, {"ok": True})
        documents = MemoryDocuments()
        for put in segment_puts("e", 0, events, Stamp("o", "w")):
            documents.write(SCOPE, [put])

        def load(documents: MemoryDocuments = documents, plan: Plan = plan) -> float:
            began = time.process_time()
            state = State(plan)
            for segment in read_segments(documents, SCOPE, "e"):
                for event in segment.events:
                    evolve(state, event)
            return time.process_time() - began

        def decode(documents: MemoryDocuments = documents) -> float:
            began = time.process_time()
            for _ in read_segments(documents, SCOPE, "e"):
                pass
            return time.process_time() - began

        state = State(plan)
        for event in events:
            evolve(state, event)
        data = freeze(state)

        def snapshot(plan: Plan = plan, data: bytes = data) -> float:
            began = time.process_time()
            assert thaw(plan, data) is not None
            return time.process_time() - began

        times = 3 if wanted > 1_000 else 10
        whole, bare = best(load, times), best(decode, times)
        out.append(
            {
                "name": f"advance on a log of {len(events)} events",
                "us_per_event": whole / len(events) * 1e6,
                "ratio": whole / bare,
                "floor": "decoding the same segments",
                "from_snapshot_ms": best(snapshot, times) * 1e3,
                "whole_ms": whole * 1e3,
            }
        )
    return out


def expression_rows() -> list[dict[str, Any]]:
    """Expressions against the same in Python; a transform against the same loop in Python."""
    env = {"a": {"b": "x"}, "c": {"d": 5}, "input": {"items": [{"v": n % 97, "k": str(n)} for n in range(1_000)]}}
    expression = compile_expression("a.b == 'x' && c.d > 3")
    template = compile_template({"id": "{{a.b}}", "text": "v={{c.d}}"})
    transform = compile_transform([{"filter": "item.v > 10"}, {"map": {"id": "{{item.k}}"}}, {"sort": {"by": "id"}}])
    items = env["input"]["items"]  # type: ignore[index]

    def python() -> Any:
        return env["a"]["b"] == "x" and env["c"]["d"] > 3  # type: ignore[index, operator]

    def pipeline() -> Any:
        return sorted(({"id": item["k"]} for item in items if item["v"] > 10), key=lambda item: str(item["id"]))

    return [
        _against("expression a.b == 'x' && c.d > 3", lambda: expression.evaluate(env), python, 20_000),
        _against(
            "template of two expressions", lambda: template.render(env), lambda: {"id": "x", "text": f"v={5}"}, 20_000
        ),
        _against("transform filter+map+sort of 1,000 items", lambda: transform.apply(items, env), pipeline, 20),
    ]


def _against(name: str, ours: Any, floor: Any, times: int) -> dict[str, Any]:
    def loop(call: Any) -> float:
        began = time.process_time()
        for _ in range(times):
            call()
        return (time.process_time() - began) / times

    mine, bare = best(lambda: loop(ours), 5), best(lambda: loop(floor), 5)
    return {"name": name, "us": mine * 1e6, "floor_us": bare * 1e6, "ratio": mine / bare, "floor": "the same in Python"}


def memory_row() -> dict[str, Any]:
    """Resident memory of a process that holds a finished state of 10,000 tasks, against one that holds none."""
    sizes = [json.loads(_child(count)) for count in (1, 10_000)]
    return {
        "name": "resident memory at 10,000 tasks",
        "mib": sizes[1] / 1024,
        "without_mib": sizes[0] / 1024,
        "kib_per_task": (sizes[1] - sizes[0]) / 10_000,
    }


def _child(count: int) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.logs", str(count)], capture_output=True, text=True, check=True
    ).stdout


def _hold(count: int) -> int:
    """Resident KiB while a plan, its log and its state are held. Read from the kernel's table of this process: the
    maximum that getrusage tells is the parent's."""
    plan = make_plan(fan_out(count))
    events = history(plan, {"ok": True})
    state = fold(plan, events)
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    assert state.position == len(events)
    return int(resident.split()[1])


if __name__ == "__main__":
    print(_hold(int(sys.argv[1])))
