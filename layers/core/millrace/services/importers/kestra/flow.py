"""A flow: inputs, variables, tasks in sequence, and what is done when one fails."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.kestra.pebble import BRACES
from millrace.services.importers.kestra.tasks import TABLE as TASKS
from millrace.services.importers.kestra.tasks import Body, Reader
from millrace.services.importers.order import START
from millrace.services.importers.reading import listing, mapping, number, text, truth
from millrace.services.importers.result import Imported
from millrace.services.importers.spelling import slug
from millrace.spec.sites import texts

TABLE: Final = {
    **TASKS,
    "inputs": "`spec.input`",
    "variables": "`spec.config`; those that hold expressions `spec.state`, with `render()` and without",
    "labels": "`metadata.labels`",
    "triggers: Schedule, Webhook, Flow": "`spec.triggers`, kept until they are available",
    "errors": "tasks with `triggerRule: one_failed` behind all others",
    "finally": "tasks with `triggerRule: all_done` behind all others",
    "outputs": "`spec.output`",
    "concurrency, pluginDefaults, listeners, sla": "left out (unmapped)",
    "`{{ inputs.x }}`, `{{ outputs.task.body }}`, `{{ taskrun.value }}`, `{{ vars.x }}`, `{{ secret('X') }}`": (
        "`{{input.x}}`, `{{tasks.task.output.body}}`, the loop's item, `{{config.x}}` or `{{state.x}}`, `{{secrets.X}}`"
    ),
    "filters `upper`, `lower`, `trim`, `length`, `first`, `join`, `split`, `default`, `number`, `string`": (
        "methods and functions of ours"
    ),
    "other filters and functions, `{% … %}`": "left out (unmapped)",
}
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "STRING": {"type": "string"},
    "TEXT": {"type": "string"},
    "INT": {"type": "integer"},
    "FLOAT": {"type": "number"},
    "BOOLEAN": {"type": "boolean"},
    "BOOL": {"type": "boolean"},
    "DATETIME": {"type": "string", "format": "date-time"},
    "DATE": {"type": "string", "format": "date"},
    "TIME": {"type": "string"},
    "DURATION": {"type": "string"},
    "URI": {"type": "string"},
    "EMAIL": {"type": "string"},
    "SELECT": {"type": "string"},
    "ENUM": {"type": "string"},
    "MULTISELECT": {"type": "array", "items": {"type": "string"}},
    "ARRAY": {"type": "array"},
    "JSON": {},
    "YAML": {},
}
_UNMAPPED: Final = (
    "concurrency",
    "pluginDefaults",
    "taskDefaults",
    "listeners",
    "sla",
    "retry",
    "workerGroup",
    "checks",
)
_TRIGGERS: Final = {"Schedule": "schedule", "Webhook": "webhook", "Flow": "workflow"}


def import_kestra(source: Any) -> Imported:
    """A workflow that does what a flow does, as far as it can be said; raises nothing but TooManyTasks."""
    draft = Draft()
    flow = mapping(source)
    reader = Reader(draft)
    tasks: list[Task] = []
    constants, computed = _variables(reader, mapping(flow.get("variables")))
    body = Body(reader, tasks)
    body.sequence(flow.get("tasks"), START, ("tasks",))
    ids = [str(task["id"]) for task in tasks if not task.get("continueOnError")]
    for key, rule in (("errors", "one_failed"), ("finally", "all_done"), ("afterExecution", "all_done")):
        _behind(body, flow.get(key), (key,), ids, rule)
    for key in _UNMAPPED:
        if key in flow:
            draft.unmapped((key,), f"{key} is left out")
    for place, said in texts(flow):
        if "{%" in said:
            draft.unmapped(place, "a block of Pebble is left as it is")
    if not tasks:
        draft.unmapped(("tasks",), "there is no task that could be taken over")
    description = text(flow.get("description"))
    spec: dict[str, Any] = {
        "description": description or None,
        "input": _inputs(draft, flow),
        "config": constants,
        "state": reader.templates.value(computed, ("variables",)),
        "tasks": tasks,
        "output": _outputs(reader, flow),
        "triggers": _triggers(draft, flow),
    }
    metadata: dict[str, Any] = {}
    labels = _labels(flow.get("labels"))
    if labels:
        metadata["labels"] = labels
    if isinstance(flow.get("namespace"), str):
        metadata["namespace"] = slug(flow["namespace"], "default")
    return draft.finish(flow.get("id", "flow"), spec, **metadata)


def _variables(reader: Reader, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those that are constants, and those that hold expressions, which the reader knows from then on."""
    computed = {
        str(name): value for name, value in given.items() if any(BRACES.search(said) for _, said in texts(value))
    }
    for name in computed:
        said = "it is computed wherever it is read, also where render() is missing and its text would have been given"
        reader.draft.changed(("variables", name), said)
    reader.pebble.computed = frozenset(computed)
    return {str(name): value for name, value in given.items() if name not in computed}, computed


def _behind(body: Body, source: Any, path: tuple[str], ids: list[str], rule: str) -> None:
    """Tasks behind all others: the first of them carries the rule."""
    before = len(body.tasks)
    body.sequence(source, START, path)
    if len(body.tasks) > before and ids:
        body.tasks[before] |= {"dependsOn": ids, "triggerRule": rule}


def _inputs(draft: Draft, flow: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for index, given in enumerate(listing(flow.get("inputs"))):
        one = mapping(given)
        name = one.get("id", one.get("name"))
        if not isinstance(name, str):
            draft.unmapped(("inputs", index), "an input without a name")
            continue
        kind = text(one.get("type"), "STRING")
        if kind not in _TYPES:
            draft.unmapped(("inputs", index), f"the type {kind[:40]} has no counterpart: any value is taken")
        schema: dict[str, Any] = deepcopy(_TYPES.get(kind, {}))
        if isinstance(one.get("description"), str):
            schema["description"] = one["description"]
        values = [value for value in listing(one.get("values")) if isinstance(value, str)]
        if values:
            schema.get("items", schema)["enum"] = values
        for key, ours in (("min", "minimum"), ("max", "maximum")):
            bound = number(one.get(key))
            if bound is not None:
                schema[ours] = bound
        default = one.get("defaults", one.get("default"))
        if default is not None:
            schema["default"] = default
        elif one.get("required", True) is not False:
            required.append(name)
        properties[name] = schema
    if not properties:
        return {}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _outputs(reader: Reader, flow: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, given in enumerate(listing(flow.get("outputs"))):
        one = mapping(given)
        if isinstance(one.get("id"), str):
            found[one["id"]] = reader.templates.value(one.get("value"), ("outputs", index, "value"))
    return found


def _labels(source: Any) -> dict[str, str]:
    pairs = (
        source.items()
        if isinstance(source, dict)
        else ((mapping(one).get("key"), mapping(one).get("value")) for one in listing(source))
    )
    return {slug(key, "label"): str(value)[:256] for key, value in pairs if isinstance(key, str)}


def _triggers(draft: Draft, flow: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, given in enumerate(listing(flow.get("triggers"))):
        one = mapping(given)
        kind = _TRIGGERS.get(text(one.get("type")).rpartition(".")[2])
        if kind is None:
            draft.unmapped(("triggers", index), f"a trigger of type {text(one.get('type'), '?')[:80]} is left out")
            continue
        made: dict[str, Any] = {"type": kind}
        for key, ours in (("id", "id"), ("cron", "cron"), ("timezone", "timezone")):
            if isinstance(one.get(key), str):
                made[ours] = one[key]
        if truth(one.get("disabled")):
            made["disabled"] = True
        if one.keys() & {"conditions", "inputs", "key", "preconditions", "dependsOn"}:
            draft.unmapped(("triggers", index), "conditions, keys and inputs of triggers are left out")
        found.append(made)
    return found
