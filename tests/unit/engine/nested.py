"""Workflows of tasks inside tasks for tests of the engine: documents in few words, compiled as published ones are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.evolve import fold
from millrace.engine.plan import Plan
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.services.transform_check import check_transform
from millrace.spec import Workflow, check_workflow, load

from .play import Play

URL = "https://api.example/"
SHAPES = frozenset({"type-mismatch", "unknown-output"})
"""Findings about the shape of what a task gives: attempts give here whatever a test says."""


def work(name: str, *needs: str, reads: str | None = None, **more: Any) -> dict[str, Any]:
    """A task with attempts, after ``needs``; ``reads`` is a template that stands in its request."""
    request: dict[str, Any] = {"url": URL}
    if reads is not None:
        request |= {"method": "POST", "body": {"read": reads}}
    order = {"dependsOn": list(needs)} if needs else {}
    return {"id": name, "type": "http", "request": request, **order, **more}


def bare(**more: Any) -> dict[str, Any]:
    """A task with attempts that has no id, as fallbacks and handlers hold one."""
    return {key: value for key, value in work("", **more).items() if key != "id"}


def shape(name: str, items: Any, *needs: str, **more: Any) -> dict[str, Any]:
    """A pure task: its output are the items."""
    order = {"dependsOn": list(needs)} if needs else {}
    return {
        "id": name,
        "type": "transform",
        "input": {"items": items},
        "transform": [{"limit": 1_000}],
        **order,
        **more,
    }


def each(name: str, items: Any, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A loop. ``parallel``, ``tolerate``, ``mode``, ``threshold``, ``named`` (of the item) and ``counted`` (of its
    position) belong to its block."""
    block: dict[str, Any] = {"items": items}
    words = {"parallel": "maxParallel", "named": "as", "counted": "index", "mode": "mode", "threshold": "threshold"}
    for key, word in words.items():
        if key in more:
            block[word] = more.pop(key)
    if "tolerate" in more:
        block["tolerate"] = {"failures": more.pop("tolerate")}
    return {"id": name, "forEach": block, "tasks": list(tasks), **more}


def choose(
    name: str, value: Any, cases: Sequence[tuple[Any, Sequence[dict[str, Any]]]], default: Any = None, **more: Any
) -> dict[str, Any]:
    """A switch. A case is (literal, tasks), or ({"when": expression}, tasks)."""
    made = [{**(held if isinstance(held, dict) else {"match": held}), "tasks": list(tasks)} for held, tasks in cases]
    block = {"value": value, "cases": made, **({} if default is None else {"default": {"tasks": list(default)}})}
    return {"id": name, "switch": block, **more}


def child(name: str, ref: str = "other", **more: Any) -> dict[str, Any]:
    return {"id": name, "workflowRef": ref, **more}


def flow(*tasks: dict[str, Any], **spec: Any) -> Plan:
    """The plan of a workflow that has no error finding."""
    document = document_of(*tasks, **spec)
    loaded = load(json.dumps(document).encode(), media="json")
    assert isinstance(loaded.document, Workflow), loaded.findings
    checked = check_workflow(loaded.document, loaded.source, tasks={}, check_transform=check_transform)
    wrong = [one for one in (*loaded.findings, *checked) if one.severity == "error" and one.code not in SHAPES]
    assert not wrong, [f"{one.code}: {one.message}" for one in wrong]
    return compile_plan(loaded.document, {}, hashes={})


def document_of(*tasks: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "flow"},
        "spec": {"tasks": list(tasks), **spec},
    }


def played(*tasks: dict[str, Any], value: Any = None, **more: Any) -> Play:
    """Run a workflow to its end: the keys of `Play` are its own, all others the workflow's."""
    ours = {key: more.pop(key) for key in ("answers", "lasting", "children", "seed") if key in more}
    return sound(Play(flow(*tasks, **more), value=value, **ours).run())


def sound(done: Play) -> Play:
    """The same run, after every prefix of its history was seen to be what its snapshot holds."""
    for length in range(1, len(done.events) + 1):
        state = fold(done.plan, done.events[:length])
        thawed = thaw(done.plan, freeze(state))
        assert thawed is not None
        assert [] == equal(state, thawed), done.events[length - 1]
    return done


def resumed(whole: Play, length: int) -> Play:
    """A run that another driver takes up after ``length`` events: attempts under way are unknown to it."""
    taken = Play(whole.plan, answers=whole.answers, children=whole.children, begun=False)
    taken.codec.blobs |= whole.codec.blobs
    for event in whole.events[:length]:
        taken.take(event)
    taken.now = whole.events[length - 1].at
    for index, task in enumerate(taken.state.tasks):
        if task.status == "running":
            taken.take(ev.AttemptUnknown(at=taken.now, path=taken.state.path(index), attempt=task.attempt))
        if task.status == "waiting" and task.wait is not None and task.wait.started:
            taken.flying.append((taken.now, taken.state.path(index), 0))
    return taken.run()


def window(done: Play, loop: str) -> int:
    """The most iterations of a loop that had an attempt under way at once."""
    most, running = 0, set()
    for event in done.events:
        path = getattr(event, "path", "")
        if path.startswith(loop + "["):
            kind = type(event).__name__
            if kind == "AttemptStarted":
                running.add(path)
            elif kind in ("AttemptFinished", "AttemptUnknown", "TaskFinished"):
                running.discard(path)
        most = max(most, len({at.removeprefix(loop).split("]")[0] for at in running}))
    return most
