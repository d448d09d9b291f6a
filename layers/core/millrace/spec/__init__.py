"""Documents: reading, models, findings, checks, hashes, references, and what is made from them.

A name is imported from its module when it is asked for: a driver, which reads documents that were judged before,
waits for none of the checks. What is called like its module is imported at once: the module would hide it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from millrace.spec.dependencies import dependencies
from millrace.spec.load import Loaded, load, load_source
from millrace.spec.references import Reference, references, wanted_tasks, wanted_workflows

if TYPE_CHECKING:
    from millrace.spec.checks import check_task, check_workflow
    from millrace.spec.checks.recursion import sure_calls
    from millrace.spec.findings import CODES, Finding, has_errors, in_order, pointer
    from millrace.spec.formatting import format_source
    from millrace.spec.hashes import behaviour_hash, content_hash
    from millrace.spec.input_check import InputCheck, InvalidInput, MissingInput, validate_input
    from millrace.spec.json_schema import document_schema
    from millrace.spec.models import (
        CircuitBreaker,
        Dependency,
        Metadata,
        Retry,
        Task,
        TriggerRule,
        Workflow,
        WorkflowSpec,
        WorkflowTask,
    )
    from millrace.spec.models.fields import reference_name
    from millrace.spec.registry import TaskType, find_type, known_types, register_type, unregister_type
    from millrace.spec.render import findings_text, sarif
    from millrace.spec.schema_check import schema_problems
    from millrace.spec.source import Media, Source, parse_document, parse_documents

_NAMES: Final = {
    "checks": ("check_task", "check_workflow"),
    "checks.recursion": ("sure_calls",),
    "findings": ("CODES", "Finding", "has_errors", "in_order", "pointer"),
    "formatting": ("format_source",),
    "hashes": ("behaviour_hash", "content_hash"),
    "input_check": ("InputCheck", "InvalidInput", "MissingInput", "validate_input"),
    "json_schema": ("document_schema",),
    "models": (
        "CircuitBreaker",
        "Dependency",
        "Metadata",
        "Retry",
        "Task",
        "TriggerRule",
        "Workflow",
        "WorkflowSpec",
        "WorkflowTask",
    ),
    "models.fields": ("reference_name",),
    "registry": ("TaskType",),
    "render": ("findings_text", "sarif"),
    "schema_check": ("schema_problems",),
    "source": ("Media", "Source", "parse_document", "parse_documents"),
    "tasks": ("find_type", "known_types", "register_type", "unregister_type"),
}
_HOMES: Final = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


__all__ = [
    "CODES",
    "CircuitBreaker",
    "Dependency",
    "Finding",
    "InputCheck",
    "InvalidInput",
    "Loaded",
    "Media",
    "Metadata",
    "MissingInput",
    "Reference",
    "Retry",
    "Source",
    "Task",
    "TaskType",
    "TriggerRule",
    "Workflow",
    "WorkflowSpec",
    "WorkflowTask",
    "behaviour_hash",
    "check_task",
    "check_workflow",
    "content_hash",
    "dependencies",
    "document_schema",
    "find_type",
    "findings_text",
    "format_source",
    "has_errors",
    "in_order",
    "known_types",
    "load",
    "load_source",
    "parse_document",
    "parse_documents",
    "pointer",
    "reference_name",
    "references",
    "register_type",
    "sarif",
    "schema_problems",
    "sure_calls",
    "unregister_type",
    "validate_input",
    "wanted_tasks",
    "wanted_workflows",
]
