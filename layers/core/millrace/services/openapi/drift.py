"""What changed for the users of a task when its operation did, each change with a rule and whether it breaks them."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.openapi.references import mapping
from millrace.services.openapi.schema_drift import Change, schema_changes

RULES: Final = {
    "operation-removed": "The document no longer holds the operation; the task stays as it is.",
    "operation-refused": "The document holds the operation, but it can no longer be made a task.",
    "operation-renamed": "The operation is another task now, since its operation id changed; this one stays as it is.",
    "required-input-added": "A new input must be given.",
    "input-added": "A new input may be given.",
    "input-removed": "An input is no longer taken.",
    "input-now-required": "An input that could be left out must be given.",
    "input-now-optional": "An input that had to be given may be left out.",
    "input-type-narrowed": "An input takes fewer types.",
    "input-type-widened": "An input takes more types.",
    "input-type-changed": "An input takes other types.",
    "input-enum-narrowed": "An input takes fewer values.",
    "input-enum-widened": "An input takes more values.",
    "input-enum-changed": "An input takes other values.",
    "input-limits-tightened": "An input has tighter limits.",
    "input-limits-loosened": "An input has looser limits.",
    "output-field-removed": "A field of the output is gone.",
    "output-field-added": "The output has a new field.",
    "output-field-now-required": "A field of the output is always there now.",
    "output-field-now-optional": "A field of the output may be missing.",
    "output-type-narrowed": "A field of the output has fewer types.",
    "output-type-widened": "A field of the output has more types.",
    "output-type-changed": "A field of the output has other types.",
    "output-enum-narrowed": "A field of the output has fewer values.",
    "output-enum-widened": "A field of the output has more values.",
    "output-enum-changed": "A field of the output has other values.",
    "output-limits-tightened": "A field of the output has tighter limits.",
    "output-limits-loosened": "A field of the output has looser limits.",
    "schema-changed": "A part that combines schemas changed; it counts as breaking, since it cannot be judged.",
    "success-codes-changed": "Other statuses count as a success.",
    "auth-changed": "The task authenticates in another way, or with another secret.",
    "address-changed": "The request goes to another address or uses another method.",
    "request-changed": "The request is spelled in another way.",
    "response-check-changed": "Answers are checked against their schema now, or no longer.",
    "description-changed": "Words changed: description, tags, category or examples.",
    "deprecated": "The operation is deprecated now.",
}
"""Every rule of the drift report and what it says."""


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The changes from one generated task document to the next, breaking ones first."""
    was, now = mapping(old.get("spec")), mapping(new.get("spec"))
    found = schema_changes(was.get("inputSchema", {}), now.get("inputSchema", {}), side="input")
    found += schema_changes(_answer(was), _answer(now), side="output")
    found += _request(mapping(was.get("request")), mapping(now.get("request")))
    if not _deprecated(old) and _deprecated(new):
        found.append(Change("deprecated", False, "", RULES["deprecated"]))
    words = ("description", "tags", "category", "examples")
    if any(was.get(key) != now.get(key) for key in words):
        found.append(Change("description-changed", False, "", RULES["description-changed"]))
    return sorted(found, key=lambda change: (not change.breaking, change.rule, change.where))


def _answer(spec: dict[str, Any]) -> Any:
    """The output schema without the statuses: which of them are a success is a rule of its own."""
    schema = mapping(spec.get("outputSchema"))
    fields = {key: value for key, value in mapping(schema.get("properties")).items() if key != "status"}
    return {**schema, "properties": fields}


def _request(was: dict[str, Any], now: dict[str, Any]) -> list[Change]:
    found = []
    for rule, breaking, keys in (
        ("success-codes-changed", True, ("successCodes",)),
        ("auth-changed", True, ("auth",)),
        ("address-changed", False, ("method", "url")),
        ("request-changed", False, ("headers", "query", "body", "form", "bodyText")),
    ):
        changed = [key for key in keys if was.get(key) != now.get(key)]
        if changed:
            found.append(Change(rule, breaking, ", ".join(f"request.{key}" for key in changed), RULES[rule]))
    if ("responseSchema" in was) != ("responseSchema" in now):
        now_checked = "responseSchema" in now
        rule = "response-check-changed"
        found.append(Change(rule, now_checked, "request.responseSchema", RULES[rule]))
    return found


def _deprecated(document: dict[str, Any]) -> bool:
    about = mapping(mapping(mapping(document.get("metadata")).get("annotations")).get("openapi"))
    return about.get("deprecated") is True
