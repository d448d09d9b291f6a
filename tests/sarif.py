"""What every reader of SARIF 2.1.0 relies on (OASIS, sections 3.13 to 3.38), as a schema of our own and two laws."""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator

_TEXT: Final = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_LEVEL: Final = {"enum": ["none", "note", "warning", "error"]}
_URI: Final = {"type": "string", "minLength": 1, "pattern": r"^[A-Za-z0-9._~!$&'()*+,;=:@/?#%-]+$"}
_LINE: Final = {"type": "integer", "minimum": 1}
_LOCATION: Final = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": _URI}},
                "region": {
                    "type": "object",
                    "required": ["startLine", "startColumn"],
                    "properties": {"startLine": _LINE, "startColumn": _LINE},
                },
            },
        },
        "logicalLocations": {
            "type": "array",
            "items": {"type": "object", "properties": {"fullyQualifiedName": {"type": "string"}}},
        },
    },
    "additionalProperties": False,
}
_RESULT: Final = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": _LEVEL,
        "message": _TEXT,
        "locations": {"type": "array", "minItems": 1, "items": _LOCATION},
    },
    "additionalProperties": False,
}
_RULE: Final = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "shortDescription": _TEXT,
        "defaultConfiguration": {"type": "object", "properties": {"level": _LEVEL}},
    },
    "additionalProperties": False,
}
_DRIVER: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"const": "millrace"}, "rules": {"type": "array", "uniqueItems": True, "items": _RULE}},
    "additionalProperties": False,
}
_RUN: Final = {
    "type": "object",
    "required": ["tool", "results", "columnKind"],
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": _DRIVER}},
        "columnKind": {"const": "unicodeCodePoints"},
        "results": {"type": "array", "items": _RESULT},
    },
    "additionalProperties": False,
}
SCHEMA: Final = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": _RUN},
    },
    "additionalProperties": False,
}


def faults(log: Any) -> list[str]:
    """What a reader of SARIF would refuse in a log; nothing for a good one."""
    found = [f"{list(one.absolute_path)}: {one.message}" for one in Draft202012Validator(SCHEMA).iter_errors(log)]
    if found:
        return found
    for run in log["runs"]:
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        if len(rules) != len(set(rules)):
            found.append("a rule is there twice")
        for result in run["results"]:
            if rules[result["ruleIndex"] : result["ruleIndex"] + 1] != [result["ruleId"]]:
                found.append(f"the rule index of {result['ruleId']} leads to another rule")
    return found
