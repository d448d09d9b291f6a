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
from millrace.ports.runners import Attempt, Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.signal_execution import signal_execution
from tests.unit.driver.runs import CALLER, EXCHANGE, HEAD, NEVER, SCOPE, USAGE, Local, Script, call, workflow

HISTORIES = Path(__file__).parent / "histories"
RELEASE = "0.3"
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


def _with_child(local: Local, execution: str) -> None:
    """The workflow that a task starts, published in time; the one started runs before this one goes on."""
    local.publish(workflow("other", [call("inner")], output={"got": "{{input.n}}"}, input={"type": "object"}))
    local.drive(execution)
    for _, other in list(local.orchestrator.started):
        if other != execution:
            local.finish(other)


def _with_children(local: Local, execution: str) -> None:
    """The same, where the first execution fails and another follows."""
    _with_child(local, execution)
    local.drive(execution)
    for _, other in list(local.orchestrator.started):
        if other != execution:
            local.finish(other)


class Once:
    """Fails the first time that it is asked, by whichever execution."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, _attempt: Attempt) -> Any:
        first, self._asked = not self._asked, True
        return BAD if first else "ok"


def loop(name: str, items: Any, *tasks: Any, **more: Any) -> dict[str, Any]:
    block = {key: more.pop(key) for key in ("as", "index", "maxParallel", "tolerate") if key in more}
    return {"id": name, "forEach": {"items": items, **block}, "tasks": list(tasks), **more}


def _stand_in(**more: Any) -> dict[str, Any]:
    return {key: value for key, value in call("x", **more).items() if key != "id"}


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
        "loop": (
            [loop("each", ["p", "q", "r", "s"], call("a", input={"v": "{{item}}/{{index}}"}, retry=RETRY),
                  call("b", "a"), maxParallel=2, tolerate={"failures": "50%"}), call("last", "each")],
            {},
            {"answers": {"each[1]/a": [BAD, "ok"], "each[2]/a": [FATAL], "each[3]/b": [["é" * 40_000]]},
             "lasting": {"each[0]/a": 0.5}},
        ),
        "loops-in-loops": (
            [loop("out", [[1, 2], [3]], loop("in", "{{row}}", call("a"), index="j", **{"as": "cell"}), **{"as": "row"}),
             loop("bad", [1, 2, 3], call("a"), maxParallel=1, continueOnError=True)],
            {"parallelLimit": 2},
            {"answers": {"bad[0]/a": [FATAL]}},
        ),
        "switch": (
            [{"id": "route", "switch": {"value": "{{input.who}}", "cases": [
                {"match": "Bob", "tasks": [call("a")]},
                {"when": "value.startsWith('A')", "tasks": [call("b"), call("c", "b")]}]}},
             {"id": "none", "switch": {"value": 1, "cases": [{"match": 2, "tasks": [call("d")]}]}}],
            {},
            {},
        ),
        "generate": (
            [call("plan"), {"id": "gen", "generate": {"from": "{{tasks.plan.output.body}}"}}],
            {},
            {"answers": {"plan": [{"body": [call("x"), transform("y", "{{[tasks.x.output]}}", {"limit": 1})]}]}},
        ),
        "fallbacks": (
            [call("a", fallback={"value": {"code": "{{error.code}}"}}), call("b", fallback={"task": _stand_in()}),
             loop("l", [1, 2], call("c"), fallback={"task": _stand_in()}), call("d", "a", "b", "l")],
            {},
            {"answers": {"a": [FATAL], "b": [BAD], "l[1]/c": [FATAL]}},
        ),
        "handlers": (
            [call("a"), call("b", "a")],
            {"onFailure": _stand_in(input={"of": "{{error.task}}"}), "finally": [call("clean"), call("tell", "clean")]},
            {"answers": {"b": [FATAL]}},
        ),
        "handlers-after-timeout": (
            [loop("l", [1, 2], call("a"))],
            {"timeout": "5s", "finally": [call("clean", input={"was": "{{execution.status}}"})]},
            {"answers": {"l[1]/a": [NEVER]}},
        ),
        "loop-timeout": (
            [loop("out", [1, 2], loop("in", [1, 2], call("a"), index="j", **{"as": "cell"}), timeout="2s",
                  fallback={"value": "late"}), call("z", "out")],
            {},
            {"answers": {"out[0]/in[1]/a": [NEVER]}},
        ),
        "state": (
            [call("a"), call("b"), call("c", condition="state.both")],
            {"state": {"both": "{{state.one && size(tasks.b.output) > 0}}", "one": "{{size(tasks.a.output) > 0}}"},
             "output": {"both": "{{state.both}}"}},
            {},
        ),
        "children": (
            [{"id": "c", "workflowRef": "other", "input": {"n": 7}}, call("d", "c"),
             {"id": "e", "workflowRef": "other", "detached": True},
             {"id": "f", "workflowRef": "nobody", "fallback": {"value": "nobody there"}}],
            {},
            {"before": _with_child},
        ),
        "child-again": (
            [{"id": "c", "workflowRef": "other", "input": {"n": 7}, "retry": RETRY}, call("d", "c")],
            {},
            {"before": _with_children, "answers": {"inner": [Once()]}},
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
