"""Checks that follow schemas: inputs, outputs, constants, types, secrets."""

import pytest

from millrace.base.errors import TransformError
from millrace.spec import check_workflow
from millrace.spec.checks.report import Report
from tests.unit.spec.builders import GET, HTTP, TASK_HEAD, flow, judge, workflow_of

INPUT = (
    "  input: {properties: {rows: {type: array, items: {properties: {n: {type: integer}}}}, name: {type: string}, "
    "deep: {$ref: '#/$defs/d'}, open: {type: object}}, $defs: {d: {properties: {x: {type: boolean}}}}}\n"
)


def errors(text: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.message) for finding in judge(text) if finding.severity != "hint"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("input.rows[0].n", []),
        ("input.rows[0].m", [("unknown-input", "input.rows[0].m: m is not declared.")]),
        ("input.name.first", [("unknown-input", "input.name.first: there is no first, since it is string")]),
        ("input.rows.first", [("unknown-input", "input.rows.first: there is no first, since it is an array")]),
        ("input.deep.x", []),
        ("input.deep.y", [("unknown-input", "input.deep.y: y is not declared.")]),
        ("input.open.anything", []),
        ("input?.nam", [("unknown-input", 'input.nam: nam is not declared. Did you mean "name"?')]),
        ("config.a.b", []),
        ("config.a.c", [("unknown-config", "config.a.c: c is not declared.")]),
        ("config.l[0]", []),
        ("config.none.x", [("unknown-config", "config.none.x: there is no x, since it is null")]),
        ("config.l[5]", [("unknown-config", "config.l[5]: there is no 5, since the list has 1, counted from 0")]),
        ("trigger.kind", []),
        ("env.base", []),
        ("execution.id", []),
        ("tasks.get.output.total", []),
        (
            "tasks.get.output.totl",
            [("unknown-output", 'tasks.get.output.totl: totl is not declared. Did you mean "total"?')],
        ),
        ("tasks.get.outpt", [("unknown-output", 'tasks.get.outpt: outpt is not declared. Did you mean "output"?')]),
        ("tasks.get.attempts", []),
        ("tasks.get", []),
        ("tasks.call.output.body.free", []),
        ("tasks.call.output.status", []),
        ("tasks.mapped.output.code", []),
        (
            "tasks.mapped.output.fixed.x",
            [("unknown-output", "tasks.mapped.output.fixed.x: there is no x, since it is integer")],
        ),
        (
            "tasks.mapped.output.cod",
            [("unknown-output", 'tasks.mapped.output.cod: cod is not declared. Did you mean "code"?')],
        ),
        ("tasks.gone.output.any", [("unknown-task-ref", 'there is no reusable task "gone".')]),
        ("tasks.shape.output[0].n", []),
        ("tasks.strange.output.body.x", []),
    ],
)
def test_a_path_is_followed_through_what_is_declared(expression: str, found: list[tuple[str, str]]) -> None:
    extra = ["id: gone, taskRef: gone"] if "gone" in expression else []
    text = flow(
        "id: get, taskRef: get, input: {id: 1}",
        f"id: call, {HTTP}",
        f"id: mapped, {HTTP}, output: {{code: '{{{{output.status}}}}', fixed: 1, list: []}}",
        "id: shape, type: transform, input: {items: []}, transform: [{limit: 1}]",
        "id: strange, type: http, request: {url: 'https://x', responseSchema: {$ref: '#/$defs/b', "
        "$defs: {b: {type: object}}}}",
        *extra,
        more=INPUT + f"  config: {{a: {{b: 1}}, l: [x], none: null}}\n  output: '{{{{{expression}}}}}'\n",
    )
    assert found == errors(text)


def test_an_output_mapping_is_checked_against_what_the_task_produces() -> None:
    text = flow(f"id: a, {HTTP}, output: '{{{{output.statuss}}}}'")
    assert [("unknown-output", 'output.statuss: statuss is not declared. Did you mean "status"?')] == errors(text)


def test_a_task_without_an_output_schema_has_that_of_its_type() -> None:
    from tests.unit.spec.builders import brief, task_document

    plain = GET[: GET.index("  outputSchema")]
    text = flow("id: get, taskRef: get, input: {id: 1}", more="  output: '{{tasks.get.output.statu}}'\n")
    assert [("unknown-output", 5, 14)] == brief(judge(text, {"get": task_document(plain)}))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("input: {id: 1}", []),
        ("input: {id: '{{tasks.a.attempts}}'}", []),
        ("input: {id: 'n{{input.name}}'}", [("type-mismatch", "id is string, and get takes integer")]),
        ("input: {id: ['{{input.open.x}}']}", [("type-mismatch", "id is array, and get takes integer")]),
        ("input: {id: 1, tags: {a: '{{input.name}}'}}", [("type-mismatch", "tags is object, and get takes array")]),
        ("input: {id: '{{input.open.x + input.open.y}}'}", []),
        ("input: {id: '{{input.open.x}}'}", []),
        ("input: {id: one}", [("type-mismatch", 'id is the text "one", expected integer')]),
        ("input: {id: 1, tags: {a: b}}", [("type-mismatch", "tags is a mapping, expected array")]),
        ("input: {id: 1, tags: ['{{input.name}}', {a: '{{input.name}}'}]}", []),
        ("input: {id: '{{input.name}}'}", [("type-mismatch", "id is string, and get takes integer")]),
        ("input: {id: '{{input.nam}}'}", [("unknown-input", 'input.nam: nam is not declared. Did you mean "name"?')]),
        ("input: {id: 1, tag: x}", [("unknown-input", 'get has no input "tag". Did you mean "tags"?')]),
        ("input: {id: 1, qqqq: x}", [("unknown-input", 'get has no input "qqqq".')]),
        ("priority: 1", [("missing-input", 'get requires the input "id"')]),
        ("input: '{{input.open}}'", []),
        ("input: '{{input.name}}'", [("type-mismatch", "the input is string, and get takes object")]),
        ("input: name", [("type-mismatch", "the input is string, and get takes object")]),
        ("input: 'n{{input.open.x}}'", [("type-mismatch", "the input is string, and get takes object")]),
        (
            "input: '{{input}}'",
            [("missing-input", 'get requires the input "id", which what is given does not have')],
        ),
    ],
)
def test_the_input_of_a_reusable_task_is_checked_by_its_schema(given: str, found: list[tuple[str, str]]) -> None:
    assert found == errors(
        flow(f"id: a, taskRef: get, {given}", more=INPUT)
        .replace("tasks.a.", "tasks.b.")
        .replace("  tasks:\n", f"  tasks:\n    - {{id: b, {HTTP}}}\n")
    )


def test_a_task_without_declared_inputs_takes_any() -> None:
    from tests.unit.spec.builders import task_document

    document = task_document(TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n")
    assert () == judge(flow("id: a, taskRef: get, input: {x: 1}"), {"get": document})


def test_the_items_of_a_transform_are_an_array() -> None:
    text = flow("id: a, type: transform, input: {items: '{{input.name}}'}, transform: [{limit: 1}]", more=INPUT)
    assert [("type-mismatch", "items is string, and a transform works on an array")] == errors(text)


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        ("true", []),
        ("'1 + 1'", ["not-boolean"]),
        ("input.deep.x", []),
        ("input.nam", ["unknown-input"]),
        ("input.name == 'x'", []),
        ("size(input.name)", ["not-boolean"]),
        ("size(input.name) > 1", []),
        ("input.open.x", []),
        ("'1 / 0'", ["not-boolean"]),
        ("'1 +'", ["bad-expression"]),
    ],
)
def test_a_condition_is_true_or_false_where_schemas_tell(condition: str, codes: list[str]) -> None:
    quoted = condition if condition.startswith("'") else f'"{condition}"' if condition != "true" else condition
    text = flow(f"id: a, {HTTP}, condition: {quoted}", more=INPUT)
    assert codes == [code for code, _ in errors(text)]


@pytest.mark.parametrize(
    ("place", "codes"),
    [
        ("request: {url: 'https://x', headers: {a: '{{secrets.k}}'}}", []),
        ("request: {url: 'https://x', query: {a: '{{secrets.k}}'}}", []),
        ("request: {url: 'https://x', body: {a: ['{{secrets.k}}']}}", []),
        ("request: {url: 'https://x', auth: {bearer: '{{secrets.k}}'}}", []),
        ("request: {url: 'https://x', auth: {basic: {username: u, password: '{{secrets.k}}'}}}", []),
        ("request: {url: 'https://x', auth: {basic: {username: u, password: p}}}", ["plain-secret"]),
        ("request: {url: 'https://x', auth: {apiKey: {name: k, value: v}}}", ["plain-secret"]),
        ("request: {url: '{{secrets.k}}'}", ["secret-misplaced"]),
        ("request: {url: 'https://x'}, input: {a: '{{secrets.k}}'}", ["secret-misplaced"]),
        ("request: {url: 'https://x'}, output: '{{secrets.k}}'", ["secret-misplaced"]),
    ],
)
def test_a_secret_is_read_only_where_it_is_sent(place: str, codes: list[str]) -> None:
    assert codes == [code for code, _ in errors(flow(f"id: a, type: http, {place}"))]


def test_a_step_that_reads_an_unknown_task_is_found() -> None:
    text = flow("id: a, type: transform, input: {items: []}, transform: [{filter: 'item.x == tasks.bb.status'}]")
    assert [("unknown-task", 'there is no task "bb".')] == errors(text)


def test_a_step_may_read_inputs_and_other_tasks() -> None:
    text = flow(
        f"id: a, {HTTP}",
        "id: b, type: transform, input: {items: []}, transform: [{filter: 'item.x == tasks.a.status && input.y'}]",
    )
    assert [] == errors(text)


def test_suggestions_end_where_a_document_has_very_many_mistakes() -> None:
    tasks = [f"id: task{i}, {HTTP}, dependsOn: [tsk{i}]" for i in range(150)]
    found = [finding for finding in judge(flow(*tasks)) if finding.code == "unknown-task"]
    assert (150, 100) == (len(found), sum(bool(finding.did_you_mean) for finding in found))


def test_only_so_many_mistakes_are_reported_at_once() -> None:
    keys = ", ".join(f"k{i}: 1" for i in range(5_000))
    assert 200 == len(judge(flow(f"id: a, {HTTP}, {keys}")))


def test_an_expression_in_a_step_that_does_not_compile_is_found() -> None:
    text = flow("id: a, type: transform, input: {items: []}, transform: [{filter: 'item.x =='}]")
    assert ["bad-transform"] == [code for code, _ in errors(text)]


def steps(*written: str) -> list[tuple[int, str]]:
    """What is wrong with a transform of these steps, each in a line of its own: line and what stands there."""
    text = flow("id: a, type: transform, input: {items: []}, transform: [\n" + ",\n".join(written) + "]")
    lines = text.splitlines()
    found = [one for one in judge(text) if one.code == "bad-transform"]
    return [(one.line - 6, lines[one.line - 1][one.column - 1 :][:6]) for one in found]


def test_every_step_that_does_not_compile_is_found_where_its_expression_is_wrong() -> None:
    written = ["{filter: 'item.x >'}", "{map: {k: 'a {{item.y +}}'}}", "{limit: 1}", "{sort: {by: 'a ++'}}"]
    assert [(1, "'}"), (2, "}}'}}"), (4, "+'}}]}")] == [(at, there[:6].rstrip(",")) for at, there in steps(*written)]


def test_steps_behind_a_broken_one_are_judged_as_if_it_were_right() -> None:
    written = [
        "{groupBy: 'a +'}",
        "{aggregate: {n: {op: summ}}}",
        "{filter: 'n > 1'}",
        "{filtre: x}",
        "{select: [a, b c]}",
    ]
    assert [1, 2, 4, 5] == [line for line, _ in steps(*written)]
    assert [2] == [line for line, _ in steps("{aggregate: {n: count}}", "{limit: 1}", "{limit: 2}")]


def test_only_so_many_steps_of_one_transform_are_reported() -> None:
    assert list(range(1, 11)) == [line for line, _ in steps(*["{filter: 'item.x >'}"] * 12)]


def test_a_refusal_that_names_no_step_is_reported_once_for_all_of_them() -> None:
    def refuse(_steps: object, _scope: object) -> None:
        raise TransformError("there are none today", hint="come back")

    document, source = workflow_of(flow("id: a, type: transform, input: {items: []}, transform: [{limit: 1}]"))
    found = check_workflow(document, source, tasks={}, check_transform=refuse)
    told = [(one.message, one.path) for one in found if one.code == "bad-transform"]
    assert [("there are none today", ("spec", "tasks", 0, "transform"))] == told


def test_a_report_that_knows_no_tree_says_of_an_unknown_task_that_there_is_none() -> None:
    _, source = workflow_of(flow(f"id: a, {HTTP}"))
    report = Report(source)
    report.no_task("b", [], ("spec",), reader=None, otherwise="Add it.")
    assert [('there is no task "b".', "Add it.")] == [(one.message, one.fix) for one in report.findings]


@pytest.mark.parametrize("given", ["{items: '{{1 +}}'}", "'{{1 +}}'"])
def test_items_that_cannot_be_read_are_not_said_to_be_a_text_as_well(given: str) -> None:
    text = flow(
        f"id: a, type: transform, input: {given}, transform: [{{limit: 1}}]", more="  output: '{{tasks.a.output}}'\n"
    )
    assert ["bad-expression"] == [code for code, _ in errors(text)]


@pytest.mark.parametrize(
    ("handlers", "name"),
    [
        ("  finally: [{id: end, wait: {for: 1s}}]\n", "finally"),
        ("  onFailure: {tasks: [{id: end, wait: {for: 1s}}]}\n", "onFailure"),
    ],
    ids=["finally", "onFailure"],
)
def test_a_task_of_a_handler_that_is_named_elsewhere_is_not_said_to_be_missing(handlers: str, name: str) -> None:
    text = flow(f"id: a, {HTTP}, timeout: 1s", more=handlers + "  output: '{{tasks.end.output}}'\n")
    assert [("unknown-task", f'the task "end" is one of {name}, and is not seen from here')] == errors(text)


def test_a_mistake_in_a_block_scalar_is_found_in_its_line() -> None:
    text = flow(f"id: a, {HTTP}", more="  output: |\n    first\n    then {{input.nam}}\n" + INPUT)
    assert [(7, 12)] == [(finding.line, finding.column) for finding in judge(text)]


def test_a_mistake_behind_extra_indentation_is_found_where_the_text_begins() -> None:
    text = flow(f"id: a, {HTTP}", more="  output: |\n    first\n      {{input.nam}}\n" + INPUT)
    assert [(5, 11)] == [(finding.line, finding.column) for finding in judge(text)]


def test_a_mistake_in_a_folded_text_is_found_where_the_text_begins() -> None:
    text = flow(f"id: a, {HTTP}", more="  output: >\n    first\n    then {{input.nam}}\n" + INPUT)
    assert [(5, 11)] == [(finding.line, finding.column) for finding in judge(text)]


def test_an_example_that_does_not_fit_the_input_is_a_warning() -> None:
    more = INPUT + "  examples: [{input: {name: 5}}, {input: {name: x}}]\n"
    found = [(f.code, f.severity, f.path) for f in judge(flow(f"id: a, {HTTP}", more=more))]
    assert [("type-mismatch", "warning", ("spec", "examples", 0))] == found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (GET.replace("type: integer", "type: intger"), "/spec/inputSchema/properties/id/type"),
        (GET.replace("{type: number}", "{type: numbr}"), "/spec/outputSchema/properties/total/type"),
        (GET.replace("{url:", "{responseSchema: {type: x}, url:"), "/spec/request/responseSchema/type"),
        (GET.replace("input.id", "tasks.id"), "/spec/request/url"),
    ],
)
def test_a_reusable_task_is_checked_as_well(text: str, path: str) -> None:
    assert [path] == [finding.to_json()["path"] for finding in judge(text)]


def test_findings_do_not_depend_on_the_order_of_keys() -> None:
    one = judge(flow(f"id: a, {HTTP}, condition: input.nam", more=INPUT))
    other = judge(flow(f"condition: input.nam, {HTTP}, id: a", more=INPUT))
    assert [finding.message for finding in one] == [finding.message for finding in other]
