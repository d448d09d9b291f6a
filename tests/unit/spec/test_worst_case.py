"""The worst case of one execution: what is counted is what the engine writes, and a limit is a limit."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.limits import EVENTS_PER_EXECUTION, MIB, STATE_BYTES, VALUE_BYTES
from millrace.services.transform_check import check_transform
from millrace.spec.checks.worst_case import most_events
from millrace.spec.dependencies import graphs_of
from millrace.spec.environment import Environments
from millrace.spec.measure import most_bytes
from millrace.spec.models import WorkflowTask
from millrace.spec.outcomes import outcomes_of
from millrace.spec.produced import Products
from millrace.spec.shapes import Shape
from millrace.spec.sites import workflow_sites
from millrace.spec.tree import tree_of
from tests.unit.spec.builders import TASK_HEAD, flow, judge, task_document
from tests.unit.testing.builders import cut, http, outcome, reusable, subject, workflow

FAILS = {"failure": {"kind": "timeout"}}
TRIES: dict[str, Any] = {"retry": {"maxAttempts": 3, "interval": "1s"}}
CALLED = TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n  outputSchema: "
CALL = {"type": "http", "request": {"url": "https://x"}}
NAP = {"wait": {"for": "1s"}}


def counted(graph: list[dict[str, Any]], reusables: dict[str, WorkflowTask] | None = None, **spec: Any) -> int:
    made = subject(workflow(graph, **spec), reusables).workflow
    tree = tree_of(made)
    sites = workflow_sites(made, check_transform, tree)
    graphs = graphs_of(made, tree, sites)
    products = Products(tree, graphs, outcomes_of(tree, graphs, sites), reusables or {}, {})
    return most_events(made, tree, reusables or {}, Environments(made, tree, products, sites))


CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = [
    ("one call that succeeds", [http("a")], {}, {}),
    ("every attempt fails", [http("a", **TRIES)], {}, {"tasks": {"a": FAILS}, "expect": {"status": "failed"}}),
    ("what is only computed", [cut("a", [1])], {}, {}),
    ("a wait", [{"id": "a", **NAP}], {}, {}),
    ("an event", [{"id": "a", "event": {"type": "e"}}], {}, {"signals": [{"name": "e"}]}),
    (
        "two people",
        [{"id": "a", "type": "approval", "approvers": ["role:r"], "required": 2}],
        {},
        {"decisions": [{"task": "a", "decision": "approved", "principal": name} for name in "xy"]},
    ),
    (
        "a place",
        [http("a", concurrency={"key": "k", "limit": 1})],
        {"concurrency": {"key": "k2", "limit": 1}},
        {},
    ),
    (
        "a loop with retries",
        [{"id": "l", "forEach": {"items": [1, 2, 3], "tolerate": {"failures": 2}}, "tasks": [http("a", **TRIES)]}],
        {},
        {"tasks": {"a": FAILS}, "expect": {"status": "failed"}},
    ),
    (
        "the longest case",
        [
            {
                "id": "s",
                "switch": {
                    "value": 1,
                    "cases": [{"match": 1, "tasks": [http("a"), http("b")]}, {"match": 2, "tasks": [http("c")]}],
                },
            }
        ],
        {},
        {},
    ),
    (
        "what stands in",
        [http("a", **TRIES, fallback={"task": CALL})],
        {},
        {"tasks": {"a": FAILS, "a/fallback": {"status": 200}}},
    ),
    (
        "handlers",
        [http("a")],
        {"onFailure": {**NAP}, "finally": [{"id": "f", **NAP}]},
        {"tasks": {"a": FAILS}, "expect": {"status": "failed"}},
    ),
    (
        "generated tasks",
        [
            {
                "id": "g",
                "generate": {
                    "from": [{"id": n, "type": "http", "request": {"url": "https://x"}} for n in "ab"],
                    "max": 2,
                },
            }
        ],
        {},
        {},
    ),
]


@pytest.mark.parametrize(("graph", "spec", "case"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_the_worst_case_is_what_the_engine_writes_then(graph: Any, spec: Any, case: Any) -> None:
    case = {"expect": {}, "onUnmocked": "succeed-empty", **case}
    result = outcome(graph, spec=spec, **case)
    assert result.played is not None, result.problem
    told = 0 if {"finally", "concurrency"} & set(spec) else 1
    # nobody stands above a test, and an outcome is decided apart only where something follows it
    assert counted(graph, **spec) == len(result.played.events) + 1 + told


def test_another_workflow_counts_its_own_events() -> None:
    graph = [{"id": "a", "workflowRef": "other"}]
    result = outcome(graph, tasks={"a": {"output": 1}})
    assert result.played is not None
    assert counted(graph) == len(result.played.events) + 1 + 1 + 1  # one for a child that is cancelled


def test_a_reusable_task_counts_its_own_retries() -> None:
    tasks = {"r": reusable("r", request={"url": "https://x"}, retry={"maxAttempts": 7})}
    assert 4 + 3 * 7 == counted([{"id": "a", "taskRef": "r"}], tasks)
    assert 4 + 3 * 2 == counted([{"id": "a", "taskRef": "r", "retry": {"maxAttempts": 2}}], tasks)


def loops(extra: int) -> str:
    """A workflow with as many events as the limit, and ``extra`` more."""
    # 100 x 100 items, 33 attempts of three events each, and what is around them
    inside = (
        "id: a, forEach: {items: '{{input.l}}'}, tasks: [{id: b, forEach: {items: '{{input.l}}', as: k, index: j}, "
        "tasks: [{id: c, type: http, request: {url: 'https://x'}, retry: {maxAttempts: 33}}]}]"
    )
    loop = 2 + 100 * (2 + 100 * 99)
    left = EVENTS_PER_EXECUTION + extra - 4 - loop
    steps, naps = divmod(left, 3 * 100)
    tasks = [inside]
    tasks += [f"id: r{n}, type: http, request: {{url: 'https://x'}}, retry: {{maxAttempts: 100}}" for n in range(steps)]
    tasks += [f"id: t{n}, type: transform, input: {{items: []}}, transform: [{{limit: 1}}]" for n in range(naps)]
    return flow(*tasks, more="  timeout: 1d\n  input: {properties: {l: {type: array, maxItems: 100}}}\n")


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_more_events_than_the_limit_are_told_with_their_number(extra: int) -> None:
    found = [(one.severity, one.message) for one in judge(loops(extra)) if one.code == "too-many-events"]
    told = (
        "warning",
        f"one execution may have {EVENTS_PER_EXECUTION + 1:,} events, more than {EVENTS_PER_EXECUTION:,}",
    )
    assert ([told] if extra > 0 else []) == found


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        ({}, 0),
        (True, 0),
        ({"const": "abc"}, 5),
        ({"enum": ["a", "abcd"]}, 6),
        ({"enum": []}, 0),
        ({"type": "boolean"}, 5),
        ({"type": ["null", "boolean"]}, 5),
        ({"type": []}, 0),
        ({"type": "string"}, 0),
        ({"type": "string", "maxLength": 10}, 42),
        ({"type": "array", "maxItems": 3, "items": {"type": "boolean"}}, 2 + 3 * 6),
        ({"items": {"type": "boolean"}, "maxItems": 3}, 2 + 3 * 6),
        ({"type": "array", "items": {"type": "boolean"}}, 2),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 22}], "maxItems": 3, "items": {"const": 1}}, 9),
        ({"type": "object", "properties": {"ab": {"const": 1}}}, 2 + 4 + 2 + 1),
        ({"type": "object"}, 2),
        ({"anyOf": [{"const": 1}, {"const": 123}]}, 3),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 12}}}, 2),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}}, 17 * 7 + 0),
        ({"type": 7}, 0),
    ],
)
def test_a_schema_says_how_large_a_value_can_be(schema: Any, size: int) -> None:
    assert size == most_bytes(Shape.of(schema))


def told(text: str, task: str = "") -> list[str]:
    known = {"get": task_document(task)} if task else {}
    return [one.message for one in judge(text, known) if one.code == "too-much-data"]


@pytest.mark.parametrize("extra", [0, 1])
def test_an_output_larger_than_a_value_may_be_is_told(extra: int) -> None:
    length = (VALUE_BYTES - 2 - 2 - 5) // 4 + extra
    task = (
        TASK_HEAD
        + "  type: http\n  request: {url: 'https://x'}\n  outputSchema: "
        + (f"{{type: object, properties: {{s: {{type: string, maxLength: {length}}}}}, additionalProperties: false}}\n")
    )
    said = [f"the output may take {VALUE_BYTES / MIB:,.1f} MiB, more than the {VALUE_BYTES // MIB} of one value"]
    assert (said if extra else []) == told(flow("id: a, taskRef: get"), task)


def test_the_output_of_a_loop_is_as_large_as_all_its_entries_and_told_once() -> None:
    task = (
        TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n  outputSchema: {type: string, maxLength: 1000000}\n"
    )
    inner = "id: l, forEach: {items: [1, 2, 3, 4, 5]}, tasks: [{id: a, taskRef: get}]"
    outer = f"id: o, forEach: {{items: [1, 2], as: x, index: y}}, tasks: [{{{inner}}}]"
    assert ["the output may take 19.1 MiB, more than the 16 of one value"] == told(flow(outer), task)
    assert [] == told(flow(inner.replace("4, 5", "4")), task)
    assert [] == told(flow(f"{inner}, output: {{n: 1}}"), task)


def test_an_input_larger_than_a_value_may_be_is_told() -> None:
    more = "  input: {properties: {s: {type: string, maxLength: 5000000}}}\n"
    assert ["the input may take 19.1 MiB, more than the 16 of one value"] == told(
        flow("id: a, wait: {for: 1s}", more=more)
    )


@pytest.mark.parametrize(
    ("count", "said"), [(17, []), (18, ["one execution may hold 257.5 MiB of values, more than 256"])]
)
def test_more_values_than_an_execution_may_hold_are_told(count: int, said: list[str]) -> None:
    task = (
        TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n  outputSchema: {type: string, maxLength: 3750000}\n"
    )
    assert STATE_BYTES == 256 * MIB
    assert said == told(flow(*(f"id: t{n}, taskRef: get, timeout: 1m" for n in range(count))), task)
