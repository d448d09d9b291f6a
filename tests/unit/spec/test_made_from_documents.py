"""Hashes, text, SARIF, JSON Schemas and what is generated from the models."""

import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import millrace.spec
from millrace.spec import Finding, behaviour_hash, content_hash, document_schema, findings_text, load, sarif
from millrace.spec.shapes import Shape, disjoint, follow, types_of
from millrace.spec.suggest import nearest
from tests.sarif import faults
from tests.unit.spec.builders import GET, HEAD, HTTP, TASK_HEAD, flow, judge, loop

ROOT = Path(__file__).resolve().parents[3]
PLAIN = flow(f"id: a, {HTTP}")


def value(text: str) -> dict[str, object]:
    found = load(text.encode(), media="yaml").value
    assert isinstance(found, dict)
    return found


def test_a_hash_ignores_comments_spelling_and_order() -> None:
    other = "spec: {tasks: [{request: {url: https://x.example}, id: a, type: http}]} # c\n" + HEAD.replace(
        "spec:\n", ""
    )
    assert content_hash(value(PLAIN)) == content_hash(value(other))
    assert 64 == len(content_hash(value(PLAIN)))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("spec:\n", "spec:\n  description: x\n", True),
        ("spec:\n", "spec:\n  version: 1.0.0\n  tags: [a]\n  categories: [b]\n  examples: []\n", True),
        ("spec:\n", "spec:\n  slo: {}\n", True),
        ("spec:\n", "spec:\n  execution: {mode: standard}\n", True),
        ("name: flow", "name: flow, owner: me, labels: {a: b}, annotations: {c: d}", True),
        ("id: a", "id: a, description: x", True),
        ("name: flow", "name: flow2", False),
        ("id: a", "id: a, priority: 1", False),
        ("spec:\n", "spec:\n  timeout: 5m\n", False),
        ("spec:\n", "spec:\n  guardrails: {}\n", False),
    ],
)
def test_the_behaviour_hash_is_of_what_changes_the_plan(old: str, new: str, same: bool) -> None:
    changed = PLAIN.replace(old, new, 1)
    assert content_hash(value(PLAIN)) != content_hash(value(changed))
    assert same == (behaviour_hash(value(PLAIN)) == behaviour_hash(value(changed)))


def test_a_reusable_task_has_a_behaviour_hash() -> None:
    assert behaviour_hash(value(GET)) == behaviour_hash(value(GET + "  category: x\n"))


def test_findings_as_text_have_a_caret_below_the_place() -> None:
    text = flow(f"id: 世a, {HTTP}")
    expected = (
        'f.yaml:6:12: error: "世a" is not a task id [bad-value]\n'
        "        - {id: 世a, type: http, request: {url: 'https://x.example'}}\n"
        "               ^\n"
        "    fix: Use 1 to 128 of letters, digits, dot, underscore and hyphen, beginning with a letter or digit.\n"
        "f.yaml: 1 error\n"
    )
    assert expected == findings_text(judge(text), "f.yaml", text)


def test_a_long_line_is_shown_around_the_place() -> None:
    text = HEAD + "  x: " + "a" * 5_000 + "\n  budget: 1\n" + "  tasks: [{description: '" + "b" * 500 + "', zzz: 1}]\n"
    shown = findings_text(judge(text), "f.yaml", text).splitlines()
    assert 164 == max(len(line) for line in shown if line.startswith("    ") and "fix:" not in line)
    carets = [(shown[i - 1][line.index("^") :][:3]) for i, line in enumerate(shown) if line.strip() == "^"]
    assert ["x: ", "bud", "{de", "{de", "zzz"] == carets


def test_no_findings_are_said_to_be_none() -> None:
    assert "f.yaml: no findings\n" == findings_text((), "f.yaml")


def test_counts_name_each_severity() -> None:
    text = flow(f"id: a, {HTTP}, needs: [b], zz: 1", more="  budget: 1\n  slo: 1\n")
    assert "f.yaml: 1 error, 2 warnings, 1 hint" == findings_text(judge(text), "f.yaml").splitlines()[-1]


@pytest.mark.parametrize("name", ["a b/ü.yaml", "weird\nname%.yaml", "c:\\x.yaml"])
def test_a_file_of_any_name_has_an_address_in_sarif(name: str) -> None:
    assert [] == faults(sarif([(name, judge(PLAIN + "  zz: 1\n"))]))


def test_a_reader_of_sarif_would_notice_what_is_wrong() -> None:
    log = sarif([("a.yaml", judge(PLAIN + "  zz: 1\n  budget: 1\n"))])
    log["runs"][0]["results"][0]["ruleIndex"] = 0
    assert ["the rule index of unknown-key leads to another rule"] == faults(log)
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert 1 == len(faults(log))


def test_sarif_lists_rules_once_and_results_with_regions() -> None:
    log = sarif([("a.yaml", judge(PLAIN + "  zz: 1\n")), ("b.yaml", judge(PLAIN + "  budget: 1\n"))])
    run = log["runs"][0]
    assert [] == faults(log)
    assert ["kept-for-later", "unknown-key"] == [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [("unknown-key", 1, "error", "a.yaml", {"startLine": 7, "startColumn": 3}, "/spec/zz")] == [
        (
            result["ruleId"],
            result["ruleIndex"],
            result["level"],
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"],
            result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        )
        for result in run["results"]
        if result["level"] == "error"
    ]


@pytest.mark.parametrize("kind", ["Workflow", "WorkflowTask"])
def test_the_exported_schema_is_valid_and_the_callers_own(kind: str) -> None:
    schema = document_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert [] == [name for name, one in schema["$defs"].items() if "$defs" in one]
    schema.clear()
    assert kind == document_schema(kind)["title"]


@pytest.mark.parametrize(
    ("kind", "text", "valid"),
    [
        ("Workflow", PLAIN, True),
        (
            "Workflow",
            flow(f"id: a, {HTTP}, needs: [b], timeout: 5, dependsOn: [a, {{task: b, if: x}}]", more="  slo: {}\n"),
            True,
        ),
        ("Workflow", flow("id: a, taskRef: get"), True),
        ("Workflow", flow("id: a"), False),
        ("Workflow", flow("id: a, type: http"), False),
        ("Workflow", flow("id: a, type: transform, transform: [{limit: 1}], request: {url: 'https://x'}"), False),
        ("Workflow", flow(f"id: a, {HTTP}, retires: 1"), False),
        ("Workflow", flow(f"id: a b, {HTTP}"), False),
        ("WorkflowTask", GET, True),
        ("WorkflowTask", TASK_HEAD + "  type: llm\n", False),
    ],
)
def test_an_editor_sees_what_the_models_see(kind: str, text: str, valid: bool) -> None:
    assert valid == Draft202012Validator(document_schema(kind)).is_valid(value(text))


def test_generated_files_are_what_the_models_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stdout)


def test_importing_spec_leaves_heavy_libraries_alone() -> None:
    code = (
        "import sys, millrace.spec; print(sorted({'yaml', 'ruamel', 'jsonschema', 're2', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_the_public_list_is_sorted_and_exists() -> None:
    assert sorted(millrace.spec.__all__) == millrace.spec.__all__
    assert all(hasattr(millrace.spec, name) for name in millrace.spec.__all__)


CHOICES = {
    "anyOf": [{"properties": {"a": {"type": "string"}}}, {"$ref": "#/$defs/b"}],
    "properties": {"c": {"type": "integer"}},
    "$defs": {"b": {"properties": {"bb": True}}},
}


@pytest.mark.parametrize(
    ("schema", "segments", "found"),
    [
        (CHOICES, ("a",), True),
        (CHOICES, ("bb",), True),
        (CHOICES, ("c",), True),
        (CHOICES, ("d",), False),
        ({"anyOf": [{"type": "object"}]}, ("x",), True),
        ({"anyOf": 5}, ("x",), True),
        ({"not": {}}, ("x",), True),
        ({"if": {}, "properties": {"a": True}}, ("x",), True),
        ({"prefixItems": [{"type": "string"}], "type": "array"}, (0, "x"), False),
        ({"prefixItems": [{}]}, (3,), True),
        ({"type": "object", "properties": {"0": True}}, (0,), True),
        ({"type": "object", "properties": {"0": True}}, (1,), False),
        ({"additionalProperties": {"type": "string"}}, ("x", "y"), False),
        ({"additionalProperties": True, "properties": {"a": True}}, ("x",), True),
        ({"patternProperties": {"^x": True}, "properties": {"a": True}}, ("x",), True),
        ({"properties": {"a": False}}, ("a", "b"), False),
        ({"properties": {"a": True}}, ("a", "b"), True),
        ({"$ref": "#/$defs/gone/x"}, ("b",), True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, ("b",), True),
        ({"properties": 5}, ("b",), True),
        (False, ("b",), False),
    ],
)
def test_a_path_through_a_schema_leads_somewhere_or_not(
    schema: object, segments: tuple[str | int, ...], found: bool
) -> None:
    assert found == (follow(Shape.of(schema), segments).shape is not None)


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, {"string"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"const": 1.5}, {"number"}),
        ({"enum": [None, 1, [], {}]}, {"null", "integer", "array", "object"}),
        ({}, None),
        (True, None),
    ],
)
def test_the_types_of_a_schema(schema: object, types: set[str] | None) -> None:
    assert types == types_of(Shape.of(schema))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [({"number"}, {"integer"}, False), ({"string"}, {"integer"}, True), ({"string"}, {"string"}, False)],
)
def test_types_are_disjoint_if_no_value_is_of_both(one: set[str], other: set[str], apart: bool) -> None:
    assert apart == disjoint(frozenset(one), frozenset(other))
    assert not disjoint(None, frozenset(other))


def test_a_suggestion_is_not_worth_comparing_with_thousands() -> None:
    assert ("fetchOrder",) == nearest("fetch-order", ["fetchOrder", "x"])
    assert () == nearest("a", map(str, range(3_000)))
    assert () == nearest("a" * 300, ["a" * 299])


LANGUAGE = [
    "id: get-user, type: http, request: {method: POST, url: 'https://api.example.com/users', headers: {x-a: '1'}, "
    "query: {q: '{{input.q}}'}, body: {name: '{{input.name}}'}, auth: {bearer: {secretRef: crm-token}}}",
    "id: shape, type: transform, input: {items: '{{tasks.get-user.output.body.orders}}'}, transform: "
    "[{filter: item.total > 10}, {map: {id: '{{item.id}}', gross: '{{item.total * 1.2}}'}}, "
    "{sort: {by: gross, order: desc}}, {limit: 5}]",
    "id: each-order, forEach: {items: '{{tasks.shape.output}}', as: order, index: i, maxParallel: 10, "
    "tolerate: {failures: '10%'}}, tasks: [{id: ship, taskRef: ship-order, input: {id: '{{order.id}}'}}]",
    f"id: route, switch: {{value: '{{{{input.tier}}}}', cases: [{{match: gold, tasks: [{{id: a, {HTTP}}}]}}, "
    f"{{when: \"value.startsWith('s')\", tasks: [{{id: b, {HTTP}}}]}}], default: {{tasks: [{{id: c, {HTTP}}}]}}}}",
    "id: child, workflowRef: charge-card@^2, input: {amount: '{{input.amount}}'}",
    "id: cool-down, wait: {for: 2h}",
    "id: until, wait: {until: '{{input.dueAt}}'}",
    "id: sign-off, type: approval, approvers: ['role:approver', 'group:finance'], required: 2, timeout: 3d, "
    "onTimeout: fail",
    "id: paid, event: {type: payment.settled, match: event.data.orderId == input.orderId, timeout: 1d}",
    "id: plan-work, generate: {from: '{{tasks.child.output.tasks}}', max: 50}",
    "id: fetch-order, taskRef: get-order, input: {id: '{{input.orderId}}'}, retry: {maxAttempts: 4, strategy: "
    "exponential, interval: 1s, multiplier: 2, maxInterval: 30s, jitter: full, retryOn: [timeout, '5xx', 429]}, "
    "timeout: 10s, fallback: {value: {status: unknown}}",
]
REST = (
    "  description: Charge an order and ship it\n"
    "  version: 2.1.0\n"
    "  tags: [orders]\n"
    "  categories: [commerce]\n"
    "  config: {deepCheck: true}\n"
    "  state: {paid: '{{tasks.paid.output.data.ok}}'}\n"
    "  onFailure: {workflowRef: alert-team}\n"
    f"  finally: [{{id: clean, {HTTP}}}]\n"
)


@pytest.mark.parametrize("task", LANGUAGE, ids=[task.partition(",")[0] for task in LANGUAGE])
def test_every_construct_of_the_language_is_known_to_editors_and_models(task: str) -> None:
    validator = Draft202012Validator(document_schema("Workflow"))
    nested = loop("outer", task, each="items: []")
    for text in (flow(task, more=REST), flow(nested, more=REST)):
        loaded = load(text.encode(), media="yaml")
        assert loaded.document is not None, loaded.findings
        assert [] == [error.message for error in validator.iter_errors(loaded.value)]


@pytest.mark.parametrize(
    ("task", "valid"),
    [
        (f"id: a, {HTTP}, fallback: {{task: {{{HTTP}}}}}", True),
        (f"id: a, {HTTP}, fallback: {{task: get, input: {{id: 1}}}}", True),
        (f"id: a, {HTTP}, fallback: {{workflow: other}}", True),
        (f"id: a, {HTTP}, fallback: {{task: {{id: b, {HTTP}}}}}", False),
        (f"id: a, {HTTP}, fallback: {{task: {{type: http, request: {{urll: x}}}}}}", False),
        (f"id: a, {HTTP}, fallback: {{tusk: get}}", False),
        ("id: a, forEach: {items: []}", False),
        ("id: a, forEach: {items: []}, tasks: [{id: b, type: http}]", False),
        ("id: a, switch: {cases: []}", False),
        (f"id: a, {HTTP}, tasks: [{{id: b, {HTTP}}}]", False),
        ("id: a, workflowRef: other, detached: true", True),
        ("id: a, taskRef: get, detached: true", False),
    ],
)
def test_an_editor_sees_into_tasks_inside_tasks(task: str, valid: bool) -> None:
    validator = Draft202012Validator(document_schema("Workflow"))
    assert valid == validator.is_valid(value(flow(task)))
    assert valid == (load(flow(task).encode(), media="yaml").document is not None)


@pytest.mark.parametrize(
    ("handler", "valid"),
    [
        (f"{{{HTTP}}}", True),
        (f"{{tasks: [{{id: a, {HTTP}}}]}}", True),
        (f"{{forEach: {{items: []}}, tasks: [{{id: a, {HTTP}}}]}}", True),
        (f"{{id: a, {HTTP}}}", False),
        ("{tasks: []}", False),
        ("{type: http}", False),
        ("alert", False),
    ],
)
def test_an_editor_sees_into_the_handler_of_a_failure(handler: str, valid: bool) -> None:
    text = flow(f"id: x, {HTTP}", more=f"  onFailure: {handler}\n")
    assert valid == Draft202012Validator(document_schema("Workflow")).is_valid(value(text))
    assert valid == (load(text.encode(), media="yaml").document is not None)


def test_a_finding_without_a_fix_is_shown_without_one() -> None:
    assert "f.yaml:1:2: hint: said [tag]\nf.yaml: 1 hint\n" == findings_text(
        [Finding("tag", "hint", "said", (), 1, 2)], "f.yaml"
    )
