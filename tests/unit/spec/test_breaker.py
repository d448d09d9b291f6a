"""The block circuitBreaker: what it takes and refuses, what is found about it, and what it becomes in a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from millrace.engine.compile import compile_plan
from millrace.engine.plan import BreakerPolicy
from millrace.spec import CircuitBreaker, behaviour_hash, document_schema, format_source, load
from tests.unit.spec.builders import GET, HTTP, TASK_HEAD, flow, judge, task_document, workflow_of


def with_breaker(breaker: str, work: str = HTTP) -> str:
    return flow(f"id: a, {work}, circuitBreaker: {breaker}")


def policy(breaker: str, work: str = HTTP) -> BreakerPolicy | None:
    workflow, _ = workflow_of(with_breaker(breaker, work))
    plan = compile_plan(workflow, {"get": task_document()}, hashes={"get": "h"})
    return plan.nodes[0].breaker


def test_a_block_without_keys_has_stated_defaults() -> None:
    found = CircuitBreaker()
    assert (None, None, 60_000, None, 30_000, 1, None, None, None) == (
        found.failure_threshold,
        found.failure_rate,
        found.sampling_duration,
        found.minimum_throughput,
        found.break_duration,
        found.permitted_probes,
        found.ramp_duration,
        found.scope,
        found.key,
    )
    assert BreakerPolicy("", 5, Decimal(0), 1, 60_000, 30_000, 1, 10_000) == policy("{}")


@pytest.mark.parametrize(
    ("breaker", "work", "expected"),
    [
        ("{failureThreshold: 3, breakDuration: 6s}", HTTP, BreakerPolicy("", 3, break_ms=6_000, ramp_ms=2_000)),
        ('{failureRate: "50%"}', HTTP, BreakerPolicy("", 0, Decimal("0.5"), 10)),
        ('{failureRate: "2.5%", minimumThroughput: 40}', HTTP, BreakerPolicy("", 0, Decimal("0.025"), 40)),
        ("{rampDuration: 0, permittedProbes: 3}", HTTP, BreakerPolicy("", probes=3, ramp_ms=0)),
        ("{key: payments}", HTTP, BreakerPolicy("key~payments")),
        ("{scope: host}", HTTP, BreakerPolicy("")),
        ("{scope: workflow}", HTTP, BreakerPolicy("workflow~flow~a")),
        ("{}", "taskRef: get, input: {id: 1}", BreakerPolicy("task~get")),
        ("{scope: host}", "taskRef: get, input: {id: 1}", BreakerPolicy("")),
        ("{scope: workflow}", "taskRef: get, input: {id: 1}", BreakerPolicy("workflow~flow~a")),
        ("{}", "wait: {for: 1s}", BreakerPolicy("workflow~flow~a")),
    ],
)
def test_a_plan_holds_what_the_block_says(breaker: str, work: str, expected: BreakerPolicy) -> None:
    assert expected == policy(breaker, work)


def test_the_breaker_of_a_reusable_task_is_used_where_the_task_has_none() -> None:
    declared = task_document(GET + "  circuitBreaker: {failureThreshold: 9}\n")
    workflow, _ = workflow_of(flow("id: a, taskRef: get, input: {id: 1}"))
    plan = compile_plan(workflow, {"get": declared}, hashes={"get": "h"})
    assert BreakerPolicy("task~get", 9) == plan.nodes[0].breaker


@pytest.mark.parametrize(
    ("breaker", "message"),
    [
        ('{failureThreshold: 5, failureRate: "50%"}', '"failureThreshold" and "failureRate" exclude each other'),
        ("{scope: host, key: k}", '"scope" and "key" exclude each other'),
        ("{failureThreshold: 0}", None),
        ("{failureRate: 50}", "50: not a percentage"),
        ('{failureRate: "0%"}', "a failure rate of 0%"),
        ('{failureRate: "101%"}', "a failure rate of 101%"),
        ("{samplingDuration: 500ms}", "500ms is out of range"),
        ("{samplingDuration: 11m}", "11m is out of range"),
        ("{breakDuration: 0}", "0s is out of range"),
        ("{breakDuration: 2d}", "2d is out of range"),
        ("{rampDuration: 25h}", "1d1h is out of range"),
        ("{permittedProbes: 11}", None),
        ("{minimumThroughput: 0}", None),
        ('{key: "{{input.x}}"}', '"{{input.x}}" is not a key of a circuit breaker'),
        ("{key: a/b}", '"a/b" is not a key of a circuit breaker'),
        ("{scope: tenant}", None),
        (
            "{failureTreshold: 5}",
            '"failureTreshold" is not a key of "circuitBreaker". Did you mean "failureThreshold"?',
        ),
    ],
)
def test_what_cannot_work_is_an_error_in_one_sentence(breaker: str, message: str | None) -> None:
    found = [finding for finding in judge(with_breaker(breaker)) if finding.severity == "error"]
    assert 1 == len(found)
    assert message in (None, found[0].message)
    assert "circuitBreaker" in found[0].path


@pytest.mark.parametrize(
    ("breaker", "work", "code", "message"),
    [
        ("{}", "type: transform, input: {items: []}, transform: [{limit: 1}]", "no-effect", "is not attempted itself"),
        ("{}", "wait: {for: 1s}", "no-effect", "is not attempted itself"),
        ("{failureThreshold: 5, minimumThroughput: 5}", HTTP, "no-effect", "5 failures are 5 attempts already"),
        ("{minimumThroughput: 2}", HTTP, "no-effect", "5 failures are 5 attempts already"),
        ("{scope: host}", "wait: {for: 1s}", "bad-value", "only a task with a url has a host"),
        ("{scope: task}", HTTP, "bad-value", "names no reusable task"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_found(breaker: str, work: str, code: str, message: str) -> None:
    found = judge(with_breaker(breaker, work))
    assert [True] == [message in one.message for one in found if one.code == code and message in one.message]


@pytest.mark.parametrize(
    "text",
    [
        with_breaker("{failureThreshold: 5, minimumThroughput: 6}"),
        with_breaker('{failureRate: "50%", minimumThroughput: 1}'),
        with_breaker("{scope: task}", "taskRef: get, input: {id: 1}"),
        with_breaker("{scope: host}", "taskRef: get, input: {id: 1}"),
        GET + "  circuitBreaker: {scope: task}\n",
    ],
)
def test_what_is_sensible_is_found_nothing_about(text: str) -> None:
    assert [] == [one for one in judge(text) if one.severity != "hint"]


def test_a_reusable_task_is_judged_by_itself() -> None:
    steps = TASK_HEAD + "  type: transform\n  transform: [{limit: 1}]\n  circuitBreaker: {scope: host}\n"
    assert ["no-effect", "bad-value"] == [one.code for one in judge(steps) if "circuitBreaker" in one.path]


def test_an_unknown_reusable_task_is_the_only_finding_about_it() -> None:
    found = judge(with_breaker("{scope: host}", "taskRef: gone"))
    assert ["unknown-task-ref"] == [one.code for one in found if one.severity == "error"]


def test_a_refusal_may_be_named_by_retry() -> None:
    text = flow(f"id: a, {HTTP}, circuitBreaker: {{}}, retry: {{retryOn: [circuit_open]}}")
    assert [] == [one for one in judge(text) if one.severity != "hint"]


def test_a_breaker_changes_what_a_workflow_does() -> None:
    values = [load(with_breaker(one).encode(), media="yaml").value for one in ("{}", "{permittedProbes: 2}")]
    assert 2 == len({behaviour_hash(value) for value in values})


def test_formatting_keeps_the_block() -> None:
    text = with_breaker('{failureRate: "50%", breakDuration: 30s}')
    once = format_source(text, "yaml")
    assert "circuitBreaker" in once
    assert once == format_source(once, "yaml")
    assert load(text.encode(), media="yaml").value == load(once.encode(), media="yaml").value


@pytest.mark.parametrize(
    ("breaker", "fits"),
    [
        ({}, True),
        ({"failureRate": "50%", "breakDuration": "30s", "scope": "host"}, True),
        ({"failureRate": 50}, False),
        ({"permittedProbes": 11}, False),
        ({"other": 1}, False),
    ],
    ids=str,
)
def test_the_schema_for_editors_says_the_same(breaker: dict[str, Any], fits: bool) -> None:
    value = load(with_breaker("{}").encode(), media="yaml").value
    value["spec"]["tasks"][0]["circuitBreaker"] = breaker
    checker = jsonschema.Draft202012Validator(document_schema("Workflow"))
    assert fits is checker.is_valid(value)
