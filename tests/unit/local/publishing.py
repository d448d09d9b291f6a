"""An API that only publishes: it keeps what it is sent, and refuses documents that hold the word broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from millrace.local.client import Client
from millrace.local.template import Route
from tests.unit.local.serving import serving

WORKFLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: sample}
spec:
  tasks:
    - id: shape
      type: transform
      input: {items: [1, 2]}
      transform: [{limit: 1}]
"""


@contextmanager
def publishing() -> Iterator[tuple[Client, list[str]]]:
    """A client, and the texts that were published, in order."""
    kept: list[str] = []

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        text = event["body"]
        if "broken" in text:
            body = {"detail": "no", "hint": "mend", "findings": [{"line": 1, "column": 2, "message": "m"}]}
            return {"statusCode": 422, "body": json.dumps(body)}
        known = text in kept
        if not known:
            kept.append(text)
        return {"statusCode": 200 if known else 201, "body": json.dumps({"name": "sample", "version": str(len(kept))})}

    with serving({"P": handler}, [Route("P", "POST", f"/api/v1/{kind}") for kind in ("workflows", "tasks")]) as client:
        yield client, kept
