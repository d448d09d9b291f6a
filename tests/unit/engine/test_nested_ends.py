"""How tasks that hold tasks end when their time is over, or when something stands in for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.spec import Workflow, load
from tests.unit.engine.play import NEVER, Play, failure


def plan_of(tasks: list[dict[str, Any]], **spec: Any) -> Plan:
    """The plan of a workflow with these tasks."""
    document = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": "flow"}}
    loaded = load(json.dumps({**document, "spec": {"tasks": tasks, **spec}}).encode(), media="json").document
    assert isinstance(loaded, Workflow)
    return compile_plan(loaded, {}, hashes={})


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "http", "request": {"url": "https://x.example/"}, **more}


def loop(tasks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "loop", "forEach": {"items": "{{[1, 2, 3]}}", "maxParallel": 1}, "tasks": tasks, **more}


INSTEAD = {"task": {"type": "http", "request": {"url": "https://y.example/{{error.kind}}"}}}


@pytest.mark.parametrize(
    ("more", "answers", "code"),
    [({}, [failure("http", "404", retryable=False)], "404"), ({"timeout": "1s"}, [NEVER], "task-timeout")],
    ids=["failed", "out of time"],
)
def test_a_task_stands_in_for_a_loop_that_has_ended_badly(more: dict[str, Any], answers: Any, code: str) -> None:
    play = Play(plan_of([loop([call("one")], fallback=INSTEAD, **more)]), answers={"loop[0]/one": answers}).run()
    assert "succeeded" == play.finished().status
    (opened,) = [one for one in play.of(ev.ScopeOpened, "loop") if one.kind == "fallback"]
    assert code == opened.failure.code
    assert {"loop": "loop/fallback"} == play.output()


def test_a_loop_out_of_time_ends_after_what_its_last_moment_has_begun() -> None:
    paid = {"id": "paid", "event": {"type": "go", "timeout": "1s"}, "continueOnError": True}
    play = Play(plan_of([loop([paid], timeout="1s", continueOnError=True)])).run()
    assert ["loop[0]/paid", "loop[1]/paid", "loop"] == [event.path for event in play.of(ev.TaskFinished)]
    assert "task-timeout" == play.of(ev.TaskFinished, "loop")[0].failure.code
