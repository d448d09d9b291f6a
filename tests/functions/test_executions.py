"""The routes that start, read and message executions. Nothing drives them here: what is tested is the edge."""

from __future__ import annotations

from typing import Any

import pytest

from millrace import wiring
from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import YAML, YAML_WORKFLOW, step, task, workflow
from tests.functions.events import Who, body_of, header, status
from tests.functions.world import NotedOrchestrator, platform
from tests.unit.services.test_check_health import DownDocuments

W = "/api/v1/workflows"
X = "/api/v1/executions"


@pytest.fixture(autouse=True)
def hello(world: Platform) -> None:
    handle("POST", W, YAML_WORKFLOW, headers=YAML)


def start(body: Any = None, query: str = "", **more: Any) -> dict[str, Any]:
    return handle("POST", f"{W}/hello/executions{query}", body or {"input": {"who": "Ann"}}, **more)


def test_a_start_is_accepted_with_the_address_of_the_execution(world: Platform) -> None:
    result = start()
    found = body_of(result)
    assert (202, "running") == (status(result), found["status"])
    # The stage is part of the gateway's own address, and a path without it would lead nowhere.
    assert f"/v1{X}/{found['id']}" == header(result, "Location")
    assert isinstance(world.orchestrator, NotedOrchestrator)
    assert [("acme", found["id"])] == world.orchestrator.started


def test_waiting_says_how_long_it_waits_at_most() -> None:
    result = start(query="?wait=1ms")
    assert (202, "wait=0.001") == (status(result), header(result, "Preference-Applied"))
    assert 400 == status(start(query="?wait=soon"))


def test_an_input_that_lacks_something_is_refused_with_what_to_ask_for() -> None:
    result = start({"input": {}})
    assert (422, ["who"]) == (status(result), [m["name"] for m in body_of(result)["missingInputs"]])
    assert 404 == status(handle("POST", f"{W}/nobody/executions", {"input": {}}))
    assert 404 == status(start({"input": {"who": "Ann"}, "version": "9.9.9"}))


def test_a_start_that_expects_another_content_is_412_with_what_there_is(world: Platform) -> None:
    seen = body_of(handle("GET", f"{W}/hello"))["contentHash"]
    body = {"input": {"who": "Ann"}}
    assert 202 == status(start({**body, "expectHash": seen}))
    stale = start({**body, "expectHash": "0" * 64})
    assert (412, "precondition-failed", seen) == (status(stale), body_of(stale)["code"], body_of(stale)["contentHash"])
    assert 412 == status(start({**body, "expectHash": "0" * 64}, query="?dryRun=true"))
    assert [400, 400] == [status(start({**body, "expectHash": odd})) for odd in ("abc", f"{seen}\n")]
    assert 400 == status(start({**body, "expectHash": ""}))  # a variable that is not set protects nobody


def test_the_same_key_starts_once() -> None:
    key = {"Idempotency-Key": "k"}
    first, again = start(headers=key), start(headers=key)
    assert body_of(first)["id"] == body_of(again)["id"]
    assert 422 == status(start({"input": {"who": "Bob"}}, headers=key))


def test_an_execution_is_read_listed_and_followed_by_its_tenant_only() -> None:
    identifier = body_of(start())["id"]
    stranger = Who(tenant="evil")
    assert 200 == status(handle("GET", f"{X}/{identifier}"))
    assert 404 == status(handle("GET", f"{X}/{identifier}", who=stranger))
    assert 404 == status(handle("GET", f"{X}/{identifier}/events", who=stranger))
    assert 404 == status(handle("POST", f"{X}/{identifier}/cancel", who=stranger))
    assert 404 == status(handle("POST", f"{X}/{identifier}/signals/go", {}, who=stranger))
    assert [identifier] == [e["id"] for e in body_of(handle("GET", X))["items"]]
    assert [] == body_of(handle("GET", X, who=stranger))["items"]
    events = body_of(handle("GET", f"{X}/{identifier}/events"))
    assert [0] == [e["position"] for e in events["items"]]
    assert [] == body_of(handle("GET", f"{X}/{identifier}/events?after={events['next']}&wait=1ms"))["items"]


def test_the_start_event_carries_the_resolved_manifest() -> None:
    handle("POST", "/api/v1/tasks", task())
    handle("POST", W, workflow("user", tasks=[{"id": "a", "taskRef": "shorten@^1", "input": {"items": [1]}}]))
    identifier = body_of(handle("POST", f"{W}/user/executions", {}))["id"]
    handle("PUT", "/api/v1/tasks/shorten", task(limit=2))
    manifest = body_of(handle("GET", f"{X}/{identifier}/events"))["items"][0]["manifest"]
    assert [("workflow", "user", 1), ("task", "shorten@^1", 1)] == [
        (m["kind"], m["ref"], m["revision"]) for m in manifest
    ]


def test_executions_are_paged_newest_first() -> None:
    ids = [body_of(start())["id"] for _ in range(5)]
    first = body_of(handle("GET", f"{X}?limit=3&workflow=hello"))
    rest = body_of(handle("GET", f"{X}?limit=3&workflow=hello&cursor={first['cursor']}"))
    assert ids[::-1] == [e["id"] for e in first["items"] + rest["items"]]
    for bad in ("x", "AAAA", "%23", first["cursor"][:-4]):
        assert 400 == status(handle("GET", f"{X}?cursor={bad}")), bad


@pytest.mark.parametrize(
    "query", ["?version=1.0.0", "?workflow=hello&subject=x", "?label=team", "?since=now", "?owner=x"]
)
def test_a_filter_that_no_index_serves_is_refused(query: str) -> None:
    assert 400 == status(handle("GET", f"{X}{query}"))


def test_a_label_finds_its_executions() -> None:
    identifier = body_of(start({"input": {"who": "Ann"}, "labels": {"team": "red"}}))["id"]
    start()
    assert [identifier] == [e["id"] for e in body_of(handle("GET", f"{X}?label=team:red"))["items"]]


def test_a_subject_finds_its_executions() -> None:
    sent = {"input": {"who": "Ann"}, "subjectKey": "customer-9"}
    identifier = body_of(start(sent))["id"]
    start()
    assert "customer-9" == body_of(handle("GET", f"{X}/{identifier}"))["subjectKey"]
    assert [identifier] == [e["id"] for e in body_of(handle("GET", f"{X}?subject=customer-9"))["items"]]


def test_cancel_and_signal_are_accepted_once_per_message() -> None:
    identifier = body_of(start())["id"]
    cancel = handle("POST", f"{X}/{identifier}/cancel", {"reason": "enough", "messageId": "m-1"})
    assert (202, identifier) == (status(cancel), body_of(cancel)["id"])
    sent = handle("POST", f"{X}/{identifier}/signals/go", {"payload": {"n": 1}}, headers={"Idempotency-Key": "m-2"})
    assert {"execution": identifier, "signal": "go", "messageId": "m-2"} == body_of(sent)
    again = handle("POST", f"{X}/{identifier}/signals/go", {"payload": {"n": 1}, "messageId": "m-2"})
    assert (202, sent["body"]) == (status(again), again["body"])
    assert 202 == status(handle("POST", f"{X}/{identifier}/cancel"))


@pytest.mark.parametrize("identifier", ["x", "0" * 25, "U" * 26, "0" * 27])
def test_what_cannot_be_an_id_is_refused(identifier: str) -> None:
    assert 400 == status(handle("GET", f"{X}/{identifier}"))


def test_a_workflow_whose_task_has_no_active_version_does_not_start() -> None:
    handle("POST", "/api/v1/tasks?activate=false", task())
    result = handle("POST", W, workflow("user", tasks=[{"id": "a", "input": {"items": [1]}, "taskRef": "shorten"}]))
    assert 422 == status(result)


def test_a_reference_by_a_range_of_comparisons_is_published_locked_and_run() -> None:
    for limit, version in ((1, "1.0.0"), (2, "1.5.0"), (3, "2.0.0")):
        assert 201 == status(handle("POST", "/api/v1/tasks", task(limit=limit, version=version)))
    steps = [{"id": "a", "input": {"items": [1, 2, 3, 4]}, "taskRef": "shorten@>=1 <2"}]
    assert 201 == status(handle("POST", W, workflow("ranged", tasks=steps)))
    started = body_of(handle("POST", f"{W}/ranged/executions?wait=10s", {"input": {}}))
    events = body_of(handle("GET", f"{X}/{started['id']}/events"))["items"]
    assert [("shorten@>=1 <2", "1.5.0")] == [
        (one["ref"], one["version"]) for one in events[0]["manifest"] if one["kind"] == "task"
    ]
    refused = handle("POST", W, workflow("ranged", tasks=[{**steps[0], "taskRef": "shorten@>=3 <4"}]))
    assert (422, "unknown-task-ref") == (status(refused), body_of(refused)["findings"][0]["code"])


def test_a_step_may_be_started_by_version() -> None:
    handle("POST", f"{W}?activate=false", workflow("hello", tasks=[step("other")]))
    for selector in ("latest", ">=1 <2", "~1.0.1"):
        found = body_of(start({"input": {}, "version": selector}))
        assert ("1.0.1", 2) == (found["version"], found["revision"])
    assert 404 == status(start({"input": {}, "version": ">=2 <3"}))


def test_health_is_public_and_says_503_when_the_store_is_down(world: Platform) -> None:
    assert 200 == status(handle("GET", "/api/v1/health", who=None))
    wiring.use(platform(documents=DownDocuments()))
    assert (503, "degraded") == (status(down := handle("GET", "/api/v1/health", who=None)), body_of(down)["status"])
