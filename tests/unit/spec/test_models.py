"""What the models take, refuse and say."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from millrace.spec import (
    Workflow,
    WorkflowTask,
    find_type,
    known_types,
    load,
    parse_document,
    reference_name,
    register_type,
    unregister_type,
)
from millrace.spec.model_findings import described, model_findings
from millrace.spec.registry import TaskType
from millrace.spec.tasks import HTTP
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.http_auth import SecretRef
from tests.unit.spec.builders import HEAD, TASK_HEAD, flow, judge, task_document, workflow_of
from tests.unit.spec.builders import HTTP as CALL


def messages(text: str) -> list[str]:
    return [finding.message for finding in judge(text) if finding.severity == "error"]


def test_a_workflow_has_typed_tasks_with_durations_in_milliseconds() -> None:
    workflow, _ = workflow_of(
        flow(
            f"id: a.b, {CALL}, timeout: 1h, attemptTimeout: 14m, "
            f"retry: {{interval: PT2S, retryOn: [timeout, 5xx, 429, '*']}}"
        )
    )
    task = workflow.spec.tasks[0]
    assert task.retry is not None
    assert (3_600_000, 840_000, 2_000) == (task.timeout, task.attempt_timeout, task.retry.interval)
    assert ("timeout", "5xx", 429, "*") == task.retry.retry_on


def test_a_dependency_is_an_id_or_a_mapping() -> None:
    workflow, _ = workflow_of(flow(f"id: a, {CALL}", f"id: b, {CALL}, dependsOn: [a, {{task: a, condition: true}}]"))
    assert [("a", None), ("a", True)] == [(need.task, need.condition) for need in workflow.spec.tasks[1].depends_on]


def test_aliases_become_our_keys_in_tasks_and_in_dependencies() -> None:
    loaded = load(flow(f"id: a, {CALL}", f"id: b, {CALL}, needs: [{{task: a, when: true}}]").encode(), media="yaml")
    assert isinstance(loaded.document, Workflow)
    assert True is loaded.document.spec.tasks[1].depends_on[0].condition
    assert {"task": "a", "condition": True} == loaded.value["spec"]["tasks"][1]["dependsOn"][0]
    assert ["alias-spelling", "alias-spelling"] == [finding.code for finding in loaded.findings]


def test_the_block_of_a_task_is_validated_and_kept_as_written() -> None:
    workflow, _ = workflow_of(
        flow("id: a, type: http, request: {url: 'https://x', method: POST, auth: {bearer: {secretRef: k}}}")
    )
    task = workflow.spec.tasks[0]
    assert isinstance(task.block, HttpRequest)
    assert task.block.auth is not None
    assert SecretRef(secretRef="k") == task.block.auth.bearer
    assert {"url": "https://x", "method": "POST", "auth": {"bearer": {"secretRef": "k"}}} == task.block_json


def test_a_reusable_task_has_its_block() -> None:
    assert isinstance(task_document().spec.block, HttpRequest)


def test_a_task_by_reference_has_no_block() -> None:
    workflow, _ = workflow_of(flow("id: a, taskRef: get@^1.2"))
    assert (None, None) == (workflow.spec.tasks[0].block, workflow.spec.tasks[0].block_json)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("id: a, type: http", 'a task of type http needs "request"'),
        ("id: a", 'the task has neither "type" nor "taskRef"'),
        (f"id: a, {CALL}, taskRef: get", 'a task has both "type" and "taskRef"'),
        ("id: a, type: 5", '"type" is the number 5, expected text'),
        ("id: a, taskRef: 'Get!'", '"Get!" is not a reference to a task or workflow'),
        (f"id: {'x' * 129}, {CALL}", f'"{"x" * 77}..." is not a task id'),
        (f"id: a, {CALL}, timeout: 0s", "a time limit of zero"),
        (f"id: a, {CALL}, retry: {{retryOn: [42]}}", "42 is not an HTTP status"),
        (f"id: a, {CALL}, retry: {{retryOn: [timeot]}}", '"timeot" is not a kind of failure. Did you mean "timeout"?'),
        (f"id: a, {CALL}, retry: {{maxAttempts: 0}}", '"maxAttempts" is out of range: it takes 1 or more'),
        (
            "id: a, type: http, request: {url: 'https://x', method: get}",
            '"method" is \'get\', which it cannot be. Did you mean "GET"?',
        ),
        (f"id: a, {CALL}, timeout: soon", "'soon': not a duration"),
        (
            "id: a, type: http, "
            "request: {url: 'https://x', auth: {basic: {username: u, password: '{{secrets.p}}', usr: x}}}",
            '"usr" is not a key of "basic".',
        ),
        ("id: a, type: http, request: {url: 'https://x', auth: {}}", "auth names 0 ways to authenticate"),
        ("id: a, type: http, request: {url: 'https://x', body: 1, form: {}}", "a request has 2 bodies"),
        ("id: a, type: http, request: {url: 'https://x', successCodes: [2xx, 99]}", "99 is not an HTTP status"),
        ("id: a, type: http, request: {url: 'https://x', successCodes: [oops]}", "'oops' is not an HTTP status"),
        ("id: a, type: http, request: {url: 'https://x', headers: {'a b': c}}", "'a b' is not a header name"),
        ("id: a, type: http, request: []", '"request" is a list, expected a mapping'),
        (
            "id: a, type: transform, transform: []",
            '"transform" has 0 entries',
        ),
        ("id: a, type: transform, transform: [{a: 1, b: 2}]", "a step has 2 keys"),
        (f"id: a, {CALL}, transform: []", '"transform" belongs to tasks of type transform'),
        (f"id: a, {CALL}, dependsOn: [1]", "a dependency is the id of a task, or a mapping"),
        (f"id: a, {CALL}, dependsOn: [[b]]", "a dependency is the id of a task, or a mapping"),
        (f"id: a, {CALL}, dependsOn: b", '"dependsOn" is the text "b", expected a list'),
        (f"id: a, {CALL}, condition: 5", '"condition" is the number 5, expected text or true or false'),
        (f"id: a, {CALL}, retry: {{retryOn: [{'x' * 50}]}}", f'"{"x" * 50}" is not a kind of failure.'),
        (f"id: a, {CALL}, zzzzzz: 1", '"zzzzzz" is not a key of "tasks".'),
        (
            "id: a, type: http, request: {url: 'https://x', auth: {basic: {username: a, password: b}, bearer: x}}",
            "auth names 2 ways to authenticate",
        ),
        ("id: a, type: http, request: {url: 'https://x', paging: {}}", '"strategy" is required'),
        ("id: a, type: http, request: {url: 'https://x', auth: x}", '"auth" is the text "x", expected a mapping'),
        ("id: a, type: llm, prompt: x", 'the task type "llm" is known, not available yet'),
    ],
)
def test_a_mistake_in_a_task_is_one_sentence(task: str, message: str) -> None:
    assert [message] == messages(flow(task))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD.replace("name: flow", "name: Flow") + f"  tasks: [{{id: a, {CALL}}}]\n", ['"Flow" is not a name']),
        (
            HEAD.replace("name: flow", "name: f, labels: {'-': x}") + f"  tasks: [{{id: a, {CALL}}}]\n",
            ["'-' is not a label name"],
        ),
        (
            HEAD.replace("name: flow", f"name: f, labels: {{a: {'x' * 257}}}") + f"  tasks: [{{id: a, {CALL}}}]\n",
            ["the label a has 257 characters"],
        ),
        (HEAD.replace("name: flow", "name: f, labels: {a: b}") + "  version: '1.0'\n  tasks: [7]\n", None),
        (
            "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: x}\nspec: 5\n",
            ['"spec" is the number 5, expected a mapping'],
        ),
        ("apiVersion: workflow.io/v1\nkind: Workflow\n", ['"metadata" is required', '"spec" is required']),
        (
            "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: x}\nspec:\n",
            ['"spec" is empty, expected a mapping'],
        ),
        (HEAD + "  tasks: {a: 1}\n", ['"tasks" is a mapping, expected a list']),
        (
            HEAD + "  concurrency: {}\n  tasks: [{id: a, switch: {}}, {id: b, type: llm}]\n",
            [
                '"limit" is required',
                '"cases" is required',
                'the task type "llm" is known, not available yet',
            ],
        ),
        (TASK_HEAD + "  description: x\n", ['"type" is required']),
        (
            TASK_HEAD + "  type: http\n  request: {url: 'https://x'}\n  fallback: {}\n",
            ['"fallback" is not a key of "spec".'],
        ),
    ],
)
def test_a_mistake_beside_the_tasks_is_one_sentence(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ['"1.0" is not a version', 'an entry of "tasks" is the number 7, expected a mapping']
    assert expected == messages(text)


def test_a_value_that_may_be_text_or_a_mapping_is_told_about_the_mapping_it_is() -> None:
    found = messages(flow("id: a, type: http, request: {url: 'https://x', auth: {bearer: {secretReff: k}}}"))
    assert ['"secretRef" is required', '"secretReff" is not a key of "bearer". Did you mean "secretRef"?'] == found


def test_kept_blocks_stay_in_the_value() -> None:
    loaded = load(flow(f"id: a, {CALL}, cache: {{ttl: 5m}}", more="  slo: {p99: 1s}\n").encode(), media="yaml")
    assert loaded.document is not None
    assert ["kept-for-later", "kept-for-later"] == [finding.code for finding in loaded.findings]
    assert ({"p99": "1s"}, {"ttl": "5m"}) == (loaded.value["spec"]["slo"], loaded.value["spec"]["tasks"][0]["cache"])


def test_of_the_block_about_executions_the_mode_is_read_and_the_rest_is_kept() -> None:
    block = "  execution: {mode: standard, location: closest, fallback: central, regions: [eu-west-1]}\n"
    loaded = load(flow(f"id: a, {CALL}", more=block).encode(), media="yaml")
    assert isinstance(loaded.document, Workflow)
    assert "standard" == loaded.document.spec.execution.mode
    assert [("kept-for-later", f"/spec/execution/{key}") for key in ("location", "fallback", "regions")] == [
        (finding.code, finding.to_json()["path"]) for finding in loaded.findings
    ]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{mode: express}", "\"mode\" is 'express', which it cannot be."),
        ("{moed: standard}", '"moed" is not a key of "execution". Did you mean "mode"?'),
        ("standard", '"execution" is the text "standard", expected a mapping'),
    ],
)
def test_a_mistake_in_the_block_about_executions_is_one_sentence(block: str, expected: str) -> None:
    assert [expected] == messages(flow(f"id: a, {CALL}", more=f"  execution: {block}\n"))


@pytest.mark.parametrize(
    ("method", "effect"),
    [("GET", "read"), ("HEAD", "read"), ("OPTIONS", "read"), ("POST", "write"), ("DELETE", "write")],
)
def test_the_effect_of_a_request_is_that_of_its_method(method: str, effect: str) -> None:
    assert effect == HTTP.effect(HttpRequest.model_validate({"url": "x", "method": method}))


def test_the_effect_of_a_transform_is_pure() -> None:
    kind = find_type("transform")
    assert kind is not None
    assert "pure" == kind.effect(None)


def test_a_registered_type_can_be_used_until_it_is_forgotten() -> None:
    class Nap(BaseModel):
        seconds: int

    text = flow("id: a, type: nap, nap: {seconds: 5}")
    kind = TaskType("nap", lambda _: "pure", block="nap", config=Nap)
    register_type(kind)
    register_type(kind)
    try:
        assert "nap" in known_types()
        assert sorted(known_types()) == list(known_types())
        assert () == judge(text)
        with pytest.raises(ValueError, match="registered already"):
            register_type(TaskType("nap", lambda _: "read"))
        with pytest.raises(ValueError, match="belongs to the task type nap"):
            register_type(TaskType("sleep", lambda _: "read", block="nap"))
        with pytest.raises(ValueError, match="the key nap belongs to the task type nap"):
            register_type(TaskType("doze", lambda _: "read", fields=("bed", "nap")))
    finally:
        unregister_type("nap")
    assert ["unknown-type", "unknown-key"] == [finding.code for finding in judge(text)]


def test_a_type_without_a_block_needs_none() -> None:
    register_type(TaskType("noop", lambda _: "pure"))
    try:
        assert () == judge(flow("id: a, type: noop"))
        assert ['"zz" is not a key of "tasks".'] == messages(flow("id: a, type: noop, zz: 1"))
        assert () == judge(TASK_HEAD + "  type: noop\n")
    finally:
        unregister_type("noop")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        (True, "true"),
        (False, "false"),
        (1.5, "the number 1.5"),
        ([], "a list"),
        ({}, "a mapping"),
        ("y", 'the text "y"'),
    ],
)
def test_a_value_is_described_in_a_few_words(value: object, words: str) -> None:
    assert words == described(value)


def test_a_long_text_is_described_by_its_beginning() -> None:
    assert f'the text "{"x" * 37}..."' == described("x" * 100)


@pytest.mark.parametrize("wanted", ["^2", "~1.2", ">=1 <2", ">1.2.3  <=4", "=1", "1.2.3-rc.1", "1.2.3+dev.a", "r7"])
def test_a_reference_may_name_a_range(wanted: str) -> None:
    found = judge(flow(f"id: a, taskRef: 'get@{wanted}'"))
    assert ["unknown-task-ref"] == [one.code for one in found]  # and nothing about how it is written


@pytest.mark.parametrize("wanted", [">", ">=1 <", "1 || 2", ">= 1", "^^1", ">=1 <2 <3 <4 <5 <6", "1" * 10, "r", " 1"])
def test_what_is_no_range_is_refused(wanted: str) -> None:
    assert [f'"get@{wanted}" is not a reference to a task or workflow'] == messages(
        flow(f"id: a, taskRef: 'get@{wanted}'")
    )


@pytest.mark.parametrize(
    ("reference", "name"),
    [("get", "get"), ("get@^2", "get"), ("marketplace/pack@1.0/task", "marketplace/pack@1.0/task")],
)
def test_a_reference_has_a_name(reference: str, name: str) -> None:
    assert name == reference_name(reference)


def test_a_document_of_another_kind_is_another_model() -> None:
    assert isinstance(
        load(TASK_HEAD.encode() + b"  type: http\n  request: {url: 'https://x'}\n", media="yaml").document, WorkflowTask
    )


def test_a_mistake_of_a_kind_without_words_of_its_own_is_said_in_those_of_the_models() -> None:
    class Even(BaseModel):
        number: int = Field(multiple_of=2)

    source = parse_document(b"number: 3\n", media="yaml")
    with pytest.raises(ValidationError) as caught:
        Even.model_validate(source.value)
    found = model_findings(caught.value, source, {}, ())
    assert ['"number": input should be a multiple of 2'] == [finding.message for finding in found]
    assert ['See docs/reference/workflow.md for what "number" takes.'] == [finding.fix for finding in found]
