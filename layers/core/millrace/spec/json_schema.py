"""JSON Schemas (2020-12) of all kinds of document, made from the models, for editors and for suggestions."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from millrace.base.scalars import format_duration
from millrace.spec.field_texts import describe
from millrace.spec.known import DEPENDENCY_ALIASES, KEPT, KEPT_EXECUTION, KEPT_SPEC, TASK_ALIASES
from millrace.spec.models import Task, Workflow, WorkflowTask
from millrace.spec.models.fields import DURATION_SCHEMA, Model
from millrace.spec.models.workflow_test import WorkflowTest
from millrace.spec.registry import TaskType, all_types

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Final[dict[str, type[BaseModel]]] = {"Workflow": Workflow, "WorkflowTask": WorkflowTask}
FILES: Final = {
    "Workflow": "workflow.schema.json",
    "WorkflowTask": "workflow-task.schema.json",
    "WorkflowTest": "workflow-test.schema.json",
}


def document_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of ``Workflow``, ``WorkflowTask`` or ``WorkflowTest``; the caller may change its copy."""
    if kind == "WorkflowTest":
        return copy.deepcopy(_built_tests())
    types = all_types() if kind == "Workflow" else tuple(one for one in all_types() if not one.composes)
    return copy.deepcopy(_built(kind, types))


@cache
def _built_tests() -> dict[str, Any]:
    schema = _schema_of(WorkflowTest)
    _cases(schema["$defs"])
    _for_readers(schema)
    return {"$schema": DIALECT, "title": "WorkflowTest", **schema}


@cache
def _built(kind: str, types: tuple[TaskType, ...]) -> dict[str, Any]:
    schema = _schema_of(_MODELS[kind])
    definitions = schema["$defs"]
    holder = definitions["Task" if kind == "Workflow" else "WorkflowTaskSpec"]
    required: dict[str, list[str]] = {}
    if kind == "Workflow":
        for key, model in Task.inner_models().items():
            inner = _schema_of(model)
            inner.pop("$defs", None)
            definitions[model.__name__] = inner
            said = holder["properties"][key]["description"]
            holder["properties"][key] = {"$ref": f"#/$defs/{model.__name__}", "description": said}
    for task_type in types:
        if task_type.config is not None:
            block = _schema_of(task_type.config)
            for name, shape in block.pop("$defs", {}).items():
                definitions.setdefault(name, shape)  # what holds tasks brings the plain Task with it
            if task_type.key is None:
                for key, shape in block["properties"].items():
                    shape["description"] = f"Of a task of type {task_type.name}: {shape['description']}"
                    holder["properties"][key] = shape
                required[task_type.name] = block["required"]
            else:
                definitions[task_type.config.__name__] = block
                holder["properties"][task_type.key] = {"$ref": f"#/$defs/{task_type.config.__name__}"}
                required[task_type.name] = [task_type.key]
    names = [task_type.name for task_type in types]
    holder["properties"]["type"] = {
        "type": "string",
        "enum": names,
        "description": holder["properties"]["type"].get("description", ""),
    }
    holder["allOf"] = [_needs_keys(t, required[t.name]) for t in types if t.name in required]
    if kind == "Workflow":
        alone = [{"required": [t.naming_key], "not": {"required": ["type"]}} for t in types if t.naming_key]
        holder["oneOf"] = [{"required": ["type"]}, {"required": ["taskRef"]}, *alone]
        _dependencies(holder, definitions)
        _cases(definitions)
        _keep(definitions["WorkflowSpec"], KEPT | KEPT_SPEC)
        _keep(definitions["Execution"], KEPT_EXECUTION)
    _keep(holder, KEPT)
    if kind == "Workflow":
        _inline(holder, definitions)
    _for_readers(schema)
    return {"$schema": DIALECT, "title": kind, **schema}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    describe(schema, model, Model)
    return schema


def _inline(task: dict[str, Any], definitions: dict[str, Any]) -> None:
    """The places where a task stands without an id."""
    properties = {key: shape for key, shape in task["properties"].items() if key != "id"}
    without = {key: shape for key, shape in task.items() if key != "required"}
    definitions["InlineTask"] = {**without, "properties": properties, "description": "A task without an id."}
    inline = {"$ref": "#/$defs/InlineTask"}
    stand_in = definitions["Fallback"]["properties"]["task"]
    definitions["Fallback"]["properties"]["task"] = {
        "anyOf": [{"type": "string"}, inline],
        "description": stand_in["description"],
    }
    spec = definitions["WorkflowSpec"]["properties"]
    several = {
        "type": "object",
        "properties": {"tasks": spec["tasks"]},
        "required": ["tasks"],
        "additionalProperties": False,
    }
    spec["onFailure"] = {"anyOf": [several, inline], "description": spec["onFailure"]["description"]}


def _needs_keys(kind: TaskType, required: list[str]) -> dict[str, Any]:
    """The keys of a type are there with it and nowhere else; a key may name the type by itself."""
    named: dict[str, Any] = {"properties": {"type": {"const": kind.name}}, "required": ["type"]}
    if kind.naming_key is not None:
        named = {"anyOf": [named, {"required": [kind.naming_key], "not": {"required": ["type"]}}]}
    others = [{"required": [key]} for key in kind.keys]
    return {
        "if": named,
        "then": {"required": required},
        "else": {"not": others[0] if len(others) == 1 else {"anyOf": others}},
    }


def _dependencies(task: dict[str, Any], definitions: dict[str, Any]) -> None:
    for alias, name in TASK_ALIASES.items():
        task["properties"][alias] = {"deprecated": True, "description": f"Another tool's spelling of {name}."}
    dependency = definitions["Dependency"]
    for alias, name in DEPENDENCY_ALIASES.items():
        dependency["properties"][alias] = {"deprecated": True, "description": f"Another tool's spelling of {name}."}
    pattern = dependency["properties"]["task"]["pattern"]
    items = {"anyOf": [{"type": "string", "pattern": pattern}, {"$ref": "#/$defs/Dependency"}]}
    task["properties"]["dependsOn"]["items"] = items


def _cases(definitions: dict[str, Any]) -> None:
    """Of tests: one result in place of a list of one, a status in place of a mapping with nothing else."""
    results = definitions["Case"]["properties"]["tasks"]
    results["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/MockResult"}, results["additionalProperties"]]}
    tasks = definitions["Expected"]["properties"]["tasks"]
    status = definitions["ExpectedTask"]["properties"]["status"]["anyOf"][0]
    tasks["additionalProperties"] = {"anyOf": [status, tasks["additionalProperties"]]}


def _keep(holder: dict[str, Any], keys: frozenset[str]) -> None:
    for key in sorted(keys):
        holder["properties"].setdefault(key, {"description": "Known, not available yet: kept, and does nothing."})


def _for_readers(place: Any) -> None:
    """Defaults of durations as a document writes them; no titles, since they repeat the keys."""
    if isinstance(place, dict):
        if place.get("examples") == DURATION_SCHEMA["examples"] and isinstance(place.get("default"), int):
            place["default"] = format_duration(place["default"])
        if isinstance(place.get("title"), str):
            del place["title"]
        for key, below in place.items():
            if key == "properties":
                for shape in below.values():
                    _for_readers(shape)
            else:
                _for_readers(below)
    elif isinstance(place, list):
        for below in place:
            _for_readers(below)
