"""Documents: reading, models, findings, checks, hashes, references, and what is made from them."""

from millrace.spec.checks import check_task, check_workflow
from millrace.spec.checks.recursion import sure_calls
from millrace.spec.dependencies import dependencies
from millrace.spec.findings import CODES, Finding, has_errors, in_order, pointer
from millrace.spec.formatting import format_source
from millrace.spec.hashes import behaviour_hash, content_hash
from millrace.spec.input_check import InputCheck, InvalidInput, MissingInput, validate_input
from millrace.spec.json_schema import document_schema
from millrace.spec.load import Loaded, load, load_source
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
from millrace.spec.references import Reference, references, wanted_tasks, wanted_workflows
from millrace.spec.registry import TaskType, find_type, known_types, register_type, unregister_type
from millrace.spec.render import findings_text, sarif
from millrace.spec.schema_check import schema_problems
from millrace.spec.source import Media, Source, parse_document, parse_documents

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
