"""What reusable tasks are given: defaults filled in, and nothing that their schemas do not take."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.spec import Workflow, WorkflowTask

from .nested import document_of, each, sound
from .play import Play

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {"id": {"type": "integer", "minimum": 1, "description": "The order."}, "size": {"default": 7}},
}
HEAD = {"apiVersion": "workflow.io/v1", "kind": "WorkflowTask", "metadata": {"name": "get"}}
HTTP = {"type": "http", "request": {"url": "https://a.example/{{input.id ?? 0}}/{{input.size ?? 'no'}}"}}


def use(**more: Any) -> dict[str, Any]:
    return {"id": "a", "taskRef": "get", "input": {"id": "{{input.id}}"}, **more}


def plan_of(*tasks: dict[str, Any], work: dict[str, Any] | None = None, schema: Any = None) -> Plan:
    spec = {**(work or HTTP), "inputSchema": SCHEMA if schema is None else schema}
    reusable = WorkflowTask.model_validate({**HEAD, "spec": spec})
    return compile_plan(Workflow.model_validate(document_of(*tasks)), {"get": reusable}, hashes={"get": "h"})


def play(plan: Plan, value: Any, **more: Any) -> Play:
    return sound(Play(plan, value=value, **more).run())


def test_the_defaults_of_the_schema_are_filled_in_and_recorded() -> None:
    done = play(plan_of(use()), {"id": 3})
    (started,) = done.of(ev.AttemptStarted)
    assert "https://a.example/3/7" == started.config.decoded()["url"]
    assert {"id": 3, "size": 7} == started.input.decoded()


def test_a_task_that_is_given_nothing_gets_its_defaults() -> None:
    plan = plan_of({"id": "a", "taskRef": "get"}, schema={"properties": {"size": {"default": 2}}})
    (started,) = play(plan, None).of(ev.AttemptStarted)
    assert ("https://a.example/0/2", {"size": 2}) == (started.config.decoded()["url"], started.input.decoded())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": "x"}, 'Please correct: id is the text "x", expected integer.'),
        ({"id": 0}, "Please correct: id is the number 0, expected minimum the number 1."),
        ({}, "Please provide id (integer): The order."),
        ({"id": 1, "siz": 2}, 'Please correct: "siz" is not declared. Did you mean "size"?'),
        ({"id": 1, "more": 2}, 'Please correct: "more" is not declared.'),
    ],
    ids=["type", "minimum", "missing", "misspelt", "unknown"],
)
def test_what_does_not_fit_fails_the_task_before_any_attempt(given: Any, said: str) -> None:
    done = play(plan_of(use(input="{{input}}", retry={"maxAttempts": 5, "retryOn": ["*"]})), given)
    found = done.failure("a")
    assert ("input", "invalid-input", False) == (found.kind, found.code, found.retryable)
    assert f"The input of task 'a' does not fit the inputSchema of its reusable task. {said}" == found.message
    assert 1 == len(found.details)
    assert [] == done.of(ev.AttemptStarted)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"id": 1, "size": None}, {"id": 1, "size": None}),
        ({"id": 1, "count": None}, {"id": 1, "size": 7, "count": 2}),
        ({"id": 1, "note": None, "size": 3}, {"id": 1, "size": 3, "count": 2}),
        ({"id": 1, "maybe": None, "size": 3}, {"id": 1, "size": 3, "count": 2, "maybe": None}),
    ],
    ids=["any", "with a default", "without one", "takes null"],
)
def test_null_is_nothing_where_an_input_may_be_absent_but_not_null(given: Any, taken: Any) -> None:
    more = {
        "count": {"type": "integer", "default": 2},
        "note": {"type": "string"},
        "maybe": {"type": ["null", "string"]},
    }
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], **more}}
    (started,) = play(plan_of(use(input="{{input}}"), schema=schema), given).of(ev.AttemptStarted)
    assert {"count": 2, **taken} == started.input.decoded()


def test_null_is_no_required_or_undeclared_input_and_no_mapping() -> None:
    assert "invalid-input" == play(plan_of(use(input="{{input}}")), {"id": None}).failure("a").code
    assert "invalid-input" == play(plan_of(use(input="{{input}}")), {"id": 1, "other": None}).failure("a").code
    assert "invalid-input" == play(plan_of(use(input="{{input}}")), [None]).failure("a").code


def test_a_fallback_stands_in_for_an_input_that_does_not_fit() -> None:
    done = play(plan_of(use(fallback={"value": "{{error.code}}"})), {"id": None})
    assert {"a": "invalid-input"} == done.output()


def test_transforms_waits_and_tasks_in_loops_are_given_the_same() -> None:
    cut = {"type": "transform", "transform": [{"limit": 1}]}
    rows = {"properties": {"items": {"type": "array", "default": [5, 6]}}}
    assert {"a": [5]} == play(plan_of({"id": "a", "taskRef": "get"}, work=cut, schema=rows), None).output()
    bad = play(plan_of(use(input={"items": "{{input.id}}"}), work=cut, schema=rows), {"id": 4})
    assert "invalid-input" == bad.failure("a").code
    pause = {"type": "wait", "wait": {"for": "{{input.long}}"}}
    long = {"properties": {"long": {"type": "string", "default": "2s"}}}
    waited = play(plan_of({"id": "a", "taskRef": "get"}, work=pause, schema=long), None)
    assert 2000 == waited.now - waited.events[0].at
    loop = each("l", [1, "x"], use(input={"id": "{{item}}"}), tolerate=1)
    assert ["succeeded", "failed"] == [one["status"] for one in play(plan_of(loop), {}).output()["l"]]


def test_an_execution_that_began_before_is_given_what_it_was() -> None:
    done = play(plan_of(use(input={"id": "{{input.id}}", "size": 1})), {"id": "x"}, semantics=3)
    (started,) = done.of(ev.AttemptStarted)
    assert "https://a.example/x/1" == started.config.decoded()["url"]
