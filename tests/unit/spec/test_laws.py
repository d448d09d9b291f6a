"""Nothing in a document makes reading, judging or formatting it raise."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace.base.canonical import dumps
from millrace.services.transform_check import check_transform
from millrace.spec import (
    Workflow,
    WorkflowTask,
    behaviour_hash,
    check_task,
    check_workflow,
    content_hash,
    dependencies,
    format_source,
    load,
    references,
)
from tests.unit.spec.builders import GET, flow, loop, switch, task_document

WORKFLOW = load(
    flow(
        "id: a, taskRef: get, input: {id: '{{input.n}}'}, retry: {retryOn: [429]}, timeout: 5s",
        "id: b, type: http, dependsOn: [a, {task: a, condition: input.ok}], "
        "request: {url: 'x/{{tasks.a.output.total}}', "
        "auth: {bearer: {secretRef: k}}, responseSchema: {type: object}}, output: {s: '{{output.status}}'}",
        "id: c, type: transform, condition: tasks.b.status == 'x', input: {items: []}, transform: [{limit: 1}]",
        "id: d, wait: {for: '{{input.n}}'}, triggerRule: all_done, dependsOn: [c]",
        "id: e, event: {type: paid, match: event.data.n == tasks.c.output, timeout: 1d}, triggerRule: one_done",
        "id: f, type: approval, approvers: ['user:ann'], form: {type: object}, timeout: 1d, onTimeout: approve",
        loop("l", "id: m, taskRef: get, input: {id: '{{index}}'}, fallback: {task: get, input: {id: 1}}"),
        switch("s", ("match: 1", "id: o, workflowRef: other"), ("when: value > 1", "id: q, wait: {for: 1s}")),
        "id: g, generate: {from: '{{tasks.l.output}}', taskRefs: [get]}, fallback: {value: '{{error.code}}'}",
        more="  input: {type: object, properties: {n: {type: integer}, ok: {type: boolean}, x: {}}}\n"
        "  state: {t: '{{tasks.s.output}}', u: '{{state.t}}'}\n"
        "  onFailure: {workflowRef: other, input: {e: '{{error.code}}'}}\n"
        "  finally: [{id: z, wait: {for: 1s}, condition: error != null}]\n"
        "  output: '{{tasks.c.output}}{{state.u}}'\n",
    ).encode(),
    media="yaml",
).value
TASK = load(GET.encode(), media="yaml").value
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "a",
        "b",
        "{{",
        "{{tasks}}",
        "{{tasks.b.output.body}}",
        "secrets.k",
        "{{state}}",
        "{{error.code}}",
        [{"id": "a", "type": "http"}],
        {"tasks": [{"id": "y", "wait": {"for": 1}}]},
        {"task": {"type": "llm"}},
        [],
        {},
        [[]],
        {"$ref": "#"},
        "5s",
    ]
) | st.text(max_size=8)
KEYS = st.sampled_from(
    [
        "id",
        "type",
        "needs",
        "if",
        "taskRef",
        "request",
        "wait",
        "event",
        "match",
        "approvers",
        "required",
        "triggerRule",
        "condition",
        "spec",
        "slo",
        "forEach",
        "tasks",
        "switch",
        "cases",
        "when",
        "default",
        "fallback",
        "task",
        "value",
        "generate",
        "workflowRef",
        "onFailure",
        "finally",
        "state",
        "x",
        "$ref",
        "properties",
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], key: str | None, odd: Any) -> Any:
    """A copy with the value at ``path`` replaced, or, for a mapping and a key, extended."""
    if path:
        head, *rest = path
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[head] = changed(value[head], tuple(rest), key, odd)
        return copy
    return {**value, key: odd} if key is not None and isinstance(value, dict) else odd


@st.composite
def documents(draw: st.DrawFn) -> Any:
    value = draw(st.sampled_from([WORKFLOW, TASK]))
    for _ in range(draw(st.integers(1, 3))):
        value = changed(value, draw(st.sampled_from(places(value))), draw(st.none() | KEYS), draw(ODD))
    return value


@given(documents())
def test_any_changed_document_is_judged_formatted_and_hashed_without_an_exception(value: Any) -> None:
    data = dumps(value)
    loaded = load(data, media="json")
    again = load(format_source(data.decode(), "json").encode(), media="json")
    assert (loaded.document is None) == (again.document is None)
    if isinstance(loaded.document, Workflow):
        found = check_workflow(
            loaded.document, loaded.source, tasks={"get": task_document()}, check_transform=check_transform
        )
        ids = {task.id for task in loaded.document.spec.tasks}
        assert all(ids >= {name, *needs} for name, needs in dependencies(loaded.document).items())
    elif isinstance(loaded.document, WorkflowTask):
        found = check_task(loaded.document, loaded.source, check_transform=check_transform)
    else:
        assert any(finding.severity == "error" for finding in loaded.findings)
        return
    assert all(finding.line >= 1 and finding.column >= 1 for finding in found)
    assert references(loaded.document) == references(loaded.document)
    assert len(content_hash(loaded.value)) == len(behaviour_hash(loaded.value))
