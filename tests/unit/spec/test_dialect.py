"""Documents of the other dialect: recognised by shape, read as ours, rewritten with their comments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.base.errors import InvalidDocument
from millrace.spec import Workflow, format_source, has_errors, load, parse_document
from millrace.spec.dialect import is_dialect, looks_like_dialect
from millrace.spec.dialect.document import normalise
from millrace.spec.source import Node, read_document
from millrace.spec.writing import comments_of, write_yaml
from tests.unit.spec.builders import brief, judge

SEED = Path(__file__).resolve().parents[3] / "docs/examples/advanced-event-driven/workflow.yaml"


def document(*steps: str, more: str = "") -> str:
    return f"name: flow\n{more}steps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)


def call(more: str = "") -> str:
    return f"type: external_call, service: shop, method: pay{more}"


def spec_of(text: str) -> dict[str, Any]:
    return dict(normalise(parse_document(text.encode(), media="yaml")).value["spec"])


def tasks_of(text: str) -> dict[str, dict[str, Any]]:
    return {task["id"]: task for task in spec_of(text)["tasks"]}


def found(text: str) -> list[tuple[str, str]]:
    """Code and message of what the translation itself has to say, without hints."""
    notes = normalise(parse_document(text.encode(), media="yaml")).notes
    return [(note.code, note.message) for note in notes if note.severity != "hint"]


def test_the_documented_example_is_a_workflow_without_errors() -> None:
    findings = judge(SEED.read_text())
    assert not has_errors(findings)
    assert {
        "dialect",
        "dialect-changed",
        "dialect-marker",
        "dialect-service",
        "dialect-undeclared",
        "kept-for-later",
        "no-timeout",
    } == {finding.code for finding in findings}


def test_every_part_of_the_documented_example_has_its_place() -> None:
    loaded = load(SEED.read_bytes(), media="yaml")
    assert isinstance(loaded.document, Workflow)
    spec = loaded.document.spec
    assert ("advanced-event-driven", "2.0.0", 5) == (loaded.document.metadata.name, spec.version, spec.parallel_limit)
    assert [
        ("analyze", [], None, 0),
        ("parallel_checks", ["analyze"], "input.config.deep_check", 0),
        ("build", ["parallel_checks"], None, 10),
        ("deploy", ["build"], "input.all_checks_passed", 0),
        ("deployment_api-deploy", ["deploy"], None, 0),
    ] == [(t.id, [d.task for d in t.depends_on], t.condition, t.priority) for t in spec.tasks]
    assert {
        "method": "POST",
        "url": "{{env.DEPLOYMENT_API_URL}}/deploy",
        "body": {"version": "{{ input.build_version }}"},
        "auth": {"bearer": "{{ env.API_TOKEN }}"},
    } == spec.tasks[-1].block_json
    assert ["all_checks_passed", "build_version", "config"] == spec.input["required"]
    assert {"type": "boolean"} == spec.input["properties"]["config"]["properties"]["deep_check"]
    kept = loaded.value["spec"]
    assert ["file_change", "schedule", "webhook"] == [trigger["type"] for trigger in kept["triggers"]]
    assert "redis" == kept["externalState"]["backend"]


def test_findings_point_into_the_text_as_it_was_written() -> None:
    text = document(call(", priority: high"), more="dependencies: {a: []}\n")
    assert ("wrong-type", 4, 65) in brief(judge(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (document(call()), True),
        (document("type: dependency_flow", more="dependencies: {a: []}\n"), True),
        (document("type: http"), False),
        ("name: x\nsteps: 1\n", False),
        ("name: x\nsteps: [1, {type: [external_call]}]\n", False),
        (document(call()).replace("name:", "title:"), False),
        ("apiVersion: workflow.io/v1\n" + document(call()), False),
        ("[1]\n", False),
    ],
)
def test_a_document_of_the_dialect_is_known_by_its_shape(text: str, expected: bool) -> None:
    assert expected is is_dialect(parse_document(text.encode(), media="yaml").value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (document(call()), True),
        (json.dumps({"name": "x", "steps": [{"type": "external_call"}]}), True),
        ("kind: Workflow\n" + document(call()), False),
        ("name: x\nsteps: [{type: http}]\n", False),
        ("about: {type: external_call}\n", False),
    ],
)
def test_a_text_that_nobody_has_parsed_is_known_by_the_same_words(text: str, expected: bool) -> None:
    assert expected is looks_like_dialect(text.encode())


def test_a_bare_name_is_looked_for_in_config_then_state_then_among_the_tasks() -> None:
    more = "config: {a: 1}\nstate: {a: 2, b: 3}\ndependencies: {a: [], b: [], c: []}\n"
    text = document("type: dependency_flow", call(", params: {x: '{{ a }}{{b}}{{ c?.x }}'}"), more=more)
    body = tasks_of(text)["shop-pay"]["request"]["body"]
    assert {"x": "{{ config.a }}{{state.b}}{{ tasks.c.output?.x }}"} == body


def test_a_name_that_nothing_declares_becomes_a_required_input() -> None:
    text = document(call(", condition: '{{ ready }}', params: {n: '{{ n + count }}', s: '{{ state.seen }}'}"))
    schema = spec_of(text)["input"]
    assert {
        "type": "object",
        "properties": {
            "count": {},
            "n": {},
            "ready": {"type": "boolean"},
            "state": {"type": "object", "properties": {"seen": {}}, "required": ["seen"]},
        },
        "required": ["count", "n", "ready", "state"],
    } == schema
    assert [
        ("dialect-undeclared", "nothing declares count, n, ready, state.seen: a start has to give it as input")
    ] == (found(text))


def test_a_name_read_as_a_condition_and_as_data_has_no_type() -> None:
    text = document(
        call(", condition: ready, params: {n: '{{ ready }}'}"), call(", id: b, condition: '{{ready && x}}'")
    )
    assert {"ready": {}, "x": {}} == spec_of(text)["input"]["properties"]


def test_inputs_that_the_document_declares_stay_and_others_are_refused() -> None:
    more = "inputs: {a: {type: string, required: true, default: x}, b: integer, c: }\n"
    text = document(call(", params: ['{{inputs.a}}', '{{ inputs.nothing }}', '{{ bare }}']"), more=more)
    assert {
        "type": "object",
        "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "integer"}, "c": {}, "bare": {}},
        "required": ["a", "bare"],
    } == spec_of(text)["input"]
    assert ["unknown-input"] == [f.code for f in judge(text) if f.severity == "error"]


def test_inputs_that_are_a_schema_already_stay_one() -> None:
    more = "input: {type: object, properties: {a: {type: string}}}\n"
    text = document(call(", params: ['{{ a }}', '{{ inputs.a }}']"), more=more)
    assert {"type": "object", "properties": {"a": {"type": "string"}}} == spec_of(text)["input"]


def test_inputs_read_by_name_need_no_declaration() -> None:
    text = document(call(", params: ['{{ inputs.a }}', '{{ input }}', '{{ input[0] }}', '{{ config }}']"))
    assert ["a"] == spec_of(text)["input"]["required"]
    assert ["{{ input.a }}", "{{ input }}", "{{ input[0] }}", "{{ input.config }}"] == (
        tasks_of(text)["shop-pay"]["request"]["body"]
    )


@pytest.mark.parametrize("text", ["{{ 1 + }}", "{{ unclosed", "{{ nothing(1) }}", "no braces at all"])
def test_a_text_without_a_name_to_resolve_stays(text: str) -> None:
    source = document(call(f", params: ['{text}']"))
    assert [text] == tasks_of(source)["shop-pay"]["request"]["body"]


def test_a_node_runs_the_step_of_its_name_and_keeps_what_the_graph_says_of_it() -> None:
    more = "dependencies: {a: [], b: [a, {priority: 3, condition: go, timeout: 5s}]}\n"
    text = document("type: dependency_flow", call(", id: b, condition: also"), more=more)
    task = tasks_of(text)["b"]
    assert ("http", 3, "5s", "(input.also) && (input.go)") == (
        task["type"],
        task["priority"],
        task["timeout"],
        task["condition"],
    )
    assert (["a"], "none_failed") == (task["dependsOn"], task["triggerRule"])
    assert ["a", "b"] == list(tasks_of(text))


def test_a_dependency_may_have_a_condition_of_its_own() -> None:
    more = "dependencies: {a: [], b: [{task: a, condition: '{{ go }}'}], c: [{task: a, condition: true}, {task: b}]}\n"
    tasks = tasks_of(document("type: dependency_flow", more=more))
    assert [{"task": "a", "condition": "input.go"}] == tasks["b"]["dependsOn"]
    assert [{"task": "a", "condition": True}, {"task": "b"}] == tasks["c"]["dependsOn"]


def test_a_node_may_be_written_as_a_mapping_or_left_empty() -> None:
    more = "dependencies: {a: , b: {depends_on: [a], condition: true}, c: a}\n"
    tasks = tasks_of(document("type: dependency_flow", more=more))
    assert [None, ["a"], ["a"]] == [tasks[name].get("dependsOn") for name in "abc"]
    assert True is tasks["b"]["condition"]


def test_a_step_may_wait_for_more_than_the_one_before_it() -> None:
    text = document(call(", id: a"), call(", id: b"), call(", id: c, depends_on: [{task: a, condition: go}]"))
    assert ["b", {"task": "a", "condition": "input.go"}] == tasks_of(text)["c"]["dependsOn"]
    assert ["a", "a"] == tasks_of(document(call(", id: a"), "id: b, type: wait, dependsOn: a"))["b"]["dependsOn"]


def test_steps_follow_each_other_and_a_flow_ends_with_its_last_nodes() -> None:
    more = "dependencies: {a: [], b: [a], c: [a]}\n"
    text = document(
        call(), "type: dependency_flow, condition: go", "type: dependency_flow, graph: {}", call(), more=more
    )
    tasks = tasks_of(text)
    assert {
        "shop-pay": None,
        "a": ["shop-pay"],
        "b": ["a"],
        "c": ["a"],
        "shop-pay-2": ["b", "c"],
    } == {name: task.get("dependsOn") for name, task in tasks.items()}
    assert ["input.go"] * 3 == [tasks[name]["condition"] for name in "abc"]


def test_the_smallest_limit_of_several_flows_holds_and_the_difference_is_told() -> None:
    flows = [
        f"type: dependency_flow, graph: {{{name}: []}}, parallel_limit: {limit}"
        for name, limit in zip("ab", [4, 2], strict=True)
    ]
    assert 2 == spec_of(document(*flows))["parallelLimit"]
    assert ("dialect-changed", "the flows differ in parallel_limit; 2 holds for the whole workflow") in found(
        document(*flows)
    )
    same = [flow.replace("4", "2") for flow in flows]
    assert "dialect-changed" not in {code for code, _ in found(document(*same))}
    assert ["wrong-type"] == [
        f.code for f in judge(document(flows[0].replace("4", "few"), flows[1])) if f.severity == "error"
    ]


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("{type: bearer, token: '{{ t }}'}", {"bearer": "{{ input.t }}"}),
        ("{type: basic, username: u, password: '{{ p }}'}", {"basic": {"username": "u", "password": "{{ input.p }}"}}),
        (
            "{type: api_key, header: x-key, key: k, in: header}",
            {"apiKey": {"name": "x-key", "value": "k", "in": "header"}},
        ),
    ],
)
def test_each_way_to_authenticate_has_ours(auth: str, expected: dict[str, Any]) -> None:
    assert expected == tasks_of(document(call(f", auth: {auth}")))["shop-pay"]["request"]["auth"]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("deployment-api", "{{env.DEPLOYMENT_API_URL}}/pay"),
        ("https://x.example/api/", "https://x.example/api/pay"),
        ("{{ base }}", "{{ input.base }}/pay"),
        ("::", "{{env.SERVICE_URL}}/pay"),
    ],
)
def test_a_service_is_an_address_or_the_name_of_one(service: str, expected: str) -> None:
    text = document(call().replace("shop", f"'{service}'"))
    assert [expected] == [task["request"]["url"] for task in spec_of(text)["tasks"]]


def test_a_step_of_one_of_our_types_is_taken_over_with_our_spelling() -> None:
    retry = "retry: {max_attempts: 2}, attempt_timeout: 3s, continueOnError: true, headers: {a: b}"
    text = document(
        call(f", {retry}"),
        "id: get, type: http, request: {url: '{{ base }}/x'}, retry: 3, trigger_rule: all_done, output: '{{output.x}}'",
        "type: transform, input: {items: []}, transform: [{limit: 1}]",
        "type: 7",
    )
    tasks = tasks_of(text)
    assert ({"maxAttempts": 2}, "3s", True, {"a": "b"}) == (
        tasks["shop-pay"]["retry"],
        tasks["shop-pay"]["attemptTimeout"],
        tasks["shop-pay"]["continueOnError"],
        tasks["shop-pay"]["request"]["headers"],
    )
    assert {
        "id": "get",
        "type": "http",
        "request": {"url": "{{ input.base }}/x"},
        "retry": 3,
        "output": "{{output.x}}",
        "triggerRule": "all_done",
        "dependsOn": ["shop-pay"],
    } == tasks["get"]
    assert ["shop-pay", "get", "transform", "7"] == list(tasks)


def test_config_state_and_output_are_taken_over_with_our_names() -> None:
    more = "config: {a: 1}\nstate: {b: '{{ a > 0 }}'}\noutput: {c: '{{ b }}'}\ntags: [x]\ntimeout: 5m\ndescription: d\n"
    spec = spec_of(document(call(), more=more))
    assert ({"a": 1}, {"b": "{{ config.a > 0 }}"}, {"c": "{{ state.b }}"}) == (
        spec["config"],
        spec["state"],
        spec["output"],
    )
    assert (["x"], "5m", "d") == (spec["tags"], spec["timeout"], spec["description"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            document(call(), more="triggres: []\n"),
            ("unknown-key", '"triggres" is not a key that is known here. Did you mean "triggers"?'),
        ),
        (document(call(", zzz: 1")), ("unknown-key", '"zzz" is not a key that is known here.')),
        (document(call(", auth: {type: magic}")), ("dialect-unmapped", "this way to authenticate is not known")),
        (document(call(", auth: [1]")), ("dialect-unmapped", "this way to authenticate is not known")),
        (document(call(", auth: {type: [x]}")), ("dialect-unmapped", "this way to authenticate is not known")),
        (
            document("type: external_call, service: 1"),
            ("missing-key", "an external call names a service and a method of it"),
        ),
        (document("type: dependency_flow"), ("bad-value", "the flow has no graph")),
        (document("type: dependency_flow, graph: others"), ("bad-value", "the flow has no graph")),
        (document("type: dependency_flow, graph: [a]"), ("bad-value", "the flow has no graph")),
        (document(call(), more="dependencies: [a]\n"), ("wrong-type", '"dependencies" is not a mapping')),
        (document(call(), more="inputs: [a]\n"), ("wrong-type", '"inputs" is not a mapping')),
        (document(call()) + "  - just text\n", ("wrong-type", "a step is not a mapping")),
    ],
)
def test_what_has_no_counterpart_is_an_error_and_is_not_rewritten(text: str, expected: tuple[str, str]) -> None:
    assert expected in found(text)
    with pytest.raises(InvalidDocument) as caught:
        format_source(text, "yaml")
    assert caught.value.facts["findings"]


@pytest.mark.parametrize(
    ("name", "expected"), [("plain", "plain"), ("A b:c", "a-b-c"), ("x" * 80, "x" * 63), ("!!", "!!"), (5, 5)]
)
def test_a_name_becomes_one_of_ours(name: Any, expected: Any) -> None:
    text = document(call()).replace("name: flow", f"name: {json.dumps(name)}")
    assert expected == normalise(parse_document(text.encode(), media="yaml")).value["metadata"]["name"]


def test_rewriting_keeps_every_comment_and_settles_at_once() -> None:
    lines = SEED.read_text().splitlines()
    commented = (
        "# head\n" + "\n".join(f"{line}  # c{n}" if line.strip() else "" for n, line in enumerate(lines)) + "\n# end\n"
    )
    once = format_source(commented, "yaml")
    assert sorted(c.text for c in comments_of(commented)) == sorted(c.text for c in comments_of(once))
    assert "# head" == once.splitlines()[0]
    assert once == format_source(once, "yaml")
    assert load(commented.encode(), media="yaml").value == load(once.encode(), media="yaml").value


def test_a_document_that_gets_too_deep_by_rewriting_is_refused() -> None:
    text = document(call(f", params: {'[' * 61}1{']' * 61}"))
    with pytest.raises(InvalidDocument, match="deeper"):
        format_source(text, "yaml")


def test_rewriting_json_gives_our_document_as_json() -> None:
    value = yaml.safe_load(SEED.read_text())
    once = format_source(json.dumps(value), "json")
    assert ["apiVersion", "kind", "metadata", "spec"] == list(json.loads(once))
    assert once == format_source(once, "json")
    with pytest.raises(InvalidDocument):
        format_source(json.dumps(value | {"zzz": 1}), "json")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back_as_the_same(value: Any) -> None:
    written = write_yaml(read_document(json.dumps(value).encode(), media="json").root)
    assert value == read_document(written.encode(), media="yaml").value


def test_plain_text_is_written_plain_and_no_more() -> None:
    root = read_document(
        b'{"a b": "x (y)", "b": "null", "c": "1.0.0", "d": "- x", "...": "2026", "e": "1e999"}', media="json"
    ).root
    assert 'a b: x (y)\nb: "null"\nc: 1.0.0\nd: "- x"\n"...": "2026"\ne: "1e999"\n' == write_yaml(root)
    assert "[]\n" == write_yaml(Node([], (1, 1)))


def test_a_hash_inside_a_scalar_is_no_comment() -> None:
    text = "a: 'x # y' # one\nb: |\n  # text\nc: x#y\n# two"
    assert [(1, "# one", True), (5, "# two", False)] == [(c.row, c.text, c.beside) for c in comments_of(text)]


def test_several_comments_of_one_line_and_of_none_find_a_place() -> None:
    text = document(call(", params: {a: 1, b: 2}")).replace("- {", "- # first\n    {") + "# last\n"
    written = format_source(text, "yaml")
    assert ["# first", "# last"] == [c.text for c in comments_of(written)]


TEXTS = ["a", "{{ a }}", "{{ b.c }}", "{{", "dependencies", "x y"]
WORDS = [
    "a",
    "b",
    "id",
    "name",
    "type",
    "graph",
    "condition",
    "service",
    "method",
    "auth",
    "task",
    "depends_on",
    "retry",
    "params",
    "parallel_limit",
    "priority",
]
parts = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["dependencies", "config", "state", "inputs", "output", "name", "triggers"]), parts
    ),
    parts,
    parts,
)
def test_any_document_of_the_shape_is_judged_without_an_exception(top: dict[str, Any], step: Any, other: Any) -> None:
    flow = {"type": "dependency_flow", **(step if isinstance(step, dict) else {})}
    value = {
        "name": "x",
        **top,
        "steps": [{**flow, "type": "dependency_flow"}, other, {"type": "external_call", "params": step}],
    }
    loaded = load(json.dumps(value).encode(), media="json")
    assert "dialect" in {finding.code for finding in loaded.findings}
    if not has_errors(loaded.findings):
        assert isinstance(loaded.document, Workflow)


def test_a_comment_stays_beside_or_above_what_it_stood_by() -> None:
    text = document(call(), more="# why\ntimeout: 5m  # long\n")
    lines = format_source(text, "yaml").splitlines()
    at = lines.index("  timeout: 5m  # long")
    assert "  # why" == lines[at - 1]
