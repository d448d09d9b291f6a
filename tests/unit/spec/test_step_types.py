"""Checks of what steps of transforms do with fields: literals, schemas and the steps before tell what these hold."""

from __future__ import annotations

import pytest

from tests.unit.spec.builders import TASK_HEAD, flow, judge

INPUT = (
    "  input: {properties: {open: {},"
    " box: {properties: {items: {type: array, items: {properties: {n: {type: number}}}}}},"
    " rows: {type: array, items: {type: object, properties: {n: {type: number}, name: {type: string},"
    " tags: {type: array, items: {type: string}}, maybe: {type: [integer, 'null']}, either: {type: [integer, string]},"
    " nothing: {type: 'null'}, ok: {type: boolean}, at: {type: object, properties: {city: {type: string}}}}}}}}\n"
)


def said(steps: str, given: str = "'{{input.rows}}'") -> list[str]:
    text = flow(f"id: a, type: transform, input: {{items: {given}}}, transform: [{steps}]", more=INPUT)
    return [f.message for f in judge(text) if f.code in ("operand-type", "constant-comparison")]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("filter: n > 1 && ok", []),
        ("filter: item.n > 'a'", ["> cannot be applied to a number and a text: item.n > 'a'"]),
        ("filter: name", ["filter keeps items by true or false, and name is a text"]),
        ("filter: nothing", ["filter keeps items by true or false, and nothing is null"]),
        ("filter: ok", []),
        ("filter: either", ["filter keeps items by true or false, and either is a text or an int"]),
        ("filter: stranger", []),
        ("filter: name == 5", ["name == 5 is always false: it compares a text with an int"]),
        ("filter: index + 1 > 0", []),
        ("filter: index + 'a' == ''", ["+ cannot be applied to an int and a text: index + 'a'"]),
        ("filter: execution.id + 1 > 0", ["+ cannot be applied to a text and an int: execution.id + 1"]),
        ("map: '{{item.n + item.name}}'", ["+ cannot be applied to a number and a text: item.n + item.name"]),
        ("map: {a: [{b: '{{name * 2}}'}]}", ["* cannot be applied to a text and an int: name * 2"]),
        ("map: {a: 'is {{name}}'}", []),
        ("select: {a: tags + 1}", ["+ cannot be applied to a list and an int: tags + 1"]),
        ("sort: name * 2", ["* cannot be applied to a text and an int: name * 2"]),
        ("sort: [{by: n}, {by: at.city + 1}]", ["+ cannot be applied to a text and an int: at.city + 1"]),
        ("sort: at", []),
        ("groupBy: at.city - 1", ["- cannot be applied to a text and an int: at.city - 1"]),
        ("distinct: name - 1", ["- cannot be applied to a text and an int: name - 1"]),
        ("join: {with: [], on: name - 1}", ["- cannot be applied to a text and an int: name - 1"]),
        ("aggregate: {s: {op: sum, of: n}}", []),
        ("aggregate: {s: {op: sum, of: maybe}}", []),
        ("aggregate: {s: {op: sum, of: either}}", []),
        ("aggregate: {s: {op: sum, of: nothing}}", []),
        ("aggregate: {s: {op: sum, of: name}}", ["aggregate adds numbers up, and name is a text"]),
        ("aggregate: {s: {op: avg, of: at.city}}", ["aggregate adds numbers up, and at.city is a text"]),
        ("aggregate: {s: {op: sum, of: double(name)}}", []),
        ("aggregate: {s: {op: min, of: name}}", []),
        ("aggregate: {s: {op: max, of: tags}}", ["aggregate compares numbers or texts, and tags is a list"]),
        ("aggregate: {s: {op: collect, of: tags}, c: count}", []),
    ],
)
def test_a_step_is_judged_where_the_items_have_a_schema(step: str, expected: list[str]) -> None:
    assert expected == said(f"{{{step}}}")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("{filter: ok}, {sort: n}, {limit: 5}, {distinct: true}, {filter: n && ok}", True),
        ("{map: {m: '{{item.n}}'}}, {filter: m && true}", True),
        ("{map: {m: '{{item.n > 1}}'}}, {filter: m && true}", False),
        ("{map: {m: '{{item.n + 1}}'}}, {filter: m && true}", True),
        ("{map: {m: '{{item.open + 1}}'}}, {filter: m && true}", True),
        ("{map: {m: '{{item.stranger}}'}}, {filter: m && true}", False),
        ("{map: {m: '{{item.n}} pieces'}}, {filter: m && true}", True),
        ("{map: {m: text}}, {filter: m && true}", True),
        ("{map: {m: 5}}, {filter: m && true}", True),
        ("{map: {m: ['{{item.n}}', 1]}}, {filter: 'm[0] && true'}", True),
        ("{map: '{{item.n}}'}, {filter: item && true}", True),
        ("{map: '{{item.at}}'}, {filter: city && true}", True),
        ("{map: '{{index}}'}, {filter: item && true}", True),
        ("{select: [n]}, {filter: n && true}", True),
        ("{select: {m: at.city}}, {filter: m && true}", True),
        ("{select: {m: 'n > 1'}}, {filter: m && true}", False),
        ("{select: {m: size(tags)}}, {filter: m && true}", True),
        ("{select: {m: stranger}}, {filter: m && true}", False),
        ("{groupBy: name}, {filter: items && true}", True),
        ("{groupBy: name}, {filter: 'items[0].n && true'}", True),
        ("{groupBy: name}, {filter: key && true}", False),
        ("{groupBy: name}, {filter: size(items) > 1}, {aggregate: {s: {op: sum, of: name}}}", True),
        ("{groupBy: name}, {aggregate: {s: {op: sum, of: n}}}, {filter: s && true}", True),
        ("{groupBy: name}, {aggregate: {s: {op: avg, of: n}}}, {filter: s && true}", True),
        ("{groupBy: name}, {aggregate: {c: count}}, {filter: c && true}", True),
        ("{groupBy: name}, {aggregate: {c: {op: first, of: n}}}, {filter: c && true}", False),
        ("{groupBy: name}, {aggregate: {c: count}}, {aggregate: {s: {op: sum, of: name}}}", False),
        ("{groupBy: name}, {map: {n: '{{item.key}}'}}, {aggregate: {s: {op: sum, of: name}}}", False),
        ("{flatten: tags}, {filter: n && true}", False),
        ("{join: {with: [], on: name}}, {filter: n && true}", False),
    ],
)
def test_a_step_is_judged_by_what_the_steps_before_leave(steps: str, expected: bool) -> None:
    assert expected == bool(said(steps))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("'{{input.rows}}'", True),
        ("'{{input.open}}'", False),
        ("'{{input.rows.filter(r, r.ok)}}'", False),
        ("[{n: 1}, {n: 2}]", True),
        ("[{n: 1}, {n: true}]", False),
        ("[]", False),
        ("['{{input.rows[0]}}']", False),
    ],
)
def test_the_items_are_those_of_a_constant_or_of_a_path_with_a_schema(given: str, expected: bool) -> None:
    assert expected == bool(said("{filter: n && true}", given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [("input: '{{input.box}}'", True), ("input: '{{input.open}}'", False), ("priority: 1", False)],
)
def test_the_items_may_be_part_of_an_input_that_is_one_path(given: str, expected: bool) -> None:
    text = flow(f"id: a, type: transform, {given}, transform: [{{filter: n && true}}]", more=INPUT)
    assert expected == ("operand-type" in [one.code for one in judge(text)])


@pytest.mark.parametrize(("of", "expected"), [("n", []), ("n + 'a'", ["operand-type"])])
def test_the_items_of_a_task_before_are_those_of_its_declared_answer(of: str, expected: list[str]) -> None:
    schema = "{type: array, items: {type: object, properties: {n: {type: integer}}}}"
    call = f"id: get, type: http, request: {{url: 'https://x.example', responseSchema: {schema}}}"
    given = "input: {items: '{{tasks.get.output.body}}'}"
    step = f'id: a, type: transform, {given}, transform: [{{aggregate: {{s: {{op: sum, of: "{of}"}}}}}}]'
    assert expected == [one.code for one in judge(flow(call, step)) if one.severity == "error"]


def test_the_steps_of_a_reusable_task_are_judged_by_its_own_schema() -> None:
    schema = "  inputSchema: {properties: {items: {type: array, items: {properties: {n: {type: string}}}}}}\n"
    text = TASK_HEAD + schema + "  type: transform\n  transform: [{aggregate: {s: {op: sum, of: n}}}]\n"
    assert ["operand-type"] == [one.code for one in judge(text)]


def test_a_finding_in_a_step_stands_at_the_expression() -> None:
    text = flow(
        "id: a, type: transform, input: {items: [{n: 1}]}, transform: [{limit: 5}, {map: {a: [1, 'x{{n && true}}']}}]"
    )
    (finding,) = judge(text)
    line = text.splitlines()[finding.line - 1]
    assert ("n && true", "/spec/tasks/0/transform/1/map/a/1") == (
        line[finding.column - 1 :][:9],
        finding.to_json()["path"],
    )


def lost(steps: str, given: str = "'{{input.rows}}'") -> list[tuple[str, str, str]]:
    """Severity and message of each field that is not there, and the text from where that is said."""
    text = flow(f"id: a, type: transform, input: {{items: {given}}}, transform: [{steps}]", more=INPUT)
    lines = text.splitlines()
    return [
        (f.severity, f.message, lines[f.line - 1][f.column - 1 :]) for f in judge(text) if f.code == "unknown-field"
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("filter: item.m > 1", [("error", "item.m: m is not declared.", "item.m > 1")]),
        ("filter: m > 1", [("error", "item.m: m is not declared.", "m > 1")]),
        ("filter: (m ?? 0) > 1", [("warning", "item.m: m is not declared.", "m ?? 0")]),
        ("filter: (m.x ?? 0) > 1", [("warning", "item.m.x: m is not declared.", "m.x ??")]),
        ("filter: m?.x == 1", [("warning", "item.m.x: m is not declared.", "m?.x")]),
        ("filter: has(m.x)", [("error", "item.m.x: m is not declared.", "m.x)")]),
        ("map: {a: [{b: 'in {{at.town}}'}]}", [("error", "item.at.town: town is not declared.", "at.town}}")]),
        ("map: '{{item.n.x}}'", [("error", "item.n.x: there is no x, since it is number", "item.n.x}}")]),
        ("sort: nam", [("warning", 'item.nam: nam is not declared. Did you mean "name"?', "nam}")]),
        ("select: [n, nam]", [("warning", 'item.nam: nam is not declared. Did you mean "name"?', "nam]")]),
        ("groupBy: nam", [("warning", 'item.nam: nam is not declared. Did you mean "name"?', "nam}")]),
        ("sort: name}, {filter: m > 1", [("error", "item.m: m is not declared.", "m > 1")]),
        ("groupBy: name}, {aggregate: {s: {op: sum, of: m}}", [("warning", "item.m: m is not declared.", "m}}")]),
        ("groupBy: name}, {filter: size(items) > 1}, {aggregate: {s: {op: sum, of: n}, c: count}", []),
        ("filter: n > index && size(execution.id) > 0", []),
        ("filter: item.open.anything == 1", [("error", "item.open.anything: open is not declared.", "item.open")]),
        ("map: {m: '{{n}}'}}, {filter: m > 1", []),
        ("flatten: tags}, {filter: item == 'x' || m > 1", []),
    ],
)  # fmt: skip
def test_a_field_that_no_declared_item_has_is_found_in_the_first_steps(
    steps: str, expected: list[tuple[str, str, str]]
) -> None:
    found = lost(f"{{{steps}}}")
    assert [one[:2] for one in expected] == [one[:2] for one in found]
    assert all(there[2].startswith(wanted[2]) for wanted, there in zip(expected, found, strict=True))


def test_nothing_is_said_of_items_that_nothing_declares() -> None:
    assert [] == lost("{filter: m > 1}", "'{{input.open}}'")
    assert [] == lost("{filter: item.n > 1}", "[{n: 1}, {n: 2}]")
    assert [] == lost("{groupBy: name}, {map: {a: '{{items[0].n}}'}}, {aggregate: {s: {op: sum, of: a}}}")
