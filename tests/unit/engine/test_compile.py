"""From documents to plans: what of a document reaches the plan, and that the order of its keys does not."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.errors import TransformError
from millrace.engine.compile import compile_plan
from millrace.engine.plan import NO_RETRY, Plan
from millrace.spec import Workflow, WorkflowTask
from millrace.spec.registry import TaskType, register_type, unregister_type

from .play import Play

HEAD = {"apiVersion": "workflow.io/v1"}


def document(tasks: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    return {**HEAD, "kind": "Workflow", "metadata": {"name": "flow"}, "spec": {"tasks": tasks, **spec}}


def reusable(name: str, **spec: Any) -> dict[str, Any]:
    body = {"type": "transform", "transform": [{"limit": 1}], **spec}
    return {**HEAD, "kind": "WorkflowTask", "metadata": {"name": name}, "spec": body}


def compiled(doc: dict[str, Any], tasks: dict[str, dict[str, Any]] | None = None) -> Plan:
    models = {ref: WorkflowTask.model_validate(task) for ref, task in (tasks or {}).items()}
    return compile_plan(Workflow.model_validate(doc), models, hashes={ref: f"hash-{ref}" for ref in models})


def step(name: str, items: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "transform",
        "input": {"items": [1, 2, 3] if items is None else items},
        "transform": [{"limit": 2}],
        **more,
    }


def call(name: str, url: str = "https://a.example/", **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "http", "request": {"method": "GET", "url": url}, **more}


POLICY = {
    "maxAttempts": 4,
    "strategy": "linear",
    "interval": "2s",
    "multiplier": 3,
    "maxInterval": "30s",
    "jitter": "equal",
    "retryOn": ["timeout", "5xx", 429],
    "maxDuration": "5m",
    "respectRetryAfter": False,
}


def test_every_field_of_a_task_reaches_its_node() -> None:
    task = call(
        "a",
        "https://a.example/{{input.id}}",
        retry=POLICY,
        timeout="10s",
        attemptTimeout="3s",
        continueOnError=True,
        priority=7,
        condition="input.id > 1",
        output={"s": "{{output.status}}"},
    )
    (node,) = compiled(document([task])).nodes
    policy = node.retry
    assert (4, "linear", 2000, 3.0, 30_000, "equal", ("timeout", "5xx", "429"), 300_000, False, True) == (
        policy.max_attempts,
        policy.strategy,
        policy.interval_ms,
        policy.multiplier,
        policy.max_interval_ms,
        policy.jitter,
        policy.retry_on,
        policy.max_duration_ms,
        policy.respect_retry_after,
        policy.declared,
    )
    assert ("http", 10_000, 3_000, True, 7, False) == (
        node.type,
        node.timeout_ms,
        node.attempt_timeout_ms,
        node.continue_on_error,
        node.priority,
        node.own_scope,
    )
    assert node.condition is not None
    assert node.output is not None
    assert node.config is not None
    assert "https://a.example/5" == node.config.render({"input": {"id": 5}})["url"]


def test_a_task_without_policies_has_the_defaults() -> None:
    (node,) = compiled(document([call("a")])).nodes
    assert (NO_RETRY, None, 60_000, False, 0, None) == (
        node.retry,
        node.timeout_ms,
        node.attempt_timeout_ms,
        node.continue_on_error,
        node.priority,
        node.condition,
    )


@pytest.mark.parametrize(
    ("said", "threshold", "rate", "minimum", "ramp"),
    [
        ({}, 5, "0", 1, 10_000),
        ({"failureThreshold": 2, "minimumThroughput": 4}, 2, "0", 4, 10_000),
        ({"failureRate": "25%"}, 0, "0.25", 10, 10_000),
        ({"failureRate": "25%", "minimumThroughput": 3, "rampDuration": 0}, 0, "0.25", 3, 0),
    ],
    ids=["nothing", "a threshold", "a rate", "a rate of few"],
)
def test_a_breaker_has_what_is_written_and_the_defaults_of_its_kind(
    said: dict[str, Any], threshold: int, rate: str, minimum: int, ramp: int
) -> None:
    plan = compiled(document([call("a", circuitBreaker={"breakDuration": "30s", **said})]))
    policy = plan.nodes[0].breaker
    assert policy is not None
    assert (threshold, Decimal(rate), minimum, 30_000, ramp) == (
        policy.threshold,
        policy.rate,
        policy.minimum,
        policy.break_ms,
        policy.ramp_ms,
    )


def test_limits_of_the_workflow_reach_the_plan() -> None:
    plan = compiled(document([step("a")], parallelLimit=3, timeout="1h", config={"x": 1}, output="{{tasks.a.output}}"))
    assert (3, 3_600_000, {"x": 1}, ("a",), ("a",), "flow") == (
        plan.parallel_limit,
        plan.timeout_ms,
        plan.config,
        plan.output_reads,
        plan.leaves,
        plan.workflow,
    )


def test_dependencies_come_from_what_is_read_and_from_depends_on() -> None:
    tasks = [
        step("a"),
        step("b"),
        step("c", "{{tasks.a.output}}", dependsOn=["b"]),
        step("d", condition="size(tasks.c.output) > 0"),
        call("e", "https://a.example/{{tasks.a.output[0]}}"),
        step("f", dependsOn=[{"task": "e", "condition": "size(tasks.b.output) > 0"}]),
    ]
    plan = compiled(document(tasks))
    named = {node.id: [plan.nodes[need].id for need in node.needs] for node in plan.nodes}
    assert {"a": [], "b": [], "c": ["a", "b"], "d": ["c"], "e": ["a"], "f": ["b", "e"]} == named
    assert ("d", "f") == plan.leaves
    assert [("e",)] == [tuple(plan.nodes[edge.need].id for edge in node.edges) for node in plan.nodes if node.edges]
    assert {"c": ("a",), "d": ("c",), "e": ("a",), "f": ("b",)} == {n.id: n.reads for n in plan.nodes if n.reads}
    for node in plan.nodes:
        assert all(node.index in plan.nodes[need].dependents for need in node.needs)


def test_a_transform_that_reads_another_task_in_a_step_waits_for_it() -> None:
    tasks = [step("a"), {**step("b"), "transform": [{"filter": "item in tasks.a.output"}]}]
    plan = compiled(document(tasks))
    assert ((0,), ("a",)) == (plan.nodes[1].needs, plan.nodes[1].reads)
    assert {"b": [1, 2]} == Play(plan).run().output()


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false")])
def test_a_condition_may_be_written_as_a_plain_boolean(value: bool, text: str) -> None:
    (node,) = compiled(document([step("a", condition=value)])).nodes
    assert node.condition is not None
    assert value is node.condition.evaluate({})
    assert text == node.condition.source


def test_a_reusable_task_brings_its_work_and_policies_and_its_hash() -> None:
    shared = reusable("cut", retry={"maxAttempts": 2}, timeout="5s", attemptTimeout="2s")
    plan = compiled(document([{"id": "a", "taskRef": "cut@^1", "input": {"items": [7, 8]}}]), {"cut@^1": shared})
    (node,) = plan.nodes
    assert ("transform", "pure", True, "hash-cut@^1", 2, 5000, 2000) == (
        node.type,
        node.effect,
        node.own_scope,
        node.task_hash,
        node.retry.max_attempts,
        node.timeout_ms,
        node.attempt_timeout_ms,
    )
    assert {"a": [7]} == Play(plan).run().output()


def test_a_tasks_own_policies_go_before_those_of_the_reusable_task() -> None:
    shared = reusable("cut", retry={"maxAttempts": 2}, timeout="5s", attemptTimeout="2s")
    own = {
        "id": "a",
        "taskRef": "cut",
        "input": {"items": []},
        "retry": {"maxAttempts": 9},
        "timeout": "7s",
        "attemptTimeout": "3s",
    }
    (node,) = compiled(document([own]), {"cut": shared}).nodes
    assert (9, 7000, 3000) == (node.retry.max_attempts, node.timeout_ms, node.attempt_timeout_ms)


def test_a_reusable_call_reads_its_own_input_only() -> None:
    shared = reusable(
        "get", type="http", transform=None, request={"method": "GET", "url": "https://a.example/{{input.id}}"}
    )
    del shared["spec"]["transform"]
    tasks = [step("a"), {"id": "b", "taskRef": "get", "input": {"id": "{{tasks.a.output[0]}}"}}]
    node = compiled(document(tasks), {"get": shared}).nodes[1]
    assert (("a",), True) == (node.reads, node.own_scope)
    assert node.config is not None
    assert "https://a.example/3" == node.config.render({"input": {"id": 3}})["url"]


def test_a_reference_that_nobody_resolved_is_an_error() -> None:
    with pytest.raises(KeyError):
        compiled(document([{"id": "a", "taskRef": "cut"}]))


def test_the_hash_of_a_task_of_its_own_follows_its_work_and_nothing_else() -> None:
    one, other, third = compiled(document([call("a"), call("b", priority=3), call("c", "https://b.example/")])).nodes
    assert one.task_hash == other.task_hash
    assert one.task_hash != third.task_hash


@pytest.mark.parametrize("given_input", [{}, {"input": {"other": 1}}])
def test_a_transform_without_items_is_a_permanent_failure(given_input: dict[str, Any]) -> None:
    task = {"id": "a", "type": "transform", "transform": [{"limit": 1}], **given_input}
    plan = compiled(document([task]))
    assert "A transform needs input.items." in Play(plan).run().failure("a").message
    compute = plan.nodes[0].compute
    assert compute is not None
    with pytest.raises(TransformError):
        compute([1], {})


BASE = document(
    [
        step("a", priority=2, condition="input.n > 0"),
        call("b", "https://a.example/{{tasks.a.output[0]}}", retry=POLICY, timeout="10s"),
        step("c", "{{tasks.a.output}}", dependsOn=[{"task": "b", "condition": "input.n > 1"}]),
    ],
    input={"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "string"}}},
    config={"x": 1, "y": {"p": 1, "q": 2}},
    output={"c": "{{tasks.c.output}}", "b": "{{tasks.b.output}}"},
    parallelLimit=2,
)


def _shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: _shuffled(value[key], rng) for key in keys}
    return [_shuffled(item, rng) for item in value] if isinstance(value, list) else value


def _shape(plan: Plan) -> Any:
    return [
        (
            n.index, n.id, n.type, n.effect, n.needs, n.dependents, n.reads, n.priority, n.retry, n.timeout_ms,
            n.attempt_timeout_ms, n.task_hash, n.condition and n.condition.source,
            [(edge.need, edge.condition.source) for edge in n.edges],
        )
        for n in plan.nodes
    ] + [dict(plan.index), plan.parallel_limit, plan.output_reads, plan.leaves, plan.config]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_of_keys(rng: random.Random) -> None:
    mixed = compiled(_shuffled(BASE, rng))
    assert _shape(compiled(BASE)) == _shape(mixed)
    runs = [Play(plan, answers={"b": [{"ok": 1}]}, value={"n": 2, "m": "x"}).run() for plan in (compiled(BASE), mixed)]
    assert runs[0].events == runs[1].events


def test_a_type_without_a_block_has_no_config() -> None:
    register_type(TaskType(name="beep", effect=lambda _block: "write"))
    try:
        (node,) = compiled(document([{"id": "a", "type": "beep"}])).nodes
    finally:
        unregister_type("beep")
    assert ("beep", "write", None, None) == (node.type, node.effect, node.config, node.compute)


@pytest.mark.parametrize(
    ("block", "task_ms", "wait_ms"),
    [
        ({"type": "http", "request": {"url": "https://a.example"}}, 600_000, None),
        ({"wait": {"for": "1h"}}, 600_000, None),
        ({"event": {"type": "paid", "match": "true"}}, None, 600_000),
        ({"type": "approval", "approvers": ["user:ann"]}, None, 600_000),
        ({"workflowRef": "child"}, None, 600_000),
    ],
    ids=["a call", "a time", "an event", "an approval", "another execution"],
)
def test_the_timeout_of_a_task_is_that_of_its_wait_where_something_else_ends_it(
    block: dict[str, Any], task_ms: int | None, wait_ms: int | None
) -> None:
    (node,) = compiled(document([{"id": "a", "timeout": "10m", **block}])).nodes
    assert (task_ms, wait_ms) == (node.timeout_ms, None if node.wait is None else node.wait.timeout_ms)
