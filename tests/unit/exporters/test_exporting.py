"""Workflows as state machines: what they hold, that a linter and an interpreter take them, and what is refused."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from millrace.services.exporters import asl_of
from millrace.services.exporters.series import Crossed, Order, Series, Side, above, series_parallel
from millrace.services.importers import convert
from millrace.spec import Workflow, load

pytestmark = pytest.mark.repeats

HEAD = "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: flow}\nspec:\n"
REGION = "eu-west-1"
COUNT = itertools.count()


def flow(*tasks: str, more: str = "") -> Workflow:
    text = HEAD + more + "  tasks:\n" + "".join(f"    - {{{task}}}\n" for task in tasks)
    document = load(text.encode(), media="yaml").document
    assert isinstance(document, Workflow), load(text.encode(), media="yaml").findings
    return document


def call(name: str, more: str = "", request: str = "url: 'https://x.example.com'") -> str:
    return f"id: {name}, type: http, request: {{{request}}}{more}"


def machine(workflow: Workflow) -> dict[str, Any]:
    made, reasons = asl_of(workflow)
    assert () == reasons
    return made


def reasons(workflow: Workflow) -> list[tuple[str, str]]:
    made, found = asl_of(workflow)
    assert {} == made
    return [(one.to_json()["path"], one.message) for one in found]


WHOLE = flow(
    call(
        "get-order",
        ", retry: {maxAttempts: 4, jitter: none, retryOn: [timeout, 5xx, 429]}",
        "url: '{{config.base}}/orders/{{input.id}}', auth: {bearer: {secretRef: crm-token}}",
    ),
    call(
        "a",
        ", dependsOn: [get-order], continueOnError: true, description: why",
        "method: POST, url: 'https://y.example.com', headers: {x-a: '{{input.id}}'}, query: {q: [1, '{{input.id}}']}, "
        "body: {o: '{{tasks.get-order.output.status}}', t: 'o {{input.id}} x'}",
    ),
    "id: nap, wait: {for: 1s}, dependsOn: [get-order], "
    "condition: \"tasks.get-order.output.status == 200 && !(input.kind.startsWith('test'))\"",
    "id: after, type: transform, input: {items: [{n: '{{input.id}}', l: [1]}]}, transform: [{limit: 1}], "
    "output: '{{output[0]}}', dependsOn: [nap]",
    call("last", ", dependsOn: [a, after]", "url: 'https://z.example.com', form: {a: b}"),
    more="  description: all of it\n  timeout: 90s\n  config: {base: 'https://x.example.com'}\n"
    "  output: {s: '{{tasks.after.status}}', a: '{{tasks.a.output.body}}', id: 'no {{input.id}}'}\n",
)


def states_of(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", []):
            yield from states_of(branch)


def test_a_linter_has_nothing_to_say_of_what_is_exported(tmp_path: Path) -> None:
    file = tmp_path / "machine.asl.json"
    file.write_text(json.dumps(machine(WHOLE)))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "statelint"), str(file)], capture_output=True, text=True, timeout=60
    )
    assert ("", 0) == ((done.stdout + done.stderr).strip(), done.returncode)


def test_each_part_of_a_workflow_has_its_place() -> None:
    made = machine(WHOLE)
    found = dict(states_of(made))
    assert ("all of it", 90) == (made["Comment"], made["TimeoutSeconds"])
    assert "Begin get_order Beside_1 last_wanted last last_skipped End" == " ".join(
        name.replace(" ", "_") for name in made["States"]
    )
    order = found["get_order"]
    assert {
        "ApiEndpoint.$": "States.Format('{}/orders/{}', 'https://x.example.com', $.input.id)",
        "Method": "GET",
        "Authentication": {"ConnectionArn": "${CrmTokenConnectionArn}"},
    } == order["Parameters"]
    codes = [f"States.Http.StatusCode.{code}" for code in (500, 501, 502, 503, 504, 429)]
    assert [
        {
            "ErrorEquals": ["States.Timeout", *codes],
            "IntervalSeconds": 1,
            "MaxAttempts": 3,
            "BackoffRate": 2.0,
            "JitterStrategy": "NONE",
            "MaxDelaySeconds": 60,
        }
    ] == order["Retry"]
    assert "a failed" == found["a"]["Catch"][0]["Next"]
    assert "States.Format('o {} x', $.input.id)" == found["a"]["Parameters"]["RequestBody"]["t.$"]
    assert {
        "And": [
            {"Variable": "$.tasks.get_order.output.status", "NumericEquals": 200},
            {"Not": {"Variable": "$.input.kind", "StringMatches": "test*"}},
        ],
        "Next": "nap",
    } == found["nap wanted"]["Choices"][0]
    assert {"Variable": "$.tasks.nap.status", "StringEquals": "skipped"} == found["after wanted"]["Choices"][0]["Not"]
    assert "URL_ENCODED" == found["last"]["Parameters"]["Transform"]["RequestBodyEncoding"]


def emulated(source: dict[str, Any]) -> dict[str, Any]:
    """The machine with every http state giving back what it would have sent, since nothing here answers."""
    made = dict(source)
    if "States" in made:
        made["States"] = {name: emulated(state) for name, state in made["States"].items()}
    if "Branches" in made:
        made["Branches"] = [emulated(branch) for branch in made["Branches"]]
    if made.get("Resource", "").endswith("http:invoke"):
        body = {"status": "succeeded", "output": {"status": 200, "body": made["Parameters"]}}
        kept = {key: made[key] for key in ("Next", "End", "ResultPath") if key in made}
        return {"Type": "Pass", "Parameters": body, **kept}
    return made


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto's Step Functions, which runs definitions."""
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield boto3.client("stepfunctions", region_name=REGION)


def run(steps: Any, made: dict[str, Any], value: Any) -> tuple[str, Any]:
    """Status and output of one execution."""
    arn = steps.create_state_machine(
        name=f"m{next(COUNT)}", definition=json.dumps(emulated(made)), roleArn="arn:aws:iam::123456789012:role/r"
    )["stateMachineArn"]
    name = f"e{next(COUNT)}"
    started = steps.start_execution(stateMachineArn=arn, name=name, input=json.dumps(value))["executionArn"]
    end = time.monotonic() + 30
    while (found := steps.describe_execution(executionArn=started))["status"] == "RUNNING":
        assert time.monotonic() < end, "the execution does not end"
        time.sleep(0.02)
    return found["status"], json.loads(found.get("output", "null"))


@pytest.mark.parametrize(("kind", "after"), [("real", "succeeded"), ("test 1", "skipped")])
def test_what_is_exported_runs_and_takes_the_branch_that_its_input_chooses(steps: Any, kind: str, after: str) -> None:
    status, output = run(steps, machine(WHOLE), {"id": "7", "kind": kind})
    assert ("SUCCEEDED", after, "no 7") == (status, output["s"], output["id"])
    assert {"o": 200, "t": "o 7 x"} == output["a"]["RequestBody"]
    assert {"q": [1, "7"]} == output["a"]["QueryParameters"]


def test_without_an_output_that_of_the_last_tasks_is_given(steps: Any) -> None:
    value = "type: transform, transform: [{limit: 1}], output: '{{ output[0] }}'"
    made = machine(
        flow(f"id: a, input: {{items: ['{{{{input.x}}}}']}}, {value}", f"id: b, input: {{items: [2]}}, {value}")
    )
    assert ("SUCCEEDED", {"a": 5, "b": 2}) == run(steps, made, {"x": 5})


def test_an_imported_machine_that_was_exported_gives_what_it_gave(steps: Any) -> None:
    machine_ = {
        "StartAt": "c",
        "States": {
            "c": {"Type": "Choice", "Default": "small",
                  "Choices": [{"Variable": "$.n", "NumericGreaterThan": 3, "Next": "big"}]},
            "big": {"Type": "Pass", "Parameters": {"x.$": "$.n"}, "Next": "out"},
            "small": {"Type": "Pass", "Result": {"x": 0}, "Next": "out"},
            "out": {"Type": "Pass", "Result": {"done": True}, "End": True},
        },
    }  # fmt: skip
    imported = convert("asl", machine_).document
    document = load(json.dumps(imported).encode(), media="json").document
    assert isinstance(document, Workflow)
    made = machine(document)
    assert run(steps, machine_, {"n": 5}) == ("SUCCEEDED", {"done": True})
    assert ("SUCCEEDED", {"done": True}) == run(steps, {**made, "Comment": "again"}, {"n": 5})


REFUSED = [
    (call("a", ", priority: 3"), "priority", "priority has no counterpart"),
    (call("a", ", output: {x: 1}"), "", "input and output mappings of a task have no counterpart"),
    (call("a", request="url: x, successCodes: [404]"), "", "successCodes of a request"),
    (call("a", request="url: x, body: {a: '{{env.X}}'}"), "", "env has no counterpart"),
    (call("a", request="url: x, body: {a: '{{input.x + 1}}'}"), "", "what is computed: only paths can be read"),
    (call("a", request="url: x, body: {a: '{{input.x[input.y]}}'}"), "", "what is computed: only paths can be read"),
    (call("a", request="url: x, body: {a: '{{trigger.id}}'}"), "", "trigger has no counterpart"),
    (call("a", request="url: x, body: {'a.$': 1}"), "", "the key 'a.$' would be taken for a path"),
    (call("a", request="url: x, body: {a: [['{{input.x}}']]}"), "", "a template in a list of lists"),
    (call("a", request="url: x, body: {a: ['{{input.x}}', {b: 1}]}"), "", "a list of templates and mappings"),
    (call("a", request="url: x, body: {a: '{{config.none}}'}"), "", "a constant that is not there"),
    (call("a", request="url: x, auth: {bearer: '{{input.token}}'}"), "",
     "a credential that is no secret: a connection has to hold it"),
    (call("a", ", attemptTimeout: 1500ms"), "", "a timeout of less than a second"),
    (call("a", ", retry: {strategy: linear}"), "", "waits that grow by a fixed amount"),
    (call("a", ", retry: {jitter: equal}"), "", "jitter of half the wait"),
    (call("a", ", retry: {maxDuration: 5s}"), "", "maxDuration of retries"),
    (call("a", ", retry: {retryOn: [schema]}"), "", "retries of schema"),
    (call("a", ", retry: {}, timeout: 5s"), "timeout", "a timeout of all attempts together has no counterpart"),
    (call("a", ", condition: true"), "", "a condition that is constant"),
    (call("a", ", condition: 'input.a == input.b'"), "",
     "a comparison of two paths: Step Functions has to know their type"),
    (call("a", ", condition: 'size(input.a) > 1'"), "", "what is computed: only paths can be read"),
    (call("a", ", condition: 'input.a < true'"), "", "a comparison by order of what has none"),
    (call("a", ", condition: 'input.a.contains(\"x\")'"), "", "contains has no counterpart"),
    (call("a", ", condition: 'input.a ?? true'"), "", "a condition that is no comparison of a path with a constant"),
    (call("a", ", condition: 'config.x == 1'"), "", "a constant that is not there"),
    ("id: a, wait: {for: '{{input.x}}'}", "", "a computed duration: Step Functions counts whole seconds"),
    ("id: a, wait: {until: '{{input.x}}Z'}", "", "a computed instant"),
    ("id: a, event: {type: x}", "type", "a task of type event has no counterpart"),
    ("id: a, taskRef: other", "taskRef", "taskRef has no counterpart"),
    ("id: a, type: transform, input: {items: [1]}, transform: [{sort: {}}]", "", "a transform that computes"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "key", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_what_has_no_counterpart_is_refused_with_its_place(task: str, key: str, message: str) -> None:
    path = "/spec/tasks/0" + (f"/{key}" if key else "")
    assert (path, message) in reasons(flow(task, more="  output: x\n"))


def test_what_no_run_hangs_on_is_left_out() -> None:
    plain = flow(call("a"))
    told = flow(
        call("a"), more="  tests: [{name: t, tasks: {a: {output: 1}}}]\n  examples: [{input: {}}]\n  tags: [b]\n"
    )
    assert machine(plain) == machine(told)


def test_every_reason_is_listed_at_once() -> None:
    workflow = flow(
        call("a", ", continueOnError: true"),
        call("b", ", dependsOn: [{task: a, condition: input.x}], triggerRule: none_failed"),
        call("c", ", triggerRule: all_done, dependsOn: [a]"),
        more="  parallelLimit: 2\n  output: '{{tasks.a.output.headers}}'\n",
    )
    assert [
        ("/spec/parallelLimit", "parallelLimit has no counterpart"),
        ("/spec/tasks/1/dependsOn", "a dependency with a condition has no counterpart"),
        ("/spec/tasks/1/triggerRule", "none_failed behind a, which may fail"),
        ("/spec/tasks/2/triggerRule", "all_done has no counterpart"),
        ("/spec/output", "of an http task's output, status and body can be read"),
    ] == reasons(workflow)


def test_an_order_in_the_shape_of_an_n_is_refused() -> None:
    tasks = [call("a"), call("b"), call("c", ", dependsOn: [a]"), call("d", ", dependsOn: [a, b]")]
    said = "a, b, c, d wait for each other in a way that no Parallel states can keep"
    assert [("/spec/tasks", said)] == reasons(flow(*tasks, more="  output: x\n"))


def test_a_last_task_that_may_be_skipped_needs_an_output() -> None:
    assert [("/spec/output", "say what the output is: a may have none")] == reasons(
        flow(call("a", ", condition: input.x"))
    )


def test_more_tasks_than_can_be_ordered_are_refused() -> None:
    found = reasons(flow(*(call(f"t{number}") for number in range(301)), more="  output: x\n"))
    assert [("/spec/tasks", "more than 300 tasks")] == found


def test_what_formats_would_read_otherwise_is_escaped() -> None:
    text = "it's {{input.a}} of {x} {{{{y"
    made = machine(flow(call("a", request=f'url: x, body: {{t: "{text}"}}'), more="  output: x\n"))
    found = made["States"]["a"]["Parameters"]["RequestBody"]["t.$"]
    assert r"States.Format('it\'s {} of \{x\} \{\{y', $.input.a)" == found


CONDITIONS = [
    ("input.a", {"Variable": "$.input.a", "BooleanEquals": True}),
    ("input.a == null", {"Variable": "$.input.a", "IsNull": True}),
    ("input.a != 'x'", {"Not": {"Variable": "$.input.a", "StringEquals": "x"}}),
    ("3 < input.a.b", {"Variable": "$.input.a.b", "NumericGreaterThan": 3}),
    ("input['a b'][0] == true", {"Variable": "$.input['a b'][0]", "BooleanEquals": True}),
    ("has(input.a.b)", {"Variable": "$.input.a.b", "IsPresent": True}),
    ("!!input.a", {"Variable": "$.input.a", "BooleanEquals": True}),
    ("input.a.endsWith('x')", {"Variable": "$.input.a", "StringMatches": "*x"}),
    ("input.a.startsWith('t*')", {"Variable": "$.input.a", "StringMatches": "t\\**"}),
    ("input.a >= config.n", {"Variable": "$.input.a", "NumericGreaterThanEquals": 4}),
    ("'{{input.a || input.b}}'", {"Or": [{"Variable": "$.input.a", "BooleanEquals": True},
                                         {"Variable": "$.input.b", "BooleanEquals": True}]}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=[str(n) for n in range(len(CONDITIONS))])
def test_a_condition_becomes_a_rule(condition: str, expected: dict[str, Any]) -> None:
    quoted = condition if condition.startswith("'{{") else json.dumps(condition)
    made = machine(flow(call("a", f", condition: {quoted}"), more="  output: x\n  config: {n: 4}\n"))
    assert {**expected, "Next": "a"} == made["States"]["a wanted"]["Choices"][0]


def keeps(order: Order) -> set[tuple[str, str]]:
    """Every pair of tasks of which the second comes behind the first."""
    if isinstance(order, str):
        return set()
    pairs = set().union(*(keeps(part) for part in order.parts))
    if isinstance(order, Series):
        for index, part in enumerate(order.parts):
            for later in order.parts[index + 1 :]:
                pairs |= {(one, other) for one in tasks_of(part) for other in tasks_of(later)}
    return pairs


def tasks_of(order: Order) -> set[str]:
    return {order} if isinstance(order, str) else set().union(*(tasks_of(part) for part in order.parts))


graphs = st.integers(1, 7).flatmap(
    lambda count: st.tuples(*(st.sets(st.integers(0, max(0, n - 1)), max_size=3) for n in range(count)))
)


@settings(deadline=None)
@given(graphs)
def test_an_order_keeps_what_waits_for_what_and_adds_nothing(graph: tuple[set[int], ...]) -> None:
    needs = {str(n): [str(need) for need in sorted(found) if need < n] for n, found in enumerate(graph)}
    before = above(needs)
    try:
        order = series_parallel(list(needs), before)
    except Crossed as crossed:
        assert 4 <= len(crossed.tasks)
        return
    assert {(one, other) for other, found in before.items() for one in found} == keeps(order)
    assert set(needs) == tasks_of(order)
    assert isinstance(order, str | Series | Side)
