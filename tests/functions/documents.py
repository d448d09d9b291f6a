"""Documents for tests, built with only what a test is about."""

from __future__ import annotations

from typing import Any

HEAD = {"apiVersion": "workflow.io/v1"}


def workflow(name: str = "hello", *, tasks: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    """A workflow of one transform, unless ``tasks`` says otherwise; ``spec`` adds or replaces keys."""
    body = {"tasks": tasks if tasks is not None else [step("first")], **spec}
    return {**HEAD, "kind": "Workflow", "metadata": {"name": name}, "spec": body}


def task(name: str = "shorten", *, limit: int = 1, **spec: Any) -> dict[str, Any]:
    """A reusable transform."""
    body = {"type": "transform", "transform": [{"limit": limit}], **spec}
    return {**HEAD, "kind": "WorkflowTask", "metadata": {"name": name}, "spec": body}


def step(task_id: str, *, limit: int = 1, **more: Any) -> dict[str, Any]:
    """A transform task."""
    return {"id": task_id, "type": "transform", "input": {"items": [1, 2, 3]}, "transform": [{"limit": limit}], **more}


YAML_WORKFLOW = """\
# What this is for
apiVersion: workflow.io/v1
kind: Workflow
metadata:
  name: hello   # the name
spec:
  description: Says hello
  categories: [demo]
  tags: [greeting]
  examples: [{name: one, input: {who: Ann}}]
  input: {type: object, required: [who], properties: {who: {type: string, description: Whom to greet}}}
  tasks:
    - id: greet
      type: transform
      input: {items: ["{{input.who}}"]}
      transform: [{limit: 1}]
"""
YAML = {"Content-Type": "application/yaml"}
