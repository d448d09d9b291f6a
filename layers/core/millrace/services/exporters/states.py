"""Single tasks as states."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from pydantic import BaseModel

from millrace.base.limits import DEFAULT_ATTEMPT_TIMEOUT_MS
from millrace.services.exporters.portable import NotPortable, Portable
from millrace.spec import Retry, Task
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.wait import Wait

HTTP: Final = "arn:aws:states:::http:invoke"
_CODES: Final = {"5xx": (500, 501, 502, 503, 504), "4xx": (400, 404, 408, 409, 422, 425, 429)}
_KINDS: Final = {"timeout": "States.Timeout", "network": "States.Http.Socket", "*": "States.ALL"}
_USUAL: Final = ("timeout", "network", 408, 425, 429, "5xx")
_SECRET: Final = re.compile(r"\{\{\s*secrets\.([A-Za-z_][\w-]*)\s*\}\}")
_REQUEST: Final = frozenset({"method", "url", "headers", "query", "body", "form", "body_text", "auth", "capture"})


def spelled(model: BaseModel, known: frozenset[str]) -> list[str]:
    """The keys that a document gives beside the known ones, as it spells them."""
    fields = type(model).model_fields
    return [fields[name].alias or name for name in sorted(model.model_fields_set - known)]


def http_state(task: Task, portable: Portable) -> dict[str, Any]:
    """An http task. Raises NotPortable."""
    block = task.block
    assert isinstance(block, HttpRequest)
    strange = spelled(block, _REQUEST)
    if strange:
        raise NotPortable(f"{', '.join(strange)} of a request")
    raw = task.block_json
    parameters = portable.payload({"ApiEndpoint": raw["url"]}) | {"Method": block.method}
    parameters["Authentication"] = {"ConnectionArn": f"${{{_connection(raw.get('auth'))}}}"}
    for key, theirs in (("headers", "Headers"), ("query", "QueryParameters"), ("bodyText", "RequestBody")):
        if key in raw:
            parameters |= portable.payload({theirs: raw[key]})
    for key in ("body", "form"):
        if key in raw:
            parameters |= portable.payload({"RequestBody": raw[key]})
    if "form" in raw:
        parameters["Transform"] = {"RequestBodyEncoding": "URL_ENCODED"}
        parameters.setdefault("Headers", {})["content-type"] = "application/x-www-form-urlencoded"
    output = {"status.$": "$.StatusCode", "body.$": "$.ResponseBody"}
    state: dict[str, Any] = {
        "Type": "Task",
        "Resource": HTTP,
        "Parameters": parameters,
        "ResultSelector": {"status": "succeeded", "output": output},
        "TimeoutSeconds": _whole(task.attempt_timeout or DEFAULT_ATTEMPT_TIMEOUT_MS, "a timeout"),
    }
    if task.retry is not None:
        state["Retry"] = [_retrier(task.retry)]
    return state


def _connection(auth: Any) -> str:
    """The placeholder of the connection: one for each secret, since a connection is what holds it."""
    if auth is None:
        return "ConnectionArn"
    value = auth.get("bearer", auth.get("apiKey", {}).get("value") if isinstance(auth.get("apiKey"), dict) else None)
    if isinstance(auth.get("basic"), dict):
        value = auth["basic"].get("password")
    name = value.get("secretRef") if isinstance(value, dict) else None
    match = _SECRET.fullmatch(value) if isinstance(value, str) else None
    name = match[1] if match else name
    if not isinstance(name, str):
        raise NotPortable("a credential that is no secret: a connection has to hold it")
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", name)) + "ConnectionArn"


def wait_state(task: Task, portable: Portable) -> dict[str, Any]:
    """A wait. Raises NotPortable."""
    block = task.block
    assert isinstance(block, Wait)
    if block.until is not None:
        if "{{" in block.until:
            return {"Type": "Wait", "TimestampPath": _path(portable, block.until)}
        return {"Type": "Wait", "Timestamp": block.until}
    if isinstance(block.for_, str):
        raise NotPortable("a computed duration: Step Functions counts whole seconds")
    return {"Type": "Wait", "Seconds": _whole(block.for_ or 0, "a wait")}


def value_state(task: Task, portable: Portable) -> dict[str, Any]:
    """A transform that hands one value on: one item, ``limit: 1``, and that item as the output. Raises NotPortable."""
    items = task.input.get("items") if isinstance(task.input, dict) else None
    same = task.block_json == [{"limit": 1}] and task.output in ("{{output[0]}}", "{{ output[0] }}")
    if not same or not isinstance(items, list) or len(items) != 1:
        raise NotPortable("a transform that computes")
    return {"Type": "Pass", "Parameters": {"status": "succeeded", **portable.payload({"output": items[0]})}}


def _path(portable: Portable, text: str) -> str:
    found = portable.text(text)
    if not found.startswith("$"):
        raise NotPortable("a computed instant")
    return found


def _retrier(retry: Retry) -> dict[str, Any]:
    rates = {"constant": 1.0, "exponential": retry.multiplier}
    if retry.strategy not in rates:
        raise NotPortable("waits that grow by a fixed amount")
    if retry.jitter == "equal":
        raise NotPortable("jitter of half the wait")
    if retry.max_duration is not None:
        raise NotPortable("maxDuration of retries")
    made: dict[str, Any] = {
        "ErrorEquals": _errors(retry.retry_on if retry.retry_on is not None else _USUAL),
        "IntervalSeconds": max(1, math.ceil(retry.interval / 1000)),
        "MaxAttempts": retry.max_attempts - 1,
        "BackoffRate": rates[retry.strategy],
        "JitterStrategy": "FULL" if retry.jitter == "full" else "NONE",
    }
    longest = math.ceil(retry.max_interval / 1000)
    if made["IntervalSeconds"] < longest <= 86_400:
        made["MaxDelaySeconds"] = longest
    return made


def _errors(kinds: tuple[int | str, ...]) -> list[str]:
    found: list[str] = []
    for kind in kinds:
        codes = _CODES.get(kind, ()) if isinstance(kind, str) else (kind,)
        if isinstance(kind, str) and kind.isdigit():
            codes = (int(kind),)
        if isinstance(kind, str) and kind in _KINDS:
            found.append(_KINDS[kind])
        elif codes:
            found += [f"States.Http.StatusCode.{code}" for code in codes]
        else:
            raise NotPortable(f"retries of {kind}")
    if "States.ALL" in found:
        return ["States.ALL"]
    return list(dict.fromkeys(found))


def _whole(milliseconds: int, what: str) -> int:
    if milliseconds % 1000:
        raise NotPortable(f"{what} of less than a second")
    return milliseconds // 1000
