"""What tasks hold: cases, loops, generated tasks, other workflows, fallbacks, handlers, state."""

import pytest

from millrace.spec import dependencies, load
from millrace.spec.models.document import MOST_STATE
from millrace.spec.tasks.for_each import Each, ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tasks.switch import Switch
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import tree_of
from tests.unit.spec.builders import HEAD, HTTP, TASK_HEAD, flow, judge, loop, switch, task_document, workflow_of

CALL = f"id: c, {HTTP}"


def errors(text: str) -> list[str]:
    return [finding.message for finding in judge(text) if finding.severity == "error"]


def labels(text: str) -> list[tuple[str, str]]:
    tree = tree_of(workflow_of(text)[0])
    return [(tree.label(placed.index), "/".join(map(str, placed.path[1:]))) for placed in tree.tasks]


def test_a_switch_has_cases_and_a_default() -> None:
    workflow, _ = workflow_of(flow(switch("r", ("match: gold", CALL), ("when: value > 1", CALL), default=CALL)))
    block = workflow.spec.tasks[0].block
    assert isinstance(block, Switch)
    assert [("gold", None), (None, "value > 1")] == [(case.match, case.when) for case in block.cases]
    assert block.default is not None
    assert ["c"] == [task.id for task in block.default.tasks]


def test_a_loop_has_names_a_width_and_a_tolerance() -> None:
    workflow, _ = workflow_of(
        flow(
            loop("a", CALL),
            loop("b", CALL, each="items: [1], as: row, index: n, maxParallel: 3, tolerate: {failures: '10%'}"),
        )
    )
    first, second = (task.block.for_each for task in workflow.spec.tasks if isinstance(task.block, ForEach))
    assert ("item", "index", 10, 0) == (first.as_, first.index, first.max_parallel, first.tolerate.failures)
    assert (
        Each.model_validate(
            {"items": [1], "as": "row", "index": "n", "maxParallel": 3, "tolerate": {"failures": "10%"}}
        )
        == second
    )


def test_generated_tasks_and_other_workflows_are_named() -> None:
    workflow, _ = workflow_of(
        flow(
            "id: g, generate: {from: '{{input.tasks}}', max: 7, taskRefs: [get]}",
            "id: w, workflowRef: other@^1, detached: true, input: {a: 1}",
        )
    )
    made, child = (task.block for task in workflow.spec.tasks)
    assert isinstance(made, Generate)
    assert isinstance(child, SubWorkflow)
    assert (7, ("get",)) == (made.max, made.task_refs)
    assert ("other@^1", True) == (child.workflow_ref, child.detached)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("id: a, switch: {cases: []}", '"cases" has 0 entries'),
        ("id: a, switch: {cases: [{match: 1, tasks: []}]}", '"tasks" has 0 entries'),
        (f"id: a, switch: {{cases: [{{tasks: [{{{CALL}}}]}}]}}", "a case has 0 of match and when"),
        (
            f"id: a, switch: {{cases: [{{match: 1, when: 'true', tasks: [{{{CALL}}}]}}]}}",
            "a case has 2 of match and when",
        ),
        (
            f"id: a, switch: {{cases: [{{matsch: 1, when: 'true', tasks: [{{{CALL}}}]}}]}}",
            '"matsch" is not a key of "cases"',
        ),
        (f"id: a, tasks: [{{{CALL}}}]", 'the task has neither "type" nor "taskRef"'),
        (f"id: a, type: forEach, tasks: [{{{CALL}}}]", '"forEach" is required'),
        ("id: a, forEach: {items: []}", '"tasks" is required'),
        (loop("a", CALL, each="items: [], as: row, index: row"), 'the item and its index are both called "row"'),
        (loop("a", CALL, each="items: [], as: 1x"), '"1x" is not a name'),
        (loop("a", CALL, each="items: [], as: input"), '"input" is the name of something else'),
        (loop("a", CALL, each="items: [], tolerate: {failures: -1}"), "a number of failures below zero"),
        (loop("a", CALL, each="items: [], tolerate: {failures: many}"), "'many': not a percentage"),
        (
            loop("a", CALL, each="items: [], maxParallel: 0"),
            '"maxParallel" is out of range: it takes 1 or more',
        ),
        (loop("a", CALL, each="items: 5"), "items is integer, and an array is expected"),
        (loop("a", CALL, each="items: 'x'"), "items is string, and an array is expected"),
        ("id: a, generate: {from: {}}", "from is object, and an array is expected"),
        ("id: a, generate: {from: [], max: 501}", '"max" is out of range: it takes at most 500'),
        ("id: a, generate: {from: [], taskRefs: [gett]}", 'there is no reusable task "gett". Did you mean "get"?'),
        ("id: a, workflowRef: Not!", '"Not!" is not a reference to a task or workflow'),
        ("id: a, detached: true", 'the task has neither "type" nor "taskRef"'),
        ("id: a, taskRef: get, detached: true", '"detached" belongs to tasks of type workflowRef'),
        (f"{CALL}, fallback: {{}}", "a fallback has 0 of value, task and workflow"),
        (f"{CALL}, fallback: {{value: 1, task: get}}", "a fallback has 2 of value, task and workflow"),
        (f"{CALL}, fallback: {{task: null}}", "a fallback that names nothing"),
        (f"{CALL}, fallback: {{value: 1, input: {{}}}}", "input has no effect here"),
        (f"{CALL}, fallback: {{task: {{taskRef: get, input: {{id: 1}}}}, input: {{}}}}", "input has no effect here"),
        (f"{CALL}, fallback: {{task: {{id: x, {HTTP}}}}}", "a task here has no id"),
        (f"{CALL}, fallback: {{task: 5}}", '"task" is the number 5, expected a mapping'),
        (f"{CALL}, fallback: 5", '"fallback" is the number 5, expected a mapping'),
        (f"{CALL}, fallback: {{vlaue: 5}}", '"vlaue" is not a key of "fallback". Did you mean "value"?'),
    ],
)
def test_a_mistake_in_what_a_task_holds_is_one_sentence(task: str, message: str) -> None:
    assert message in [found[: len(message)] for found in errors(flow(task))]


@pytest.mark.parametrize("kind", ["switch", "forEach", "generate", "workflowRef"])
def test_a_reusable_task_holds_no_tasks(kind: str) -> None:
    assert f"a reusable task cannot be of type {kind}" in errors(TASK_HEAD + f"  type: {kind}\n")


def test_a_handler_is_one_task_without_an_id_or_several() -> None:
    single = flow(CALL, more=f"  onFailure: {{{HTTP}}}\n")
    several = flow(CALL, more=f"  onFailure: {{tasks: [{{id: x, {HTTP}}}]}}\n  finally: [{{id: y, {HTTP}}}]\n")
    assert [("c", "tasks/0"), ("onFailure", "onFailure")] == labels(single)
    assert [
        ("c", "tasks/0"),
        ("onFailure/x", "onFailure/tasks/0"),
        ("finally/y", "finally/0"),
    ] == labels(several)


def test_every_task_has_a_label_and_a_place() -> None:
    text = flow(
        loop("all", "id: ship, taskRef: get, fallback: {task: get, input: {id: 1}}"),
        switch("route", ("match: 1", f"id: pack, {HTTP}, fallback: {{workflow: other}}"), default=f"id: hold, {HTTP}"),
        f"{CALL}, fallback: {{task: {{taskRef: get, input: {{id: 1}}}}}}",
    )
    assert [
        ("all", "tasks/0"),
        ("all/ship", "tasks/0/tasks/0"),
        ("all/ship/fallback", "tasks/0/tasks/0/fallback/task"),
        ("route", "tasks/1"),
        ("route/0/pack", "tasks/1/switch/cases/0/tasks/0"),
        ("route/0/pack/fallback", "tasks/1/switch/cases/0/tasks/0/fallback/workflow"),
        ("route/default/hold", "tasks/1/switch/default/tasks/0"),
        ("c", "tasks/2"),
        ("c/fallback", "tasks/2/fallback/task"),
    ] == labels(text)


NESTED = HEAD + (
    "  tasks:\n"
    "    - id: outer\n"
    "      forEach: {items: []}\n"
    "      tasks:\n"
    "        - id: inner\n"
    "          type: http\n"
    "          request:\n"
    "            ur: x\n"
    "          retrz: {}\n"
    "  onFailure:\n"
    "    type: http\n"
    "    requst: {url: x}\n"
    "    timeout: soon\n"
)


def test_a_mistake_inside_a_task_is_found_where_it_stands() -> None:
    found = [(one.code, one.line, one.column, one.did_you_mean) for one in judge(NESTED)]
    assert [
        ("missing-key", 11, 11, ()),
        ("unknown-key", 12, 13, ("url",)),
        ("unknown-key", 13, 11, ("retry",)),
        ("missing-key", 14, 3, ()),
        ("unknown-key", 16, 5, ("request",)),
        ("bad-value", 17, 14, ()),
    ] == found


def test_a_mistake_in_a_loop_that_handles_a_failure_is_found_where_it_stands() -> None:
    text = HEAD + (
        f"  tasks: [{{{CALL}}}]\n"
        "  onFailure:\n"
        "    forEach: {items: []}\n"
        "    tasks:\n"
        f"      - {{{CALL}}}\n"
        "      - {id: d, type: http, request: {url: 5}}\n"
    )
    assert [("wrong-type", 10, 44)] == [(one.code, one.line, one.column) for one in judge(text)]


@pytest.mark.parametrize(
    ("fallback", "found"),
    [
        ("task: gett", [("unknown-task-ref", "gett}")]),
        ("task: {taskRef: gett}", [("unknown-task-ref", "gett}}")]),
        ("task: get", [("missing-input", "get}")]),
        ("task: get, input: {}", [("missing-input", "{}}")]),
        ("task: {taskRef: get, input: {}}", [("missing-input", "{}}}")]),
        ("task: get, input: {id: one}", [("type-mismatch", "one}}")]),
        ("task: get, input: {id: '{{error.cod}}'}", [("unknown-reference", "error.cod}}")]),
        ("task: get, input: {id: '{{error.code}}'}", [("type-mismatch", "error.code}}")]),
        ("task: {taskRef: get, input: {id: '{{error.cod}}'}}", [("unknown-reference", "error.cod}}")]),
        ("workflow: other, input: {id: '{{error.cod}}'}", [("unknown-reference", "error.cod}}")]),
        ("task: {type: http, request: {url: '{{error.cod}}'}}", [("unknown-reference", "error.cod}}")]),
        ("task: {type: http, request: {ur: x}}", [("missing-key", "request"), ("unknown-key", "ur: x")]),
        ("value: '{{error.cod}}'", [("unknown-reference", "error.cod}}")]),
        ("value: '{{erorr.code}}'", [("unknown-reference", "erorr.code}}")]),
        ("value: '{{error.code}}'", []),
        ("value: null", []),
        ("task: {type: http, request: {url: 'https://x'}, dependsOn: [b]}", [("unknown-task", "b]}}")]),
        ("task: {type: http, request: {url: 'https://x'}, dependsOn: [q]}", [("unknown-task", "q]}}")]),
        ("task: {type: http, request: {url: 'https://x'}, dependsOn: [a]}", [("unknown-task", "a]}}")]),
        ("task: {type: http, request: {url: '{{tasks.a.error.code}}'}}", [("self-reference", "tasks.a.er")]),
        ("task: {type: http, request: {url: '{{tasks.b.output.status}}'}}", []),
        ("value: '{{secrets.k}}'", [("secret-misplaced", "secrets.k}}")]),
    ],
)
def test_a_mistake_in_a_fallback_is_found_where_it_stands(fallback: str, found: list[tuple[str, str]]) -> None:
    text = flow(f"id: a, {HTTP}, fallback: {{{fallback}}}", f"id: b, {HTTP}")
    lines = text.splitlines()
    reported = [(one.code, lines[one.line - 1][one.column - 1 :]) for one in judge(text)]
    assert [code for code, _ in found] == [code for code, _ in reported]
    assert all(rest.startswith(start) for (_, start), (_, rest) in zip(found, reported, strict=True))


def test_the_error_is_seen_by_what_follows_a_failure_only() -> None:
    read = "type: http, request: {url: '{{error.code}}'}"
    assert ["error is not a name that can be used here"] == errors(flow(f"id: a, {read}"))
    assert [] == errors(flow(CALL, more=f"  onFailure: {{{read}}}\n  finally: [{{id: x, {read}}}]\n"))
    handled = flow(CALL, more=f"  onFailure: {{tasks: [{{{loop('x', f'id: y, {read}')}}}]}}\n")
    assert [] == errors(handled)


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (loop("a", "id: b, type: llm, prompt: x"), "/spec/tasks/0/tasks/0/type"),
        (switch("a", ("match: 1", "id: b, type: llm")), "/spec/tasks/0/switch/cases/0/tasks/0/type"),
        (switch("a", ("match: 1", CALL), default="id: b, type: llm"), "/spec/tasks/0/switch/default/tasks/0/type"),
        (f"{CALL}, fallback: {{task: {{type: llm}}}}", "/spec/tasks/0/fallback/task/type"),
        ("id: a, type: llm, fallback: {task: {type: http, request: {url: 'https://x'}}}", "/spec/tasks/0/type"),
    ],
)
def test_what_is_not_available_is_said_once_however_deep_it_stands(task: str, path: str) -> None:
    found = [(one.code, one.to_json()["path"]) for one in judge(flow(task))]
    assert [("not-available-yet", path)] == found


def test_what_is_not_available_may_stand_inside_what_is_not() -> None:
    task = "id: a, type: llm, fallback: {task: {type: llm-router, fallback: {task: {type: emit}}}}"
    assert ["not-available-yet"] * 3 == [one.code for one in judge(flow(task))]


def test_a_kept_block_inside_a_task_is_mentioned_and_stays() -> None:
    loaded = load(flow(loop("a", f"{CALL}, cache: {{ttl: 5m}}")).encode(), media="yaml")
    assert loaded.document is not None
    assert ["kept-for-later"] == [one.code for one in loaded.findings]
    assert {"ttl": "5m"} == loaded.value["spec"]["tasks"][0]["tasks"][0]["cache"]


def test_the_state_has_so_many_entries() -> None:
    entries = ", ".join(f"s{i}: 1" for i in range(MOST_STATE + 1))
    found = errors(flow(CALL, more=f"  state: {{{entries}}}\n"))
    assert ['"state" has too many entries'] == [one[:28] for one in found]


@pytest.mark.parametrize(
    ("task", "codes"),
    [
        ("id: a, workflowRef: flow@^1", ["endless-recursion"]),
        ("id: a, workflowRef: flow, condition: input.x", []),
        ("id: a, workflowRef: other", []),
        (loop("a", "id: b, workflowRef: flow"), []),
        (f"{CALL}, continueOnError: true, fallback: {{value: 1}}", ["no-effect"]),
        ("id: a, workflowRef: other, retry: {}", []),
        ("id: a, workflowRef: other, retry: {retryOn: [429, http]}", []),
        ("id: a, workflowRef: other, retry: {maxAttempts: 1, interval: 1s}", ["no-effect"]),
        ("id: a, workflowRef: other, detached: true, retry: {}", ["no-effect"]),
        ("id: a, workflowRef: other, attemptTimeout: 5s", ["no-effect"]),
        (loop("a", CALL) + ", attemptTimeout: 5s", ["no-effect"]),
        (loop("a", f"{CALL}, triggerRule: all_done, timeout: 5s"), ["no-effect"]),
    ],
)
def test_what_cannot_be_meant_is_found_in_composed_tasks(task: str, codes: list[str]) -> None:
    assert codes == [one.code for one in judge(flow(task)) if one.code != "no-timeout"]


def named(name: str, *tasks: str, more: str = "") -> str:
    return flow(*tasks, more=more).replace("name: flow", f"name: {name}")


ASKED = "condition: input.x == 1"


@pytest.mark.parametrize(
    ("tasks", "more", "count"),
    [
        (["id: a, workflowRef: flow"], "", 1),
        (["id: a, workflowRef: flow, detached: true"], "", 1),
        ([f"id: z, {HTTP}, {ASKED}", "id: a, workflowRef: flow, dependsOn: [z]"], "", 0),
        ([f"id: z, {HTTP}", "id: a, workflowRef: flow, dependsOn: [z]"], "", 1),
        ([f"id: z, {HTTP}", "id: a, workflowRef: flow, dependsOn: [z], triggerRule: all_failed"], "", 0),
        (["id: a, workflowRef: flow, condition: true"], "", 1),
        ([f"id: z, {HTTP}"], "  finally: [{id: a, workflowRef: flow}]\n", 1),
        ([f"id: z, {HTTP}"], "  onFailure: {workflowRef: flow}\n", 0),
        (["id: a, workflowRef: flow@1.0.0"], "", 0),
        (["id: a, workflowRef: flow@r3"], "", 0),
        (["id: a, workflowRef: flow@latest"], "", 1),
        (["id: a, workflowRef: flow@1.0.0"], "  version: 1.0.0\n", 1),
        (["id: a, workflowRef: flow@1.0.0"], "  version: 1.0.1\n", 0),
        (["id: a, workflowRef: flow@^1"], "  version: 1.0.1\n", 1),
        (["id: a, workflowRef: flow@^1"], "  version: 2.0.0\n", 0),
        (["id: a, workflowRef: flow@>=1"], "  version: 2.0.0\n", 1),
    ],
)
def test_a_workflow_that_every_run_starts_again_is_found(tasks: list[str], more: str, count: int) -> None:
    assert count == sum(one.code == "endless-recursion" for one in judge(flow(*tasks, more=more)))


@pytest.mark.parametrize(
    ("others", "ring"),
    [
        ({"a": ["id: to-b, workflowRef: b"], "b": ["id: back, workflowRef: flow"]}, "a → b"),
        ({"a": ["id: back, workflowRef: flow"]}, "a"),
        ({"a": [f"id: back, workflowRef: flow, {ASKED}"]}, None),
        ({"a": ["id: to-b, workflowRef: b"], "b": ["id: to-a, workflowRef: a"]}, None),
        ({"a": ["id: to-b, workflowRef: b"]}, None),
        ({"a": [loop("each", "id: back, workflowRef: flow")]}, None),
        ({"a": ["id: to-b, workflowRef: b", "id: back, workflowRef: flow"], "b": [f"id: z, {HTTP}"]}, "a"),
        ({"a": [f"id: z, {HTTP}"], "b": []}, None),
    ],
)
def test_a_ring_of_workflows_is_found_by_whoever_closes_it(others: dict[str, list[str]], ring: str | None) -> None:
    known = {name: workflow_of(named(name, *tasks))[0] for name, tasks in others.items() if tasks}
    found = judge(flow("id: go, workflowRef: a"), workflows=known)
    messages = [one.message for one in found if one.code == "endless-recursion"]
    expected = f"the workflow starts itself through {ring}, without a condition that ends it"
    assert ([] if ring is None else [expected]) == messages


def test_calls_that_lead_to_one_workflow_are_followed_once() -> None:
    known = {
        "a": workflow_of(named("a", "id: b, workflowRef: c"))[0],
        "c": workflow_of(named("c", f"id: z, {HTTP}"))[0],
    }
    found = judge(flow("id: one, workflowRef: a", "id: two, workflowRef: a"), workflows=known)
    assert [] == [one.code for one in found if one.severity == "error"]


LISTENER = "id: w, event: {type: x, timeout: 1s}"


@pytest.mark.parametrize(
    ("each", "inner", "more", "why"),
    [
        ("items: [], mode: distributed", CALL, "", None),
        ("items: [], threshold: 9", CALL, "", None),
        ("items: []", LISTENER, "", None),
        ("items: [], mode: inline", LISTENER, "", None),
        ("items: [], mode: distributed", LISTENER, "", '"w" waits for a message'),
        ("items: [], threshold: 9", switch("s", ("match: 1", LISTENER)), "", '"w" waits for a message'),
        ("items: [], threshold: 9", CALL, "  parallelLimit: 3\n", "parallelLimit counts"),
        ("items: [], mode: distributed", CALL, "  parallelLimit: 3\n", None),
    ],
)
def test_a_loop_that_cannot_run_in_lanes_is_told_so(each: str, inner: str, more: str, why: str | None) -> None:
    found = [one for one in judge(flow(loop("a", inner, each=each), more=more)) if "inline" in one.message]
    assert [why] == [one.message.split("because ")[1][: len(why or "")] for one in found] or (why, []) == (None, found)


def test_a_reusable_task_that_waits_keeps_its_loop_inline() -> None:
    text = flow(loop("a", "id: b, taskRef: sign", LISTENER.replace("id: w", "id: c"), each="items: [], threshold: 2"))
    sign = task_document(TASK_HEAD + "  type: approval\n  approvers: ['user:ann']\n  timeout: 1h\n")
    found = [one.message for one in judge(text, {"sign": sign}) if "inline" in one.message]
    assert ['the loop runs inline, because "b" waits for a message to the execution'] == found


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ("items: [], mode: distributed, threshold: 3", "threshold has no effect beside mode"),
        ("items: [], threshold: 0", "threshold"),
        ("items: [], mode: parallel", "mode"),
    ],
)
def test_where_a_loop_runs_is_said_in_one_way(each: str, said: str) -> None:
    (found,) = errors(flow(loop("a", CALL, each=each)))
    assert said in found


@pytest.mark.parametrize(
    ("concurrency", "found"),
    [
        ("{limit: 1}", []),
        ("{key: 'k-{{input.x}}-{{config.a}}', limit: 1, onLimit: cancel}", []),
        ("{key: '{{tasks.c.output.status}}', limit: 1}", ["unknown-reference"]),
        ("{key: '{{state.s}}', limit: 1}", ["unknown-reference"]),
        ("{key: '{{secrets.s}}', limit: 1}", ["secret-misplaced"]),
        ("{limit: 0}", ["bad-value"]),
        ("{limit: 1001}", ["bad-value"]),
        ("{limit: 1, onLimit: wait}", ["bad-value"]),
        ("{key: k}", ["missing-key"]),
    ],
)
def test_the_place_of_a_workflow_is_named_before_its_first_task(concurrency: str, found: list[str]) -> None:
    more = f"  concurrency: {concurrency}\n  config: {{a: 1}}\n  state: {{s: '{{{{input.x}}}}'}}\n"
    text = flow(CALL, more=more)
    assert found == [finding.code for finding in judge(text) if finding.severity == "error"]


def test_a_task_waits_for_what_the_key_of_its_place_reads() -> None:
    later = f"id: d, {HTTP}, concurrency: {{key: '{{{{tasks.c.output.status}}}}', limit: 2}}"
    text = flow(CALL, later)
    assert [] == errors(text)
    workflow, _ = workflow_of(text)
    assert ("c",) == dependencies(workflow)["d"]
