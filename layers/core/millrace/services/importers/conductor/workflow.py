"""A workflow definition: tasks in sequence, some of which hold further sequences."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.importers.conductor.paths import BRACES, References
from millrace.services.importers.conductor.tasks import TABLE as TASKS
from millrace.services.importers.conductor.tasks import Sequences
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.order import START
from millrace.services.importers.reading import listing, mapping, text
from millrace.services.importers.requests import seconds
from millrace.services.importers.result import Imported
from millrace.services.importers.spelling import slug
from millrace.services.importers.templates import Templates

TABLE: Final = {
    **TASKS,
    "inputParameters, inputSchema": "`spec.input`",
    "outputParameters": "`spec.output`",
    "failureWorkflow": "`onFailure: {workflowRef}`",
    "timeoutSeconds": "`timeout`",
    "`${workflow.input.x}`, `${ref.output.x}`": "`{{input.x}}`, `{{tasks.ref.output.x}}`",
    "`${workflow.variables.x}`, `${workflow.secrets.x}`": "left out (unmapped)",
}


def import_conductor(source: Any) -> Imported:
    """A workflow that does what a definition does, as far as it can be said; raises nothing but TooManyTasks."""
    draft = Draft()
    definition = mapping(source)
    references = References()
    templates = Templates(draft, BRACES, references.translate)
    tasks: list[Task] = []
    Sequences(draft, references, templates, tasks).run(definition.get("tasks"), START, ("tasks",))
    if not tasks:
        draft.unmapped(("tasks",), "there is no task that could be taken over")
    failure = definition.get("failureWorkflow")
    spec: dict[str, Any] = {
        "description": text(definition.get("description")) or None,
        "input": _inputs(definition),
        "timeout": seconds(definition.get("timeoutSeconds")),
        "tasks": tasks,
        "output": templates.value(mapping(definition.get("outputParameters")), ("outputParameters",)),
        "onFailure": {"workflowRef": slug(failure, "workflow")} if isinstance(failure, str) and failure else None,
    }
    for key in ("variables", "rateLimitConfig", "workflowStatusListenerEnabled"):
        if definition.get(key):
            draft.unmapped((key,), f"{key} is left out")
    owner = definition.get("ownerEmail")
    return draft.finish(
        definition.get("name", "workflow"), spec, **({"owner": owner} if isinstance(owner, str) else {})
    )


def _inputs(definition: dict[str, Any]) -> dict[str, Any]:
    schema = mapping(mapping(definition.get("inputSchema")).get("data"))
    if schema:
        return schema
    names = [name for name in listing(definition.get("inputParameters")) if isinstance(name, str)]
    defaults = mapping(definition.get("inputTemplate"))
    properties = {name: {"default": defaults[name]} if name in defaults else {} for name in names}
    return {"type": "object", "properties": properties, "additionalProperties": True} if names else {}
