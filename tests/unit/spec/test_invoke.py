"""The `lambda` type in documents: its keys stand beside those of every task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.spec import Loaded, Workflow, check_workflow, load
from millrace.spec.json_schema import document_schema
from millrace.spec.tasks import LAMBDA
from millrace.spec.tasks.invoke import Invoke


def read(**task: Any) -> Loaded:
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"tasks": [{"id": "a", "type": "lambda", **task}]},
    }
    return load(json.dumps(document).encode(), media="json")


def problems(**task: Any) -> list[str]:
    loaded = read(**task)
    findings = list(loaded.findings)
    if isinstance(loaded.document, Workflow) and loaded.source is not None:
        findings += check_workflow(loaded.document, loaded.source, tasks={})
    return [f"{one.code} {'.'.join(map(str, one.path[3:]))}" for one in findings if one.severity == "error"]


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"function": "price"}, []),
        ({"function": "price:live", "payload": [1], "invocation": "event", "timeout": "5s"}, []),
        ({"function": "arn:aws:lambda:eu-central-1:123456789012:function:price:7"}, []),
        ({"function": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:p"}, []),
        ({"function": "f:$LATEST"}, []),
        ({"function": "{{env.FN}}", "payload": {"now": "{{execution.id}}"}}, []),
        ({}, ["missing-key function"]),
        ({"function": ""}, ["bad-value function"]),
        ({"function": "a b"}, ["bad-value function"]),
        ({"function": "x" * 100}, ["bad-value function"]),
        ({"function": "arn:aws:s3:::bucket"}, ["bad-value function"]),
        ({"function": "f", "invocation": "dryRun"}, ["bad-value invocation"]),
        ({"function": "f", "payload": {"key": "{{secrets.k}}"}}, ["secret-misplaced payload.key"]),
        ({"function": "f", "payload": {"x": "{{tasks.other.output}}"}}, ["unknown-task payload.x"]),
        ({"function": "f", "request": {"url": "https://a.test/"}}, ["unknown-key request"]),
    ],
    ids=range(15),
)
def test_a_function_is_named_and_given_what_it_may_have(task: dict[str, Any], found: list[str]) -> None:
    assert found == problems(**task)


def test_the_keys_of_a_function_belong_to_its_type() -> None:
    document = {
        "apiVersion": "workflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"tasks": [{"id": "a", "type": "http", "request": {"url": "https://a.test/"}, "payload": 1}]},
    }
    (finding,) = load(json.dumps(document).encode(), media="json").findings
    assert '"payload" belongs to tasks of type lambda' == finding.message


def test_the_shape_of_an_answer_is_known_as_far_as_it_can_be() -> None:
    wait, leave = (
        LAMBDA.output_schema(Invoke.model_validate({"function": "f", "invocation": kind}))
        for kind in ("requestResponse", "event")
    )
    assert wait is not None
    assert leave is not None
    assert ({}, {"type": "null"}) == (wait["properties"]["payload"], leave["properties"]["payload"])
    assert "unknown" == LAMBDA.effect(Invoke.model_validate({"function": "f"}))


def test_editors_are_told_the_keys() -> None:
    task = document_schema("Workflow")["$defs"]["Task"]
    assert {"function", "payload", "invocation"} <= set(task["properties"])
    assert {"required": ["function"]} in [rule["then"] for rule in task["allOf"]]
