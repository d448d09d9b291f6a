"""Switches and loops as Choice and Map: run by an interpreter, they give what our engine gives for a document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from millrace.services.workflow_tests import run_case, subject_of
from millrace.spec import Workflow
from millrace.spec.models.testing import Case
from millrace.wiring.rehearsing import rehearse
from tests.unit.exporters.test_exporting import REGION, call, flow, machine, reasons, run

pytestmark = pytest.mark.repeats

Made = dict[str, Any]


def gives(name: str, value: str, more: str = "") -> str:
    """A task that hands one value on."""
    return (
        f"id: {name}, type: transform, input: {{items: [{value}]}}, transform: [{{limit: 1}}], "
        f"output: '{{{{output[0]}}}}'{more}"
    )


def switch(name: str, value: str, *cases: str, default: str = "", more: str = "") -> str:
    rest = f", default: {{tasks: [{{{default}}}]}}" if default else ""
    return f"id: {name}, switch: {{value: '{value}', cases: [{', '.join(cases)}]{rest}}}{more}"


def case(test: str, *tasks: str) -> str:
    return f"{{{test}, tasks: [{', '.join(f'{{{task}}}' for task in tasks)}]}}"


def loop(name: str, each: str, *tasks: str, more: str = "") -> str:
    return f"id: {name}, forEach: {{{each}}}, tasks: [{', '.join(f'{{{task}}}' for task in tasks)}]{more}"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield boto3.client("stepfunctions", region_name=REGION)


def ours(workflow: Workflow, value: Any) -> Any:
    """The output of our engine."""
    result = run_case(subject_of(workflow, {}, {}), Case(name="t", input=value), rehearse)
    assert result.problem is None
    assert "succeeded" == result.execution["status"], result.execution
    return result.execution["output"]


ROUTE = switch(
    "route",
    "{{input.tier}}",
    case("match: gold", gives("thank", "'gold {{input.n}}'"), gives("more", "'{{tasks.thank.output}}!'")),
    case("match: 5", gives("five", "5")),
    case("match: true", gives("yes", "1")),
    case("match: null", gives("nothing", "0")),
    case("when: \"value.startsWith('s') && input.n > 1\"", gives("other", "'{{input.tier}}'")),
    default=gives("rest", "{d: '{{input.tier}}'}"),
)
LOOP = loop(
    "each",
    "items: '{{input.rows}}', as: row, index: at, maxParallel: 3",
    gives("one", "{id: '{{row.id}}', at: '{{at}}', n: '{{input.n}}'}"),
    switch(
        "kind", "{{row.kind}}", case("match: a", gives("isa", "'{{tasks.one.output.id}}'")), default=gives("isb", "b")
    ),
)
NESTED = loop(
    "outer",
    "items: [[1, 2], [3]], as: list, index: o",
    loop("inner", "items: '{{list}}', as: x, index: i", gives("pair", "{o: '{{o}}', i: '{{i}}', x: '{{x}}'}")),
)
AFTER = gives("after", "'{{tasks.route.status}}'", ", dependsOn: [route]")
NONE = "  output: '{{tasks.route.output}}'\n"
BOTH = gives("c", "'{{tasks.a.output}}{{tasks.b.output}}'")
STATUS = "  output: {s: '{{tasks.l.status}}'}\n"
TEXT = "  output: {route: '{{tasks.route.output}}', after: '{{tasks.after.output}}'}\n"
WHOLE = [
    *((flow(ROUTE, AFTER, more=TEXT), {"tier": tier, "n": n})
      for tier, n in (("gold", 1), (5, 1), (True, 1), (None, 1), ("silver", 2), ("silver", 1), ("x", 1))),
    (flow(switch("route", "{{input.t}}", case("match: a", gives("b", "1"))), more=NONE),
     {"t": "z"}),
    (flow(LOOP, more="  output: '{{tasks.each.output}}'\n"),
     {"n": 7, "rows": [{"id": "x", "kind": "a"}, {"id": "y", "kind": "b"}, {"id": "z", "kind": "a"}]}),
    (flow(LOOP, more="  output: '{{tasks.each.output}}'\n"), {"n": 7, "rows": []}),
    (flow(NESTED), {}),
    (flow(loop("l", "items: [1, 2], tolerate: {failures: '100%'}", gives("a", "'{{item}}'"))), {}),
    (flow(ROUTE, gives("beside", "1"), gives("last", "'{{tasks.route.status}} {{tasks.beside.output}}'")),
     {"tier": "gold", "n": 2}),
    (flow(loop("l", "items: '{{input.r}}'", gives("a", "1"), gives("b", "2"), BOTH)),
     {"r": [1]}),
    (flow(loop("l", "items: [1]", gives("a", "1"), more=", condition: input.go"), more=STATUS),
     {"go": False}),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "value"), WHOLE, ids=[str(n) for n in range(len(WHOLE))])
def test_what_is_exported_gives_what_our_engine_gives(steps: Any, workflow: Workflow, value: Any) -> None:
    assert ("SUCCEEDED", ours(workflow, value)) == run(steps, machine(workflow), value)


def failing(made: Made) -> Made:
    """The machine in which the task ``a`` fails for items above 1."""
    text = json.dumps(made)
    made = json.loads(text)
    first = made["States"]["l each"]["ItemProcessor"]["States"]["l items"]["Branches"][0]
    fail = {"Type": "Fail", "Error": "Odd", "Cause": "above 1"}
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.item", "NumericGreaterThan": 1, "Next": "broken"}]}
    first["StartAt"] = "first"
    first["States"] |= {"first": {**choice, "Default": "a"}, "broken": fail}
    return made


def test_a_loop_that_tolerates_everything_says_which_items_failed(steps: Any) -> None:
    each = "items: [1, 2, 3], tolerate: {failures: '100%'}"
    found, output = run(steps, failing(machine(flow(loop("l", each, gives("a", "'{{item}}'"))))), {})
    assert ("SUCCEEDED", ["succeeded", "failed", "failed"]) == (found, [one["status"] for one in output["l"]])
    assert {"a": 1} == output["l"][0]["output"]
    assert ("Odd", "above 1") == (output["l"][1]["error"]["code"], output["l"][1]["error"]["message"])


def test_a_linter_has_nothing_to_say_of_choices_and_maps(tmp_path: Path) -> None:
    each = "items: [1, 2], tolerate: {failures: '100%'}"
    tasks = [ROUTE, loop("l", each, call("a", request="url: '{{item}}'"), more=", continueOnError: true")]
    file = tmp_path / "machine.asl.json"
    file.write_text(json.dumps(machine(flow(*tasks, NESTED, more="  output: x\n"))))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "statelint"), str(file)], capture_output=True, text=True, timeout=60
    )
    assert ("", 0) == ((done.stdout + done.stderr).strip(), done.returncode)


def test_a_loop_has_its_limit_and_the_names_around_it() -> None:
    made = machine(flow(NESTED))
    outer = made["States"]["outer each"]
    assert (10, "INLINE") == (outer["MaxConcurrency"], outer["ItemProcessor"]["ProcessorConfig"]["Mode"])
    inner = outer["ItemProcessor"]["States"]["inner"]
    assert {"input.$", "tasks.$", "list.$", "o.$", "x.$", "i.$"} == set(inner["ItemSelector"])
    assert "$.list" == inner["ItemsPath"]


REFUSED = [
    (switch("s", "{{input.x + 1}}", case("match: 1", gives("a", "1"))), "", "what is computed: only paths can be read"),
    (switch("s", "{{input.x}}", case("match: [1]", gives("a", "1"))), "", "a match with a list or a mapping"),
    (switch("s", "{{input.x}}", case("when: true", gives("a", "1"))), "", "a case whose condition is constant"),
    (switch("s", "{{input.x}}", case("when: size(value) > 1", gives("a", "1"))), "",
     "what is computed: only paths can be read"),
    (switch("s", "{{input.x}}", case("match: 1", gives("a", "1", ", condition: input.y"))), "",
     "an output that may be missing: a in it may have none"),
    (switch("s", "{{input.x}}", case("match: 1", gives("a", "1")), more=", continueOnError: true"), "/continueOnError",
     "a switch that may fail has no counterpart"),
    (switch("s", "{{input.x}}", case("match: 1", "id: a, event: {type: x}")), "/switch/cases/0/tasks/0/type",
     "a task of type event has no counterpart"),
    (switch("s", "{{input.x}}", case("match: 1", gives("a", "1")), more=", timeout: 5s"), "/timeout",
     "a timeout of all tasks together has no counterpart"),
    (loop("l", "items: '{{input.x + 1}}'", gives("a", "1")), "", "what is computed: only paths can be read"),
    (loop("l", "items: ['{{input.x}}']", gives("a", "1")), "", "a list of items with templates"),
    (loop("l", "items: [1], tolerate: {failures: '10%'}", gives("a", "1")), "",
     "a loop that tolerates some failures: an inline Map tolerates none, and cannot count them"),
    (loop("l", "items: [1]", gives("a", "1"), more=", retry: {maxAttempts: 2}"), "",
     "retries of several tasks together have no counterpart"),
    (loop("l", "items: [1]", call("a"), call("b"), call("c", ", dependsOn: [a]"), call("d", ", dependsOn: [a, b]")), "",
     "a, b, c, d wait for each other in a way that no Parallel states can keep"),
    (loop("l", "items: [1]", call("a"), gives("b", "'{{tasks.a.output.headers}}'")), "/tasks/1",
     "of an http task's output, status and body can be read"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "below", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_what_has_no_counterpart_inside_is_refused_with_its_place(task: str, below: str, message: str) -> None:
    assert (f"/spec/tasks/0{below}", message) in reasons(flow(task, more="  output: x\n"))


def test_of_a_call_inside_a_switch_status_and_body_can_be_read() -> None:
    route = switch("s", "{{input.x}}", case("match: 1", call("a")), default=call("b"))
    assert "$.tasks.s.output.a.body" in json.dumps(
        machine(flow(route, more="  output: {x: '{{tasks.s.output.a.body}}'}\n"))
    )
    assert [("/spec/output", "of an http task's output, status and body can be read")] == reasons(
        flow(route, more="  output: {x: '{{tasks.s.output.a.headers}}'}\n")
    )
