"""Outputs that may be missing when they are read: skipped, failed, unfinished and dead tasks."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.compile import compile_plan
from millrace.spec import Workflow
from millrace.spec.dependencies import graphs_of
from millrace.spec.models import TRIGGER_RULES
from millrace.spec.outcomes import outcomes_of
from millrace.spec.sites import workflow_sites
from millrace.spec.tree import tree_of
from tests.unit.engine.play import Play, failure
from tests.unit.spec.builders import HTTP, flow, judge, workflow_of

SKIP = 'the task "a" may be skipped'
FAIL = 'the task "a" may fail, and the workflow goes on'
RULE = 'the triggerRule lets this task run when "a" has not succeeded'
LATE = 'the triggerRule lets this task run before "a" has ended'
NEVER = 'the triggerRule lets this task run only when "a" has not succeeded'
DEAD = 'the task "a" never runs'
PLAIN, CONDITIONAL, TOLERATED, OFF = "", ", condition: input.ok", ", continueOnError: true", ", condition: false"


def presence(*tasks: str, output: str | None = None) -> list[tuple[str, str]]:
    """Severity and reason of each finding about what may be missing."""
    found = judge(flow(*tasks, more="" if output is None else f'  output: "{output}"\n'))
    return [(one.severity, one.message.partition(": ")[2]) for one in found if one.code == "may-be-missing"]


def reading(rule: str, above: str, *, others: int = 0, text: str = "{{tasks.a.output.body}}") -> list[tuple[str, str]]:
    """What is said about a task that reads the output of ``a`` under a rule, beside other dependencies."""
    more = [f"id: o{i}, {HTTP}" for i in range(others)]
    needs = ", ".join(["a", *(f"o{i}" for i in range(others))])
    reader = f'id: b, type: http, dependsOn: [{needs}], triggerRule: {rule}, request: {{url: "{text}"}}'
    return presence(f"id: a, {HTTP}{above}", *more, reader)


@pytest.mark.parametrize(
    ("rule", "above", "others", "found"),
    [
        ("all_success", PLAIN, 0, []),
        ("all_success", CONDITIONAL, 0, []),
        ("all_success", TOLERATED, 0, [("warning", FAIL)]),
        ("all_success", OFF, 0, []),
        ("all_done", PLAIN, 0, [("warning", RULE)]),
        ("all_done", PLAIN, 1, [("warning", RULE)]),
        ("all_done", OFF, 0, [("error", DEAD)]),
        ("none_skipped", PLAIN, 0, [("warning", RULE)]),
        ("none_skipped", OFF, 0, []),
        ("none_failed", PLAIN, 0, []),
        ("none_failed", TOLERATED, 0, []),
        ("none_failed", CONDITIONAL, 0, [("warning", SKIP)]),
        ("none_failed", OFF, 1, [("error", DEAD)]),
        ("none_failed_min_one_success", CONDITIONAL, 0, []),
        ("none_failed_min_one_success", CONDITIONAL, 1, [("warning", SKIP)]),
        ("none_failed_min_one_success", PLAIN, 1, []),
        ("none_failed_min_one_success", OFF, 0, []),
        ("none_failed_min_one_success", OFF, 1, [("error", DEAD)]),
        ("all_failed", PLAIN, 0, [("error", NEVER)]),
        ("all_skipped", CONDITIONAL, 1, [("error", NEVER)]),
        ("all_skipped", OFF, 0, [("error", DEAD)]),
        ("one_failed", PLAIN, 0, [("error", NEVER)]),
        ("one_failed", PLAIN, 1, [("warning", LATE)]),
        ("one_done", PLAIN, 0, [("warning", RULE)]),
        ("one_done", PLAIN, 1, [("warning", LATE)]),
        ("one_success", CONDITIONAL, 0, []),
        ("one_success", PLAIN, 1, [("warning", LATE)]),
        ("one_success", OFF, 1, [("error", DEAD)]),
        ("always", PLAIN, 0, [("warning", RULE)]),
        ("always", PLAIN, 1, [("warning", LATE)]),
    ],
)
def test_a_rule_says_whether_an_output_is_there(
    rule: str, above: str, others: int, found: list[tuple[str, str]]
) -> None:
    assert found == reading(rule, above, others=others)


@pytest.mark.parametrize(
    ("text", "all_done", "one_success"),
    [
        ("{{tasks.a.output.body.x ?? 1}}", 0, 0),
        ("{{tasks.a.output?.body}}", 0, 0),
        ("{{ {'x': tasks.a.output.body.x} ?? 1}}", 0, 0),
        ("{{ [string(tasks.a.output.body)][0]?.x}}", 0, 0),
        ("{{has(tasks.a.output) ? tasks.a.output.body : 1}}", 0, 2),
        ("{{tasks.a.status == 'failed' ? 1 : tasks.a.output.body}}", 0, 2),
        ("{{tasks.a.error.message}}", 1, 1),
        ("{{tasks.a.error.message ?? ''}}", 0, 0),
        ("{{tasks.a.error?.message ?? ''}}", 0, 0),
        ("{{has(tasks.a.error) ? tasks.a.error.message : tasks.a.output}}", 0, 3),
        ("{{tasks.a.status == 'failed' ? tasks.a.error.code : ''}}", 0, 2),
        ("{{tasks.a.error.code}}{{tasks.a.output}}", 2, 2),
        ("{{tasks.a?.status == 'succeeded' ? tasks.a.output.body : 1}}", 0, 0),
        ("{{tasks.a.attempts}}", 0, 1),
        ("{{tasks.a?.attempts}}", 0, 0),
        ("{{has(tasks.a.output.body)}}", 1, 1),
        ("{{tasks.a.output.body}}{{tasks.a.output?.body}}", 1, 1),
        ("{{tasks.a}}", 0, 1),
    ],
)
def test_whoever_asks_whether_it_is_there_is_told_nothing(text: str, all_done: int, one_success: int) -> None:
    assert all_done == len(reading("all_done", PLAIN, text=text))
    assert one_success == len(reading("one_success", PLAIN, others=1, text=text))


NO_ERROR = [("warning", 'the task "a" has an error only when it has failed')]


@pytest.mark.parametrize(
    ("rule", "above", "found"),
    [
        ("all_success", PLAIN, NO_ERROR),
        ("all_success", TOLERATED, NO_ERROR),
        ("none_failed", CONDITIONAL, NO_ERROR),
        ("all_failed", PLAIN, []),
        ("one_failed", PLAIN, []),
        ("all_done", OFF, NO_ERROR),
    ],
)
def test_an_error_is_there_where_the_rule_asks_for_a_failure(
    rule: str, above: str, found: list[tuple[str, str]]
) -> None:
    assert found == reading(rule, above, text="{{tasks.a.error.code}}")


def test_an_error_that_may_be_missing_is_found_in_outputs_and_at_the_end() -> None:
    assert NO_ERROR == presence(f"id: a, {HTTP}", output="{{tasks.a.error}}")
    assert NO_ERROR == presence(f"id: a, {HTTP}{TOLERATED}", output="{{tasks.a.error.code}}")
    assert [] == presence(f"id: a, {HTTP}{TOLERATED}", output="{{tasks.a.error?.code ?? 'none'}}")


@pytest.mark.parametrize(
    ("condition", "count"),
    [("tasks.a.status == 'succeeded'", 0), ("has(tasks.a.output)", 0), ("tasks.o.status == 'succeeded'", 1)],
)
def test_a_condition_that_asks_guards_the_whole_task(condition: str, count: int) -> None:
    tasks = [f"id: a, {HTTP}", f"id: o, {HTTP}"]
    reads = 'request: {url: "{{tasks.a.output}}"}'
    assert count == len(
        presence(*tasks, f'id: b, type: http, triggerRule: all_done, condition: "{condition}", {reads}')
    )


def test_the_finding_says_what_to_write() -> None:
    text = flow(
        f"id: a, {HTTP}{CONDITIONAL}", more="  output: ['{{tasks.a.output.body.x}}', '{{tasks.a.output[input.i]}}']\n"
    )
    fixes = [one.fix for one in judge(text) if one.code == "may-be-missing"]
    expected = ["tasks.a.output.body.x ?? 'none'", "tasks.a.output ?? 'none'"]
    assert [f"Give it a default, as in {each}." for each in expected] == fixes


@pytest.mark.parametrize(
    ("above", "found"),
    [
        (PLAIN, []),
        (CONDITIONAL, [("warning", SKIP)]),
        (", condition: true", []),
        (", condition: 'true'", []),
        (OFF, [("error", DEAD)]),
        (TOLERATED, [("warning", FAIL)]),
    ],
)
def test_the_output_of_a_workflow_reads_what_is_there(above: str, found: list[tuple[str, str]]) -> None:
    assert found == presence(f"id: a, {HTTP}{above}", output="{{tasks.a.output.body}}")
    assert [] == presence(f"id: a, {HTTP}{above}", output="{{tasks.a.output.body ?? 1}}")
    assert [] == presence(f"id: a, {HTTP}{above}", output="{{tasks.a.status}}")


@pytest.mark.parametrize(
    ("rule", "above", "may"),
    [
        ("all_success", CONDITIONAL, True),
        ("all_success", TOLERATED, False),
        ("all_done", CONDITIONAL, False),
        ("always", CONDITIONAL, False),
        ("none_failed", CONDITIONAL, False),
        ("none_failed", TOLERATED, True),
        ("none_failed_min_one_success", CONDITIONAL, True),
        ("none_failed_min_one_success", TOLERATED, True),
        ("none_failed_min_one_success", PLAIN, False),
        ("none_skipped", CONDITIONAL, True),
        ("none_skipped", TOLERATED, False),
        ("one_done", CONDITIONAL, True),
        ("one_done", TOLERATED, False),
        ("one_success", TOLERATED, True),
        ("one_success", PLAIN, False),
        ("one_failed", PLAIN, True),
        ("all_failed", PLAIN, True),
        ("all_skipped", CONDITIONAL, True),
    ],
)
def test_a_rule_says_whether_its_task_may_be_skipped(rule: str, above: str, may: bool) -> None:
    found = presence(
        f"id: z, {HTTP}{above}",
        f"id: a, {HTTP}, dependsOn: [z], triggerRule: {rule}",
        output="{{tasks.a.output.body}}",
    )
    assert ([("warning", SKIP)] if may else []) == found


@pytest.mark.parametrize(
    ("rule", "above", "found"),
    [
        ("all_success", PLAIN, []),
        ("all_success", CONDITIONAL, [("warning", SKIP)]),
        ("all_success", TOLERATED, [("warning", FAIL)]),
        ("all_success", OFF, [("error", DEAD)]),
        ("all_done", PLAIN, [("warning", RULE)]),
        ("one_failed", PLAIN, [("warning", RULE)]),
    ],
)
def test_a_dependency_that_need_not_count_may_be_missing(rule: str, above: str, found: list[tuple[str, str]]) -> None:
    needs = "dependsOn: [{task: a, condition: input.ok}]"
    reader = f'id: b, type: http, {needs}, triggerRule: {rule}, request: {{url: "{{{{tasks.a.output.body ?? 1}}}}"}}'
    assert [] == presence(f"id: a, {HTTP}{above}", reader)
    assert found == presence(f"id: a, {HTTP}{above}", reader.replace(" ?? 1", ""))


def test_the_condition_of_a_dependency_is_asked_before_the_rule() -> None:
    needs = "dependsOn: [{task: a, condition: tasks.a.output.body.ok}]"
    assert [("warning", SKIP)] == presence(f"id: a, {HTTP}{CONDITIONAL}", f"id: b, {HTTP}, {needs}")
    assert [] == presence(f"id: a, {HTTP}", f"id: b, {HTTP}, {needs}")
    other = "dependsOn: [{task: o, condition: tasks.a.output.body.ok}]"
    found = presence(f"id: a, {HTTP}{CONDITIONAL}", f"id: o, {HTTP}", f"id: b, {HTTP}, {other}")
    assert [("warning", SKIP)] == found


@pytest.mark.parametrize(
    ("rule", "found"), [("none_failed", [("warning", 'the task "c" may be skipped')]), ("all_done", [])]
)
def test_a_failure_that_skips_a_task_reaches_what_waits_for_it_through_any_number_of_hops(
    rule: str, found: list[tuple[str, str]]
) -> None:
    tasks = (
        f"id: a, {HTTP}{TOLERATED}",
        f"id: b, {HTTP}, dependsOn: [a], triggerRule: none_failed",
        f"id: b2, {HTTP}, dependsOn: [b]",
        f"id: c, {HTTP}, dependsOn: [b2], triggerRule: {rule}",
    )
    assert found == presence(*tasks, output="{{tasks.c.output.body}}")


def test_a_rule_without_a_dependency_that_counts_skips_nothing() -> None:
    needs = "dependsOn: [{task: z, condition: input.ok}], triggerRule: one_done"
    assert [] == presence(f"id: z, {HTTP}", f"id: a, {HTTP}, {needs}", output="{{tasks.a.output}}")


def test_a_dependency_that_need_not_count_kills_nobody() -> None:
    needs = "dependsOn: [a, {task: b, condition: input.ok}, {task: d, condition: input.no}], triggerRule: one_success"
    tasks = [f"id: {name}, {HTTP}{OFF if name != 'd' else ''}" for name in "abd"]
    found = judge(flow(*tasks, f"id: c, {HTTP}, {needs}"))
    assert [0, 1] == [one.path[2] for one in found if one.code == "unreachable-task"]
    single = "dependsOn: [a, {task: b, condition: input.ok}], triggerRule: one_success"
    found = judge(flow(*tasks, f"id: c, {HTTP}, {single}"))
    assert [0, 1] == [one.path[2] for one in found if one.code == "unreachable-task"]


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("filter: item.x == tasks.a.output.body", [("warning", RULE)]),
        ("filter: item.x == (tasks.a.output.body ?? 1)", []),
        ("filter: item.x == tasks.a.status", []),
    ],
)
def test_a_step_of_a_transform_reads_what_is_there(step: str, found: list[tuple[str, str]]) -> None:
    steps = f"type: transform, input: {{items: []}}, transform: [{{{step}}}, {{limit: 1}}]"
    assert found == presence(f"id: a, {HTTP}", f"id: b, {steps}, triggerRule: all_done")


def test_a_match_reads_what_is_there() -> None:
    event = "event: {type: paid, match: event.id == tasks.a.output.body, timeout: 1d}"
    assert [("warning", RULE)] == presence(f"id: a, {HTTP}", f"id: b, {event}, triggerRule: none_skipped")


@pytest.mark.parametrize(
    ("rule", "second", "dead"),
    [
        ("all_success", "", True),
        ("all_failed", "", True),
        ("none_skipped", "", True),
        ("all_done", OFF, False),
        ("all_skipped", OFF, False),
        ("always", OFF, False),
        ("none_failed", OFF, False),
        ("one_success", "", False),
        ("one_success", OFF, True),
        ("one_done", OFF, True),
        ("one_failed", OFF, True),
        ("none_failed_min_one_success", "", False),
        ("none_failed_min_one_success", OFF, True),
    ],
)
def test_a_rule_decides_who_never_runs_below_a_task_that_never_runs(rule: str, second: str, dead: bool) -> None:
    text = flow(
        f"id: a, {HTTP}, condition: false",
        f"id: b, {HTTP}{second}",
        f"id: c, {HTTP}, dependsOn: [a, b], triggerRule: {rule}",
    )
    unreachable = [one.path[2] for one in judge(text) if one.code == "unreachable-task"]
    assert dead == (2 in unreachable)


@pytest.mark.parametrize("rule", ["all_failed", "none_skipped", "one_done", "one_failed"])
def test_a_task_that_never_runs_counts_as_failed_below_a_failure(rule: str) -> None:
    tasks = (f"id: z, {HTTP}", f"id: a, {HTTP}, dependsOn: [z], condition: false")
    found = judge(flow(*tasks, f"id: b, {HTTP}, dependsOn: [a], triggerRule: {rule}"))
    assert [1] == [one.path[2] for one in found if one.code == "unreachable-task"]


@pytest.mark.parametrize("rule", ["one_done", "one_success"])
def test_a_rule_that_asks_for_one_waits_for_conditional_dependencies(rule: str) -> None:
    needs = f"dependsOn: [y, {{task: z, condition: input.ok}}], triggerRule: {rule}"
    found = presence(f"id: z, {HTTP}", f"id: y, {HTTP}", f"id: a, {HTTP}, {needs}", output="{{tasks.a.output}}")
    assert [] == found


def test_tasks_in_a_ring_are_judged_as_a_ring_only() -> None:
    tasks = (f"id: a, {HTTP}, dependsOn: [b]", f"id: b, {HTTP}, dependsOn: [a]")
    assert [] == presence(*tasks, output="{{tasks.a.output}}{{tasks.nobody.output}}{{tasks}}")


FLAGS = st.sampled_from(["c0", "c1", "c2"])
CONDITIONS = st.none() | st.sampled_from(["true", "false"]) | FLAGS.map(lambda name: f"input.{name}")


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    tasks = []
    for index in range(draw(st.integers(2, 5))):
        above = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        tasks.append(
            {
                "needs": {need: draw(st.none() | FLAGS.map(lambda name: f"input.{name}")) for need in sorted(above)},
                "rule": draw(st.sampled_from(TRIGGER_RULES)),
                "condition": draw(CONDITIONS),
                "go_on": draw(st.booleans()),
                "fails": draw(st.booleans()),
            }
        )
    return tasks


def written(tasks: list[dict[str, Any]]) -> Workflow:
    texts = []
    for index, task in enumerate(tasks):
        needs = [
            f"t{need}" if condition is None else f"{{task: t{need}, condition: {condition}}}"
            for need, condition in task["needs"].items()
        ]
        condition = "" if task["condition"] is None else f", condition: {task['condition']}"
        go_on = ", continueOnError: true" if task["go_on"] else ""
        texts.append(
            f"id: t{index}, {HTTP}, dependsOn: [{', '.join(needs)}], triggerRule: {task['rule']}{condition}{go_on}"
        )
    return workflow_of(flow(*texts))[0]


@pytest.mark.repeats
@settings(max_examples=300)
@given(documents(), st.fixed_dictionaries({"c0": st.booleans(), "c1": st.booleans(), "c2": st.booleans()}))
def test_no_run_contradicts_what_was_said_about_it(tasks: list[dict[str, Any]], value: dict[str, bool]) -> None:
    workflow = written(tasks)
    tree = tree_of(workflow)
    sites = workflow_sites(workflow, None, tree)
    graphs = graphs_of(workflow, tree, sites)
    graph, outcomes = graphs[0], outcomes_of(tree, graphs, sites)[0]
    answers = {f"t{index}": [failure(retryable=False)] for index, task in enumerate(tasks) if task["fails"]}
    done = Play(compile_plan(workflow, {}, hashes={}), answers=answers, value=value).run()
    status = done.statuses()
    failed = any(status[f"t{i}"] == "failed" and not task["go_on"] for i, task in enumerate(tasks))
    for name, needs in graph.needs.items():
        end = outcomes.at_end(name)
        assert status[name] == "skipped" or name not in outcomes.dead
        assert failed or end != "there" or status[name] == "succeeded"
        if status[name] == "skipped":
            continue
        for need in needs:
            said = outcomes.for_task(name, need, edge=False)
            assert failed or said != "there" or status[need] == "succeeded"
            assert said not in ("never", "dead") or status[need] != "succeeded"
