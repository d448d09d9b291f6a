"""Checks of what is valid and hardly meant: comparisons, schemas, limits, calls of workflows, references to secrets."""

from __future__ import annotations

import pytest

from tests.unit.spec.builders import GET, HTTP, TASK_HEAD, flow, judge, loop, workflow_of

INPUT = (
    "  input: {properties: {tier: {enum: [gold, silver]}, n: {type: integer, minimum: 0, maximum: 9}, one: {const: 1}, "
    "s: {type: string}, list: {type: array}, low: {type: number, maximum: 5}}}\n"
)
CHILD = (
    "  input: {type: object, required: [order, note], properties: {order: {type: integer}, note: {default: x}}, "
    "additionalProperties: false}\n  output: {receipt: '{{tasks.a.output.status}}'}\n"
)


def found(text: str, code: str) -> list[str]:
    return [one.message for one in judge(text) if one.code == code]


ALWAYS = "makes the whole always true: it holds where what stands before it does not"


@pytest.mark.parametrize(
    ("condition", "messages"),
    [
        ("input.tier == 'gold'", []),
        ("input.tier == 'glod'", ["input.tier == 'glod' is always false: the value is one of gold, silver"]),
        ("'glod' == input.tier", ["'glod' == input.tier is always false: the value is one of gold, silver"]),
        ("input?.tier == 'glod'", ["input?.tier == 'glod' is always false: the value is one of gold, silver"]),
        ('input["tier"] != "x"', ['input["tier"] != "x" is always true: the value is one of gold, silver']),
        ("input.tier in ['gold', 'x']", []),
        ("input.tier in ['x', 'y']", ["input.tier in ['x', 'y'] is always false: the value is one of gold, silver"]),
        ("input.tier in [input.s]", []),
        ("input.s in input.list", []),
        ("input.one == 1.0", []),
        ("input.one == 2", ["input.one == 2 is always false: the value is one of 1"]),
        ("input.n > 8", []),
        ("input.n > 9", ["input.n > 9 is always false: the value is at least 0 and at most 9"]),
        ("9 < input.n", ["9 < input.n is always false: the value is at least 0 and at most 9"]),
        ("input.n < 0", ["input.n < 0 is always false: the value is at least 0 and at most 9"]),
        ("input.n == 10", ["input.n == 10 is always false: the value is at least 0 and at most 9"]),
        ("input.low >= 5.5", ["input.low >= 5.5 is always false: the value is at most 5"]),
        ("input.n >= 0", []),
        ("input.n != 10", []),
        ("input.s == 'x'", []),
        ("input.s > 'x'", []),
        ("input.list[0] == 1 && input.list[input.n] == 2", []),
        ("input.nothing == 1", []),
        ("input.n > 3 && input.n < 5", []),
        ("input.n > 3 && input.n < 3", ["input.n < 3 cannot hold beside what stands before it"]),
        ("input.n >= 3 && input.n <= 3", []),
        ("input.n >= 3 && input.n < 3", ["input.n < 3 cannot hold beside what stands before it"]),
        ("input.n < 3 && input.n >= 3", ["input.n >= 3 cannot hold beside what stands before it"]),
        ("input.n > 1 && input.n > 3 && input.n < 2", ["input.n < 2 cannot hold beside what stands before it"]),
        ("input.n < 5 && input.n < 8 && input.n > 6", ["input.n > 6 cannot hold beside what stands before it"]),
        ("input.n == 3 && input.n == 4", ["input.n == 4 cannot hold beside what stands before it"]),
        ("input.n == 3 && input.n != 3", ["input.n != 3 cannot hold beside what stands before it"]),
        ("input.n != 3 && input.n == 3", ["input.n == 3 cannot hold beside what stands before it"]),
        ("input.n == 3 && input.n > 3", ["input.n > 3 cannot hold beside what stands before it"]),
        ("input.s == 'a' && input.s == 'b'", ["input.s == 'b' cannot hold beside what stands before it"]),
        ("input.s == 'a' && input.s != 'b' && input.tier in ['gold']", []),
        ("size(input.s) > 3 && size(input.s) < 2", ["size(input.s) < 2 cannot hold beside what stands before it"]),
        (
            "input.s != 'a' || input.s != 'b'",
            [f"input.s != 'b' {ALWAYS}"],
        ),
        ("input.s == 'a' || input.s != 'a'", [f"input.s != 'a' {ALWAYS}"]),
        ("input.s != 'a' || input.s == 'a'", [f"input.s == 'a' {ALWAYS}"]),
        ("input.n > 3 || input.s == 'a' || input.n <= 3", [f"input.n <= 3 {ALWAYS}"]),
        ("input.n < 5 || input.n > 4", [f"input.n > 4 {ALWAYS}"]),
        ("input.n < 5 || input.n >= 5.0", [f"input.n >= 5.0 {ALWAYS}"]),
        ("input.n < 4 || input.n > 4", []),
        ("input.n < 4 || input.n > 6 || input.n == 5", []),
        ("input.n == 1 || input.n == 2 || input.n > 3", []),
        ("input.s != 'a' || input.s != 'a'", []),
        ("input.s == 'a' || input.s == 'b'", []),
        (
            "input.list.exists(x, input.tier == 'glod')",
            ["input.tier == 'glod' is always false: the value is one of gold, silver"],
        ),
        (
            "input.list.map(x, x > 1, input.tier == 'q') == []",
            ["input.tier == 'q' is always false: the value is one of gold, silver"],
        ),
        ("[input.tier == 'q'][0]", ["input.tier == 'q' is always false: the value is one of gold, silver"]),
        ("{'a': input.tier == 'q'}.a", ["input.tier == 'q' is always false: the value is one of gold, silver"]),
        ("!(input.tier == 'q')", ["input.tier == 'q' is always false: the value is one of gold, silver"]),
        ("(input.tier == 'q') ? true : false", ["input.tier == 'q' is always false: the value is one of gold, silver"]),
        ("bool(input.tier == 'q') ?? false", ["input.tier == 'q' is always false: the value is one of gold, silver"]),
        ("input.s.contains('a') && has(input.tier)", []),
        ("tasks.b.status == 'success'", ["tasks.b.status == 'success' is always false: the value is one of succeeded"]),
    ],
)
def test_a_comparison_that_holds_always_or_never_is_said(condition: str, messages: list[str]) -> None:
    text = flow(
        f'id: a, {HTTP}, condition: "{condition}"'
        if '"' not in condition
        else f"id: a, {HTTP}, condition: '{condition}'",
        f"id: b, {HTTP}",
        more=INPUT,
    )
    said = [
        message.replace(
            ", failed, skipped, cancelled, pending, ready, running, ended, retrying, waiting, queued, open", ""
        )
        for message in found(text, "constant-comparison")
    ]
    assert messages == said


def test_a_comparison_in_a_reusable_task_is_judged_by_its_own_schema() -> None:
    text = TASK_HEAD + (
        "  type: http\n  inputSchema: {properties: {k: {enum: [a]}}}\n"
        "  request: {url: \"https://x.example/{{input.k == 'b' ? 1 : 2}}\"}\n"
    )
    assert ["input.k == 'b' is always false: the value is one of a"] == found(text, "constant-comparison")


@pytest.mark.parametrize(
    ("schema", "code", "messages"),
    [
        ("{type: integer, minimum: 3, maximum: 3}", "bad-schema", []),
        ("{type: integer, minimum: 4, maximum: 3}", "bad-schema", ["nothing fits: minimum is 4, and maximum is 3"]),
        (
            "{type: array, items: {anyOf: [{minLength: 2, maxLength: 1}]}}",
            "bad-schema",
            ["nothing fits: minLength is 2, and maxLength is 1"],
        ),
        ("{type: string, enum: [a, 1]}", "bad-schema", ["the value 2 of enum is integer, and the type is string"]),
        ("{type: [number, 'null'], enum: [1, 2.5, null]}", "bad-schema", []),
        ("{type: integer, enum: [1.0]}", "bad-schema", []),
        ("{type: integer, enum: [1.5]}", "bad-schema", ["the value 1 of enum is number, and the type is integer"]),
        (
            "{properties: {name: {}}, required: [nmae]}",
            "bad-schema",
            ['"nmae" is required and not among the properties. Did you mean "name"?'],
        ),
        (
            "{properties: {name: {}}, required: [zzzzzz], additionalProperties: false}",
            "bad-schema",
            ['"zzzzzz" is required and not among the properties.'],
        ),
        ("{properties: {name: {}}, required: [zzz], additionalProperties: true}", "bad-schema", []),
        ("{properties: {}, required: [zzz]}", "bad-schema", []),
        ("{properties: {a: true}, not: false}", "bad-schema", []),
        ("{type: integer, default: many}", "type-mismatch", ["the default does not fit: default is the text"]),
        ("{type: integer, default: 3}", "type-mismatch", []),
        ("{$ref: '#/$defs/n', default: 3}", "type-mismatch", []),
        (
            "{$ref: '#/properties/q', default: 3}",
            "type-mismatch",
            ["the default does not fit: default is the number 3"],
        ),
        ("{$ref: '#/$defs/n', default: x}", "type-mismatch", ["the default does not fit: default is the text"]),
    ],
)
def test_a_schema_that_nothing_fits_is_a_warning(schema: str, code: str, messages: list[str]) -> None:
    text = flow(
        f"id: a, {HTTP}",
        more=f"  input: {{properties: {{q: {{type: string}}, p: {schema}}}, $defs: {{n: {{type: integer}}}}}}\n",
    )
    said = [one for one in judge(text) if one.code == code]
    assert {"warning"} >= {one.severity for one in said}
    assert messages == [
        one.message.partition(' "many"')[0].partition(' "x"')[0].partition(", expected")[0] for one in said
    ]


@pytest.mark.parametrize(
    ("task", "messages"),
    [
        ("timeout: 5s, attemptTimeout: 5s", []),
        ("timeout: 5s, attemptTimeout: 6s", ["attemptTimeout has no effect: the task may take 5s in all"]),
        ("retry: {maxAttempts: 1}", []),
        ("retry: {maxAttempts: 1, interval: 2s}", ["nothing is tried again: maxAttempts is 1"]),
        ("retry: {interval: 2m}", ["the interval is cut to 1m, the longest wait there may be"]),
        ("retry: {maxInterval: 500ms}", []),
        (
            "retry: {interval: 5s, jitter: none}, timeout: 5s",
            ["nothing is tried again: the first wait takes 5s, and timeout is over"],
        ),
        (
            "retry: {interval: 10s, jitter: equal, maxDuration: 5s}",
            ["nothing is tried again: the first wait takes 5s, and maxDuration is over"],
        ),
        ("retry: {interval: 10s, maxDuration: 5s}, timeout: 5s", []),
        ("retry: {interval: 4s, jitter: none}, timeout: 5s", []),
        ("retry: {retryOn: [timeout, 429, '5xx']}", []),
        ("timeout: 2h", ["timeout has no effect: the workflow may take 1h in all"]),
        (
            "request: {url: 'https://x'}, fallback: {value: {secretRef: k}}",
            ["a secretRef stands for a secret in auth only: here the name itself is sent"],
        ),
        (
            "output: {a: [{secretRef: k}]}",
            ["a secretRef stands for a secret in auth only: here the name itself is sent"],
        ),
        ("output: {a: {secretRef: 1}, b: {secretRef: k, more: 1}}", []),
        ("dependsOn: [b, b]", ['the task waits for "b" already']),
        ("dependsOn: [b, {task: b, condition: input.n == 1}]", ['the task waits for "b" already']),
        ("dependsOn: [{task: b, condition: input.n == 1}, {task: b, condition: input.n == 2}]", []),
    ],
)
def test_a_limit_that_another_one_cuts_off_is_said(task: str, messages: list[str]) -> None:
    own = task if "request:" in task else f"request: {{url: 'https://x.example'}}, {task}"
    text = flow(f"id: a, type: http, {own}", f"id: b, {HTTP}", more="  timeout: 1h\n")
    assert messages == found(text, "no-effect")


@pytest.mark.parametrize(
    ("task", "messages"),
    [
        ("id: a, type: lambda, function: f, retry: {retryOn: [timeout, 429, http]}", 2),
        ("id: a, type: lambda, function: f, payload: {k: {secretRef: x}}", 1),
        ("id: a, taskRef: get, input: {id: 1}, retry: {retryOn: ['5xx']}", 0),
        ("id: a, taskRef: gone, retry: {retryOn: ['5xx']}", 0),
        (
            "id: a, type: transform, input: {items: []}, transform: [{limit: 1}], retry: {maxAttempts: 2}",
            1,
        ),
        ("id: a, wait: {for: 1s}, retry: {maxAttempts: 1, interval: 1s}", 1),
        (loop("a", f"id: b, {HTTP}", each="items: [1, 2], tolerate: {failures: 2}"), 1),
        (loop("a", f"id: b, {HTTP}", each="items: [1, 2], tolerate: {failures: '100%'}"), 1),
        (loop("a", f"id: b, {HTTP}", each="items: [1, 2], tolerate: {failures: 1}"), 0),
        (loop("a", f"id: b, {HTTP}", each="items: [], tolerate: {failures: 1}"), 0),
        (loop("a", f"id: b, {HTTP}", each="items: '{{input.l}}', tolerate: {failures: '100%'}"), 0),
    ],
)
def test_what_cannot_happen_to_a_task_has_no_effect(task: str, messages: int) -> None:
    assert messages == len(found(flow(task), "no-effect"))


def test_a_share_of_more_than_all_items_is_refused() -> None:
    assert ["101% of the items are more than all of them"] == found(
        flow(loop("a", f"id: b, {HTTP}", each="items: [], tolerate: {failures: '101%'}")), "bad-value"
    )


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        ("headers: {Authorization: Bearer abc}", 1),
        ("headers: {authorization: '{{secrets.k}}', x-a: b}", 0),
        ("headers: {x-api-key: ''}", 0),
        ("query: {api_key: abc, q: x, access_token: 5}", 1),
    ],
)
def test_a_credential_in_a_header_or_parameter_is_said(request_: str, count: int) -> None:
    text = flow(f"id: a, type: http, request: {{url: 'https://x.example', {request_}}}")
    assert count == len(found(text, "plain-secret"))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("id: b, workflowRef: child, input: {order: 1}", []),
        ("id: b, workflowRef: child, input: {}", [("missing-input", 'child requires the input "order"')]),
        ("id: b, workflowRef: child", [("missing-input", 'child requires the input "order"')]),
        (
            "id: b, workflowRef: child, input: {order: 1, nte: 2}",
            [("unknown-input", 'child has no input "nte". Did you mean "note"?')],
        ),
        (
            "id: b, workflowRef: child, input: {order: '{{string(1)}}'}",
            [("type-mismatch", "order is string, and child takes integer")],
        ),
        ("id: b, workflowRef: child, input: '{{input.all}}'", []),
        (
            "id: b, workflowRef: chidl, input: {}",
            [("unknown-workflow-ref", 'there is no workflow "chidl". Did you mean "child"?')],
        ),
        ("id: b, workflowRef: flow, condition: input.go", []),
        (
            "id: b, type: http, request: {url: 'https://x'}, fallback: {workflow: child, input: {order: x}}",
            [("type-mismatch", 'order is the text "x", expected integer')],
        ),
        (
            "id: b, type: http, request: {url: 'https://x'}, fallback: {workflow: gone}",
            [("unknown-workflow-ref", 'there is no workflow "gone".')],
        ),
    ],
)
def test_what_is_given_to_a_workflow_is_judged_by_its_schema(task: str, said: list[tuple[str, str]]) -> None:
    child = workflow_of(flow(f"id: a, {HTTP}", more=CHILD).replace("name: flow", "name: child"))[0]
    assert said == [(one.code, one.message) for one in judge(flow(task), workflows={"child": child})]


@pytest.mark.parametrize(
    ("more", "path", "code"),
    [
        (CHILD, "receipt", []),
        (CHILD, "reciept", ["unknown-output"]),
        ("", "anything", []),
    ],
)
def test_the_output_of_a_workflow_is_followed_where_it_is_mapped(more: str, path: str, code: list[str]) -> None:
    child = workflow_of(flow(f"id: a, {HTTP}", more=more).replace("name: flow", "name: child"))[0]
    text = flow("id: b, workflowRef: child, input: {order: 1}", more=f"  output: '{{{{tasks.b.output.{path}}}}}'\n")
    assert code == [one.code for one in judge(text, workflows={"child": child})]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{filter: item.n > config.limit}", []),
        ("{filter: item.n > config.lmit}", [("unknown-config", "error")]),
        ("{filter: item.n > (config?.lmit ?? 1)}", [("unknown-config", "warning")]),
        ("{filter: item.n > input.x}", []),
        ("{filter: item.n > tasks.gone.output}", [("unknown-task", "error")]),
        ("{map: {k: '{{secrets.k}}'}}", [("secret-misplaced", "error")]),
    ],
)
def test_what_a_step_reads_from_outside_is_followed(step: str, said: list[tuple[str, str]]) -> None:
    text = flow(f"id: a, type: transform, input: {{items: []}}, transform: [{step}]", more="  config: {limit: 1}\n")
    assert said == [(one.code, one.severity) for one in judge(text)]


def test_a_test_of_a_document_whose_schema_is_wrong_is_not_judged_by_it() -> None:
    text = flow(f"id: a, {HTTP}", more="  input: {$ref: '#/$defs/gone'}\n  tests: [{name: t, input: {a: 1}}]\n")
    assert ["bad-schema"] == [one.code for one in judge(text)]


def test_a_key_with_braces_is_said_whatever_it_holds() -> None:
    text = flow(f"id: a, {HTTP}", more="  output: {a: [{'{{input.x}}': 1}]}\n")
    assert ["the key {{input.x}} is taken as it is, braces included"] == found(text, "template-key")


def test_a_reusable_task_is_judged_in_the_same_way() -> None:
    text = GET.replace("  type: http\n", "  type: http\n  timeout: 1s\n  attemptTimeout: 2s\n").replace(
        "https://x.example/{{input.id}}'", "https://x.example/{{input.id}}', body: {secretRef: k}, method: POST"
    )
    assert 2 == len(found(text, "no-effect"))


def test_a_comparison_with_all_of_a_root_is_none_of_a_path_below_it() -> None:
    assert [] == found(flow(f"id: a, {HTTP}, condition: input == null", more=INPUT), "constant-comparison")


@pytest.mark.parametrize(("takes", "count"), [("order: {type: integer}", 1), ("order: {type: array, maxItems: 1}", 0)])
def test_of_an_input_that_holds_a_template_somewhere_only_the_type_is_judged(takes: str, count: int) -> None:
    given = "{order: ['{{input.n}}', {x: '{{input.n}}'}]}"
    schema = f"  input: {{type: object, properties: {{{takes}}}}}\n"
    child = workflow_of(flow(f"id: a, {HTTP}", more=schema).replace("name: flow", "name: child"))[0]
    text = flow(f"id: b, workflowRef: child, input: {given}")
    assert count == sum(one.code == "type-mismatch" for one in judge(text, workflows={"child": child}))


def test_a_reference_to_a_secret_in_auth_is_where_it_belongs() -> None:
    request = "request: {url: 'https://x.example', auth: {bearer: {secretRef: k}}}"
    assert [] == found(flow(f"id: a, type: http, {request}"), "no-effect")
