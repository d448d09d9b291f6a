"""Documents for tests, as an author would write them."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.services.transform_check import check_transform
from millrace.spec import Finding, Source, Workflow, WorkflowTask, check_task, check_workflow, in_order, load

HEAD = "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: flow}\nspec:\n"
TASK_HEAD = "apiVersion: workflow.io/v1\nkind: WorkflowTask\nmetadata: {name: get}\nspec:\n"
HTTP = "type: http, request: {url: 'https://x.example'}"
GET = TASK_HEAD + (
    "  type: http\n"
    "  request: {url: 'https://x.example/{{input.id}}'}\n"
    "  inputSchema:\n"
    "    type: object\n"
    "    required: [id]\n"
    "    properties: {id: {type: integer}, tags: {type: array}}\n"
    "    additionalProperties: false\n"
    "  outputSchema: {type: object, properties: {total: {type: number}, ok: {type: boolean}}}\n"
)


def flow(*tasks: str, more: str = "") -> str:
    """A workflow from flow-style tasks and further lines of its spec, which come first."""
    return HEAD + more + "  tasks:\n" + "".join(f"    - {{{task}}}\n" for task in tasks)


def loop(name: str, *tasks: str, each: str = "items: []") -> str:
    """A task that goes through items."""
    return f"id: {name}, forEach: {{{each}}}, tasks: [{', '.join(f'{{{task}}}' for task in tasks)}]"


def switch(name: str, *cases: tuple[str, str], value: str = "{{input.x}}", default: str = "") -> str:
    """A task that chooses between cases, each a ``match`` or ``when`` and one task."""
    listed = ", ".join(f"{{{test}, tasks: [{{{task}}}]}}" for test, task in cases)
    rest = f", default: {{tasks: [{{{default}}}]}}" if default else ""
    return f"id: {name}, switch: {{value: '{value}', cases: [{listed}]{rest}}}"


def task_document(text: str = GET) -> WorkflowTask:
    document = load(text.encode(), media="yaml").document
    assert isinstance(document, WorkflowTask)
    return document


def workflow_of(text: str) -> tuple[Workflow, Source]:
    loaded = load(text.encode(), media="yaml")
    assert isinstance(loaded.document, Workflow), loaded.findings
    return loaded.document, loaded.source


def judge(
    text: str,
    tasks: Mapping[str, WorkflowTask] | None = None,
    workflows: Mapping[str, Workflow] | None = None,
) -> tuple[Finding, ...]:
    """All findings about a YAML document, as publishing would find them."""
    loaded = load(text.encode(), media="yaml")
    found = list(loaded.findings)
    known = {"get": task_document()} if tasks is None else tasks
    if isinstance(loaded.document, Workflow):
        found += check_workflow(
            loaded.document, loaded.source, tasks=known, workflows=workflows, check_transform=check_transform
        )
    elif isinstance(loaded.document, WorkflowTask):
        found += check_task(loaded.document, loaded.source, check_transform=check_transform)
    return in_order(found)


def brief(findings: tuple[Finding, ...]) -> list[tuple[str, int, int]]:
    return [(finding.code, finding.line, finding.column) for finding in findings]
