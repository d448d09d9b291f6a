"""What an answer of the API leaves out for its size, for those who print all of it."""

from __future__ import annotations

from typing import Any

from millrace.cli.output import Output
from millrace.local.client import Client, segment


def completed(client: Client, execution: dict[str, Any], output: Output) -> dict[str, Any]:
    """The execution with everything that will be printed of it: as JSON all of it, for people its output. Asks again
    only where something is missing. Raises Refused."""
    missing = "tasksLeftOut" in execution or "valuesLeftOut" in execution
    if not (missing if output.as_json else "output" in execution.get("leftOut", {})):
        return execution
    query = {"values": "all", "tasks": "all" if output.as_json else "some"}
    found: dict[str, Any] = client.call("GET", f"/executions/{segment(str(execution['id']))}", query=query)[1]
    return found
