"""Dependencies, rings, unreachable tasks, references."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.services.transform_check import check_transform
from millrace.spec import Workflow, check_workflow, dependencies, load, references
from millrace.spec.cycles import components, rings
from millrace.spec.references import Reference
from tests.unit.spec.builders import HTTP, TASK_HEAD, flow, judge, task_document, workflow_of

READS = flow(
    "id: last, type: http, request: {url: '{{tasks[\"a.b\"].output.body.x}}', headers: {h: '{{secrets.k}}'}}",
    f"id: a.b, {HTTP}, condition: tasks.c.output?.body ?? false, input: {{v: '{{{{tasks.c.output.body[0].id}}}}'}}",
    f"id: c, {HTTP}, dependsOn: [{{task: d, condition: input.ok}}, e], output: '{{{{tasks.e.status}}}}'",
    f"id: d, {HTTP}",
    "id: e, type: transform, input: {items: []}, transform: [{filter: 'item.x > tasks.d.output.status'}]",
)
GRAPHS = st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12), max_size=4), max_size=13)


def chain(count: int) -> Workflow:
    tasks = [
        {
            "id": f"t{i}",
            "wait": {"for": "1s"},
            "dependsOn": [f"t{i + 1}"] if i < count - 1 else [],
        }
        for i in range(count)
    ]
    head = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": "x"}}
    return Workflow.model_validate({**head, "spec": {"tasks": tasks}})


def test_dependencies_come_from_every_place_of_a_task_in_document_order() -> None:
    workflow, _ = workflow_of(READS)
    expected = {"last": ("a.b",), "a.b": ("c",), "c": ("d", "e"), "d": (), "e": ("d",)}
    assert expected == dependencies(workflow, check_transform=check_transform)
    assert expected == dependencies(workflow, {})


def test_unknown_ids_are_left_out_of_dependencies() -> None:
    workflow, _ = workflow_of(flow(f"id: a, {HTTP}, dependsOn: [b], condition: tasks.c.output"))
    assert {"a": ()} == dependencies(workflow)


def test_steps_that_do_not_compile_add_no_dependency() -> None:
    text = flow(
        f"id: a, {HTTP}",
        "id: b, type: transform, transform: [{filter: 'tasks.a.output >'}, {sort: '{{tasks.a.output}}'}]",
    )
    workflow, _ = workflow_of(text)
    assert {"a": (), "b": ("a",)} == dependencies(workflow)


@pytest.mark.repeats
def test_a_chain_of_ten_thousand_tasks_is_judged_without_deep_recursion() -> None:
    workflow = chain(10_000)
    source = load(b"{}", media="json").source
    assert () == check_workflow(workflow, source, tasks={})
    assert ("t9999",) == dependencies(workflow)["t9998"]


@pytest.mark.repeats
def test_a_ring_of_ten_thousand_tasks_is_one_finding_with_its_ends() -> None:
    workflow = chain(10_000)
    first = workflow.spec.tasks[0]
    last = workflow.spec.tasks[-1].model_copy(
        update={"depends_on": (first.depends_on[0].model_copy(update={"task": "t0"}),)}
    )
    spec = workflow.spec.model_copy(update={"tasks": (*workflow.spec.tasks[:-1], last)})
    source = load(json.dumps({"spec": {"tasks": [{"dependsOn": ["t1"]}]}}).encode(), media="json").source
    found = check_workflow(workflow.model_copy(update={"spec": spec}), source, tasks={})
    assert ["cycle"] == [finding.code for finding in found]
    assert "t0 → t1 → " in found[0].message
    assert " more … → " in found[0].message


def test_a_task_that_reads_its_own_output_waits_for_itself() -> None:
    text = flow(f"id: a, {HTTP}, dependsOn: [b], condition: tasks.a.status == 'failed'", f"id: b, {HTTP}")
    assert [("self-reference", ("spec", "tasks", 0))] == [(finding.code, finding.path) for finding in judge(text)]


def test_a_ring_is_named_in_full() -> None:
    text = flow(
        f"id: x, {HTTP}, dependsOn: [a]",
        f"id: a, {HTTP}, dependsOn: [b]",
        f"id: b, {HTTP}, condition: tasks.c.output",
        f"id: c, {HTTP}, dependsOn: [a, x]",
    )
    found = [finding.message for finding in judge(text) if finding.code == "cycle"]
    assert ["the tasks wait for each other: x → a → b → c → x"] == found


@given(GRAPHS)
def test_every_ring_is_a_path_and_graphs_without_one_can_be_sorted(raw: dict[int, set[int]]) -> None:
    graph = {str(node): [str(below) for below in sorted(edges) if below in raw] for node, edges in raw.items()}
    found = rings(graph)
    for ring in found:
        assert ring[0] == ring[-1]
        assert all(below in graph[node] for node, below in itertools.pairwise(ring))
    left = {node: {below for below in edges if below != node} for node, edges in graph.items()}
    while ready := [node for node, edges in left.items() if not edges]:
        left = {node: edges - set(ready) for node, edges in left.items() if node not in ready}
    assert bool(left) == bool(found)
    assert sorted(graph) == sorted(node for component in components(graph) for node in component)


def test_a_task_behind_a_task_that_never_runs_never_runs() -> None:
    text = flow(
        f"id: off, {HTTP}, condition: '1 > 2'",
        f"id: next, {HTTP}, dependsOn: [off]",
        "id: third, type: http, request: {url: '{{tasks.next.output.status}}{{tasks.off.output.status}}'}",
        "id: guarded, type: http, request: {url: \"{{tasks.off.output?.status ?? ''}}\"}",
        f"id: maybe, {HTTP}, dependsOn: [{{task: off, condition: input.x}}]",
        f"id: odd, {HTTP}, condition: '1 / 0 > 1'",
    )
    found = [(f.path, f.message) for f in judge(text) if f.code == "unreachable-task"]
    assert [
        (("spec", "tasks", 0, "condition"), 'the task "off" never runs: its condition is always false'),
        (("spec", "tasks", 1), 'the task "next" never runs: it waits for "off", whose condition is always false'),
        (("spec", "tasks", 2), 'the task "third" never runs: it waits for "off", whose condition is always false'),
    ] == found


def test_unknown_dependencies_are_found_in_both_spellings() -> None:
    text = flow(f"id: fetch, {HTTP}", f"id: b, {HTTP}, dependsOn: [fetsh, {{task: qqq}}]")
    found = [(f.message, f.fix) for f in judge(text) if f.code == "unknown-task"]
    assert [
        ('there is no task "fetsh". Did you mean "fetch"?', "Write fetch."),
        ('there is no task "qqq".', "Add the task, or take the dependency out."),
    ] == found


def test_references_name_what_is_used_and_the_exact_fields() -> None:
    workflow, _ = workflow_of(
        flow(
            "id: a, taskRef: get@^1, input: {id: '{{input.order.id}}'}",
            "id: b, type: http, request: {url: '{{env.base}}/{{tasks.a.output.items[0].n}}', "
            "headers: {h: '{{secrets.k}}'}, auth: {bearer: {secretRef: crm}}}",
            "id: c, type: transform, input: {items: '{{tasks.a.output.rows}}'}, transform: "
            "[{filter: 'item.x == tasks.b.status'}]",
            more="  config: {c: {d: 1}}\n  output: {x: '{{tasks.a.output.total}}', y: '{{config.c.d}}', z: '{{env}}', "
            "w: \"{{tasks['a'].output.map(o, o.q)}}\"}\n",
        )
    )
    expected = (
        Reference("", "config", "c", ("d",)),
        Reference("", "env", "*"),
        Reference("", "task", "a", ("output.[*].q", "output.total")),
        Reference("a", "input", "input", ("order.id",)),
        Reference("a", "taskRef", "get@^1", ("output.[*].q", "output.items.[0].n", "output.rows", "output.total")),
        Reference("b", "env", "base"),
        Reference("b", "secret", "crm"),
        Reference("b", "secret", "k"),
        Reference("b", "task", "a", ("output.items.[0].n",)),
        Reference("c", "task", "a", ("output.rows",)),
        Reference("c", "task", "b", ("status",)),
    )
    assert expected == references(workflow, check_transform=check_transform)


def test_references_of_a_reusable_task_are_its_inputs_and_secrets() -> None:
    assert (Reference("", "input", "input", ("id",)),) == references(task_document())


def test_an_output_mapping_reads_its_own_output_without_a_reference() -> None:
    workflow, _ = workflow_of(flow(f"id: a, {HTTP}, output: {{s: '{{{{output.status}}}}'}}"))
    assert () == references(workflow)


def test_steps_of_a_reusable_task_are_read_as_well() -> None:
    text = TASK_HEAD + "  type: transform\n  transform: [{map: '{{input.x}}'}]\n"
    assert (Reference("", "input", "input", ("x",)),) == references(task_document(text))
