"""Records golden histories: what a run wrote, with fixed time, ids and seed, and what it amounted to.

`python -m tests.replay.record` writes one file per scenario into `histories/<schema version>`. Files of a release are
never written again: a build that reads them otherwise has broken its promise. `--check` compares and writes nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from millrace.ports.documents import Key, Table
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.signal_execution import signal_execution
from tests.unit.driver.runs import CALLER, EXCHANGE, HEAD, NEVER, SCOPE, USAGE, Local, Script, call, workflow

HISTORIES = Path(__file__).parent / "histories"
RELEASE = "0.1"
BAD = Failure("http", "503", "try later", True)
ASKED = Failure("http", "429", "wait", True, retry_after_ms=15_000)
FATAL = Failure("task", "odd", "it broke", False, hint="look at it", details={"at": [1, 2]})
RETRY = {"maxAttempts": 3, "interval": "1s", "multiplier": 3, "jitter": "full"}


def transform(name: str, items: Any, *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "transform", "input": {"items": items}, "transform": list(steps), **more}


def _cancelled(local: Local, execution: str) -> None:
    local.crash(execution, 1.0)
    signal_execution(local.platform, CALLER, execution, "hurry", payload={"by": "noon"}, message_id="m0")
    cancel_execution(local.platform, CALLER, execution, reason="no longer wanted", message_id="m1")


def _crashed(local: Local, execution: str) -> None:
    local.crash(execution, 1.0)


def scenarios() -> dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]]:
    """By name: tasks, the rest of the workflow's spec, and the script: ``answers``, ``lasting``, ``before``."""
    limit = transform("keep", "{{tasks.fetch.output.body}}", {"filter": "item > 1"}, {"limit": 5})
    chain = [call("a"), call("b", "a"), call("c", "b")]
    return {
        "hello": (
            [call("fetch"), limit],
            {"output": {"rows": "{{tasks.keep.output}}", "for": "{{input.who}}"}},
            {"answers": {"fetch": [{"status": 200, "body": [1, 3, 2]}]}, "recorded": True},
        ),
        "retries": (
            [call("a", retry=RETRY), call("b", "a", retry={**RETRY, "interval": "20s"})],
            {},
            {"answers": {"a": [BAD, BAD, "ok"], "b": [ASKED, "ok"]}},
        ),
        "skips": (
            [call("a", condition="input.who == 'nobody'"), call("b", "a"), call("c"), call("d", "b", "c"),
             call("e", condition="size(input.who) > 0")],
            {},
            {},
        ),
        "failure": ([*chain, call("d", "a", continueOnError=True), call("e", "d")], {},
                    {"answers": {"b": [FATAL], "d": [FATAL]}}),
        "expression": ([call("a"), call("b", input={"x": "{{tasks.a.output.body.nothing}}"}), call("c", "b")], {},
            {"answers": {"a": [{"body": {}}]}}),
        "cancel": (chain, {}, {"answers": {"b": [NEVER]}, "before": _cancelled, "exclusive": True}),
        "timeout": (
            [call("slow", timeout="3s", continueOnError=True), call("b", "slow"), call("never")],
            {"timeout": "30s"},
            {"answers": {"slow": [NEVER], "never": [NEVER]}},
        ),
        "large-value": (
            [call("a"), call("b", "a", input={"all": "{{tasks.a.output}}"}, output={"n": "{{size(output.body)}}"})],
            {},
            {"answers": {"a": [["é" * 40_000]], "b": [{"body": "z" * 70_000}]}},
        ),
        "parallel-limit": (
            [call(f"t{n}", priority=n % 3) for n in range(6)] + [call("last", *[f"t{n}" for n in range(6)])],
            {"parallelLimit": 2},
            {"lasting": {f"t{n}": 0.1 * (n + 1) for n in range(6)}},
        ),
        "driver-crash": (
            [call("a", retry=RETRY), call("b"), call("c", "a", "b")],
            {},
            {"answers": {"a": [NEVER, "ok"], "b": [NEVER, "ok"]}, "before": _crashed, "exclusive": True},
        ),
        "conditional-dependency": (
            [call("a"), call("b", dependsOn=[{"task": "a", "condition": "input.who == 'nobody'"}]), call("c", "a")],
            {},
            {"answers": {"a": [FATAL]}},
        ),
    }  # fmt: skip


def played(name: str) -> tuple[Local, dict[str, Any], str]:
    """A scenario, run to its end: the platform it ran on, its document, and the execution."""
    tasks, spec, script = scenarios()[name]
    runner = Script(script.get("answers"), lasting=script.get("lasting"))
    if script.get("recorded"):
        runner.usage, runner.exchange = USAGE, EXCHANGE
    local = Local(runner, seed=42, exclusive=script.get("exclusive", False))
    document = workflow(name, tasks, **spec)
    local.publish(document)
    execution = local.start(name, {"who": "Ann"}, labels={"case": name}, idempotency_key=f"golden-{name}")
    before = script.get("before")
    if before is not None:
        before(local, execution)
    local.finish(execution)
    return local, document, execution


def recorded(name: str) -> dict[str, Any]:
    """What is kept of a scenario: document, segments as stored, blobs, and the view of the finished execution."""
    local, document, execution = played(name)
    rows = local.documents.query(SCOPE, Table.HISTORY, ("log", execution, "0")).rows
    keys = list(local.blobs.keys(SCOPE, ("execution", execution, "value")))
    return {
        "about": f"{name}, as recorded by {RELEASE}",
        "head": HEAD["apiVersion"],
        "document": document,
        "execution": execution,
        "segments": [json.loads(body) for row in rows if isinstance(body := row.item.attrs["body"], bytes)],
        "blobs": {"/".join(key): local.blobs.get(SCOPE, key).decode() for key in keys},
        "expected": local.read(execution),
    }


def path_of(name: str) -> Path:
    return HISTORIES / RELEASE / f"{name}.json"


def encoded(history: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(history, order="sorted"), indent=1) + b"\n"


def main(arguments: list[str]) -> int:
    """Write what is not there yet, or with ``--check`` tell what would be different."""
    different = []
    for name in scenarios():
        path = path_of(name)
        made = encoded(recorded(name))
        if "--check" in arguments:
            if not path.exists() or path.read_bytes() != made:
                different.append(name)
        elif "--again" in arguments or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
    print("\n".join(f"{name}: is recorded differently now" for name in different) or "histories: done")
    return bool(different)


def segment_key(execution: str, first: int) -> Key:
    return Key(Table.HISTORY, ("log", execution, "0"), f"{first:012d}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
