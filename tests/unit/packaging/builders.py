"""Tenants with something to export, and packages taken apart, changed and put together again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from millrace.base.canonical import dumps
from millrace.services.export_workflow import export_workflow
from millrace.services.import_package import Order, import_package
from millrace.services.packaging.archive import write_archive
from millrace.services.packaging.unpacking import read_archive
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication, Published, publish_definition
from millrace.store.definitions import Kind
from tests.functions.documents import HEAD
from tests.functions.world import caller, platform

WHO = caller()

TASK = """\
# Cuts a list short
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: shorten}
spec: {type: transform, version: "1.2.0", transform: [{limit: 1}]}  # one is enough
"""
CALL = """\
# Reads a customer
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: read-customer}
spec:
  version: 2.0.0
  type: http
  request:
    url: https://api.example.com:8443/customers/{{input.id}}
    headers: {x-key: "{{secrets.crm-token}}", x-region: "{{env.REGION}}"}
"""
FLOW = """\
# Serves an order
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: order-flow, labels: {team: payments}}
spec:
  version: 2.1.0   # ours
  tasks:
    - {id: cut, taskRef: shorten@^1, input: {items: [1, 2]}}
    - {id: read, taskRef: read-customer, input: {id: "7"}}
    - id: tell
      type: http
      request: {url: "https://{{env.HOST}}/x", auth: {bearer: {secretRef: hook-token}}}
"""


def publish(
    world: Platform, kind: Kind, text: str | dict[str, Any], *, activate: bool = True, who: Any = WHO
) -> Published:
    if isinstance(text, str):
        return publish_definition(world, who, kind, Publication(text.encode(), "yaml", activate=activate))
    return publish_definition(world, who, kind, Publication(json.dumps(text).encode(), "json", activate=activate))


def stocked() -> Platform:
    """A tenant with a workflow that refers to two tasks."""
    world = platform()
    publish(world, "task", TASK)
    publish(world, "task", CALL)
    publish(world, "workflow", FLOW)
    return world


def package_of(world: Platform, name: str = "order-flow", **more: Any) -> bytes:
    return export_workflow(world, WHO, name, shape="package", **more).data


def bring(world: Platform, data: bytes, **how: Any) -> dict[str, Any]:
    return import_package(world, WHO, data, Order(**how))


def manifest_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_archive(data)["manifest.json"])
    return found


def remade(
    data: bytes,
    change: Callable[[dict[str, Any], dict[str, bytes]], object] = lambda manifest, files: None,
    *,
    digests: bool = True,
) -> bytes:
    """The package after ``change`` of its manifest and files, with digests that fit again unless told otherwise."""
    files = read_archive(data)
    manifest = json.loads(files.pop("manifest.json"))
    change(manifest, files)
    if digests:
        manifest["files"] = [
            {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in sorted(files.items())
            if path != "signature.json"
        ]
    return write_archive({"manifest.json": dumps(manifest), **files})


def reusable(name: str, limit: int, **spec: Any) -> dict[str, Any]:
    body = {"type": "transform", "transform": [{"limit": limit}], **spec}
    return {**HEAD, "kind": "WorkflowTask", "metadata": {"name": name}, "spec": body}


def flow(*references: str, name: str = "flow", **spec: Any) -> dict[str, Any]:
    """A workflow with one task for each reference."""
    tasks = [{"id": f"t{n}", "taskRef": ref, "input": {"items": [1]}} for n, ref in enumerate(references)]
    return {**HEAD, "kind": "Workflow", "metadata": {"name": name}, "spec": {"tasks": tasks, **spec}}
