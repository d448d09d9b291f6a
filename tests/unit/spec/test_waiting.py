"""Tasks that wait: for a time, for an event, for people."""

import pytest
from jsonschema import Draft202012Validator

from millrace.engine.rules import RULES
from millrace.spec import (
    behaviour_hash,
    dependencies,
    document_schema,
    find_type,
    format_source,
    known_types,
    load,
    references,
)
from millrace.spec.models import TRIGGER_RULES
from millrace.spec.scopes import TASK_ROOTS, event_scope, task_scope
from millrace.spec.sites import workflow_sites
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.wait import Wait
from tests.unit.spec.builders import HTTP, TASK_HEAD, brief, flow, judge, task_document, workflow_of

PEOPLE = "type: approval, timeout: 3d, approvers: ['role:approver', 'group:finance', 'user:ann']"
INPUT = "  input: {properties: {orderId: {type: string}, ok: {type: boolean}, n: {type: integer}}}\n"


def said(*tasks: str, more: str = "") -> list[tuple[str, str]]:
    found = judge(flow(*tasks, more=more))
    return [(finding.code, finding.message) for finding in found if finding.severity != "hint"]


def block_of(task: str) -> object:
    return workflow_of(flow(task))[0].spec.tasks[0].block


@pytest.mark.parametrize(
    ("task", "block"),
    [
        ("wait: {for: 2h}", Wait.model_construct(for_=7_200_000, until=None)),
        ("wait: {for: 30}", Wait.model_construct(for_=30_000, until=None)),
        ("wait: {for: '{{input.pause}}'}", Wait.model_construct(for_="{{input.pause}}", until=None)),
        ("wait: {until: 2026-01-31T09:00:00Z}", Wait.model_construct(for_=None, until="2026-01-31T09:00:00Z")),
        ("wait: {until: '{{input.dueAt}}'}", Wait.model_construct(for_=None, until="{{input.dueAt}}")),
        (
            "event: {type: payment.settled, match: 'event.id == input.id', timeout: 1d}",
            Event.model_construct(type="payment.settled", match="event.id == input.id", timeout=86_400_000),
        ),
        (
            "event: {type: 'paid.{{input.id}}'}",
            Event.model_construct(type="paid.{{input.id}}", match=None, timeout=None),
        ),
    ],
)
def test_a_key_alone_names_the_type_of_a_wait(task: str, block: object) -> None:
    workflow, _ = workflow_of(flow(f"id: a, {task}", f"id: b, type: {task.partition(':')[0]}, {task}"))
    one, other = workflow.spec.tasks
    assert (task.partition(":")[0], block) == (one.type, one.block)
    assert (one.type, one.block, one.block_json) == (other.type, other.block, other.block_json)


def test_the_keys_of_an_approval_are_one_block() -> None:
    workflow, _ = workflow_of(flow(f"id: a, {PEOPLE}, required: 2, form: {{type: object}}, onTimeout: reject"))
    task = workflow.spec.tasks[0]
    approvers = ["role:approver", "group:finance", "user:ann"]
    assert Approval(approvers=tuple(approvers), required=2, form={"type": "object"}, onTimeout="reject") == task.block
    expected = {"approvers": approvers, "required": 2, "form": {"type": "object"}, "onTimeout": "reject"}
    assert expected == task.block_json
    assert 259_200_000 == task.timeout


def test_an_approval_asks_one_person_and_fails_in_the_end_unless_told_otherwise() -> None:
    block = block_of("id: a, type: approval, approvers: ['user:ann']")
    assert isinstance(block, Approval)
    assert (1, None, "fail") == (block.required, block.form, block.on_timeout)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("wait: {}", "a wait has 0 of for and until"),
        ("wait: {for: 1h, until: '2026-01-31T09:00:00Z'}", "a wait has 2 of for and until"),
        ("wait: {for: soon}", "'soon': not a duration"),
        ("wait: {until: tomorrow}", "'tomorrow' is not an instant"),
        ("wait: {until: '2026-01-31T09:00:00'}", "'2026-01-31T09:00:00' does not say in which time zone"),
        ("wait: {until: 5}", '"until" is the number 5, expected text'),
        ("wait: 2h", '"wait" is the text "2h", expected a mapping'),
        ("type: wait", 'a task of type wait needs "wait"'),
        ("wait: {for: 1h}, taskRef: get", '"wait" belongs to tasks of type wait'),
        ("wait: {for: 1h}, event: {type: a}", '"wait" belongs to tasks of type wait'),
        (f"wait: {{for: 1h}}, {HTTP}", '"wait" belongs to tasks of type wait'),
        ("event: {}", '"type" is required'),
        ("event: {type: 'a b'}", '"a b" is not the name of a signal'),
        (f"event: {{type: '{'x' * 129}'}}", f'"{"x" * 77}..." is not the name of a signal'),
        ("event: {type: a, timeout: '{{input.t}}'}", "'{{input.t}}': not a duration"),
        ("event: {type: a, match: 5}", '"match" is the number 5, expected text or true or false'),
        ("type: approval", '"approvers" is required'),
        ("type: approval, approvers: []", '"approvers" has 0 entries'),
        ("type: approval, approvers: [ann]", '"ann" names nobody'),
        ("type: approval, approvers: ['user:{{input.boss}}']", '"user:{{input.boss}}" names nobody'),
        (f"type: approval, approvers: ['user:{'x' * 300}']", f'"user:{"x" * 72}..." names nobody'),
        ("type: approval, approvers: ['user:a', 'user:a']", '"user:a" is an approver twice'),
        (
            "type: approval, approvers: ['user:a'], required: 0",
            '"required" is out of range: it takes 1 or more',
        ),
        ("type: approval, approvers: ['user:a'], required: 2", "2 people must approve, and only 1 may"),
        (
            "type: approval, approvers: ['user:a'], onTimeout: approved",
            '"onTimeout" is \'approved\', which it cannot be. Did you mean "approve"?',
        ),
        (f"{HTTP}, approvers: ['user:a']", '"approvers" belongs to tasks of type approval'),
        (
            f"{HTTP}, triggerRule: all_sucess",
            '"triggerRule" is \'all_sucess\', which it cannot be. Did you mean "all_success"?',
        ),
    ],
)
def test_a_mistake_in_a_wait_is_one_sentence(task: str, message: str) -> None:
    found = [finding.message for finding in judge(flow(f"id: a, {task}")) if finding.severity == "error"]
    assert [message] == found


def test_a_task_without_a_type_is_told_which_keys_name_one() -> None:
    fixes = [finding.fix for finding in judge(flow("id: a"))]
    assert [
        f"Add type ({', '.join(known_types())}) or taskRef, or event, forEach, generate, switch, wait, workflowRef."
    ] == fixes


def test_only_the_key_of_a_wait_names_a_type() -> None:
    found = said("id: a, request: {url: 'https://x'}")
    assert ("missing-key", 'the task has neither "type" nor "taskRef"') in found


def test_everybody_can_be_required() -> None:
    assert [] == said("id: a, type: approval, timeout: 1d, approvers: ['user:a', 'user:b'], required: 2")


def test_more_people_than_a_role_names_can_be_required() -> None:
    assert [] == said("id: a, type: approval, timeout: 1d, approvers: ['role:r', 'user:a'], required: 5")


def test_required_stands_alone_when_the_approvers_are_wrong() -> None:
    assert [("bad-value", '"ann" names nobody')] == said("id: a, type: approval, approvers: [ann], required: 2")


def test_trigger_rules_are_those_the_engine_knows() -> None:
    assert set(RULES) == set(TRIGGER_RULES)
    workflow, _ = workflow_of(flow(f"id: a, {HTTP}", f"id: b, {HTTP}, dependsOn: [a], triggerRule: all_done"))
    assert ["all_success", "all_done"] == [task.trigger_rule for task in workflow.spec.tasks]


def test_a_match_sees_the_event_and_what_it_reads_is_waited_for() -> None:
    text = flow(
        f"id: pay, {HTTP}",
        "id: paid, event: {type: paid, match: 'event.data.id == tasks.pay.output.body.id', timeout: 1d}",
        "id: late, wait: {for: '{{tasks.paid.output.data.pause}}'}",
    )
    workflow, _ = workflow_of(text)
    assert () == judge(text)
    assert {"pay": (), "paid": ("pay",), "late": ("paid",)} == dependencies(workflow)
    sites = [(site.path, site.use, site.whole) for site in workflow_sites(workflow).sites]
    expected = [
        (("spec", "tasks", 1, "event", "match"), "match", True),
        (("spec", "tasks", 2, "wait", "for"), "block", True),
    ]
    assert expected == sites
    found = {(one.path, one.kind, one.name): one.fields for one in references(workflow)}
    assert ("output.body.id",) == found["paid", "task", "pay"]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("event.data.anything.at.all == 5", []),
        ("event.id == input.orderId && event.at > 5 && event.type != ''", []),
        ("event.dat == 1", [("unknown-reference", 'event.dat: dat is not declared. Did you mean "data"?')]),
        ("event.id", [("not-boolean", "the condition is string, not true or false")]),
        ("1 + 1", [("not-boolean", "the condition is integer, not true or false")]),
        ("input.orderID == ''", [("unknown-input", 'input.orderID: orderID is not declared. Did you mean "orderId"?')]),
        ("secrets.k", [("secret-misplaced", "secrets.k is read where its value would be stored or shown")]),
        ("event.id ==", [("bad-expression", "the expression ends where a value is expected")]),
    ],
)
def test_a_match_is_judged_as_a_condition(match: str, found: list[tuple[str, str]]) -> None:
    assert found == said(f'id: a, event: {{type: paid, timeout: 1d, match: "{match}"}}', more=INPUT)


def test_a_match_of_a_reusable_task_sees_the_event_and_its_input() -> None:
    head = TASK_HEAD + "  type: event\n  inputSchema: {properties: {id: {type: string}}}\n"
    assert () == judge(head + "  event: {type: paid, match: event.data.id == input.id}\n")
    assert ["unknown-reference", "unknown-input"] == [
        code for code, _, _ in brief(judge(head + "  event: {type: paid, match: event.x == input.y}\n"))
    ]


def test_the_event_is_seen_nowhere_else() -> None:
    assert ["unknown-reference"] == [code for code, _ in said("id: a, wait: {for: '{{event.data}}'}")]
    assert ["unknown-reference"] == [code for code, _ in said("id: a, event: {type: '{{event.id}}', timeout: 1d}")]


def test_a_match_sees_the_event_beside_what_is_around_it() -> None:
    scope = event_scope(task_scope({"properties": {"id": {}}}))
    assert TASK_ROOTS | {"event"} == scope.roots
    assert {("input",): frozenset({"id"})} == scope.declared


def test_a_match_that_is_not_text_is_no_expression() -> None:
    workflow, _ = workflow_of(flow("id: a, event: {type: paid, match: true, timeout: 1d}"))
    assert () == workflow_sites(workflow).sites


def test_approvers_and_forms_are_no_templates() -> None:
    assert [] == said(f"id: a, {PEOPLE}, form: {{properties: {{x: {{description: '{{{{braces'}}}}}}")


@pytest.mark.parametrize(
    ("read", "codes"),
    [
        ("w.output.until", []),
        ("w.output.for", ["unknown-output"]),
        ("e.output.data.x.y", []),
        ("e.output.at", []),
        ("e.output.dta", ["unknown-output"]),
        ("p.output.decision", []),
        ("p.output.timedOut", []),
        ("p.output.decisions[0].principal", []),
        ("p.output.decisions[0].form.any", []),
        ("p.output.decisions[0].who", ["unknown-output"]),
    ],
)
def test_the_outputs_of_waits_have_known_shapes(read: str, codes: list[str]) -> None:
    tasks = ["id: w, wait: {for: 1s}", "id: e, event: {type: a, timeout: 1s}", f"id: p, {PEOPLE}"]
    assert codes == [code for code, _ in said(*tasks, more=f"  output: '{{{{tasks.{read}}}}}'\n")]


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("wait: {until: '{{input.ok}}'}", [("type-mismatch", "until is boolean, and wait takes string")]),
        ("wait: {for: '{{input.ok}}'}", [("type-mismatch", "for is boolean, and wait takes integer or string")]),
        ("wait: {for: '{{input.n}}'}", []),
        ("wait: {for: '{{input.n + 1}}'}", []),
        ("event: {type: '{{input.n}}', timeout: 1s}", [("type-mismatch", "type is integer, and event takes string")]),
        ("event: {type: 'a{{input.n}}', timeout: 1s}", []),
        ("type: http, request: {url: 'https://x', body: {wait: {until: '{{input.ok}}'}}}", []),
    ],
)
def test_what_a_wait_is_given_has_a_fitting_type(task: str, found: list[tuple[str, str]]) -> None:
    assert found == said(f"id: a, {task}", more=INPUT)


ATTEMPTS = "has no effect: a task of type {} is not attempted itself"


@pytest.mark.parametrize(
    ("task", "more", "found"),
    [
        ("wait: {for: 1h}, retry: {maxAttempts: 2}", "", [("no-effect", f"retry {ATTEMPTS.format('wait')}")]),
        ("wait: {for: 1h}, attemptTimeout: 5s", "", [("no-effect", f"attemptTimeout {ATTEMPTS.format('wait')}")]),
        (f"{PEOPLE}, retry: {{}}", "", [("no-effect", f"retry {ATTEMPTS.format('approval')}")]),
        ("taskRef: hold, retry: {}", "", [("no-effect", f"retry {ATTEMPTS.format('wait')}")]),
        ("taskRef: gone, retry: {}", "", [("unknown-task-ref", 'there is no reusable task "gone".')]),
        ("wait: {for: 0s}", "", [("no-effect", "the wait is over at once")]),
        ("event: {type: a, timeout: 1s}", "", []),
        ("event: {type: a}, timeout: 1s", "", []),
        ("event: {type: a}", "  timeout: 1d\n", []),
        (
            "event: {type: a, timeout: 1s}, timeout: 1s",
            "",
            [("no-effect", "timeout has no effect: the event has its own")],
        ),
        (
            "event: {type: a}",
            "",
            [("no-timeout", 'the task "a" may wait for ever: neither it nor the workflow has a timeout')],
        ),
        (
            "taskRef: signal",
            "",
            [("no-timeout", 'the task "a" may wait for ever: neither it nor the workflow has a timeout')],
        ),
        ("taskRef: signal, timeout: 1d", "", []),
        (
            "type: approval, approvers: ['role:a']",
            "  timeout: 1d\n",
            [("no-timeout", 'nothing is decided by time: the approval "a" has no timeout')],
        ),
        (f"{PEOPLE}, form: {{type: text}}", "", [("bad-schema", "'text' is not valid under any of the given schemas")]),
        (
            "wait: {for: 1h}, triggerRule: all_done",
            "",
            [("no-effect", 'triggerRule has no effect: the task "a" waits for no other')],
        ),
    ],
)
def test_what_cannot_be_meant_is_found(task: str, more: str, found: list[tuple[str, str]]) -> None:
    known = {
        "hold": task_document(TASK_HEAD + "  type: wait\n  wait: {for: 1h}\n"),
        "signal": task_document(TASK_HEAD + "  type: event\n  event: {type: a}\n"),
    }
    reported = [(one.code, one.message) for one in judge(flow(f"id: a, {task}", more=more), known)]
    assert [code for code, _ in found] == [code for code, _ in reported]
    if "bad-schema" not in dict(found):
        assert found == reported


@pytest.mark.parametrize(
    ("fallback", "codes"),
    [("", ["missing-key"]), (", fallback: {value: 1}", []), (", fallback: {workflow: other}", [])],
    ids=["nobody", "a value", "a workflow"],
)
def test_an_approval_that_leaves_it_to_a_task_names_one(fallback: str, codes: list[str]) -> None:
    for work in (f"{PEOPLE}, onTimeout: task", "taskRef: people, timeout: 1d"):
        text = TASK_HEAD + "  type: approval\n  approvers: ['role:a']\n  onTimeout: task\n"
        found = judge(flow(f"id: a, {work}{fallback}"), {"people": task_document(text)})
        assert codes == [one.code for one in found]


def test_a_reusable_wait_is_judged_as_well() -> None:
    text = TASK_HEAD + "  type: wait\n  wait: {for: 0}\n  retry: {}\n"
    assert ["no-effect", "no-effect"] == [code for code, _, _ in brief(judge(text))]
    form = TASK_HEAD + "  type: approval\n  approvers: ['role:a']\n  form: {type: text}\n"
    assert ["bad-schema"] == [code for code, _, _ in brief(judge(form))]


@pytest.mark.parametrize(
    ("task", "valid"),
    [
        ("wait: {for: 2h}", True),
        ("type: wait, wait: {until: '{{input.x}}'}", True),
        ("event: {type: a, match: 'true', timeout: 5}", True),
        (f"{PEOPLE}, required: 2, onTimeout: approve, form: {{}}", True),
        (f"{PEOPLE}, onTimeout: task, fallback: {{task: get}}", True),
        (f"{HTTP}, dependsOn: [b], triggerRule: one_failed", True),
        ("type: wait", False),
        ("type: approval", False),
        ("wait: {for: 2h}, taskRef: get", False),
        ("wait: {for: 2h}, event: {type: a}", False),
        (f"{HTTP}, wait: {{for: 2h}}", False),
        (f"{HTTP}, required: 2", False),
        (f"{HTTP}, triggerRule: never", False),
        ("taskRef: get, approvers: ['user:a']", False),
    ],
)
def test_an_editor_knows_which_keys_go_together(task: str, valid: bool) -> None:
    value = load(flow(f"id: a, {task}").encode(), media="yaml").value
    assert valid == Draft202012Validator(document_schema("Workflow")).is_valid(value)


def test_an_editor_asks_a_reusable_task_for_its_type() -> None:
    validator = Draft202012Validator(document_schema("WorkflowTask"))
    valid = [
        validator.is_valid(load((TASK_HEAD + text).encode(), media="yaml").value)
        for text in ("  type: wait\n  wait: {for: 1s}\n", "  wait: {for: 1s}\n", "  type: http\n  wait: {for: 1s}\n")
    ]
    assert [True, False, False] == valid


def test_a_type_that_is_named_by_its_key_hashes_as_if_it_were_written() -> None:
    short, long = (
        load(flow(f"id: a, {task}").encode(), media="yaml").value
        for task in ("wait: {for: 1s}", "type: wait, wait: {for: 1s}")
    )
    assert behaviour_hash(short) == behaviour_hash(long)
    longer = load(flow("id: a, wait: {for: 2s}").encode(), media="yaml").value
    assert behaviour_hash(short) != behaviour_hash(longer)


def test_formatting_respells_a_match_and_leaves_the_keys_around_it() -> None:
    before = flow(
        'id: a, when: inputs.ok, event: {type: paid, match: "{{ event.id == inputs.id }}"}',
        "id: b, type: http, request: {url: 'https://x', body: {event: {match: 'inputs.id'}, when: 'inputs.x'}}",
    )
    after = flow(
        'id: a, condition: input.ok, event: {type: paid, match: "event.id == input.id"}',
        "id: b, type: http, request: {url: 'https://x', body: {event: {match: 'inputs.id'}, when: 'inputs.x'}}",
    )
    assert after == format_source(before, "yaml")


def test_formatting_respells_the_match_of_a_reusable_task() -> None:
    text = TASK_HEAD + "  type: event\n  event: {type: paid, match: event.id == inputs.id}\n"
    assert text.replace("inputs.", "input.") == format_source(text, "yaml")


@pytest.mark.parametrize("name", ["approval", "event", "wait"])
def test_waiting_has_no_effect_and_costs_no_attempt(name: str) -> None:
    kind = find_type(name)
    assert kind is not None
    assert ("pure", True, "none") == (kind.effect(None), kind.waits, kind.price)
