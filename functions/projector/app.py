"""The function that DynamoDB Streams call: committed segments become statistics."""

from __future__ import annotations

from typing import Any

from millrace.wiring.projecting import project


def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """One batch of a shard, in order. An error makes the stream deliver it again."""
    return {"records": project(event)}
