"""Judge an input before anything is started: what is missing, what does not fit, and what to ask for."""

from __future__ import annotations

from typing import Any

from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.parsed_documents import task_of, workflow_of
from millrace.services.platform import Platform
from millrace.spec import validate_input as judge
from millrace.store.definitions import Kind


def validate_input(
    platform: Platform, caller: Caller, kind: Kind, name: str, value: Any, *, version: str | None = None
) -> dict[str, Any]:
    """``{valid, missingInputs, invalidInputs, suggestedPrompt}`` against the schema of a version (default: the
    active one). Raises NotFound, and Conflict when no version is active."""
    definitions = definitions_of(platform, caller)
    found = find_version(definitions, find_head(definitions, kind, name), version)
    if kind == "workflow":
        schema = workflow_of(definitions, found).spec.input
    else:
        schema = task_of(definitions, found).spec.input_schema
    return judge(schema, value).to_json()
