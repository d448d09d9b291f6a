"""Shapes that are followed through mappings, transforms, fallbacks and `state`, and what is found by them."""

import pytest

from tests.unit.spec.builders import HTTP, TASK_HEAD, flow, judge, loop, switch, task_document, workflow_of

INPUT = (
    "  input: {type: object, required: [n, s, rows, old], properties: {n: {type: integer}, s: {type: string}, "
    "old: {type: string, deprecated: true}, rows: {type: array, items: {type: object, additionalProperties: false, "
    "properties: {name: {type: string}, price: {type: number}}}}}}\n"
)
ANSWER = (
    "id: a, type: http, timeout: 5s, request: {url: 'https://x.example', responseSchema: {type: object, "
    "properties: {count: {type: integer}}, additionalProperties: false}}"
)
ROWS = "id: a, type: transform, input: {items: '{{input.rows}}'}"
TEXT_PLUS = "+ cannot be applied to a text and an int"


def found(*tasks: str, more: str = "", reads: str = "") -> list[str]:
    """The messages of errors; ``reads`` is an expression in the output of the workflow."""
    output = f'  output: {{x: "{{{{{reads}}}}}"}}\n' if reads else ""
    return [one.message for one in judge(flow(*tasks, more=INPUT + more + output)) if one.severity == "error"]


@pytest.mark.parametrize(
    ("mapping", "reads", "message"),
    [
        ("{m: '{{output.body.count}}'}", "tasks.a.output.m + 1", ""),
        (
            "{m: '{{output.body.count}}'}",
            "tasks.a.output.m.z",
            "tasks.a.output.m.z: there is no z, since it is integer",
        ),
        ("{m: 'no {{output.body.count}}'}", "tasks.a.output.m + 1", f"{TEXT_PLUS}: tasks.a.output.m + 1"),
        ("{m: '{{output.body.count > 1}}'}", "tasks.a.output.m && input.n > 1", ""),
        ("'{{output.body}}'", "tasks.a.output.cnt", 'tasks.a.output.cnt: cnt is not declared. Did you mean "count"?'),
        ("['{{input.s}}', 2]", "tasks.a.output[0] + 1", f"{TEXT_PLUS}: tasks.a.output[0] + 1"),
        ("['{{input.s}}', 2]", "tasks.a.output[1] + 1", ""),
        ("{m: '{{env.X}}'}", "tasks.a.output.m + 1", ""),
        ("{m: '{{env.X ?? input.s}}'}", "tasks.a.output.m.z", ""),
    ],
)
def test_an_output_mapping_gives_what_its_expressions_give(mapping: str, reads: str, message: str) -> None:
    assert ([message] if message else []) == found(f"{ANSWER}, output: {mapping}", reads=reads)


def test_a_mapping_is_followed_through_any_number_of_tasks_in_any_order() -> None:
    last = f"id: c, {HTTP}, output: {{v: '{{{{tasks.b.output.v}}}}'}}"
    first = f"id: b, {HTTP}, output: {{v: '{{{{input.s}}}}'}}"
    assert [f"{TEXT_PLUS}: tasks.c.output.v + 1"] == found(last, first, reads="tasks.c.output.v + 1")


@pytest.mark.parametrize(
    ("steps", "reads", "message"),
    [
        ("[{map: {n: '{{item.name}}'}}]", "tasks.a.output[0].n", ""),
        ("[{map: {n: '{{item.name}}'}}]", "tasks.a.output[0].name", "tasks.a.output[0].name: name is not declared."),
        ("[{map: {n: '{{item.name}}'}}]", "tasks.a.output[0].n + 1", f"{TEXT_PLUS}: tasks.a.output[0].n + 1"),
        (
            "[{filter: 'item.price > 1'}, {limit: 2}]",
            "tasks.a.output[0].cost",
            "tasks.a.output[0].cost: cost is not decl",
        ),
        ("[{aggregate: {sum: {op: sum, of: price}}}]", "tasks.a.output.sum + 1", ""),
        (
            "[{aggregate: {sum: {op: sum, of: price}}}]",
            "tasks.a.output.total",
            "tasks.a.output.total: total is not decl",
        ),
        ("[{aggregate: {sum: {op: sum, of: price}}}]", "tasks.a.output[0]", "tasks.a.output[0]: 0 is not declared."),
        ("[{groupBy: name}]", "tasks.a.output[0].items[0].price", ""),
        ("[{groupBy: name}]", "tasks.a.output[0].rows", "tasks.a.output[0].rows: rows is not declared."),
        ("[{flatten: {}}]", "tasks.a.output[0].whatever", ""),
    ],
)
def test_a_transform_gives_the_items_that_its_steps_leave(steps: str, reads: str, message: str) -> None:
    messages = found(f"{ROWS}, transform: {steps}", reads=reads)
    assert bool(message) == bool(messages)
    assert not message or messages[0].startswith(message)


def test_a_loop_goes_through_the_items_of_a_transform() -> None:
    shaped = f"{ROWS}, transform: [{{map: {{n: '{{{{item.name}}}}'}}}}]"
    each = loop("l", f"id: c, {HTTP}, condition: row.name == ''", each="items: '{{tasks.a.output}}', as: row")
    assert ["row.name: name is not declared."] == found(shaped, each)
    given = loop("l", "id: c, taskRef: get, input: {id: '{{row.n}}'}", each="items: '{{tasks.a.output}}', as: row")
    assert ["id is string, and get takes integer"] == found(shaped, given)


def test_what_a_loop_and_a_switch_put_out_is_told_with_what_is_in_them() -> None:
    inner = f"id: c, {HTTP}, output: {{v: '{{{{input.s}}}}'}}"
    each = loop("l", inner, each="items: '{{input.rows}}'")
    assert [f"{TEXT_PLUS}: tasks.l.output[0].output.c.v + 1"] == found(each, reads="tasks.l.output[0].output.c.v + 1")
    chosen = switch("s", ("match: 1", inner), value="{{input.n}}", default=inner)
    assert [f"{TEXT_PLUS}: tasks.s.output.c.v + 1"] == found(chosen, reads="tasks.s.output.c.v + 1")


def test_what_stands_in_is_one_of_two_shapes() -> None:
    with_value = f"{ANSWER}, fallback: {{value: {{body: {{count: '{{{{error.code}}}}'}}}}}}"
    assert [] == found(with_value, reads="tasks.a.output.body.count + 1")
    both_text = f"id: a, {HTTP}, output: '{{{{input.s}}}}', fallback: {{value: '{{{{error.code}}}}'}}"
    assert [f"{TEXT_PLUS}: tasks.a.output + 1"] == found(both_text, reads="tasks.a.output + 1")
    instead = f"{ANSWER}, fallback: {{task: {{{HTTP}}}}}"
    assert ['tasks.a.output.bdy: bdy is not declared. Did you mean "body"?'] == found(
        instead, reads="tasks.a.output.bdy"
    )


@pytest.mark.parametrize(
    ("state", "condition", "count"),
    [
        ("{a: '{{input.n + 1}}'}", "state.a", 1),
        ("{a: '{{input.n > 1}}'}", "state.a", 0),
        ("{b: '{{state.a}}', a: '{{input.s}}'}", "state.b", 1),
        ("{b: '{{state.a}}', a: '{{state.b}}'}", "state.b == 1", 1),
        ("{a: {b: '{{input.s}}'}}", "state.a.c == ''", 1),
        ("{a: '{{env.X}}'}", "state.a", 0),
        ("{a: '{{tasks.z.output.v}}'}", "state.a", 1),
    ],
)
def test_an_entry_of_state_has_the_shape_of_what_it_computes(state: str, condition: str, count: int) -> None:
    task = f"id: b, {HTTP}, condition: {condition}"
    other = f"id: z, {HTTP}, output: {{v: '{{{{input.s}}}}'}}"
    assert count == len(found(other, task, more=f"  state: {state}\n"))


def test_who_reads_what_a_deprecated_input_became_is_not_warned_again() -> None:
    text = flow(
        f"id: a, {HTTP}, output: {{v: '{{{{input.old}}}}'}}",
        f"id: b, {HTTP}, condition: tasks.a.output.v == 'x'",
        more=INPUT,
    )
    assert [] == [one.message for one in judge(text) if one.code == "deprecated"]


def test_what_does_not_compile_is_said_once() -> None:
    assert 1 == len(found(f"id: a, {HTTP}, output: {{v: '{{{{1 +}}}}'}}", reads="tasks.a.output.v + 1"))
    assert 1 == len(found(f"{ROWS}, transform: [{{limit: x}}]", reads="tasks.a.output[0].whatever"))


@pytest.mark.parametrize(
    "mapping", ["{{a: '{before}'}}", "['{before}', '{before}']", "{{a: ['{before}', {{b: '{before}'}}]}}"]
)
def test_a_shape_that_grows_from_task_to_task_is_followed_only_so_far(mapping: str) -> None:
    first = f"id: t0, {HTTP}, output: {{v: '{{{{input.s}}}}'}}"
    befores = [f"{{{{tasks.t{at}.output}}}}" for at in range(1200)]
    mapped = [f"id: t{at + 1}, {HTTP}, output: {mapping.format(before=one)}" for at, one in enumerate(befores)]
    each = loop("l", f"id: c, {HTTP}, condition: row.v == 1", each="items: '{{tasks.t1200.output}}', as: row")
    messages = found(first, *mapped, each, reads="tasks.t1200.output")
    assert not any("declared" in one for one in messages)


ONE_OF = (
    "id: e, type: http, timeout: 5s, request: {url: 'https://x.example', responseSchema: {type: object, "
    "properties: {kind: {enum: [c, d]}, level: {enum: [1, 2]}}}}"
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("kind: '{{tasks.e.output.body.kind}}'", 'kind is "c" or "d", and get takes "a" or "b"'),
        ("also: '{{tasks.e.output.body.kind}}'", ""),
        ("level: '{{tasks.e.output.body.level}}'", ""),
        ("kind: '{{input.s}}'", ""),
        ("kind: 'x{{input.s}}'", ""),
        ("kind: '{{1 +}}'", None),
        ("many: ['{{input.s}}']", ""),
    ],
)
def test_listed_values_that_have_nothing_in_common_are_found(given: str, message: str | None) -> None:
    pick = task_document(
        TASK_HEAD + "  type: transform\n  transform: [{limit: 1}]\n  inputSchema: {type: object, properties: "
        "{kind: {enum: [a, b]}, also: {enum: [b, c]}, level: {enum: [7]}, many: {type: array}}}\n"
    )
    text = flow(ONE_OF, f"id: p, taskRef: pick, input: {{items: [], {given}}}", more=INPUT)
    messages = [one.message for one in judge(text, {"pick": pick}) if one.severity == "error"]
    assert ([message] if message else messages[:1] if message is None else []) == messages


@pytest.mark.parametrize(
    ("schema", "given", "count"),
    [
        ("{type: object, required: [k], properties: {k: {type: string, default: z}}}", "'{{input}}'", 0),
        ("{type: object, required: [k], properties: {k: {type: string}}}", "'{{input}}'", 1),
        ("{type: object, required: [k]}", "'{{input}}'", 1),
        ("{type: object, required: [n]}", "'{{input}}'", 0),
        ("{type: object}", "'{{1 +}}'", 0),
    ],
)
def test_a_whole_input_has_what_another_workflow_requires(schema: str, given: str, count: int) -> None:
    child = workflow_of(flow(f"id: z, {HTTP}", more=f"  input: {schema}\n").replace("name: flow", "name: child"))[0]
    text = flow(f"id: p, workflowRef: child, input: {given}", more=INPUT)
    codes = [one.code for one in judge(text, workflows={"child": child})]
    assert count == codes.count("missing-input") + codes.count("type-mismatch")
