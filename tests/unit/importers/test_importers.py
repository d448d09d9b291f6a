"""Importers: what definitions become, that it runs, and that nothing in a definition makes them raise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.base.errors import InvalidDocument, InvalidRequest, TooLarge, UserError
from millrace.base.limits import DOCUMENT_BYTES
from millrace.local.demo import create_app
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.services.caller import Caller
from millrace.services.import_foreign import import_foreign
from millrace.services.importers import convert
from millrace.services.importers.order import START, Edge, merged, place
from millrace.services.importers.scripts import Grammar, Part, Unknown, translated
from millrace.services.importers.sources import SourceName, table
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.start_execution import Start, start_execution
from millrace.services.wait_execution import wait_execution
from millrace.spec import parse_document
from millrace.wiring.local import open_local
from millrace.wiring.settings import Settings
from tests.unit.importers.cases import CASES, Case

SOURCES: tuple[SourceName, ...] = get_args(SourceName)
ANYBODY = Caller(tenant="importers", principal="test")
REASONS = {"unknown-output", "unknown-task-ref", "secret-misplaced", "bad-value"}
"""Why a workflow made from one of the definitions may not be published as it is."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}-{case.file.stem}")
def test_a_definition_becomes_what_is_expected(case: Case) -> None:
    assert case.expected.read_text(encoding="utf-8") == case.text()


@pytest.mark.parametrize("source", SOURCES)
def test_there_are_six_definitions_of_each_source(source: str) -> None:
    assert 6 <= sum(case.source == source for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}-{case.file.stem}")
def test_what_is_not_valid_says_precisely_why(case: Case) -> None:
    report = case.report()
    errors = {one["code"] for one in report["findings"] if one["severity"] == "error"}
    assert report["valid"] is not bool(errors)
    assert set() == errors - REASONS
    assert all(one["message"] and one["path"] is not None for one in report["notes"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, str]]:
    """A platform in this process, and the address of a demo service beside it."""
    bound = bind(0, variable="MILLRACE_DEMO_PORT")
    shop = Listener(create_app(), bound, name="demo")
    url = f"http://{HOST}:{port_of(bound)}"
    local = open_local(Settings(data=tmp_path_factory.mktemp("importers"), sync="normal"), demo_url=url)
    shop.start()
    try:
        yield local.platform, url
    finally:
        local.close()
        shop.stop()


def run(world: tuple[Platform, str], source: SourceName, definition: dict[str, Any], value: Any) -> dict[str, Any]:
    """The finished execution of a definition in which DEMO stands for the demo service."""
    platform, url = world
    report = import_foreign(json.dumps(definition).replace("DEMO", url).encode(), "json", source)
    assert report["valid"], report["findings"]
    published = publish_workflow(platform, ANYBODY, Publication(report["yaml"].encode(), "yaml"))
    started = start_execution(platform, ANYBODY, Start(workflow=published.body["name"], input=value))
    return wait_execution(platform, ANYBODY, started["id"], wait_ms=30_000)


def statuses(ended: dict[str, Any]) -> dict[str, str]:
    return {name: task["status"] for name, task in ended["tasks"].items()}


MACHINE = {
    "Comment": "asl run",
    "StartAt": "Order",
    "States": {
        "Order": {
            "Type": "Task",
            "Resource": "arn:aws:states:::http:invoke",
            "Parameters": {"ApiEndpoint.$": "States.Format('DEMO/orders/{}', $.id)", "Method": "GET"},
            "ResultPath": "$.order",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Unknown"}],
            "Next": "Large?",
        },
        "Large?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.order.ResponseBody.totalCents", "NumericGreaterThan": 5000, "Next": "Both"}],
            "Default": "Small",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "User", "States": {"User": {
                    "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "OutputPath": "$.ResponseBody.id",
                    "Parameters": {"ApiEndpoint.$": "States.Format('DEMO/users/{}', $.order.ResponseBody.userId)",
                                   "Method": "GET"}, "End": True}}},
                {"StartAt": "Note", "States": {"Note": {"Type": "Pass", "Result": "large", "End": True}}},
            ],
            "Next": "Out",
        },
        "Small": {"Type": "Pass", "Parameters": {"only.$": "$.id"}, "Next": "Out"},
        "Unknown": {"Type": "Pass", "Parameters": {"why.$": "$.Error"}, "Next": "Out"},
        "Out": {"Type": "Pass", "Parameters": {"came.$": "$"}, "End": True},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "expected", "skipped"),
    [
        (7, {"came": [8, "large"]}, {"Small", "Unknown"}),
        (3, {"came": {"only": 3}}, {"User", "Note", "Both", "Unknown"}),
        (999, {"came": {"why": "http"}}, {"User", "Note", "Both", "Small"}),
    ],
)
def test_a_state_machine_takes_the_branch_that_its_data_choose(
    world: tuple[Platform, str], number: int, expected: Any, skipped: set[str]
) -> None:
    ended = run(world, "asl", MACHINE, {"id": number})
    assert ("succeeded", expected) == (ended["status"], ended["output"])
    assert skipped == {name for name, status in statuses(ended).items() if status == "skipped"}


def test_a_state_that_fails_ends_the_execution(world: tuple[Platform, str]) -> None:
    machine = {"Comment": "asl fail", "StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "why"}}}
    ended = run(world, "asl", machine, {})
    assert ("failed", {"F": "failed"}) == (ended["status"], statuses(ended))


FLOW = {
    "id": "kestra run",
    "namespace": "default",
    "inputs": [{"id": "user", "type": "INT"}],
    "tasks": [
        {"id": "get", "type": "io.kestra.plugin.core.http.Request", "uri": "DEMO/users/{{ inputs.user }}"},
        {
            "id": "if",
            "type": "io.kestra.plugin.core.flow.If",
            "condition": "{{ outputs.get.body.tier == 'gold' and not (inputs.user > 100) }}",
            "then": [{"id": "gold", "type": "io.kestra.plugin.core.debug.Return", "format": "{{ 'g' | upper }}"}],
            "else": [{"id": "bad", "type": "io.kestra.plugin.core.execution.Fail"}],
        },
        {"id": "last", "type": "io.kestra.plugin.core.debug.Return", "format": "{{ outputs.gold.value ?? 'none' }}"},
    ],
    "outputs": [{"id": "said", "type": "STRING", "value": "{{ outputs.last.value }}"}],
}


def test_a_flow_runs_its_tasks_in_order_and_by_condition(world: tuple[Platform, str]) -> None:
    ended = run(world, "kestra", FLOW, {"user": 3})
    assert ("succeeded", {"said": "G"}) == (ended["status"], ended["output"])
    assert {"get": "succeeded", "gold": "succeeded", "bad": "skipped", "last": "succeeded"} == statuses(ended)


VARIABLE = {"taskReferenceName": "v", "type": "SET_VARIABLE", "inputParameters": {"x": 1}}
DEFINITION = {
    "name": "conductor run",
    "tasks": [
        {"taskReferenceName": "f", "type": "FORK_JOIN", "forkTasks": [
            [{"taskReferenceName": "u", "type": "HTTP", "inputParameters": {
                "http_request": {"uri": "DEMO/users/${workflow.input.user}", "method": "GET"}}}],
            [{"taskReferenceName": "w", "type": "WAIT", "inputParameters": {"duration": "0 seconds"}}]]},
        {"taskReferenceName": "j", "type": "JOIN", "joinOn": ["u", "w"]},
        {"taskReferenceName": "s", "type": "SWITCH", "evaluatorType": "value-param", "expression": "tier",
         "inputParameters": {"tier": "${u.output.response.body.tier}"},
         "decisionCases": {"gold": [{"taskReferenceName": "g", "type": "SET_VARIABLE", "inputParameters": {"x": 1}}]},
         "defaultCase": [{"taskReferenceName": "d", "type": "SET_VARIABLE", "inputParameters": {"x": 2}}]},
        {"taskReferenceName": "e", "type": "SET_VARIABLE", "inputParameters": {"n": "${u.output.response.body.name}"}},
    ],
    "outputParameters": {"name": "${e.output.n}", "code": "${u.output.response.statusCode}"},
}  # fmt: skip


@pytest.mark.parametrize(("user", "taken"), [(3, "g"), (2, "d")])
def test_a_definition_of_conductor_forks_joins_and_switches(world: tuple[Platform, str], user: int, taken: str) -> None:
    definition = json.loads(json.dumps(DEFINITION).replace("0 seconds", "1 seconds"))
    ended = run(world, "conductor", definition, {"user": user})
    assert ("succeeded", 200) == (ended["status"], ended["output"]["code"])
    assert {"g", "d"} - {taken} == {name for name, status in statuses(ended).items() if status == "skipped"}


def test_a_switch_of_conductor_on_what_is_not_there_takes_its_default(world: tuple[Platform, str]) -> None:
    kinds = {"decisionCases": {"a": [VARIABLE | {"taskReferenceName": "a"}]}, "defaultCase": [VARIABLE]}
    switch = {"taskReferenceName": "s", "type": "SWITCH", "expression": "k", **kinds}
    switch["inputParameters"] = {"k": "${workflow.input.kind}"}
    ended = run(world, "conductor", {"name": "sw", "inputParameters": ["kind"], "tasks": [switch]}, {})
    assert {"a": "skipped", "v": "succeeded"} == statuses(ended)


CANVAS = {
    "name": "n8n run",
    "nodes": [
        {"name": "In", "type": "n8n-nodes-base.webhook", "parameters": {"path": "x"}},
        {"name": "User", "type": "n8n-nodes-base.httpRequest", "parameters": {
            "url": "=DEMO/users/{{ $json.body.user }}"}},
        {"name": "Gold?", "type": "n8n-nodes-base.if", "parameters": {"conditions": {"conditions": [
            {"leftValue": "={{ $json.tier }}", "rightValue": "gold", "operator": {"operation": "equals"}}]}}},
        {"name": "Yes", "type": "n8n-nodes-base.set", "parameters": {"assignments": {"assignments": [
            {"name": "a.city", "value": "={{ $json.city }}"}]}}},
        {"name": "No", "type": "n8n-nodes-base.stopAndError", "parameters": {"errorMessage": "not gold"}},
        {"name": "Out", "type": "n8n-nodes-base.respondToWebhook", "parameters": {
            "responseBody": "{\"city\": \"{{ $json.a.city }}\", \"by\": \"{{ $('User').item.json.name }}\"}"}},
    ],
    "connections": {
        "In": {"main": [[{"node": "User"}]]}, "User": {"main": [[{"node": "Gold?"}]]},
        "Gold?": {"main": [[{"node": "Yes"}], [{"node": "No"}]]}, "Yes": {"main": [[{"node": "Out"}]]},
    },
}  # fmt: skip


def test_nodes_hand_on_what_the_connections_say(world: tuple[Platform, str]) -> None:
    ended = run(world, "n8n", CANVAS, {"user": 3})
    assert ("succeeded", {"city": "Turin", "by": "Carla Montferrat"}) == (ended["status"], ended["output"])
    assert "failed" == run(world, "n8n", CANVAS, {"user": 2})["status"]


WORDS = {
    "asl": "StartAt States Type Next Default Choices Catch Retry ErrorEquals Parameters Result ResultPath InputPath "
    "OutputPath ItemsPath ItemProcessor Iterator Branches Resource Variable StringEquals And Not End a b Seconds",
    "kestra": "id type tasks then else cases defaults value values condition inputs outputs triggers errors retry "
    "interval runIf task dependsOn labels variables uri headers options auth a b",
    "n8n": "nodes connections name type parameters main node index conditions leftValue operator operation rules "
    "values assignments url jsonBody options amount unit workflowId a b credentials",
    "conductor": "tasks name taskReferenceName type inputParameters http_request uri headers decisionCases defaultCase "
    "forkTasks joinOn expression evaluatorType subWorkflowParam outputParameters startWorkflow a b duration",
}
TEXTS = [
    *["Task", "Pass", "Choice", "Parallel", "Map", "Wait", "Fail", "$", "$.a", "$.a[*].b", "States.Format('{}', $.a)"],
    *["arn:aws:states:::http:invoke", "arn:aws:lambda:x", "States.ALL", "{{", "{{ a }}", "={{ $json.a }}"],
    *["${a.output.b}", "x.If", "x.ForEach", "x.Dag", "x.http.Request", "x.Switch", "x.Parallel", "x.Pause", "1e999"],
    *["{{ inputs.a | upper }}", "{{ outputs.b.value }}", "x.if", "x.switch", "x.set", "x.merge", "x.httpRequest"],
    *["HTTP", "SWITCH", "DECISION", "FORK_JOIN", "JOIN", "SUB_WORKFLOW", "FORK_JOIN_DYNAMIC", "a", "b", "", "\x00"],
]  # fmt: skip


def anything(source: str) -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(TEXTS)
    keys = st.sampled_from(WORDS[source].split())
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=30
    )


@pytest.mark.repeats
@pytest.mark.parametrize("source", SOURCES)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_definition_makes_an_importer_raise(source: SourceName, data: st.DataObject) -> None:
    value = data.draw(st.dictionaries(st.sampled_from(WORDS[source].split()), anything(source), max_size=6))
    made = convert(source, value)
    assert {"apiVersion", "kind", "metadata", "spec"} == set(made.document)
    try:
        report = import_foreign(json.dumps(value).encode(), "json", source)
    except UserError as error:
        assert error.message
    else:
        assert report["valid"] or [one for one in report["findings"] if one["severity"] == "error"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}-{case.file.stem}")
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_definition_with_any_part_exchanged_is_still_judged(case: Case, data: st.DataObject) -> None:
    value = json.loads(
        json.dumps(
            parse_document(case.file.read_bytes(), media="json" if case.file.suffix == ".json" else "yaml").value
        )
    )
    places = _places(value)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(anything(case.source))
    assert convert(case.source, value).document["kind"] == "Workflow"


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        item = stack.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, inner in pairs:
            found.append((item, key))
            stack.append(inner)
    return found


def diamonds(count: int) -> dict[str, Any]:
    """Choices one behind the other, each of which gives a part of the document another value."""
    states: dict[str, Any] = {}
    for number in range(count):
        after = f"c{number + 1}"
        rule = {"Variable": f"$.x{number}", "StringEquals": "a" * 30, "Next": f"p{number}"}
        states[f"c{number}"] = {"Type": "Choice", "Choices": [rule], "Default": f"q{number}"}
        states[f"p{number}"] = {"Type": "Pass", "Result": number, "ResultPath": f"$.v{number % 7}", "Next": after}
        states[f"q{number}"] = {"Type": "Pass", "InputPath": f"$.v{number % 7}", "ResultPath": "$.all", "Next": after}
    states[f"c{count}"] = {"Type": "Succeed"}
    return {"StartAt": "c0", "States": states}


def nested(depth: int) -> dict[str, Any]:
    """Maps in each other, each of which puts its whole item together from ten copies of the one around it."""
    selector = {f"k{number}.$": "$" for number in range(10)}
    inner: dict[str, Any] = {"Type": "Pass", "Result": 1, "End": True}
    for _ in range(depth):
        processor = {"StartAt": "m", "States": {"m": inner}}
        inner = {"Type": "Map", "ItemsPath": "$.k1", "ItemSelector": selector, "ItemProcessor": processor, "End": True}
    return {"StartAt": "m", "States": {"m": inner}}


HEAVY: list[tuple[SourceName, dict[str, Any]]] = [
    ("asl", diamonds(400)),
    ("asl", nested(12)),
    ("asl", {"StartAt": "c", "States": {"c": {"Type": "Choice", "Choices": [
        {"Variable": f"$.{number}", "StringEquals": "x", "Next": "e"} for number in range(3000)], "Default": "e"},
        "e": {"Type": "Pass", "Result": 1, "End": True}}}),
    ("kestra", {"tasks": [{"id": f"i{number}", "type": "x.If", "condition": "{{ inputs.a == 'xxxxxxxxxxxxxxxxx' }}",
                           "then": [{"id": f"t{number}", "type": "x.Return", "format": "x"}]}
                          for number in range(600)]}),
    ("conductor", {"tasks": [{"type": "SWITCH", "expression": "a", "inputParameters": {"a": "${workflow.input.a}"},
                              "decisionCases": {"x": [{"type": "SET_VARIABLE", "taskReferenceName": f"s{number}"}]}}
                             for number in range(600)]}),
    ("n8n", {"nodes": [{"name": f"n{number}", "type": "x.if", "parameters": {"conditions": {"conditions": [
        {"leftValue": "={{ $json.a }}", "rightValue": "x", "operator": {"operation": "equals"}}]}}}
        for number in range(600)],
        "connections": {f"n{number}": {"main": [[{"node": f"n{number + 1}"}], [{"node": f"n{number + 1}"}]]}
                        for number in range(600)}}),
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("source", "definition"), HEAVY, ids=[f"{source}-{n}" for n, (source, _) in enumerate(HEAVY)])
def test_a_definition_that_grows_without_bound_is_bounded(source: SourceName, definition: dict[str, Any]) -> None:
    made = convert(source, definition)
    text = json.dumps(made.document)
    assert 8 * DOCUMENT_BYTES > len(text)


def test_more_tasks_than_an_import_makes_are_refused() -> None:
    nodes = [{"id": f"t{number}", "type": "x.Return"} for number in range(2_001)]
    with pytest.raises(TooLarge, match="more than 2000 tasks"):
        import_foreign(json.dumps({"tasks": nodes}).encode(), "json", "kestra")


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_no_definition_at_all_is_refused(source: SourceName) -> None:
    with pytest.raises(InvalidRequest, match="not a mapping"):
        import_foreign(b"[1]", "json", source)
    with pytest.raises(InvalidDocument):
        import_foreign(b"{", "json", source)
    with pytest.raises(InvalidDocument):
        import_foreign(b"[" * 1000 + b"]" * 1000, "yaml", source)
    assert not import_foreign(b"{}", "json", source)["valid"] or source == "asl"


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_a_table_of_what_its_constructs_become(source: SourceName) -> None:
    assert 8 <= len(table(source))
    assert all(key and value for key, value in table(source).items())


def _first(parts: Any) -> tuple[str, int]:
    if parts[0].name != "x":
        raise Unknown("only x is known")
    assert isinstance(parts[0], Part)
    return "x", 1


GRAMMAR = Grammar(
    _first, {"and": "&&", "not": "!"}, {"up()": "{0}.upperAscii()", "length": "size({0})"}, {"f": "g({0})"}
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x.a['b c'][0].d", "x.a['b c'][0].d"),
        ("not x and -1 === 2", "!x && -1 == 2"),
        ("x.a.up().length", "size(x.a.upperAscii())"),
        ('"it\'s\\n" + x', "'it\\'s\\n' + x"),
        ("(x ? [1, null] : [])", "(x ? [1, null] : [])"),
        ("x?.a ?? undefined", "x.a ?? null"),
    ],
)
def test_a_foreign_expression_is_written_in_our_spelling(source: str, expected: str) -> None:
    assert expected == translated(source, GRAMMAR)


@pytest.mark.parametrize(
    "source",
    ["y", "x.", "x[", "x[y]", "x.down()", "x()", "x |", "x | g", "x x", "'a", "#", "", "1 +", "(x", "x.up(1)",
     "(" * 200, "x" * 9000, "x = 1", "x[1.5]", ")"],
)  # fmt: skip
def test_an_expression_that_is_not_understood_is_refused_whole(source: str) -> None:
    with pytest.raises(Unknown):
        translated(source, GRAMMAR)


@pytest.mark.parametrize("source", SOURCES)
@settings(deadline=None)
@given(text=st.text(alphabet="${}[]()'\"\\.,|?:=x0 \n*a", max_size=60))
def test_no_text_makes_an_importer_raise(source: SourceName, text: str) -> None:
    value = {
        "asl": {"StartAt": "a", "States": {"a": {"Type": "Pass", "Parameters": {"x.$": text, "y": text}, "End": True}}},
        "kestra": {"tasks": [{"id": "a", "type": "x.Return", "format": "{{" + text + "}}", "runIf": text}]},
        "conductor": {"tasks": [{"type": "SWITCH", "evaluatorType": "javascript", "expression": text,
                                 "inputParameters": {"a": text}}], "outputParameters": {"b": "${" + text + "}"}},
        "n8n": {"nodes": [{"name": "a", "type": "x.set", "parameters": {"mode": "raw", "jsonOutput": "=" + text}}]},
    }[source]  # fmt: skip
    report = import_foreign(json.dumps(value).encode(), "json", source)
    assert {"bad-expression", "unknown-reference", "syntax"}.isdisjoint(
        one["code"] for one in report["findings"] if one["severity"] == "error"
    )


def test_a_way_that_is_always_open_needs_no_condition() -> None:
    always = merged([START, Edge("a", "input.x")])
    assert {"id": "b", "dependsOn": ["a"], "triggerRule": "none_failed"} == place({"id": "b"}, always)
    assert {"id": "b", "condition": "false"} == place({"id": "b"}, merged([]))
