"""Old events, brought up to date on read, for ever.

Each step takes the events of one schema version, as plain JSON objects, to the next. A release that changes what an
event looks like raises `millrace.engine.events.SCHEMA_VERSION` and adds a step here; histories of every release
stay in ``tests/replay/histories``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millrace.base.errors import Corrupt
from millrace.engine.events import SCHEMA_VERSION

Step = Callable[[dict[str, Any]], dict[str, Any]]


def _from_0(event: dict[str, Any]) -> dict[str, Any]:
    """Version 0, the format before the first release, called the failure of a result ``error``."""
    if event.get("type") in ("AttemptFinished", "TaskFinished", "ExecutionFinished") and "error" in event:
        event = {**event, "failure": event["error"]}
        del event["error"]
    return event


STEPS: dict[int, Step] = {0: _from_0}


def upcast(events: list[dict[str, Any]], version: int) -> list[dict[str, Any]]:
    """``events`` of schema ``version`` as the present version has them. Raises Corrupt for a version from the
    future."""
    if version > SCHEMA_VERSION:
        raise Corrupt(
            f"The log was written with event schema {version}; this build reads up to {SCHEMA_VERSION}.",
            hint="Deploy the release that wrote it, or a later one.",
        )
    for step in range(version, SCHEMA_VERSION):
        events = [STEPS[step](event) for event in events]
    return events
