"""The history of an execution, in order, by position; with a long poll for what comes next."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from millrace.base.canonical import dumps
from millrace.base.limits import EVENTS_SHOWN_BYTES
from millrace.engine.events import ExecutionFinished
from millrace.services.caller import Caller
from millrace.services.get_execution import known_actor
from millrace.services.platform import Platform
from millrace.services.times import rfc3339
from millrace.store.history import history_page, place_of

LOOK_S = 0.1


def execution_events(
    platform: Platform, caller: Caller, execution: str, *, after: str, limit: int, wait_ms: int
) -> dict[str, Any]:
    """``items`` that follow ``after`` (-1 for all), at most ``limit`` and, but for the first, 1 MiB; ``next`` is the
    ``after`` of the following call, ``complete`` says that nothing will follow. Waits up to ``wait_ms`` when there is
    nothing yet. Raises NotFound, and InvalidRequest for an ``after`` that is no place in a history."""
    place = place_of(after)
    end = time.monotonic() + wait_ms / 1000
    while True:
        done = known_actor(platform, caller, execution).done  # asked before reading, so that nothing can come after
        found = history_page(platform.documents, caller.scope, execution, after=place, limit=limit)
        left = end - time.monotonic()
        if found or done or left <= 0:
            break
        time.sleep(min(LOOK_S, left))
    items: list[dict[str, Any]] = []
    room = EVENTS_SHOWN_BYTES
    for count, entry in enumerate(found):
        body = msgspec.to_builtins(entry.event, str_keys=True, enc_hook=bytes, builtin_types=(bytes,))
        body["position"] = entry.position
        body["stream"] = entry.segment.stream
        body["owner"] = entry.segment.owner
        body["schema"] = entry.segment.v
        body["time"] = rfc3339(entry.event.at)
        readable = _readable(body)
        room -= len(dumps(readable))
        if items and room < 0:
            found = found[:count]
            break
        items.append(readable)
    complete = isinstance(found[-1].event, ExecutionFinished) if found else done
    return {"items": items, "next": (found[-1].place if found else place).text(), "complete": complete}


def _readable(body: Any) -> Any:
    """Inline values as JSON in place of their stored bytes; keys in camelCase."""
    if isinstance(body, dict):
        if "sha256" in body and "size" in body:
            return _value(body)
        return {_camel(key): _readable(value) if key not in _USER_KEYS else value for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [_readable(item) for item in body]
    return body


def _value(body: dict[str, Any]) -> dict[str, Any]:
    shown = {"sha256": body["sha256"], "size": body["size"]}
    if body.get("inline"):
        shown["inline"] = msgspec.json.decode(body["inline"])
    if body.get("blob"):
        shown["ref"] = "/".join(body["blob"])
    if body.get("secrets"):
        shown["secrets"] = [{"path": list(path), "parts": parts} for path, parts in body["secrets"]]
    return shown


_USER_KEYS = frozenset({"labels", "trigger", "details", "env"})


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(part.capitalize() for part in rest)
