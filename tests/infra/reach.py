"""What a function asks of AWS, noted as the IAM actions and resources that it needs, and what the template grants.

The emulators judge no policy, so a function that lacks a permission works in every other test. Here each function gets
clients of its own whose calls are noted, and both lists are written in the same words: an action, and the table, index,
bucket, machine or secrets that it is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from millrace.services.platform import Platform
from tests.conformance.documents.cloud import TABLES

Need = tuple[str, str]

_TABLES = {name: table.value for table, name in TABLES.items()}
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OBJECTS = {
    "GetObject": "GetObject",
    "PutObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListObjectsV2": "ListBucket",
}


def note(platform: Platform, needs: set[Need], machines: dict[str, str]) -> None:
    """Add what the platform's clients are asked for to ``needs``. ``machines`` are names by ARN."""

    def noted(params: dict[str, Any], model: Any, **_: Any) -> None:
        needs.update(_needs(model.service_model.service_name, model.name, params, machines))

    made: Any = platform
    clients = [made.documents.caller.connection().client]
    clients += [adapter._client for adapter in (made.blobs, made.secrets, made.orchestrator)]
    for client in clients:
        client.meta.events.register_first("before-parameter-build", noted)


def _needs(service: str, operation: str, params: dict[str, Any], machines: dict[str, str]) -> Iterator[Need]:
    match service:
        case "dynamodb":
            yield from _of_tables(operation, params)
        case "s3":
            yield f"s3:{_OBJECTS[operation]}", "bucket" if operation == "ListObjectsV2" else "objects"
        case "stepfunctions":
            machine = machines[params["stateMachineArn"]] if "stateMachineArn" in params else "execution"
            yield f"states:{operation}", machine
        case _:
            yield f"{service}:{operation}", "secrets"


def _of_tables(operation: str, params: dict[str, Any]) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for request in params["TransactItems"]:
            ((kind, arguments),) = request.items()
            yield f"dynamodb:{_TRANSACTED[kind]}", _TABLES[arguments["TableName"]]
    elif operation.startswith("Batch"):
        yield from ((f"dynamodb:{operation}", _TABLES[name]) for name in params["RequestItems"])
    else:
        index = "/index" if "IndexName" in params else ""
        yield f"dynamodb:{operation}", _TABLES[params["TableName"]] + index


def granted(policies: list[dict[str, Any]]) -> set[Need]:
    """What the policies of a function allow."""
    found: set[Need] = set()
    for statement in (one for policy in policies for one in policy["Statement"]):
        actions, resources = (
            value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
        )
        found.update((action, _named(json.dumps(resource))) for action in actions for resource in resources)
    return found


_RESOURCES = [
    (r"Outputs\.(\w+)TableArn.*/index/\*", lambda m: m[1].lower() + "/index"),
    (r"Outputs\.(\w+)TableArn", lambda m: m[1].lower()),
    (r"Outputs\.BlobBucketArn.*/", lambda _: "objects"),
    (r"Outputs\.BlobBucketArn", lambda _: "bucket"),
    (r"stateMachine:\$\{AWS::StackName\}-(execution|short|fan-out)", lambda m: m[1]),
    (r'"Ref": "(Execution|Short|FanOut)Machine"', lambda m: {"FanOut": "fan-out"}.get(m[1], m[1].lower())),
    (r":secret:\$\{AWS::StackName\}/secrets/\*", lambda _: "secrets"),
]


def _named(resource: str) -> str:
    for pattern, name in _RESOURCES:
        if found := re.search(pattern, resource):
            return name(found)
    return resource
