"""Every code of a finding, by a document that has it, with its position."""

import pytest

from millrace.spec import CODES, Finding, has_errors, in_order
from tests.unit.spec.builders import GET, HEAD, HTTP, TASK_HEAD, brief, flow, judge, loop, switch, task_document

WORKFLOW = "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: flow}\n"
INPUT = "  input: {properties: {rows: {type: array}, name: {type: string}, ok: {type: boolean}}}\n"
BOMB = "a: &a [x]\nb: [" + ",".join(["*a"] * 33) + "]"

DIALECT = (
    "name: A b\ndependencies: {a: []}\nsteps:\n  - {type: dependency_flow, condition: go}\n"
    "  - {type: external_call, service: s, method: m, auth: {type: magic}}\n"
)


def deep(levels: int) -> str:
    """Loops inside loops, the first called ``t0``."""
    task = f"id: t{levels}, {HTTP}"
    for level in reversed(range(levels)):
        task = loop(f"t{level}", task, each=f"items: [], as: v{level}, index: n{level}")
    return task


KNOWN = {"get": task_document(), "old": task_document(GET.replace("spec:\n", "spec:\n  deprecated: true\n"))}
CASES = [
    ("alias-limit", BOMB, 2, "*a]"),
    ("alias-spelling", flow(f"id: a, {HTTP}, runIf: true"), 6, "runIf: tru"),
    (
        "ambiguous-hyphen",
        flow(f"id: a, {HTTP}", "id: b, type: http, request: {url: '{{tasks.a-b.status}}'}"),
        7,
        "a-b.status",
    ),
    ("attempt-timeout-too-long", flow(f"id: a, {HTTP}, attemptTimeout: 15m"), 6, "15m}"),
    ("bad-expression", flow("id: a, type: http, request: {url: '{{1 +}}'}"), 6, "}}'}}"),
    ("bad-number", "a: .inf", 1, ".inf"),
    ("bad-schema", flow(f"id: a, {HTTP}", more="  input: {$ref: 'https://x.example/s'}\n"), 5, "'https://x"),
    ("bad-transform", flow("id: a, type: transform, transform: [{limit: 1}, {fliter: x}]"), 6, "{fliter: x"),
    ("bad-url", flow("id: a, type: http, request: {url: 'ftp://x'}"), 6, "'ftp://x'}"),
    ("bad-value", flow("id: a b, " + HTTP), 6, "a b, type:"),
    ("braces", flow(f"id: a, {HTTP}, condition: '{{{{1 < 2}}}}'"), 6, "{{1 < 2}}'"),
    ("constant-comparison", flow(f"id: a, {HTTP}, condition: input.name == 1", more=INPUT), 7, "input.name"),
    ("cycle", flow(f"id: a, {HTTP}, dependsOn: [b]", f"id: b, {HTTP}, dependsOn: [{{task: a}}]"), 6, "b]}"),
    ("cyclic-alias", "a: &a [*a]", 1, "*a]"),
    ("deprecated", flow("id: a, taskRef: old"), 6, "old}"),
    ("dialect", DIALECT, 1, "name: A b"),
    ("dialect-changed", DIALECT, 1, "A b"),
    ("dialect-marker", DIALECT, 2, "[]}"),
    ("dialect-service", DIALECT, 5, "{type: ext"),
    ("dialect-undeclared", DIALECT, 1, "name: A b"),
    ("dialect-unmapped", DIALECT, 5, "{type: mag"),
    ("duplicate-id", flow(f"id: a, {HTTP}", f"id: a, {HTTP}"), 7, "a, type: h"),
    ("duplicate-key", "a: 1\na: 2", 2, "a: 2"),
    ("duplicate-key", flow(f"id: a, {HTTP}, when: true, condition: true"), 6, "when: true"),
    (
        "dynamic-task",
        flow(f"id: a, {HTTP}", "id: b, type: http, request: {url: '{{tasks[input.x].status}}'}"),
        7,
        "tasks[inpu",
    ),
    ("empty-document", "# nothing\n", 1, "# nothing"),
    (
        "impossible-test",
        flow(f"id: a, {HTTP}", more="  tests: [{name: t, expect: {order: [a, a]}}]\n"),
        5,
        "a]}}]",
    ),
    ("int-division", flow(f"id: a, {HTTP}", more="  output: '{{7 / 2}}'\n"), 5, "2}}'"),
    ("kept-for-later", flow(f"id: a, {HTTP}", more="  budget: {max: 1}\n"), 5, "budget: {m"),
    ("key-not-text", "? [a]\n: b", 1, "[a]"),
    ("leading-zero", flow(f"id: a, {HTTP}", more="  config: {zip: 010}\n"), 5, "010}"),
    (
        "may-be-missing",
        flow(f"id: a, {HTTP}, condition: input.ok", more="  output: '{{tasks.a.output}}'\n"),
        5,
        "tasks.a.ou",
    ),
    ("endless-recursion", flow("id: a, workflowRef: flow@^1"), 6, "flow@^1"),
    ("merge-key", "a: {<<: {b: 1}}", 1, "<<: {b: 1}"),
    ("missing-input", flow("id: a, taskRef: get, input: {}"), 6, "{}}"),
    ("missing-key", flow("id: a, type: http, request: {}"), 6, "request: {"),
    ("multiple-documents", "a: 1\n---\nb: 2", 3, "b: 2"),
    ("no-effect", flow("id: a, wait: {for: 0}"), 6, "0}}"),
    ("no-timeout", flow("id: a, event: {type: paid}"), 6, "{type: pai"),
    ("not-a-mapping", "- a", 1, "- a"),
    ("not-available-yet", flow("id: a, type: llm"), 6, "llm}"),
    ("not-boolean", flow(f"id: a, {HTTP}, condition: input.name", more=INPUT), 7, "input.name"),
    ("operand-type", flow(f"id: a, {HTTP}", more="  output: '{{1 + true}}'\n"), 5, "1 + true}}"),
    ("plain-secret", flow("id: a, type: http, request: {url: 'https://x', auth: {bearer: abc}}"), 6, "abc}}}"),
    ("reserved-id", flow(f"id: finally, {HTTP}"), 6, "finally, t"),
    ("secret-misplaced", flow("id: a, type: http, request: {url: '{{secrets.k}}'}"), 6, "secrets.k}"),
    ("self-reference", flow(f"id: a, {HTTP}, dependsOn: [a]"), 6, "a]}"),
    (
        "shadowed-name",
        flow(loop("a", loop("b", f"id: c, {HTTP}", each="items: [], index: i"))),
        6,
        "{items: [], index: i",
    ),
    ("state-cycle", flow(f"id: a, {HTTP}", more="  state: {x: '{{state.y}}', y: '{{state.x}}'}\n"), 5, "'{{state.y"),
    ("syntax", "a: [1,", 2, ""),
    ("tag", "a: !!python/name:x y", 1, "!!python/n"),
    ("template-key", flow("id: a, type: http, request: {url: 'https://x', body: {'{{a}}': x}}"), 6, "'{{a}}': x"),
    ("too-deep", "[" * 100_000, 1, "[[[[[[[[[["),
    ("too-large", "x" * 262_145, 1, "xxxxxxxxxx"),
    (
        "too-many-events",
        flow(loop("a", f"id: b, {HTTP}, retry: {{maxAttempts: 100}}", each=f"items: [{'0,' * 4000}]")),
        6,
        "- {id: a, forEach",
    ),
    (
        "too-much-data",
        flow(f"id: a, {HTTP}", more="  input: {properties: {s: {type: string, maxLength: 5000000}}}\n"),
        5,
        "{properties: {s",
    ),
    (
        "too-many-instances",
        flow(loop("a", f"id: b, {HTTP}", each=f"items: [{'0,' * 50_001}]")),
        6,
        "[0,0,0,0",
    ),
    (
        "too-many-levels",
        flow(deep(9)),
        6,
        "{id: t8, ",
    ),
    ("too-many-nodes", "[" + "1," * 110_000 + "]", 1, "1,1,1,1,1,"),
    ("type-mismatch", flow("id: a, taskRef: get, input: {id: '{{input.name}}'}", more=INPUT), 7, "input.name"),
    ("unknown-api-version", "apiVersion: v2\nkind: Workflow\n", 1, "v2"),
    ("unknown-config", flow(f"id: a, {HTTP}", more="  output: '{{config.x}}'\n  config: {y: 1}\n"), 5, "config.x}}"),
    (
        "unknown-field",
        flow("id: a, type: transform, input: {items: []}, transform: [{map: {n: 1}}, {filter: m > 1}]"),
        6,
        "{filter: m",
    ),
    ("unknown-input", flow(f"id: a, {HTTP}", more="  output: '{{input.nam}}'\n" + INPUT), 5, "input.nam}"),
    ("unknown-key", flow(f"id: a, {HTTP}, retries: 3"), 6, "retries: 3"),
    ("unknown-kind", "apiVersion: workflow.io/v1\nkind: Flow\n", 2, "Flow"),
    ("unknown-output", flow(f"id: a, {HTTP}", more="  output: '{{tasks.a.output.bodi}}'\n"), 5, "tasks.a.ou"),
    ("unknown-reference", flow(f"id: a, {HTTP}", more="  output: '{{inptu.x}}'\n"), 5, "inptu.x}}'"),
    ("unknown-state", flow(f"id: a, {HTTP}", more="  output: '{{state.x}}'\n  state: {y: 1}\n"), 5, "state.x}}"),
    ("unknown-task", flow(f"id: fetch, {HTTP}", more="  output: '{{tasks.fetsh.output}}'\n"), 5, "tasks.fets"),
    ("unknown-task-ref", flow("id: a, taskRef: gett"), 6, "gett}"),
    ("unknown-type", flow("id: a, type: htpp"), 6, "htpp}"),
    (
        "unreachable-case",
        flow(switch("a", ("match: 5", f"id: b, {HTTP}"), value="{{input.name}}"), more=INPUT),
        7,
        "5, tasks",
    ),
    ("unreachable-task", flow(f"id: a, {HTTP}, condition: false"), 6, "false}"),
    (
        "unused-output",
        flow("id: a, type: transform, transform: [{limit: 1}]", f"id: b, {HTTP}, dependsOn: [a]"),
        6,
        "a, type: t",
    ),
    ("unknown-workflow-ref", flow("id: a, workflowRef: other@^1"), 6, "other@^1}"),
    ("wrong-type", flow(f"id: a, {HTTP}, priority: high"), 6, "high}"),
]


@pytest.mark.parametrize(("code", "text", "line", "snippet"), CASES)
def test_a_document_with_a_mistake_gets_its_finding_where_it_stands(
    code: str, text: str, line: int, snippet: str
) -> None:
    found = [item for item in brief(judge(text, KNOWN, {})) if item[0] == code]
    lines = [*text.splitlines(), ""]
    assert [line] == [at for _, at, _ in found]
    assert [snippet] == [lines[at - 1][column - 1 :][: len(snippet)] for _, at, column in found]


def test_bytes_that_are_not_utf8_are_found_where_they_stand() -> None:
    from millrace.spec import load

    assert [("encoding", 2, 4)] == brief(load(b"a: 1\nb: \xff", media="yaml").findings)


def test_more_tasks_than_the_limit_are_one_finding() -> None:
    from millrace.base.limits import TASKS_PER_WORKFLOW
    from millrace.spec import Task, check_workflow
    from tests.unit.spec.builders import workflow_of

    workflow, source = workflow_of(flow(f"id: a, {HTTP}"))
    tasks = tuple(
        Task.model_validate({"id": f"t{i}", "type": "http", "request": {"url": "https://x"}})
        for i in range(TASKS_PER_WORKFLOW + 1)
    )
    many = workflow.model_copy(update={"spec": workflow.spec.model_copy(update={"tasks": tasks})})
    assert ["too-many-tasks"] == [finding.code for finding in check_workflow(many, source, tasks={})]


def test_every_code_has_a_case() -> None:
    # One document cannot have the last of these: tests/unit/cli/test_documents_verbs.py has a case of it.
    assert set(CODES) == {case[0] for case in CASES} | {"encoding", "too-many-tasks", "duplicate-name"}


@pytest.mark.parametrize("text", [case[1] for case in CASES])
def test_every_finding_uses_a_documented_code_and_names_a_place(text: str) -> None:
    for finding in judge(text):
        assert finding.code in CODES
        assert finding.line >= 1
        assert finding.column >= 1


def test_a_finding_as_json_has_a_pointer_and_camel_case() -> None:
    finding = Finding("cycle", "error", "m", ("spec", "tasks", 0, "a/b~c"), 1, 2, "f", ("x",))
    expected = {
        "code": "cycle",
        "severity": "error",
        "message": "m",
        "path": "/spec/tasks/0/a~1b~0c",
        "line": 1,
        "column": 2,
        "fix": "f",
        "didYouMean": ["x"],
    }
    assert expected == finding.to_json()


def test_findings_are_ordered_by_position_and_kept_once() -> None:
    late, early = Finding("tag", "error", "b", (), 2, 1), Finding("tag", "warning", "a", (), 1, 9)
    assert (early, late) == in_order([late, early, late])
    assert has_errors([late])
    assert not has_errors([early])


def test_a_good_workflow_has_no_findings() -> None:
    text = flow(
        "id: fetch, taskRef: get, input: {id: 5, tags: ['{{input.name}}']}, retry: {maxAttempts: 2}, timeout: 30s",
        "id: shape, type: transform, input: {items: '{{input.rows}}'}, transform: [{filter: 'item.x > 1'}], "
        "condition: input.ok",
        "id: post, type: http, timeout: 20s, dependsOn: [shape, {task: fetch, condition: input.ok}], "
        "request: {method: POST, url: 'https://x.example', "
        "body: {t: '{{tasks.fetch.output.total}}', s: '{{tasks.shape.output ?? []}}'}, "
        "auth: {bearer: {secretRef: k}}}, "
        "output: {code: '{{output.status}}', n: 1}",
        more=INPUT
        + "  output: {a: '{{tasks.post.output.code}}', b: '{{tasks.post.output.n}}'}\n".replace("}}", " ?? 0}}"),
    )
    assert () == judge(text)


def test_a_good_task_has_no_findings() -> None:
    text = (
        TASK_HEAD
        + "  type: transform\n  transform: [{limit: 5}]\n  inputSchema: {properties: {items: {type: array}}}\n"
    )
    assert () == judge(text)


def test_a_document_of_which_nothing_is_left_is_said_to_be_so_once() -> None:
    assert [("not-available-yet", 5, 9)] == brief(judge(TASK_HEAD + "  type: llm\n  prompt: []\n"))


def test_an_empty_list_of_tasks_is_refused() -> None:
    assert [("bad-value", 5, 10)] == brief(judge(HEAD + "  tasks: []\n"))
