"""One process from HTTP event to finished execution: the same handlers on the local wiring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace import wiring
from millrace.wiring.local import open_local
from tests.functions.apps import handle
from tests.functions.documents import YAML, YAML_WORKFLOW, step, task, workflow
from tests.functions.events import body_of, header, status


@pytest.fixture()
def local(tmp_path: Path) -> Iterator[None]:
    opened = open_local(wiring.Settings(data=tmp_path, sync="normal"))
    wiring.use(opened.platform)
    try:
        yield
    finally:
        wiring.use(None)
        opened.close()


W = "/api/v1/workflows"

pytestmark = pytest.mark.usefixtures("local")


def test_a_start_that_is_waited_for_answers_with_the_finished_execution() -> None:
    handle("POST", W, YAML_WORKFLOW, headers=YAML)
    result = handle("POST", f"{W}/hello/executions?wait=10s", {"input": {"who": "Ann"}})
    found = body_of(result)
    assert (200, "succeeded", "wait=10") == (status(result), found["status"], header(result, "Preference-Applied"))
    assert ["Ann"] == found["tasks"]["greet"]["output"]
    events = body_of(handle("GET", f"/api/v1/executions/{found['id']}/events"))
    assert list(range(len(events["items"]))) == [event["position"] for event in events["items"]]
    assert events["complete"] is True


def test_a_reusable_task_runs_as_it_was_when_the_execution_started() -> None:
    handle("POST", "/api/v1/tasks", task(limit=2))
    tasks = [
        {"id": "a", "taskRef": "shorten", "input": {"items": [1, 2, 3]}},
        {**step("b"), "input": {"items": "{{tasks.a.output}}"}},
    ]
    handle("POST", W, workflow(tasks=tasks, output={"all": "{{tasks.a.output}}", "one": "{{tasks.b.output}}"}))
    found = body_of(handle("POST", f"{W}/hello/executions?wait=10s", {}))
    assert {"all": [1, 2], "one": [1]} == found["output"]


def test_a_failed_execution_is_a_200_that_says_what_failed() -> None:
    tasks = [step("a"), {**step("b"), "input": {"items": "{{tasks.a.output[5] == 1 ? [1] : tasks.a.output}}"}}]
    handle("POST", W, workflow(tasks=tasks))
    result = handle("POST", f"{W}/hello/executions?wait=10s", {})
    found = body_of(result)
    assert (200, "failed", "b") == (status(result), found["status"], found.get("failedTask")), found
    assert [1] == found["partialOutput"]["a"]


def test_health_names_the_store() -> None:
    assert {"store": "ok"} == body_of(handle("GET", "/api/v1/health", who=None))["checks"]
