"""A dry run shows what would be done, with the arguments that are known, and does nothing."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from millrace.base.errors import InvalidInput, NotFound
from millrace.services.dry_run import dry_run
from millrace.services.start_execution import Start
from tests.unit.driver.runs import CALLER, HEAD, Local, call, workflow

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "m": {"default": "d"}}}


def planned(tasks: list[dict[str, Any]], value: Any = None, **spec: Any) -> dict[str, dict[str, Any]]:
    """What a dry run says of each task."""
    local = Local()
    local.publish(workflow("flow", tasks, **spec))
    body = dry_run(local.platform, CALLER, Start("flow", {} if value is None else value))
    return {task["id"]: task for task in body["tasks"]}


def http(name: str, *needs: str, url: str = "https://api.example/x", **request: Any) -> dict[str, Any]:
    return call(name, *needs, request={"method": "POST", "url": url, **request})


def test_a_dry_run_stores_nothing_starts_nothing_and_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    local = Local()
    local.publish(workflow("flow", [http("a"), http("b", "a")], input=SCHEMA))
    writes = local.documents.writes

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    body = dry_run(local.platform, CALLER, Start("flow", {"n": 1}))
    assert (None, "planned", "dry", {"n": 1, "m": "d"}) == (body["id"], body["status"], body["mode"], body["input"])
    assert (writes, [], []) == (local.documents.writes, local.orchestrator.started, list(local.script.performed))


def test_a_task_that_is_ready_is_shown_with_its_whole_request() -> None:
    found = planned([http("a", url="https://api.example/{{input.n}}", body={"n": "{{input.n}}"})], {"n": 7})["a"]
    assert ("would-run", "write") == (found["status"], found["effect"])
    assert ("https://api.example/7", {"n": 7}) == (found["request"]["url"], found["request"]["body"])


def test_what_depends_on_an_outcome_shows_the_arguments_that_are_known() -> None:
    later = http(
        "b", url="https://api.example/{{input.n}}", body={"id": "{{tasks.a.output.body.id}}", "n": "{{input.n}}"}
    )
    found = planned([http("a"), {**later, "condition": "tasks.a.output.status == 200"}], {"n": 7})["b"]
    assert ("depends", ["a"]) == (found["status"], found["after"])
    assert "tasks.a.output.status == 200" == found["condition"]
    assert "https://api.example/7" == found["request"]["url"]
    assert {"id": "{{tasks.a.output.body.id}}", "n": 7} == found["request"]["body"]


def test_pure_tasks_are_computed_and_conditions_judged_where_they_can_be() -> None:
    transform = {"type": "transform", "transform": [{"filter": "item > 1"}]}
    found = planned(
        [
            {"id": "t", **transform, "input": {"items": [1, 2]}},
            {"id": "u", **transform, "input": {"items": "{{tasks.a.output.body.items}}"}},
            http("a", "t"),
            {**http("no"), "condition": "false"},
            http("below", "no"),
            {"id": "bad", **transform, "input": {"items": "{{input.missing}}"}},
            {**http("maybe", "a"), "condition": "input.n > 1"},
        ],
        {"n": 7},
    )
    assert ("computed", [2]) == (found["t"]["status"], found["t"]["output"])
    assert {"items": "{{tasks.a.output.body.items}}"} == found["u"]["input"]
    assert ("skipped", "no") == (found["below"]["status"], found["below"]["skip"]["origin"])
    assert ("failed", "expression") == (found["bad"]["status"], found["bad"]["error"]["kind"])
    assert found["maybe"]["condition"] is True


def test_waits_are_named_and_not_waited_for() -> None:
    found = planned([{"id": "w", "event": {"type": "paid", "timeout": "1h"}}, http("a", "w")])
    assert ("would-wait", {"kind": "event", "signal": "paid"}) == (found["w"]["status"], found["w"]["waiting"])
    assert ["w"] == found["a"]["after"]


def test_secrets_are_shown_by_name() -> None:
    headers = {"x-key": "Key {{secrets.crm}}"}
    assert {"x-key": "Key {{secrets.crm}}"} == planned([http("a", headers=headers)])["a"]["request"]["headers"]


def test_a_reusable_task_shows_its_input_while_its_request_is_not_known() -> None:
    local = Local()
    spec = {"type": "http", "request": {"url": "https://api.example/{{input.id}}"}}
    local.publish({**HEAD, "kind": "WorkflowTask", "metadata": {"name": "get"}, "spec": spec})
    refs = [
        {"id": "a", "taskRef": "get", "input": {"id": 1}},
        {"id": "b", "taskRef": "get", "input": {"id": "{{tasks.a.output.body.id}}", "x": 2}},
    ]
    local.publish(workflow("flow", refs))
    first, second = dry_run(local.platform, CALLER, Start("flow", {}))["tasks"]
    assert "https://api.example/1" == first["request"]["url"]
    assert ({"id": "{{tasks.a.output.body.id}}", "x": 2}, False) == (second["input"], "request" in second)


def test_it_refuses_what_a_start_refuses() -> None:
    local = Local()
    local.publish(workflow("flow", [http("a")], input=SCHEMA))
    with pytest.raises(InvalidInput):
        dry_run(local.platform, CALLER, Start("flow", {"n": "x"}))
    with pytest.raises(NotFound):
        dry_run(local.platform, CALLER, Start("nothing", {}))


def test_what_a_loop_a_switch_and_a_workflow_would_do_at_once_is_shown_by_path() -> None:
    first = http("one", url="https://api.example/{{n}}")
    tasks = [
        {"id": "loop", "forEach": {"items": "{{input.rows}}", "as": "n"}, "tasks": [first, http("two", "one")]},
        {"id": "route", "switch": {"value": 7, "cases": [{"match": 7, "tasks": [http("a")]}]}},
        {"id": "kid", "workflowRef": "other", "input": {"x": "{{input.rows}}"}},
        {"id": "last", "concurrency": {"key": "k", "limit": 1}, **http("last", "kid")},
        {"id": "held", "concurrency": {"key": "h", "limit": 1}, **http("held")},
        {"id": "loud", "forEach": {"items": "{{input.rows[0]}}"}, "tasks": [http("never")]},
    ]
    found = planned(tasks, {"rows": [4, 5]})
    assert ["loop", "loop[0]/one", "loop[0]/two", "loop[1]/one", "loop[1]/two", "route", "route/0/a"] == list(found)[:7]
    assert ("would-run", 2) == (found["loop"]["status"], found["loop"]["iterations"])
    assert ["https://api.example/4", "https://api.example/5"] == [
        found[f"loop[{at}]/one"]["request"]["url"] for at in (0, 1)
    ]
    assert ("depends", ["one"]) == (found["loop[1]/two"]["status"], found["loop[1]/two"]["after"])
    assert ("would-run", "0") == (found["route"]["status"], found["route"]["case"])
    assert ("would-run", "other", {"x": [4, 5]}) == tuple(
        found["kid"][name] for name in ("status", "workflow", "input")
    )
    assert ["depends", "would-run", "failed"] == [found[name]["status"] for name in ("last", "held", "loud")]


def test_of_a_loop_that_would_run_in_lanes_the_first_iterations_are_shown() -> None:
    block = {"items": "{{input.rows}}", "as": "n", "maxParallel": 2, "mode": "distributed"}
    body = [http("one", url="https://api.example/{{n}}")]
    found = planned([{"id": "loop", "forEach": block, "tasks": body}], {"rows": [7, 8, 9]})
    assert ["loop", "loop[0]/one", "loop[1]/one"] == list(found)
    assert ("would-run", 3) == (found["loop"]["status"], found["loop"]["iterations"])
    assert "https://api.example/8" == found["loop[1]/one"]["request"]["url"]
