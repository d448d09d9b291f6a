"""Checks of operands, requests, transforms and names: what types, literals and earlier steps tell."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.local.documents import files_in
from millrace.services.transform_check import check_transform
from millrace.spec import check_workflow
from tests.corpus import ROOT, Case, examples, small
from tests.unit.spec.builders import GET, HTTP, TASK_HEAD, flow, judge, task_document, workflow_of

INPUT = (
    "  input: {properties: {count: {type: integer}, name: {type: string}, ok: {type: boolean}, either: {type: "
    "[integer, string]}, open: {}, obj: {type: object}, rows: {type: array, items: "
    "{properties: {n: {type: number}}}}}}\n"
)


def found(text: str, severity: str = "") -> list[tuple[str, str]]:
    return [(f.code, f.message) for f in judge(text) if severity in ("", f.severity) and f.severity != "hint"]


def codes(text: str) -> list[str]:
    return [code for code, _ in found(text)]


FIELD = ", and takes text, a number, a boolean or a list of these"


@pytest.mark.parametrize(
    ("expression", "messages"),
    [
        ("1 + 'a'", ["+ cannot be applied to an int and a text: 1 + 'a'"]),
        ("input.count && input.ok", ["&& takes true or false, and input.count is an int"]),
        ("size(5)", ["size() takes a list, a map or a text, and 5 is an int"]),
        ("input.name * 2", ["* cannot be applied to a text and an int: input.name * 2"]),
        ("input.either + 1", []),
        ("input.open + 1", []),
        ("input.rows.map(r, r.n + 1)", []),
        ("input.rows.map(r, r.n + 'a')", ["+ cannot be applied to a number and a text: r.n + 'a'"]),
        ("input.nothing + 1", ["input.nothing: nothing is not declared."]),
        ("input.obj.startsWith('a')", [".startsWith() works on a text, and input.obj is a map"]),
        ("tasks.a.output.status + 'x'", ["+ cannot be applied to an int and a text: tasks.a.output.status + 'x'"]),
        ("tasks.a.status + 'x'", []),
        ("input.count == '5'", ["input.count == '5' is always false: it compares an int with a text"]),
        ("execution.id + 1", ["+ cannot be applied to a text and an int: execution.id + 1"]),
        ("execution.idd", ['execution.idd: idd is not declared. Did you mean "id"?']),
        ("execution.startedAt", []),
        ("trigger.kind", []),
        ("trigger.payload", ["trigger.payload: payload is not declared."]),
    ],
)
def test_operands_are_judged_where_literals_and_schemas_tell(expression: str, messages: list[str]) -> None:
    text = flow(f"id: a, {HTTP}", more=INPUT + f'  output: "{{{{{expression}}}}}"\n')
    assert messages == [message for _, message in found(text)]


def test_a_type_that_no_schema_may_name_tells_nothing() -> None:
    more = "  input: {properties: {odd: {type: [integer, stranger]}}}\n  output: '{{input.odd && true}}'\n"
    assert ["bad-schema"] == codes(flow(f"id: a, {HTTP}", more=more))


def test_the_output_mapping_and_reusable_tasks_are_judged_as_well() -> None:
    text = flow(f"id: a, {HTTP}, output: '{{{{output.status && true}}}}'")
    assert [("operand-type", "&& takes true or false, and output.status is an int")] == found(text)
    text = flow(f"id: a, {HTTP}", more="  output: '{{output}}'\n")
    assert ["unknown-reference"] == codes(text)
    text = GET.replace("{{input.id}}", "{{input.id && true}}")
    assert [("operand-type", "&& takes true or false, and input.id is an int")] == found(text)
    steps = TASK_HEAD + "  type: transform\n  transform: [{map: {a: 1}}, {sort: b}]\n"
    assert ["unknown-field"] == codes(steps)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("input: {items: []}", []),
        ("input: {items: '{{input.rows}}'}", []),
        ("input: {items: '{{input.open}}'}", []),
        ("input: '{{input.obj}}'", []),
        ("input: '{{input.open}}'", []),
        ("input: '{{input.rows}}'", ["input is array, and a transform needs a mapping with items"]),
        ("input: {items: {a: 1}}", ["items is object, and a transform works on an array"]),
        ("input: {items: abc}", ["items is string, and a transform works on an array"]),
        ("input: {items: 'n{{input.count}}'}", ["items is string, and a transform works on an array"]),
        ("input: {items: '{{input.name}}'}", ["items is string, and a transform works on an array"]),
        ("input: {items: '{{size(input.rows)}}'}", ["items is integer, and a transform works on an array"]),
        ("input: {item: []}", ["a transform works on input.items, which it is not given"]),
        ("priority: 1", ["a transform works on input.items, which it is not given"]),
    ],
)
def test_a_transform_is_given_an_array_of_items(given: str, expected: list[str]) -> None:
    assert expected == [
        m for _, m in found(flow(f"id: a, type: transform, {given}, transform: [{{limit: 1}}]", more=INPUT))
    ]


def test_a_reusable_transform_is_given_items_too() -> None:
    bare = task_document(TASK_HEAD + "  type: transform\n  transform: [{limit: 1}]\n")
    schema = "  inputSchema: {properties: {items: {type: array}}, required: [items]}\n"
    declared = task_document(TASK_HEAD + schema + "  type: transform\n  transform: [{limit: 1}]\n")
    for document in (bare, declared):
        assert ["missing-input"] == [f.code for f in judge(flow("id: a, taskRef: get, input: {}"), {"get": document})]
        assert [] == [f.code for f in judge(flow("id: a, taskRef: get, input: {items: []}"), {"get": document})]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/a", []),
        ("http://localhost:80?x=1", []),
        ("HTTPS://x", []),
        ("https://[::1]:80/a", []),
        ("{{env.base}}/a", []),
        ("https://{{input.name}}/a", []),
        ("https://{{input.name}}", []),
        ("https://api.{{input.name}}.com", []),
        ("api.example.com", ["the URL is not absolute: it has no scheme"]),
        ("/users/1", ["the URL is not absolute: it has no scheme"]),
        ("/users/{{input.name}}", ["the URL is not absolute: it has no scheme"]),
        ("api.example.com/{{input.name}}", ["the URL begins with 'api.example.com/', not with https://"]),
        ("ftp://x", ["the scheme ftp cannot be called"]),
        ("file:///etc/passwd", ["the scheme file cannot be called"]),
        ("ftp://{{input.name}}", ["the scheme ftp cannot be called"]),
        ("https://", ["the URL names no host"]),
        ("https:///a", ["the URL names no host"]),
        ("https://:80/a", ["the URL names no host"]),
        ("https:///{{input.name}}", ["the URL names no host"]),
        ("https://ann:pw@x/", ["the URL holds a user name or password"]),
        ("https://x:65535/a", []),
        ("https://x:00080", []),
        ("https://x:6{{input.name}}", []),
        ("https://x:{{input.name}}/a", []),
        ("https://x:65536/a", ["65536 is not a port"]),
        ("https://x:0?{{input.name}}", ["0 is not a port"]),
        ("https://[::1]:123456", ["123456 is not a port"]),
        ("https://x:" + "9" * 5_000, ["99999999999999999999 is not a port"]),
        ("5://x", ["the URL is not absolute: it has no scheme"]),
    ],
)
def test_an_address_that_can_never_be_called_is_found(url: str, expected: list[str]) -> None:
    text = flow(f"id: a, type: http, request: {{url: '{url}'}}", more=INPUT)
    assert expected == [message for code, message in found(text) if code == "bad-url"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("{map: {n: 1}}, {filter: n > 0}", []),
        ("{map: {n: 1}}, {filter: item.n > 0}", []),
        ("{map: {n: 1}}, {filter: m > 0}", [("error", "m", "n")]),
        ("{map: {n: 1}}, {filter: '(item.m ?? 0) > 0'}", [("warning", "m", "n")]),
        ("{map: {n: 1}}, {sort: m}", [("warning", "m", "n")]),
        ("{map: {n: 1}}, {limit: 1}, {distinct: m}", [("warning", "m", "n")]),
        ("{map: [1]}, {filter: m > 0}", []),
        ("{map: '{{item.a}}'}, {filter: m > 0}", []),
        ("{filter: m > 0}", []),
        ("{select: [a, b]}, {map: {x: '{{c}}'}}", [("error", "c", "a, b")]),
        ("{groupBy: a}, {sort: size(items)}", []),
        ("{groupBy: a}, {sort: a}", [("warning", "a", "items, key")]),
        ("{groupBy: a}, {aggregate: {s: {op: sum, of: n}}}, {filter: s > 1}", []),
        ("{groupBy: a}, {aggregate: {s: {op: sum, of: n}}}, {filter: t > 1}", [("error", "t", "key, s")]),
        ("{map: {a: 1}}, {groupBy: a}, {aggregate: {s: {op: sum, of: n}}}", [("warning", "n", "a")]),
        ("{map: {a: 1}}, {aggregate: {s: {op: sum, of: n}}}", [("warning", "n", "a")]),
        ("{map: {a: 1}}, {join: {with: [], on: a}}, {sort: z}", []),
        ("{map: {a: 1}}, {join: {with: [], on: a, as: b}}, {sort: b}", []),
        ("{map: {a: 1}}, {join: {with: [], on: a, as: b}}, {sort: z}", [("warning", "z", "a, b")]),
        ("{map: {a: 1}}, {flatten: a}, {sort: z}", [("warning", "z", "a")]),
        ("{map: {a: 1}}, {flatten: true}, {sort: z}", []),
        ("{map: {a: 1}}, {filter: 'item[\"a\"] > index && item[input.name] > 1'}", []),
    ],
)
def test_a_step_reads_fields_that_an_earlier_step_has_left(steps: str, expected: list[tuple[str, str, str]]) -> None:
    text = flow(f"id: a, type: transform, input: {{items: []}}, transform: [{steps}]", more=INPUT)
    said = [(f.severity, f.message) for f in judge(text)]
    assert [
        (s, f"no item has the field {name} here: an earlier step left {known}.") for s, name, known in expected
    ] == said


def test_a_field_that_is_nearly_right_is_proposed_and_long_lists_are_cut() -> None:
    many = ", ".join(f"field{n:02}: 1" for n in range(14))
    text = flow(f"id: a, type: transform, input: {{items: []}}, transform: [{{map: {{{many}}}}}, {{sort: field99}}]")
    (finding,) = judge(text)
    assert "and 2 more" in finding.message
    assert finding.did_you_mean
    assert f"Write {finding.did_you_mean[0]}." == finding.fix
    text = flow("id: a, type: transform, input: {items: []}, transform: [{map: {n: 1}}, {sort: zzz}]")
    assert "Make zzz in the earlier step, or read another field." == judge(text)[0].fix


@pytest.mark.parametrize(
    ("expression", "code", "fix"),
    [
        ("tasks.foo.output-1", "ambiguous-hyphen", "for a subtraction write tasks.foo.output - 1"),
        ("tasks.foo-bar", "ambiguous-hyphen", "for a subtraction write tasks.foo - bar"),
        ("tasks.foo-baz.durationMs", "ambiguous-hyphen", "for a subtraction write tasks.foo - tasks.baz"),
        ("tasks.a.b.output", "unknown-task", 'Write tasks["a.b"].'),
        ("tasks.c.d.e.output", "unknown-task", 'Write tasks["c.d.e"].'),
        ("tasks.c.d.output", "unknown-output", "Declared there: attempts, durationMs, error, output, status."),
        ("tasks.c.output", None, ""),
        ("tasks.x[0].y", "unknown-task", "Add the task, or read another one."),
        ("tasks.x", "unknown-task", "Add the task, or read another one."),
    ],
)
def test_a_name_with_a_hyphen_or_a_dot_gets_the_right_repair(expression: str, code: str | None, fix: str) -> None:
    ids = ["foo", "baz", "a.b", "c", "c.d.e"]
    text = flow(*(f"id: {name}, {HTTP}" for name in ids), more=f"  output: '{{{{{expression}}}}}'\n")
    assert ([] if code is None else [(code, fix)]) == [(f.code, f.fix) for f in judge(text) if f.severity == "error"]


def test_a_step_that_reads_a_task_with_a_dot_in_its_id_is_told_how() -> None:
    step = "id: t, type: transform, input: {items: []}, transform: [{filter: 'item.x == tasks.a.b.status'}]"
    (finding,) = judge(flow(f"id: a.b, {HTTP}", step))
    assert ("unknown-task", 'Write tasks["a.b"].') == (finding.code, finding.fix)


@pytest.mark.parametrize("case", [*small(), *examples()], ids=lambda case: case.name)
def test_nothing_that_runs_is_found_at_fault(case: Case) -> None:
    named = {document.metadata.name: document for document in (task_document(text.decode()) for text in case.tasks)}
    workflow, source = workflow_of(case.source.decode())
    references = [task.task_ref for task in workflow.spec.tasks if task.task_ref is not None]
    tasks = {reference: named[reference.partition("@")[0]] for reference in references}
    findings = check_workflow(workflow, source, tasks=tasks, check_transform=check_transform)
    assert [] == [finding for finding in findings if finding.severity == "error"]
    assert [] == [finding for finding in findings if finding.code in ("constant-comparison", "unknown-field")]


def test_the_examples_are_all_of_those_in_the_documentation() -> None:
    assert len(list(files_in(ROOT / "docs/examples"))) >= len(examples()) > 5


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ('headers: {x-a: "b\\tc", Accept: a, HOSTS: a}', []),
        ('headers: {x-a: "b {{input.name}}\\n"}', []),
        ("headers: {x-a: 1}", []),
        ("headers: {Host: a}", [("the header Host is set by the platform", "Host")]),
        ("headers: {content-length: 3}", [("the header content-length is set by the platform", "content-length")]),
        ('headers: {x-a: "b\\r\\nc: d"}', [("the value of the header x-a holds a control character", "x-a")]),
        ("query: {a: [1, b, null], c: '{{input.rows}}', d: null}", []),
        ("query: {a: {b: 1}}", [("query.a is object" + FIELD, "a")]),
        ("form: {a: [1, [2], {b: 1}]}", [("form.a is array" + FIELD, 1), ("form.a is object" + FIELD, 2)]),
    ],
)
def test_a_part_of_a_request_that_can_never_be_sent_is_found(part: str, expected: list[tuple[str, Any]]) -> None:
    text = flow(f"id: a, type: http, request: {{url: 'https://x.example', {part}}}", more=INPUT)
    assert expected == [(one.message, one.path[-1]) for one in judge(text) if one.code == "bad-value"]
