"""Workflows with tasks inside tasks and other workflows, made by seed, and the store in which the latter are published.

What a task calls says how it goes: an address with ``bad`` in it fails for good, every other fails as often as the
world wants and is tried again.
"""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

from millrace.adapters.memory import MemoryBlobs, MemoryDocuments, MemorySecrets, SeededRandom
from millrace.base.ids import Millis
from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.services.caller import Caller
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.resolve_version import resolve_version
from millrace.spec import Workflow, load

Document = dict[str, Any]
POOLED = "gh"
CALLER = Caller(tenant="acme", principal="simulated", roles=frozenset({"admin"}))


def call(name: str, what: str = "good", **more: Any) -> Document:
    """A task that calls ``what``, as an expression sees it."""
    retry = {"maxAttempts": 6, "interval": "200ms", "maxInterval": "4s"}
    return {"id": name, "type": "http", "request": {"url": f"https://x.example/{what}"}, "retry": retry, **more}


def workflow(name: str, tasks: list[Document], **spec: Any) -> Document:
    head = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": name}}
    return {**head, "spec": {"tasks": tasks, **spec}}


def held(name: str, *keys: str, what: str = "good", **more: Any) -> Document:
    """A call that may be made only while a place under each of ``keys`` is held for it."""
    return call(name, "~".join((what, *keys)), **more)


def place(key: str, on_limit: str = "queue") -> Document:
    """A place under a key, which ends with the number of places that there are; of a pool, where it begins with g or h:
    then under the tenant of the execution, who may have one place less than the pool, and is sure of one as ``t1``."""
    size = int(key[-1])
    if key[0] not in POOLED:
        return {"concurrency": {"key": key, "limit": size, "onLimit": on_limit}}
    claims = {"min": "{{(input.tenant ?? '') == 't1' ? 1 : 0}}", "weight": "{{input.weight ?? 1}}"}
    pool = {"name": key, "limit": size}
    of_tenant = {"key": "{{input.tenant ?? 'kid'}}", "limit": size - 1, "onLimit": on_limit}
    return {"concurrency": {**of_tenant, "pool": pool, **claims}}


def ends(rng: random.Random) -> Document:
    """Handlers, or none."""
    found: Document = {}
    if rng.random() < 0.5:
        found["finally"] = [call("clean", "{{execution.status}}"), call("told", "good", dependsOn=["clean"])]
    if rng.random() < 0.4:
        found["onFailure"] = call("alert", "{{error.kind}}") | {}
        del found["onFailure"]["id"]
    return found


CHILDREN = [
    workflow("leaf", [call("one", "{{input.n ?? 0}}"), call("two", "{{tasks.one.output.body}}")]),
    workflow("odd-leaf", [call("one", "odd")]),
    workflow("bad-leaf", [call("one", "bad")], **{"finally": [call("clean")]}),
    workflow("slow-leaf", [{"id": "rest", "wait": {"for": "45s"}}, call("one", dependsOn=["rest"])]),
    workflow(
        "middle",
        [
            {
                "id": "each",
                "forEach": {"items": "{{[1, 2, 3]}}", "maxParallel": 2},
                "tasks": [{"id": "below", "workflowRef": "leaf", "input": {"n": "{{item}}"}}],
            }
        ],
        **{"finally": [call("clean")]},
    ),
    workflow("leaf-c1", [held("one", "c1"), held("two", "c1", dependsOn=["one"])], **place("c1")),
    workflow("leaf-b1", [held("one", "b1", **place("b1")), call("two", dependsOn=["one"])]),
    workflow("leaf-h2", [held("one", "h2", **place("h2")), call("two", dependsOn=["one"])]),
    workflow("leaf-h3", [held("one", "h3", **place("h3")), {"id": "rest", "wait": {"for": "12s"}, **place("h3")}]),
    workflow("leaf-b2", [held("one", "b2", **place("b2")), {"id": "rest", "wait": {"for": "12s"}, **place("b2")}]),
]


def loop(rng: random.Random, name: str) -> Document:
    """Items of which some fail, a window, a tolerance; inside calls, waits, a choice or another loop."""
    pause = {"for": rng.choice(("2s", "30s"))}
    row = "{{row.bad ? 'bad' : 'good'}}/{{row.n}}"
    inner: list[list[Document]] = [
        [call("one", row), call("two", "{{tasks.one.output.body}}")],
        [call("one"), {"id": "rest", "wait": pause, "dependsOn": ["one"]}, call("two", row)],
        [{"id": "paid", "event": {"type": "go", "timeout": "9s"}, "continueOnError": True}, call("one", row)],
        [choice(rng, "route", "{{row.n}}")],
        [
            {
                "id": "cells",
                "forEach": {"items": "{{[1, 2, 3]}}", "as": "cell", "index": "at", "maxParallel": 2},
                "tasks": [call("one", "{{row.bad && cell == 2 ? 'bad' : 'good'}}/{{row.n}}")],
            }
        ],
        [call("one", row, fallback={"value": {"body": "instead"}}), call("two", "{{tasks.one.output.body}}")],
        [{"id": "below", "workflowRef": rng.choice(("leaf", "middle")), "input": {"n": "{{row.n}}"}}],
    ]
    weights = (4, 2, 1, 2, 2, 2, 2)
    tolerate = {"failures": rng.choice((0, 1, "34%", "100%"))}
    each = {"items": "{{input.rows}}", "as": "row", "maxParallel": rng.choice((1, 2, 3)), "tolerate": tolerate}
    return {"id": name, "forEach": each, "tasks": rng.choices(inner, weights)[0]}


def choice(rng: random.Random, name: str, value: str = "{{input.n}}") -> Document:
    cases: list[Document] = [
        {"match": 0, "tasks": [call("zero"), call("then", "{{tasks.zero.output.body}}")]},
        {"when": "value == 1", "tasks": [call("one", rng.choice(("good", "bad")))]},
    ]
    body: Document = {"value": value, "cases": cases}
    if rng.random() < 0.5:
        body["default"] = {"tasks": [call("other")]}
    return {"id": name, "switch": body}


def instead(rng: random.Random) -> Document:
    inline = call("x", "{{error.kind}}")
    del inline["id"]
    return rng.choice(({"value": {"body": "instead"}}, {"task": inline}, {"workflow": "leaf"}))


def stand_in(rng: random.Random, name: str) -> Document:
    return call(name, "bad", fallback=instead(rng))


def below(rng: random.Random, name: str) -> Document:
    found: Document = {"id": name, "workflowRef": rng.choice(("leaf", "leaf", "middle", "bad-leaf", "slow-leaf"))}
    if rng.random() < 0.2:
        found["detached"] = True
    elif rng.random() < 0.3:
        found["timeout"] = rng.choice(("3s", "20s"))
    return found


def again(rng: random.Random, name: str) -> Document:
    """Another workflow, which fails every other time and is run again."""
    retry = {"maxAttempts": 4, "interval": rng.choice(("1s", "12s")), "retryOn": ["*"]}
    found: Document = {"id": name, "workflowRef": rng.choice(("odd-leaf", "odd-leaf", "bad-leaf")), "retry": retry}
    if rng.random() < 0.3:
        found["timeout"] = rng.choice(("4s", "20s"))
    return found


def asked(rng: random.Random, name: str) -> Document:
    """An approval that nobody gives, and that another task or workflow decides."""
    people: Document = {"type": "approval", "approvers": ["user:ann"], "timeout": rng.choice(("2s", "25s"))}
    return {"id": name, **people, "onTimeout": "task", "fallback": instead(rng)}


def generated(rng: random.Random, name: str) -> Document:
    return {"id": name, "generate": {"from": rng.choice(("{{input.made}}", "{{input.wrong}}"))}}


MAKERS = (loop, loop, loop, below, below, again, choice, stand_in, asked, generated)


def random_workflow(rng: random.Random) -> Document:
    """One to three tasks that hold others, beside or after each other."""
    tasks: list[Document] = []
    for number in range(rng.choice((1, 1, 2, 3))):
        task = rng.choice(MAKERS)(rng, f"t{number}")
        if tasks and rng.random() < 0.5:
            task = {**task, "dependsOn": [rng.choice(tasks)["id"]]}
        if rng.random() < 0.3:
            task = {**task, "continueOnError": True}
        if rng.random() < 0.2 and "fallback" not in task:
            task = {**task, "fallback": instead(rng)}
        if rng.random() < 0.1 and "timeout" not in task and "workflowRef" not in task:
            task = {**task, "timeout": rng.choice(("2s", "15s"))}
        tasks.append(task)
    spec = ends(rng)
    if rng.random() < 0.2:
        spec["parallelLimit"] = rng.choice((1, 2))
    if rng.random() < 0.1:
        spec["timeout"] = rng.choice(("5s", "30s"))
    return workflow("flow", tasks, **spec)


def random_input(rng: random.Random) -> Document:
    rows = [{"n": n, "bad": rng.random() < 0.15} for n in range(rng.choice((0, 1, 3, 5, 8)))]
    made = [call("a"), call("b", "{{tasks.a.output.body}}"), {"id": "rest", "wait": {"for": "2s"}}]
    return {"n": rng.randrange(4), "rows": rows, "made": made, "wrong": [call("a", "bad"), call("b")]}


@cache
def compiled(text: str) -> Plan:
    """The plan of a document, as JSON. Raises AssertionError for one with findings."""
    found = load(text.encode(), media="json")
    assert isinstance(found.document, Workflow), found.findings
    return compile_plan(found.document, {}, hashes={})


def plan_of(document: Document) -> Plan:
    return compiled(json.dumps(document))


class _Still:
    """Ids and a clock for publishing, the same in every process."""

    def __init__(self) -> None:
        self._count = 0

    def now(self) -> Millis:
        return Millis(1_767_225_600_000)

    def new(self) -> str:
        self._count += 1
        return f"{self._count:026d}"


class _Nobody:
    def start(self, *_: Any, **__: Any) -> None:
        """Nothing is started while workflows are published."""

    def wake(self, *_: Any) -> None:
        """Nothing waits."""


@cache
def catalogue() -> tuple[MemoryDocuments, PlanSource]:
    """A store that holds the workflows that others name, and their plans."""
    store, still = MemoryDocuments(), _Still()
    platform = Platform(
        documents=store,
        blobs=MemoryBlobs(),
        secrets=MemorySecrets(),
        orchestrator=_Nobody(),
        clock=still,
        ids=still,
        random=SeededRandom(1),
    )
    for document in CHILDREN:
        publish_workflow(platform, CALLER, Publication(json.dumps(document).encode(), "json"))
        # Read once, so that a process that has parsed it already and one that has not play a seed alike.
        resolve_version(platform, CALLER, document["metadata"]["name"])
    return store, PlanSource(store)
