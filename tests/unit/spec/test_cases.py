"""The `tests` of a workflow: what they may say, and the mistakes in them that are found before they run."""

import json

import pytest
from jsonschema import Draft202012Validator

from millrace.spec import (
    TaskType,
    behaviour_hash,
    content_hash,
    document_schema,
    format_source,
    load,
    register_type,
    unregister_type,
)
from millrace.spec.models.testing import MockResult
from millrace.spec.task_names import general, task_id, task_names
from tests.unit.spec.builders import HTTP, brief, flow, judge, task_document, workflow_of

SPEC = (
    "  input: {type: object, required: [id], properties: {id: {type: string}}}\n"
    "  config: {deep: true}\n"
    "  tests: [{name: t, input: {id: '1'}, %s}]\n"
)
GET = f"id: get, {HTTP}, retry: {{maxAttempts: 2}}"
CUT = "id: cut, type: transform, input: {items: '{{tasks.get.output.body}}'}, transform: [{limit: 1}]"
NEVER = f"id: never, {HTTP}, condition: 'false'"
PAID = "id: paid, event: {type: paid, timeout: 1d}, dependsOn: [cut]"
SIGN = "id: sign, type: approval, approvers: ['user:ann'], timeout: 1d"
EARLY = f"id: early, {HTTP}, dependsOn: [get, cut], triggerRule: one_done"
TASKS = (GET, CUT, NEVER, PAID, SIGN, EARLY)


def mistakes(case: str, *tasks: str) -> list[tuple[str, str]]:
    """What is said about a workflow with this test: code and message."""
    found = judge(flow(*(tasks or TASKS), more=SPEC % case))
    mine = [one for one in found if one.path[:2] == ("spec", "tests")]
    return [(one.code, one.message) for one in mine]


GOOD = {
    "nothing": "description: words",
    "results": "tasks: {get: [{status: 503, headers: {retry-after: '1'}}, {body: [1], delay: 2s}]}",
    "failure": "tasks: {get: {failure: {kind: network, code: 7, retryable: false, retryAfter: 1s}}}",
    "messages": "signals: [{name: paid, after: cut}], decisions: [{task: sign, decision: approved, at: 1h}]",
    "cancel": "cancel: {after: get, reason: enough}, expect: {status: cancelled}",
    "facts": "config: {deep: false}, env: {A: b}, execution: {id: x}, now: '2026-01-31T09:00:00+01:00'",
    "end": "expect: {status: failed, error: {kind: http}, failedTask: get, notCalled: [never, cut]}",
    "tasks": "expect: {tasks: {get: failed, never: {status: skipped, skip: {reason: condition_false, origin: never}}}}",
    "outputs": "expect: {output: null, tasks: {get: {output: null}, cut: {outputContains: [1]}}}",
    "calls": "expect: {calls: {get: {count: 2, request: {method: GET}}, cut: {count: 0}}, order: [get, cut, paid]}",
    "asserts": "expect: {asserts: ['output.a == 1 && status == \"failed\" && tasks.get.attempts < 3']}",
}


@pytest.mark.parametrize("case", GOOD)
def test_a_test_that_is_right_is_not_complained_about(case: str) -> None:
    assert [] == mistakes(GOOD[case])


@pytest.mark.parametrize("case", GOOD)
def test_the_exported_schema_takes_what_the_models_take(case: str) -> None:
    value = load(flow(*TASKS, more=SPEC % GOOD[case]).encode(), media="yaml").value
    Draft202012Validator(document_schema("Workflow")).validate(value)


BAD = {
    "input": ("input: {}", "type-mismatch", "the input does not fit the input schema. Please provide id (string)."),
    "config": ("config: {deeep: 1}", "unknown-config", 'there is no constant "deeep". Did you mean "deep"?'),
    "strange config": ("config: {zzz: 1}", "unknown-config", 'there is no constant "zzz".'),
    "mocked": ("tasks: {gett: {}}", "unknown-task", 'there is no task "gett". Did you mean "get"?'),
    "stranger": ("tasks: {qqqq: {}}", "unknown-task", 'there is no task "qqqq".'),
    "computed": (
        "tasks: {cut: {}}",
        "impossible-test",
        'the mock of "cut" can never count: a task of type transform is computed from what it reads, not attempted',
    ),
    "waited": (
        "tasks: {paid: {}}",
        "impossible-test",
        'the mock of "paid" can never count: a task of type event is waited for, not attempted',
    ),
    "too many": (
        "tasks: {get: [{}, {}, {}]}",
        "no-effect",
        '"get" has at most 2 attempts, so the results after that are never used',
    ),
    "signal": ("signals: [{name: payd}]", "no-effect", 'no event of this workflow waits for "payd"'),
    "decision": (
        "decisions: [{task: get, decision: approved}]",
        "impossible-test",
        '"get" is of type http, and only an approval is decided',
    ),
    "order": (
        "expect: {order: [paid, cut]}",
        "impossible-test",
        '"paid" cannot finish before "cut", which it waits for',
    ),
    "twice": ("expect: {order: [get, get]}", "impossible-test", '"get" is in the order twice'),
    "calls": (
        "expect: {calls: {cut: {}}}",
        "impossible-test",
        'a call of "cut" can never count: a task of type transform is computed from what it reads, not attempted',
    ),
    "both calls": (
        "expect: {calls: {get: {}}, notCalled: [get]}",
        "impossible-test",
        '"get" is to be called and not to be called',
    ),
    "dead": (
        "expect: {tasks: {never: succeeded}}",
        "impossible-test",
        '"never" can never be succeeded: it never runs',
    ),
    "skip": (
        "expect: {tasks: {get: {status: failed, skip: {}}}}",
        "impossible-test",
        "a task that is failed has no skip",
    ),
    "task outputs": (
        "expect: {tasks: {get: {output: 1, outputContains: 1}}}",
        "impossible-test",
        "output and outputContains are both expected",
    ),
    "outputs": (
        "expect: {output: 1, outputContains: 1}",
        "impossible-test",
        "output and outputContains are both expected",
    ),
    "no output": (
        "expect: {status: failed, output: 1}",
        "impossible-test",
        "an execution that is failed has no output",
    ),
    "no error": (
        "expect: {error: {kind: http}}",
        "impossible-test",
        "an execution that succeeds has neither an error nor a failedTask",
    ),
    "assert": ("expect: {asserts: ['1 +']}", "bad-expression", "the expression ends where a value is expected"),
    "assert root": (
        "expect: {asserts: ['secrets.a == 1']}",
        "unknown-reference",
        "secrets is not a name that can be used here",
    ),
    "assert task": (
        "expect: {asserts: ['tasks.gett.status == status']}",
        "unknown-task",
        'there is no task "gett". Did you mean "get"?',
    ),
    "two ways": (
        "tasks: {get: {output: 1, status: 200}}",
        "bad-value",
        "a result has output and status, headers and body",
    ),
    "two moments": (
        "signals: [{name: paid, at: 1s, after: cut}]",
        "bad-value",
        "at and after both say when it happens",
    ),
    "kind": (
        "tasks: {get: {failure: {kind: netwrk}}}",
        "bad-value",
        '"netwrk" is not a kind of failure. Did you mean "network"?',
    ),
    "instant": ("now: soon", "bad-value", '"soon" is not an instant'),
    "zone": ("now: '2026-01-01T00:00:00'", "bad-value", '"2026-01-01T00:00:00" does not say in which time zone'),
    "status": (
        "expect: {tasks: {get: succeded}}",
        "bad-value",
        '"get" is \'succeded\', which it cannot be. Did you mean "succeeded"?',
    ),
    "result key": (
        "tasks: {get: {outptu: 1}}",
        "unknown-key",
        '"outptu" is not a key of "get". Did you mean "output"?',
    ),
    "results": ("tasks: {get: 7}", "wrong-type", '"get" is the number 7, expected a list'),
    "key": ("taks: {}", "unknown-key", '"taks" is not a key of "tests". Did you mean "tasks"?'),
}


STRANGERS = [
    "tasks: {nope: {}}",
    "signals: [{name: paid, after: nope}]",
    "decisions: [{task: nope, decision: approved}]",
    "decisions: [{task: sign, decision: approved, after: nope}]",
    "cancel: {after: nope}",
    "expect: {status: failed, failedTask: nope}",
    "expect: {tasks: {nope: failed}}",
    "expect: {tasks: {get: {skip: {origin: nope}}}}",
    "expect: {order: [get, nope]}",
    "expect: {calls: {nope: {}}}",
    "expect: {notCalled: [nope]}",
]


@pytest.mark.parametrize("case", STRANGERS)
def test_a_task_that_does_not_exist_is_named_wherever_it_is_meant(case: str) -> None:
    assert [("unknown-task", 'there is no task "nope".')] == mistakes(case)


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_in_a_test_is_found_before_it_runs(case: str) -> None:
    text, code, message = BAD[case]
    if "input: {}" == text:
        found = judge(flow(*TASKS, more=SPEC.replace("input: {id: '1'}, %s", text)))
        assert [(code, message)] == [(one.code, one.message) for one in found if one.path[:2] == ("spec", "tests")]
    else:
        assert (code, message) in mistakes(text)


def test_an_input_that_is_left_out_is_judged_at_the_test() -> None:
    found = judge(flow(*TASKS, more=SPEC.replace(", input: {id: '1'}, %s", "")))
    assert [("type-mismatch", ("spec", "tests", 0))] == [
        (one.code, one.path) for one in found if one.severity == "error"
    ]


def test_two_tests_with_one_name_are_a_mistake() -> None:
    more = "  tests:\n    - {name: same}\n    - {name: same}\n"
    assert [("duplicate-id", 7, 14)] == brief(judge(flow(f"id: a, timeout: 1s, {HTTP}", more=more)))


def test_only_an_http_task_is_answered_by_a_status() -> None:
    tasks = {"get": task_document()}
    ref = "id: own, taskRef: get, input: {id: 1}"
    more = "  tests: [{name: t, tasks: {own: {status: 404}}}]\n"
    assert [] == [one for one in judge(flow(ref, more=more), tasks) if one.severity == "error"]
    assert [] == [one for one in judge(flow(ref, more=more), {}) if one.code == "impossible-test"]


def test_a_task_of_another_type_is_not_answered_by_a_status() -> None:
    register_type(TaskType("fetch", lambda _: "read"))
    try:
        found = judge(flow("id: a, type: fetch", more="  tests: [{name: t, tasks: {a: {status: 404}}}]\n"))
    finally:
        unregister_type("fetch")
    message = '"a" is of type fetch: only an http task is answered by status, headers and body'
    assert [("impossible-test", message)] == [(one.code, one.message) for one in found if one.severity == "error"]


PAGED = "type: http, timeout: 1s, request: {url: 'https://x.example', paging: {strategy: link}}"


def test_one_answer_cannot_stand_for_pages() -> None:
    more = "  tests: [{name: t, tasks: {a: {status: 200}}}]\n"
    message = '"a" reads pages, which one answer cannot stand for'
    found = judge(flow(f"id: a, {PAGED}", more=more))
    assert [("impossible-test", message)] == [(one.code, one.message) for one in found]
    assert [] == brief(judge(flow(f"id: a, {PAGED}", more=more.replace("status: 200", "output: {}"))))


def test_what_a_reusable_task_waits_for_is_not_known_here() -> None:
    more = "  tests: [{name: t, signals: [{name: any}]}]\n"
    assert [] == brief(judge(flow("id: own, taskRef: get, input: {id: 1}, timeout: 1s", more=more)))
    templated = "id: e, event: {type: '{{execution.id}}', timeout: 1s}"
    assert [] == brief(judge(flow(templated, more=more)))


@pytest.mark.parametrize(
    ("task", "most"),
    [
        (f"id: a, {HTTP}", 3),
        (f"id: a, {HTTP}, retry: {{}}", 3),
        (f"id: a, {HTTP}, retry: {{maxAttempts: 5}}", 5),
        ("id: a, taskRef: tried, input: {id: 1}", 2),
    ],
)
def test_results_beyond_the_last_attempt_are_useless(task: str, most: int) -> None:
    text = "apiVersion: workflow.io/v1\nkind: WorkflowTask\nmetadata: {name: tried}\nspec:\n"
    tried = task_document(text + f"  {HTTP.replace(', ', chr(10) + '  ')}\n  retry: {{maxAttempts: 2}}\n")
    for count, codes in ((most, []), (most + 1, ["no-effect"])):
        more = f"  tests: [{{name: t, tasks: {{a: [{', '.join(['{}'] * count)}]}}}}]\n"
        found = judge(flow(task, more=more), {"tried": tried})
        assert codes == [one.code for one in found if one.path[:2] == ("spec", "tests")]


def test_an_early_rule_may_finish_before_what_it_waits_for() -> None:
    assert [] == mistakes("expect: {order: [early, get]}")
    assert ["impossible-test"] == [code for code, _ in mistakes("expect: {order: [cut, get]}")]


def test_a_change_of_tests_is_no_change_of_behaviour() -> None:
    plain, tested = (load(flow(GET, more=more).encode(), media="yaml").value for more in ("", "  tests: [{name: t}]\n"))
    assert behaviour_hash(plain) == behaviour_hash(tested)
    assert content_hash(plain) != content_hash(tested)


def test_formatting_leaves_the_data_of_tests_as_they_are() -> None:
    text = flow(f"id: a, {HTTP}", more="  tests: [{name: t, tasks: {a: {output: '{{inputs.x}}', delay: 1s}}}]\n")
    formatted = format_source(text, "yaml")
    assert "output: '{{inputs.x}}'" in formatted
    assert formatted.index("tasks:") < formatted.index("tests:")
    assert "{{inputs.x}}" in format_source(json.dumps(load(text.encode(), media="yaml").value), "json")


def test_a_result_says_what_it_is_by_its_keys() -> None:
    workflow, _ = workflow_of(
        flow(f"id: a, {HTTP}", more="  tests: [{name: t, tasks: {a: [{body: null}, {delay: 1s}]}}]\n")
    )
    first, second = workflow.spec.tests[0].tasks["a"]
    assert isinstance(first, MockResult)
    assert (True, False, 1_000) == (first.answers, second.answers, second.delay)


NESTED = {
    "spec": {
        "tasks": [
            {"id": "a", "type": "http", "fallback": {"task": {"type": "http"}}},
            {"id": "loop", "forEach": {}, "tasks": [{"id": "b"}, "no task", {"id": 7}]},
            {"id": "route", "switch": {"cases": [{"tasks": [{"id": "c"}]}, 3], "default": {"tasks": [{"id": "d"}]}}},
        ],
        "onFailure": {"tasks": [{"id": "e"}]},
        "finally": [{"id": "f"}],
        "tests": [{"tasks": [{"id": "z"}]}],
    }
}


def test_tasks_are_known_wherever_they_stand() -> None:
    names = task_names(NESTED)
    assert ["a", "b", "c", "d", "e", "f", "loop", "route"] == sorted(names.tasks)
    assert names.knows("loop[3]/b")
    assert names.knows("a/fallback")
    assert not names.knows("loop[3]/x")
    assert {} == task_names(None).tasks == task_names({"spec": 3}).tasks


def test_tasks_made_at_run_time_are_known_by_path_only() -> None:
    names = task_names({"spec": {"tasks": [{"id": "gen", "generate": {}}]}})
    assert (True, False) == (names.knows("gen[0]/x"), names.knows("x"))


def test_a_path_has_an_id_at_its_end_and_a_form_for_all_iterations() -> None:
    assert ("ship", "a[*]/b[*]/ship") == (task_id("a[1]/b[22]/ship"), general("a[1]/b[22]/ship"))
    assert ("loop", "loop[*]", "loop") == (task_id("loop[3]"), general("loop[*]"), task_id("loop[*]"))
