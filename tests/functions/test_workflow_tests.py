"""The routes that run the tests of a workflow, and that show an execution as a test."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import step, task, workflow
from tests.functions.events import Who, body_of, status

W = "/api/v1/workflows"
X = "/api/v1/executions"
CALL = {"id": "call", "type": "http", "request": {"url": "https://api.example/{{input.n}}"}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
TESTS = [
    {"name": "fine", "tasks": {"call": {"body": 1}}, "expect": {"calls": {"call": {"count": 1}}}},
    {"name": "wrong", "tasks": {"call": {"status": 404}}},
]


@pytest.fixture(autouse=True)
def tested(world: Platform) -> Platform:
    handle("POST", W, workflow(tasks=[CALL, step("after")], input=SCHEMA, tests=TESTS, version="1.0.0"))
    return world


def run(body: Any = None, **more: Any) -> dict[str, Any]:
    return handle("POST", f"{W}/hello/test", body, **more)


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {test["name"]: test["status"] for test in body_of(result)["tests"]}


def test_the_tests_of_the_active_version_are_run_and_nothing_is_started(tested: Platform) -> None:
    result = run()
    body = body_of(result)
    assert (200, "hello", "1.0.0", 1, 1, 0, None) == (
        status(result),
        *(body[key] for key in ("workflow", "version", "passed", "failed", "errors", "coverage")),
    )
    assert {"fine": "passed", "wrong": "failed"} == statuses(result)
    assert [] == tested.orchestrator.started  # type: ignore[attr-defined]
    assert [] == body_of(handle("GET", X))["items"]


def test_tests_are_chosen_by_name() -> None:
    assert {"fine": "passed"} == statuses(run({"only": ["fine"]}))
    refused = run({"only": ["fin"]})
    assert (400, 'Did you mean "fine"?') == (status(refused), body_of(refused)["hint"])
    assert "Name tests as they are written in the document." == body_of(run({"only": ["zzz"]}))["hint"]


def test_a_request_brings_tests_of_its_own() -> None:
    mine = [{"name": "wrong", "tasks": {"call": {"body": 1}}}, {"name": "new", "onUnmocked": "succeed-empty"}]
    assert {"fine": "passed", "wrong": "passed", "new": "passed"} == statuses(run({"tests": mine, "coverage": True}))
    assert {"fine": "passed", "wrong": "failed"} == statuses(run())


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ({"name": "x", "tasks": {"cal": {}}}, "unknown-task"),
        ({"name": "x", "taks": {}}, "unknown-key"),
        ({"name": ["x"]}, "wrong-type"),
        ({}, "missing-key"),
    ],
    ids=["task", "key", "name", "no-name"],
)
def test_a_mistake_in_a_test_is_a_finding(test: dict[str, Any], code: str) -> None:
    refused = run({"tests": [test]})
    assert (422, [code]) == (status(refused), [one["code"] for one in body_of(refused)["findings"]][:1])


def test_two_tests_of_a_request_with_one_name_are_a_mistake() -> None:
    assert 422 == status(run({"tests": [{"name": "x"}, {"name": "x"}]}))


def test_coverage_is_told_when_asked_for() -> None:
    covered = body_of(run({"coverage": True, "only": ["wrong"]}))["coverage"]
    assert {"branches": 2, "taken": 2, "percent": 100, "untaken": []} == covered


def test_versions_are_tested_by_name_and_reusable_tasks_as_they_are_published() -> None:
    handle("POST", "/api/v1/tasks", task("shorten", limit=2))
    uses = {"id": "s", "taskRef": "shorten", "input": {"items": [1, 2, 3]}}
    two = [{"name": "two", "expect": {"output": {"s": [1, 2]}}}]
    handle("POST", f"{W}?activate=false", workflow(tasks=[uses], tests=two, version="2.0.0"))
    assert {"two": "passed"} == statuses(run({"version": "2.0.0"}))
    assert {"two": "passed", "more": "passed"} == statuses(run({"version": "latest", "tests": [{"name": "more"}]}))
    assert {"fine": "passed", "wrong": "failed"} == statuses(run())


def test_a_workflow_without_tests_has_nothing_to_report() -> None:
    handle("POST", W, workflow("bare"))
    body = body_of(handle("POST", f"{W}/bare/test"))
    assert (0, 0, 0, []) == (body["passed"], body["failed"], body["errors"], body["tests"])


def test_what_is_not_there_is_not_found() -> None:
    assert 404 == status(handle("POST", f"{W}/nobody/test"))
    assert 404 == status(run({"version": "9.9.9"}))
    assert 404 == status(handle("GET", f"{X}/{'0' * 26}/test"))
    assert 404 == status(run(who=Who(tenant="other")))


def test_an_execution_that_runs_is_no_test_yet() -> None:
    identifier = body_of(handle("POST", f"{W}/hello/executions", {"input": {}}))["id"]
    refused = handle("GET", f"{X}/{identifier}/test")
    assert (409, "The execution has not ended, so it is not known what to expect.") == (
        status(refused),
        body_of(refused)["detail"],
    )
