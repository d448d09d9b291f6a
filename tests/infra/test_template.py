"""The template grants no more than it must, keeps its logs for a stated time, and names only code that exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.template import load_document, read_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
DOCUMENT: dict[str, Any] = load_document(TEMPLATE.read_text())
RESOURCES: dict[str, Any] = DOCUMENT["Resources"]
FUNCTIONS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
STATEMENTS = [
    (name, statement)
    for name, properties in FUNCTIONS.items()
    for policy in properties.get("Policies", [])
    for statement in policy["Statement"]
]
SERVICE_WIDE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "states:SendTaskSuccess"}
"""Actions that AWS does not tie to a resource."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def permissions() -> int:
    return sum(len(properties.get("Events", {})) for properties in FUNCTIONS.values())


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_no_statement_allows_every_action_of_a_service(function: str, statement: dict[str, Any]) -> None:
    assert [] == [action for action in as_list(statement["Action"]) if "*" in action]


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_no_statement_reaches_every_resource(function: str, statement: dict[str, Any]) -> None:
    if set(as_list(statement["Action"])) <= SERVICE_WIDE:
        return
    assert "*" not in [resource for resource in as_list(statement["Resource"]) if isinstance(resource, str)]


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_every_statement_says_what_it_is_for(function: str, statement: dict[str, Any]) -> None:
    assert "Allow" == statement["Effect"]
    assert statement["Sid"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_logs_to_a_group_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert {"Ref": "LogRetentionDays"} == RESOURCES[group]["Properties"]["RetentionInDays"]


def test_every_log_group_has_a_retention() -> None:
    groups = [r["Properties"] for r in RESOURCES.values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(FUNCTIONS) < len(groups)
    assert [] == [group for group in groups if "RetentionInDays" not in group]


def test_every_function_and_layer_is_for_arm64_and_python_3_13() -> None:
    shared = DOCUMENT["Globals"]["Function"]
    assert (["arm64"], "python3.13") == (shared["Architectures"], shared["Runtime"])
    assert [] == [name for name, p in FUNCTIONS.items() if "Architectures" in p or "Runtime" in p]
    layers = [r for r in RESOURCES.values() if r["Type"] == "AWS::Serverless::LayerVersion"]
    assert ["arm64"] * 2 == [layer["Metadata"]["BuildArchitecture"] for layer in layers]
    assert [["arm64"]] * 2 == [layer["Properties"]["CompatibleArchitectures"] for layer in layers]


def test_tracing_is_on_everywhere() -> None:
    assert "Active" == DOCUMENT["Globals"]["Function"]["Tracing"]
    assert RESOURCES["Api"]["Properties"]["TracingEnabled"]


def test_every_function_has_its_code() -> None:
    template = read_template(TEMPLATE)
    paths = [function.folder / f"{function.handler.split('.')[0]}.py" for function in template.functions]
    assert len(FUNCTIONS) == len(paths)
    assert [] == [path for path in paths if not path.is_file()]


def test_every_function_folder_is_in_the_template() -> None:
    folders = {function.folder for function in read_template(TEMPLATE).functions}
    assert folders == {path.parent for path in (ROOT / "functions").glob("*/app.py")}


def test_every_method_is_explicit() -> None:
    assert {"GET", "POST", "PUT", "DELETE"} >= {route.method for route in read_template(TEMPLATE).routes}


def test_every_method_but_health_asks_who_calls() -> None:
    events = [event["Properties"] for p in FUNCTIONS.values() for event in p.get("Events", {}).values()]
    open_to_all = [event["Path"] for event in events if event.get("Auth", {}).get("Authorizer") == "NONE"]
    assert ["/api/v1/health"] == open_to_all
    assert "AWS_IAM" == RESOURCES["Api"]["Properties"]["Auth"]["DefaultAuthorizer"]


def test_the_stack_stays_far_below_the_limit_of_500_resources() -> None:
    # Beside what is written: a role per function, a permission per API event, deployment and stage of the API.
    assert 350 > len(RESOURCES) + len(FUNCTIONS) + permissions() + 2


def test_no_secret_is_written_into_the_template() -> None:
    assert [] == [text for text in texts(DOCUMENT) if "AKIA" in text or "-----BEGIN" in text]
