"""What is deprecated and used all the same is a warning that names what to use instead."""

from __future__ import annotations

import pytest

from millrace.spec import Workflow, WorkflowTask, load
from tests.unit.spec.builders import HTTP, TASK_HEAD, flow, judge, loop, task_document, workflow_of

TASK = TASK_HEAD + (
    "  type: http\n  request: {url: 'https://x.example'}\n  inputSchema:\n    properties:\n"
    "      old: {deprecated: true}\n"
    "      deep: {properties: {old: {$ref: '#/$defs/o'}}}\n      fine: {}\n"
    "    $defs: {o: {$ref: '#/$defs/p'}, p: {type: integer, deprecated: true, description: use fine}}\n"
    "  outputSchema: {properties: {old: {deprecated: true, description: read new, properties: {x: {}}}, new: {}}}\n"
)


GENERATE = "id: c, generate: {from: [], taskRefs: [get]}"
BOTH = ("id: a, taskRef: get", "id: b, workflowRef: child")


def said(*tasks: str, spec: str = "", more: str = "") -> list[tuple[str, str, tuple[str, ...]]]:
    document = task_document(TASK.replace("spec:\n", f"spec:\n{spec}"))
    child = workflow_of(flow(f"id: a, {HTTP}", more=spec + "  input: {properties: {old: {deprecated: true}}}\n"))[0]
    child = child.model_copy(update={"metadata": child.metadata.model_copy(update={"name": "child"})})
    found = judge(flow(*tasks, more=more), {"get": document}, {"child": child})
    assert {"warning"} >= {one.severity for one in found if one.code == "deprecated"}
    return [(one.message, one.fix, one.path) for one in found if one.code == "deprecated"]


@pytest.mark.parametrize(
    ("spec", "sentence", "fix"),
    [
        ("  deprecated: true\n", "is deprecated", "Use another one."),
        ("  deprecated: {since: 1.2.0, replacement: get-2}\n", "is deprecated since 1.2.0", "Use get-2."),
        ("  deprecated: {message: it is slow}\n", "is deprecated: it is slow", "Use another one."),
    ],
)
def test_the_use_of_a_deprecated_definition_is_told_with_its_replacement(spec: str, sentence: str, fix: str) -> None:
    assert [
        (f"the reusable task get {sentence}", fix, ("spec", "tasks", 0, "taskRef")),
        (f"the workflow child {sentence}", fix, ("spec", "tasks", 1, "workflowRef")),
        (f"the reusable task get {sentence}", fix, ("spec", "tasks", 2, "generate", "taskRefs", 0)),
    ] == said(
        "id: a, taskRef: get", "id: b, workflowRef: child", "id: c, generate: {from: [], taskRefs: [get]}", spec=spec
    )


def test_what_is_not_deprecated_any_more_is_not_told() -> None:
    assert [] == said(
        "id: a, taskRef: get", "id: b, workflowRef: child", "id: c, taskRef: gone", spec="  deprecated: false\n"
    )


def test_a_deprecated_input_that_is_given_is_told_at_its_place() -> None:
    fix = "Give it what takes its place, or leave it out."
    base = ("spec", "tasks", 0, "input")
    assert [
        ("the input old of get is deprecated", fix, (*base, "old")),
        ("the input deep.old of get is deprecated: use fine", fix, (*base, "deep", "old")),
        ("the input old of child is deprecated", fix, ("spec", "tasks", 1, "input", "old")),
    ] == said(
        "id: a, taskRef: get, input: {old: 1, deep: {old: 2}, fine: 3}", "id: b, workflowRef: child, input: {old: 1}"
    )


def test_a_deprecated_output_that_is_read_is_told_once_for_each_place() -> None:
    assert [
        ("tasks.a.output.old is deprecated: read new", ("spec", "output", "x")),
        ("tasks.a.output.old is deprecated: read new", ("spec", "tasks", 1, "transform")),
    ] == [
        (message, path)
        for message, _, path in said(
            "id: a, taskRef: get",
            "id: b, type: transform, input: {items: []}, transform: [{filter: tasks.a.output.old == item}]",
            more="  output: {x: '{{tasks.a.output.old.x == tasks.a.output.old.x}}', y: '{{tasks.a.output.new}}'}\n",
        )
    ]


def test_a_workflow_may_read_its_own_deprecated_input() -> None:
    more = "  input: {properties: {old: {deprecated: true}}}\n"
    assert [] == said(loop("l", "id: a, taskRef: get, input: {fine: '{{input.old}}'}"), more=more)


@pytest.mark.parametrize("value", ["maybe", "{since: soon}", "{until: 1}", "{replacement: 'Not A Name'}"])
def test_what_says_that_something_is_deprecated_is_judged(value: str) -> None:
    text = TASK.replace("spec:\n", f"spec:\n  deprecated: {value}\n")
    assert load(text.encode(), media="yaml").document is None


def test_a_task_of_a_workflow_keeps_the_word_for_later() -> None:
    found = load(flow(f"id: a, {HTTP}, deprecated: true").encode(), media="yaml")
    assert isinstance(found.document, Workflow)
    assert ["kept-for-later"] == [one.code for one in found.findings]
    assert not isinstance(found.document, WorkflowTask)
