"""Shapes that are followed into and out of tasks that hold tasks, and what may be missing there."""

import pytest

from millrace.spec.shapes import Shape, count_of, either, follow, items_of, types_of, values_of
from tests.unit.spec.builders import HTTP, TASK_HEAD, flow, judge, loop, switch, task_document

INPUT = (
    "  input: {properties: {tier: {enum: [gold, silver]}, n: {type: integer}, free: {}, ok: {type: boolean}, "
    "three: {type: array, maxItems: 3, items: {type: string}}, many: {type: array, maxItems: 60000}, "
    "rows: {type: array, items: {properties: {name: {type: string}, "
    "lines: {type: array, items: {$ref: '#/$defs/l'}}}}}}, "
    "$defs: {l: {properties: {count: {type: integer}}}}}\n"
    "  config: {list: [{a: 1}, {a: 2}], mixed: [1, {b: 2}]}\n"
)
CALL = f"id: c, {HTTP}"
REPLY = (
    "id: w, type: http, request: {url: 'https://x', "
    "responseSchema: {$ref: '#/$defs/b', $defs: {b: {properties: {q: {}}}}}}"
)
GET = "id: ship, taskRef: get, input: {id: 1}"


def said(*tasks: str, more: str = "") -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in judge(flow(*tasks, more=INPUT + more)) if one.severity != "hint"]


def reads(path: str, name: str = "r", rest: str = "") -> str:
    return f'id: {name}, type: http, request: {{url: "{{{{{path}}}}}"}}{rest}'


@pytest.mark.parametrize(
    ("items", "path", "found"),
    [
        ("'{{input.rows}}'", "item.name", []),
        (
            "'{{input.rows}}'",
            "item.nme",
            [("unknown-reference", 'item.nme: nme is not declared. Did you mean "name"?')],
        ),
        (
            "'{{input.rows}}'",
            "item.lines[0].cuont",
            [("unknown-reference", 'item.lines[0].cuont: cuont is not declared. Did you mean "count"?')],
        ),
        ("'{{input.rows}}'", "index.x", [("unknown-reference", "index.x: there is no x, since it is integer")]),
        ("'{{input.free}}'", "item.x", []),
        ("'{{input.rows ?? []}}'", "item.nme", []),
        ("'{{input.three}}'", "item.x", [("unknown-reference", "item.x: there is no x, since it is string")]),
        ("'{{config.list}}'", "item.a", []),
        ("'{{config.list}}'", "item.b", [("unknown-reference", "item.b: b is not declared.")]),
        ("'{{config.mixed}}'", "item.b", []),
        ("'{{config.mixed}}'", "item.q", [("unknown-reference", "item.q: q is not declared.")]),
        ("[{a: 1}, {a: 2, b: 3}]", "item.b", []),
        ("[{a: 1}, {a: 2, b: 3}]", "item.q", [("unknown-reference", "item.q: q is not declared.")]),
        ("[{a: 1}, '{{input.free}}']", "item.q", []),
        ("[]", "item.q", []),
        ("'{{input.n}}'", "item.q", [("type-mismatch", "items is integer, and forEach goes through an array")]),
        (
            "'{{tasks.s.output.ship.totl}}'",
            "item",
            [
                ("unknown-output", 'tasks.s.output.ship.totl: totl is not declared. Did you mean "total"?'),
            ],
        ),
    ],
)
def test_an_item_has_the_shape_of_the_items(items: str, path: str, found: list[tuple[str, str]]) -> None:
    tasks = [switch("s", ("match: 1", GET), default=GET, value="{{input.free}}")] if "tasks.s" in items else []
    assert found == said(*tasks, loop("a", reads(path), each=f"items: {items}"))


def test_an_item_of_an_item_has_its_shape() -> None:
    inner = loop("b", reads("line.cuont"), each="items: '{{row.lines}}', as: line, index: m")
    found = said(loop("a", inner, each="items: '{{input.rows}}', as: row, index: n"))
    assert [("unknown-reference", 'line.cuont: cuont is not declared. Did you mean "count"?')] == found
    wrong = loop("b", reads("line.cuont"), each="items: '{{row.name}}', as: line, index: m")
    found = said(loop("a", wrong, each="items: '{{input.rows}}', as: row, index: n"))
    assert [("type-mismatch", "items is string, and forEach goes through an array")] == found


def test_what_stands_in_for_a_loop_does_not_see_its_items() -> None:
    found = said(f"{loop('a', CALL)}, fallback: {{task: {{type: http, request: {{url: '{{{{item.x}}}}'}}}}}}")
    assert [("unknown-reference", "item is not a name that can be used here")] == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("'{{row.lines[0].count}}'", []),
        ("'{{row.name}}'", [("type-mismatch", "id is string, and get takes integer")]),
        ("'{{row.nme}}'", [("unknown-reference", 'row.nme: nme is not declared. Did you mean "name"?')]),
        ("'{{n}}'", []),
        ("'{{tasks.c.output.status}}'", []),
        ("'{{tasks.c.output.headers}}'", [("type-mismatch", "id is object, and get takes integer")]),
    ],
)
def test_the_input_of_a_reusable_task_inside_a_loop_is_checked(given: str, found: list[tuple[str, str]]) -> None:
    task = f"id: b, taskRef: get, input: {{id: {given}}}"
    assert found == said(loop("a", CALL, task, each="items: '{{input.rows}}', as: row, index: n"))


SWITCHES = {
    "all": switch("s", ("match: gold", GET), default=GET, value="{{input.tier}}"),
    "some": switch("s", ("match: gold", GET), default=CALL, value="{{input.tier}}"),
    "open": switch("s", ("match: gold", GET), value="{{input.tier}}"),
    "mixed": switch("s", ("match: gold", GET), default=f"id: ship, {HTTP}", value="{{input.tier}}"),
    "skips": switch("s", ("match: gold", f"{GET}, condition: input.ok"), default=GET, value="{{input.tier}}"),
    "fails": switch("s", ("match: gold", GET), default=f"{GET}, continueOnError: true", value="{{input.tier}}"),
    "dead": switch("s", ("match: gold", f"{GET}, condition: 'false'"), default=GET, value="{{input.tier}}"),
    "mapped": switch("s", ("match: gold", GET), value="{{input.tier}}") + ", output: {x: '{{output.ship}}'}",
    "stands": switch("s", ("match: gold", GET), value="{{input.tier}}") + ", fallback: {value: {ship: none}}",
}


@pytest.mark.parametrize(
    ("kind", "path", "found"),
    [
        ("all", "ship.total", []),
        (
            "all",
            "ship.totl",
            [("unknown-output", 'tasks.s.output.ship.totl: totl is not declared. Did you mean "total"?')],
        ),
        ("all", "shp", [("unknown-output", 'tasks.s.output.shp: shp is not declared. Did you mean "ship"?')]),
        (
            "some",
            "ship.total",
            [("may-be-missing", 'tasks.s.output.ship.total may be missing: not every case has "ship"')],
        ),
        ("some", "c.status", [("may-be-missing", 'tasks.s.output.c.status may be missing: not every case has "c"')]),
        (
            "open",
            "ship.total",
            [("may-be-missing", 'tasks.s.output.ship.total may be missing: not every case has "ship"')],
        ),
        ("mixed", "ship.total", []),
        ("mixed", "ship.headers", []),
        (
            "mixed",
            "ship.heders",
            [("unknown-output", 'tasks.s.output.ship.heders: heders is not declared. Did you mean "headers"?')],
        ),
        (
            "skips",
            "ship.total",
            [("may-be-missing", 'tasks.s.output.ship.total may be missing: the task "ship" in it may be skipped')],
        ),
        (
            "fails",
            "ship.total",
            [
                (
                    "may-be-missing",
                    'tasks.s.output.ship.total may be missing: the task "ship" in it may fail, and the rest goes on',
                )
            ],
        ),
        (
            "dead",
            "ship.total",
            [
                ("unreachable-task", 'the task "ship" never runs: its condition is always false'),
                ("may-be-missing", 'tasks.s.output.ship.total may be missing: the task "ship" in it never runs'),
            ],
        ),
        ("mapped", "x.total", []),
        (
            "mapped",
            "x.ttal",
            [("unknown-output", 'tasks.s.output.x.ttal: ttal is not declared. Did you mean "total"?')],
        ),
        ("mapped", "ship", [("unknown-output", "tasks.s.output.ship: ship is not declared.")]),
        ("stands", "ship.total", []),
        ("stands", "shp", [("unknown-output", 'tasks.s.output.shp: shp is not declared. Did you mean "ship"?')]),
    ],
)
def test_the_output_of_a_switch_is_that_of_its_cases(kind: str, path: str, found: list[tuple[str, str]]) -> None:
    assert found == said(SWITCHES[kind], reads(f"tasks.s.output.{path}"))


@pytest.mark.parametrize(
    "path",
    [
        "tasks.s.output.ship?.total",
        "tasks.s.output?.ship",
        "tasks.s.output.ship ?? 1",
        "has(tasks.s.output.ship) ? tasks.s.output.ship.total : 1",
        "tasks.s.output",
        "tasks.s.status",
    ],
)
def test_whoever_asks_for_a_part_of_a_switch_is_told_nothing(path: str) -> None:
    assert [] == said(SWITCHES["open"], reads(path))
    assert [] == said(SWITCHES["open"], reads("tasks.s.output.ship", rest=", condition: has(tasks.s.output.ship)"))


ENTRY = "tasks.a.output[0]"
TOLERANT = "items: '{{input.rows}}', tolerate: {failures: 1}"


@pytest.mark.parametrize(
    ("each", "task", "path", "found"),
    [
        ("items: []", GET, f"{ENTRY}.output.ship.total", []),
        ("items: []", GET, f"{ENTRY}.status", []),
        ("items: []", GET, f"{ENTRY}.output.shp", [f'{ENTRY}.output.shp: shp is not declared. Did you mean "ship"?']),
        ("items: []", GET, f"{ENTRY}.ship", [f"{ENTRY}.ship: ship is not declared."]),
        ("items: []", GET, "tasks.a.output.ship", ["tasks.a.output.ship: there is no ship, since it is an array"]),
        (
            "items: []",
            GET,
            f"{ENTRY}.error.code",
            [f"{ENTRY}.error.code may be missing: only an item that has failed has it"],
        ),
        (
            "items: []",
            GET,
            f"{ENTRY}.error.kode ?? 1",
            [f'{ENTRY}.error.kode: kode is not declared. Did you mean "code"?'],
        ),
        ("items: []", GET, f"{ENTRY}.status == 'failed' ? {ENTRY}.error.code : 'none'", []),
        ("items: []", GET, f"has({ENTRY}.error) ? {ENTRY}.error.code : 'none'", []),
        ("items: []", GET, f"{ENTRY}.error?.code", []),
        (
            "items: []",
            f"{GET}, condition: input.ok",
            f"{ENTRY}.output.ship",
            [f'{ENTRY}.output.ship may be missing: the task "ship" in it may be skipped'],
        ),
        ("items: []", f"{GET}, condition: input.ok", f"{ENTRY}.output?.ship", []),
        (TOLERANT, GET, f"{ENTRY}.output.ship", [f"{ENTRY}.output.ship may be missing: some items may fail"]),
        (TOLERANT, GET, f"{ENTRY}.output", []),
        (
            TOLERANT,
            GET,
            "tasks.a.output.map(e, e.output.ship)",
            ["tasks.a.output[*].output.ship may be missing: some items may fail"],
        ),
        (TOLERANT, GET, "tasks.a.output.filter(e, e.status == 'succeeded').map(e, e.output.ship)", []),
        (TOLERANT, GET, "tasks.a.output.map(e, e.output?.ship)", []),
        ("items: '{{input.rows}}', tolerate: {failures: 0%}", GET, f"{ENTRY}.output.ship", []),
    ],
)
def test_the_output_of_a_loop_has_an_entry_per_item(each: str, task: str, path: str, found: list[str]) -> None:
    assert found == [message for _, message in said(loop("a", task, each=each), reads(path))]


def test_the_finding_about_an_entry_says_what_to_write() -> None:
    one = judge(flow(loop("a", GET, each=TOLERANT), reads(f"{ENTRY}.output.ship"), more=INPUT))
    each = judge(flow(loop("a", GET, each=TOLERANT), reads("tasks.a.output.map(e, e.output.ship)"), more=INPUT))
    fixes = [finding.fix for finding in (*one, *each) if finding.code == "may-be-missing"]
    assert [f"Give it a default, as in {ENTRY}.output.ship ?? 'none'.", "Ask for it by has, ?. or ??."] == fixes


@pytest.mark.parametrize(
    ("task", "path", "found"),
    [
        ("id: w, workflowRef: other", "anything.at.all", []),
        ("id: w, workflowRef: other, detached: true", "executionId", []),
        ("id: w, workflowRef: other, detached: true", "x", ["tasks.w.output.x: x is not declared."]),
        ("id: w, generate: {from: []}", "map(e, e.output.x)", []),
        (
            "id: w, generate: {from: []}",
            "map(e, e.outptu)",
            ['tasks.w.output[*].outptu: outptu is not declared. Did you mean "output"?'],
        ),
        (f"id: w, {HTTP}, fallback: {{value: {{total: 1}}}}", "total", []),
        (f"id: w, {HTTP}, fallback: {{value: {{total: 1}}}}", "status", []),
        (
            f"id: w, {HTTP}, fallback: {{value: {{total: 1}}}}",
            "totl",
            ['tasks.w.output.totl: totl is not declared. Did you mean "total"?'],
        ),
        (f"id: w, {HTTP}, fallback: {{value: null}}", "status", []),
        (
            f"id: w, {HTTP}, fallback: {{value: none}}",
            "statu",
            ['tasks.w.output.statu: statu is not declared. Did you mean "status"?'],
        ),
        (f"id: w, {HTTP}, fallback: {{value: '{{{{error.code}}}}'}}", "body.anything", []),
        (
            f"id: w, {HTTP}, fallback: {{value: '{{{{error.code}}}}'}}",
            "anything",
            ["tasks.w.output.anything: anything is not declared."],
        ),
        (f"id: w, {HTTP}, fallback: {{task: get, input: {{id: 1}}}}", "total", []),
        (
            f"id: w, {HTTP}, fallback: {{task: get, input: {{id: 1}}}}",
            "totl",
            ['tasks.w.output.totl: totl is not declared. Did you mean "total"?'],
        ),
        (
            f"id: w, {HTTP}, "
            "fallback: {task: {taskRef: get, input: {id: 1}, output: {sum: '{{output.total}}'}}}",
            "sum",
            [],
        ),
        (f"id: w, {HTTP}, fallback: {{workflow: other}}", "anything", []),
        (f"id: w, {HTTP}, output: {{n: '{{{{output.status}}}}'}}, fallback: {{value: {{m: 1}}}}", "m", []),
        (
            f"id: w, {HTTP}, output: {{n: '{{{{output.status}}}}'}}, fallback: {{value: {{m: 1}}}}",
            "status",
            ["tasks.w.output.status: status is not declared."],
        ),
        (
            REPLY,
            "body.q",
            [],
        ),
        (
            REPLY,
            "body.p",
            ["tasks.w.output.body.p: p is not declared."],
        ),
    ],
)
def test_what_a_composed_task_puts_out_has_a_shape(task: str, path: str, found: list[str]) -> None:
    assert found == [message for _, message in said(task, reads(f"tasks.w.output.{path}"))]


def test_a_shape_is_followed_out_of_nested_bodies() -> None:
    inner = switch("s", ("match: 1", GET), default=GET, value="{{item}}")
    found = said(loop("a", inner), reads("tasks.a.output[0].output.s.ship.totl"))
    assert ['tasks.a.output[0].output.s.ship.totl: totl is not declared. Did you mean "total"?'] == [
        m for _, m in found
    ]
    assert [] == said(loop("a", inner), reads("tasks.a.output[0].output.s.ship.total"))


@pytest.mark.parametrize(
    ("outer", "inner", "found"),
    [
        ("", "", 0),
        ("condition: input.ok", "", 0),
        ("continueOnError: true", "", 1),
        ("continueOnError: true", "condition: tasks.o.status == 'succeeded'", 0),
    ],
)
def test_an_inner_task_reads_an_outer_output_as_the_task_around_it_would(outer: str, inner: str, found: int) -> None:
    above = f"id: o, {HTTP}, {outer}".rstrip(", ")
    body = reads("tasks.o.output.body") if not inner else f"{reads('tasks.o.output.body')}, {inner}"
    around = "condition: tasks.o.status == 'succeeded'"
    assert found == [code for code, _ in said(above, loop("a", body))].count("may-be-missing")
    assert 0 == [code for code, _ in said(above, f"{loop('a', body)}, {around}")].count("may-be-missing")


def test_a_case_that_asks_guards_its_tasks_only() -> None:
    above = f"id: o, {HTTP}, continueOnError: true"
    read = reads("tasks.o.output.body")
    asks, other = "when: tasks.o.status == 'succeeded'", "when: value == 1"
    assert [] == said(above, switch("s", (asks, read), (other, CALL), value="{{input.n}}"))
    assert ["may-be-missing"] == [
        code for code, _ in said(above, switch("s", (asks, CALL), (other, read), value="{{input.n}}"))
    ]


def test_a_skip_inside_a_body_is_seen_inside_it() -> None:
    found = said(
        loop("a", f"{CALL}, condition: input.ok", reads("tasks.c.output.body", rest=", triggerRule: none_failed"))
    )
    assert [("may-be-missing", 'tasks.c.output.body may be missing: the task "c" may be skipped')] == found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (f"  finally: [{{{reads('tasks.c.output.body')}}}]\n", ['the workflow may have ended before "c" succeeded']),
        (
            f"  onFailure: {{{reads('tasks.c.output.body')[7:]}}}\n",
            ['the workflow may have ended before "c" succeeded'],
        ),
        (
            f"  finally: [{{{loop('l', reads('tasks.c.output.body'))}}}]\n",
            ['the workflow may have ended before "c" succeeded'],
        ),
        (f"  finally: [{{{reads('tasks.c.output?.body')}}}]\n", []),
        (f"  finally: [{{{reads('tasks.c.status')}}}]\n", []),
        (f"  finally: [{{{reads('error.code')}}}]\n", ["the error is null when the workflow has succeeded"]),
        (f"  finally: [{{{reads('error')}}}]\n", []),
        (f"  finally: [{{{reads('error?.code')}}}]\n", []),
        (f"  finally: [{{{reads('error == null ? 1 : error.code')}}}]\n", []),
        (f"  finally: [{{{reads('error.code', rest=', condition: error != null')}}}]\n", []),
        (f"  finally: [{{{loop('l', reads('error.code'))}, condition: error != null}}]\n", []),
        (f"  finally: [{{{loop('l', reads('error.code'))}}}]\n", ["the error is null when the workflow has succeeded"]),
        (f"  finally: [{{id: x, {HTTP}, fallback: {{value: '{{{{error.code}}}}'}}}}]\n", []),
        (
            f"  finally: [{{id: x, {HTTP}, fallback: {{task: {{{reads('error.code')[7:]}}}}}}}]\n",
            [],
        ),
        (f"  onFailure: {{{reads('error.code')[7:]}}}\n", []),
        (
            f"  finally: [{{id: y, {HTTP}}}, {{{reads('tasks.y.output.body', rest=', triggerRule: all_done')}}}]\n",
            ['the triggerRule lets this task run when "y" has not succeeded'],
        ),
    ],
)
def test_a_handler_reads_what_is_there(more: str, found: list[str]) -> None:
    assert found == [message.partition(": ")[2] for code, message in said(CALL, more=more) if code == "may-be-missing"]


@pytest.mark.parametrize(
    ("reader", "found"),
    [
        (reads("state.x"), 1),
        (reads("state.y"), 1),
        (reads("state"), 1),
        (reads("state.x ?? 1"), 1),
        (reads("state.safe"), 0),
        (reads("state.x", rest=", condition: has(tasks.o.output)"), 1),
        (f"{loop('a', reads('state.x'))}, condition: has(tasks.o.output)", 0),
        (loop("a", reads("state.x")), 1),
    ],
)
def test_an_entry_of_the_state_needs_what_it_reads(reader: str, found: int) -> None:
    above = f"id: o, {HTTP}, continueOnError: true"
    more = "  state: {x: '{{tasks.o.output.body}}', y: '{{state.x}}', safe: '{{tasks.o.output?.body}}'}\n"
    messages = [message for code, message in said(above, reader, more=more) if code == "may-be-missing"]
    assert found == len(messages)
    assert all("cannot be computed: tasks.o.output.body may be missing: " in message for message in messages)


def test_the_output_of_the_workflow_needs_what_the_state_reads() -> None:
    more = "  state: {x: '{{tasks.o.output.body}}'}\n  output: '{{state.x}}'\n"
    assert ["may-be-missing"] == [code for code, _ in said(f"id: o, {HTTP}, condition: input.ok", more=more)]
    assert [] == said(f"id: o, {HTTP}", more=more)


@pytest.mark.parametrize(
    ("cases", "value", "found"),
    [
        (("match: gold", "match: silver"), "{{input.tier}}", []),
        (
            ("match: gold", "match: gold"),
            "{{input.tier}}",
            ["the case is never chosen: case number 1 has the same match"],
        ),
        (
            ("match: gold", "match: bronze"),
            "{{input.tier}}",
            ["the case is never chosen: the value is one of gold, silver"],
        ),
        (("match: 1", "match: 1.5"), "{{input.n}}", []),
        (("match: 1", "match: 1.0"), "{{input.n}}", []),
        (
            ("match: 1", "match: one"),
            "{{input.n}}",
            ["the case is never chosen: the value is integer, and the match is string"],
        ),
        (
            ("match: 1", "match: true"),
            "{{input.n}}",
            ["the case is never chosen: the value is integer, and the match is boolean"],
        ),
        (("match: 1", "match: one"), "{{input.free}}", []),
        (("match: 1", "match: one"), "x{{input.n}}", []),
        (
            ("match: 1", "match: null"),
            "{{input.n}}",
            ["the case is never chosen: the value is integer, and the match is null"],
        ),
        (
            ("when: true", "match: 1"),
            "{{input.n}}",
            ["the case is never chosen: the case before it, number 1, always holds"],
        ),
        (
            ("when: '1 < 2'", "match: 1"),
            "{{input.n}}",
            ["the case is never chosen: the case before it, number 1, always holds"],
        ),
        (("when: false", "match: 1"), "{{input.n}}", ["the case is never chosen: its condition is always false"]),
        (("match: 1", "when: '1 > 2'"), "{{input.n}}", ["the case is never chosen: its condition is always false"]),
        (("when: value > 2", "when: value > 2"), "{{input.n}}", []),
        (("when: value > 2", "match: 1"), "7", []),
    ],
)
def test_a_case_that_is_never_chosen_is_found(cases: tuple[str, ...], value: str, found: list[str]) -> None:
    tasks = [(case, f"id: t, {HTTP}") for case in cases]
    assert found == [message for _, message in said(switch("s", *tasks, value=value))]


def test_a_default_behind_a_case_that_always_holds_is_never_chosen() -> None:
    found = said(switch("s", ("when: true", CALL), default=CALL, value="7"))
    assert [("unreachable-case", "the default is never chosen: case number 1 always holds")] == found


@pytest.mark.parametrize(
    ("task", "found"),
    [
        (loop("a", CALL, each="items: '{{input.three}}'"), []),
        (
            loop("a", CALL, each="items: '{{input.many}}'"),
            [("warning", "the loop may have 60000 items, more than 50000")],
        ),
        (loop("a", CALL, each="items: '{{input.free}}'"), []),
        (
            loop("a", *[f"id: c{i}, {HTTP}" for i in range(100)], each="items: '{{config.big}}'"),
            [("error", "the loop has 210001 tasks in all, more than 200000")],
        ),
        (
            loop(
                "a",
                switch(
                    "s",
                    ("match: 1", CALL),
                    default=loop(
                        "b", *[f"id: c{i}, {HTTP}" for i in range(100)], each="items: '{{config.big}}', as: x, index: y"
                    ),
                ),
            ),
            [("error", "the loop has 210001 tasks in all, more than 200000")],
        ),
        (
            loop(
                "a",
                loop("b", *[f"id: c{i}, {HTTP}" for i in range(40)], each="items: '{{input.three}}', as: x, index: y"),
                each="items: '{{config.big}}'",
            ),
            [("error", "the loop has 254101 tasks in all, more than 200000")],
        ),
        (
            loop("a", "id: g, generate: {from: [], max: 500}", each="items: '{{config.big}}'"),
            [("error", "the loop has 1052101 tasks in all, more than 200000")],
        ),
        (
            loop(
                "a",
                loop("b", CALL, each="items: '{{input.three}}', as: x, index: y")
                + ", fallback: {task: {generate: {from: [], max: 500}}}",
                each="items: '{{config.big}}'",
            ),
            [("error", "the loop has 1060501 tasks in all, more than 200000")],
        ),
        (
            loop(
                "a", f"{CALL}, fallback: {{task: {{generate: {{from: [], max: 500}}}}}}", each="items: '{{config.big}}'"
            ),
            [("error", "the loop has 1054201 tasks in all, more than 200000")],
        ),
    ],
)
def test_a_loop_that_cannot_end_within_the_limits_is_found(task: str, found: list[tuple[str, str]]) -> None:
    more = INPUT.replace("config: {", f"config: {{big: [{'0,' * 2_100}], ")
    text = flow(task, more=more)
    assert found == [(one.severity, one.message) for one in judge(text) if one.code == "too-many-instances"]


@pytest.mark.parametrize(
    ("tasks", "more", "found"),
    [
        (("id: t, type: transform, transform: [{limit: 1}]",), "", []),
        (("id: t, type: transform, transform: [{limit: 1}]",), "  output: 1\n", ["t"]),
        (("id: t, type: transform, transform: [{limit: 1}]",), "  output: '{{tasks.t.output}}'\n", []),
        (("id: t, type: transform, transform: [{limit: 1}]",), "  output: '{{tasks}}'\n", []),
        (("id: t, type: transform, transform: [{limit: 1}]", f"{CALL}, dependsOn: [t]"), "", ["t"]),
        (("id: t, type: transform, transform: [{limit: 1}]", f"{CALL}, condition: tasks.t.status == 'x'"), "", []),
        (("id: t, taskRef: pure", f"{CALL}, dependsOn: [t]"), "", ["t"]),
        (("id: t, taskRef: gone", f"{CALL}, dependsOn: [t]"), "", []),
        ((f"id: t, {HTTP}", f"{CALL}, dependsOn: [t]"), "", []),
        ((loop("a", "id: t, type: transform, transform: [{limit: 1}]"),), "  output: 1\n", []),
        ((loop("a", "id: t, type: transform, transform: [{limit: 1}]", f"{CALL}, dependsOn: [t]"),), "", ["t"]),
        (
            ("id: t, type: transform, transform: [{limit: 1}]", loop("a", reads("tasks.t.output"))),
            "",
            [],
        ),
        (
            (
                "id: t, type: transform, transform: [{limit: 1}]",
                "id: u, type: transform, input: {items: []}, transform: [{filter: 'item in tasks.t.output'}]",
            ),
            "",
            [],
        ),
    ],
)
def test_a_result_that_nobody_reads_is_hinted_at(tasks: tuple[str, ...], more: str, found: list[str]) -> None:
    pure = task_document(TASK_HEAD + "  type: transform\n  transform: [{limit: 1}]\n")
    text = flow(*tasks, more=more)
    messages = [one.message for one in judge(text, {"pure": pure}) if one.code == "unused-output"]
    assert [f'nobody reads the output of the task "{name}", which does nothing else' for name in found] == messages


@pytest.mark.parametrize(
    ("task", "more", "found"),
    [
        (loop("a", CALL), "", ["c"]),
        (loop("a", CALL), "  timeout: 1h\n", []),
        (loop("a", CALL) + ", timeout: 1h", "", []),
        (loop("a", f"{CALL}, timeout: 1h"), "", []),
        (loop("a", f"{CALL}, attemptTimeout: 5s"), "", []),
        (loop("a", "id: t, type: transform, transform: [{limit: 1}]"), "", []),
        (loop("a", "id: w, wait: {for: 1s}"), "", []),
        (loop("a", GET), "", ["ship"]),
        (loop("a", "id: ship, taskRef: quick"), "", []),
        (loop("a", "id: ship, taskRef: gone"), "", []),
        (loop("a", switch("s", ("match: 1", CALL))), "", ["c"]),
        (loop("a", switch("s", ("match: 1", CALL)) + ", timeout: 1h"), "", []),
        (switch("s", ("match: 1", CALL)), "", []),
        (CALL, "", []),
    ],
)
def test_an_effect_in_a_loop_that_nothing_ends_is_hinted_at(task: str, more: str, found: list[str]) -> None:
    quick = task_document(TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n  timeout: 5s\n")
    text = flow(task, more=more)
    hints = [one.message for one in judge(text, {"get": task_document(), "quick": quick}) if one.code == "no-timeout"]
    assert [f'the task "{name}" runs for every item, and nothing limits how long it takes' for name in found] == hints


POST = "id: c, type: http, request: {url: 'https://x', method: POST}"


@pytest.mark.parametrize(
    ("task", "more", "found"),
    [
        (POST, "", ["c"]),
        ("id: c, type: lambda, function: f", "", ["c"]),
        (switch("s", ("match: 1", POST)), "", ["c"]),
        (POST, "  timeout: 1h\n", []),
        (f"{POST}, timeout: 1h", "", []),
        (f"{POST}, attemptTimeout: 5s", "", []),
        (switch("s", ("match: 1", POST)) + ", timeout: 1h", "", []),
        ("id: c, type: http, request: {url: 'https://x'}", "", []),
        ("id: c, wait: {for: 1s}", "", []),
    ],
)
def test_a_task_that_may_change_something_without_a_timeout_is_hinted_at(
    task: str, more: str, found: list[str]
) -> None:
    hints = [(one.message, one.severity) for one in judge(flow(task, more=more)) if one.code == "no-timeout"]
    told = 'the task "{}" may change something, and it has no timeout of its own'
    assert [(told.format(name), "hint") for name in found] == hints


NUMBER, TEXT = Shape.of({"type": "number"}), Shape.of({"type": "string"})


def test_one_of_several_shapes_allows_what_any_allows() -> None:
    assert {"number", "string"} == types_of(either([NUMBER, TEXT]))
    assert NUMBER is either([NUMBER, NUMBER])
    assert types_of(either([NUMBER, Shape.of({})])) is None
    assert types_of(either([NUMBER, Shape.of(True)])) is None
    assert types_of(either([])) is None
    assert types_of(either([NUMBER, Shape.of({"minimum": 1})])) is None
    assert types_of(either([Shape.of({"type": "string", "const": str(i)}) for i in range(60)])) is None


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "array", "items": {"type": "string"}}, {"string"}),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            {"string", "integer"},
        ),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, None),
        ({"type": "array"}, None),
        ({"items": {"type": "string"}}, None),
        ({"type": ["array", "null"], "items": {"type": "string"}}, None),
        ({"anyOf": [{"type": "array"}], "items": {"type": "string"}}, None),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "b": {"const": 1}}},
            {"integer"},
        ),
        (True, None),
    ],
)
def test_the_items_of_an_array_have_types(schema: object, types: set[str] | None) -> None:
    assert types == types_of(items_of(Shape.of(schema)))


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        ({"type": "array", "maxItems": 3}, (3, False)),
        ({"type": "array", "prefixItems": [{}, {}], "items": False}, (2, True)),
        ({"type": "array"}, None),
        ({"maxItems": 3}, None),
        (True, None),
    ],
)
def test_the_items_of_an_array_may_be_counted(schema: object, count: tuple[int, bool] | None) -> None:
    assert count == count_of(Shape.of(schema))


@pytest.mark.parametrize(
    ("schema", "values"),
    [({"const": 1}, [1]), ({"enum": [1, 2]}, [1, 2]), ({"enum": 5}, None), ({}, None), (False, None)],
)
def test_the_values_of_a_schema_may_be_listed(schema: object, values: list[object] | None) -> None:
    assert values == values_of(Shape.of(schema))


def test_a_branch_that_nothing_can_be_below_opens_nothing() -> None:
    nullable = {"oneOf": [{"type": "null"}, {"properties": {"a": {"type": "string"}}}]}
    assert follow(Shape.of(nullable), ("b",)).shape is None
    found = follow(Shape.of(nullable), ("a",)).shape
    assert found is not None
    assert {"string"} == types_of(found)


@pytest.mark.parametrize(
    ("stand_ins", "found"), [(2, []), (3, ["the loop may have 200001 tasks in all, more than 200000"])]
)
def test_a_loop_may_have_just_as_many_tasks_as_an_execution(stand_ins: int, found: list[str]) -> None:
    schema = "  input: {properties: {many: {type: array, maxItems: 49999}}}\n"
    calls = [f"id: c{number}, {HTTP}" for number in range(4)]
    fallback = f", fallback: {{task: {{generate: {{from: [], max: {stand_ins}}}}}}}"
    text = flow(loop("a", *calls, each="items: '{{input.many}}'") + fallback, more=schema)
    assert found == [one.message for one in judge(text) if one.code == "too-many-instances"]


@pytest.mark.parametrize(
    ("items", "found"), [(50_000, []), (50_001, ["the loop may have 50001 items, more than 50000"])]
)
def test_a_loop_may_have_just_as_many_items_as_are_run(items: int, found: list[str]) -> None:
    schema = f"  input: {{properties: {{many: {{type: array, maxItems: {items}}}}}}}\n"
    text = flow(loop("a", f"id: c, {HTTP}", each="items: '{{input.many}}'"), more=schema)
    assert found == [one.message for one in judge(text) if one.code == "too-many-instances"]


def test_a_call_of_what_declares_its_input_wrongly_is_not_judged() -> None:
    broken = task_document(
        TASK_HEAD + "  type: http\n  inputSchema: {type: nonsense}\n  request: {url: 'https://x'}\n  timeout: 5s\n"
    )
    text = flow("id: a, taskRef: quick, input: {x: 1}")
    assert [] == [one.code for one in judge(text, {"quick": broken}) if one.severity == "error"]
