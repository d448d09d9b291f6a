"""Turns a request into the event that API Gateway's Lambda proxy integration sends, and its answer back into bytes.

The shape follows the payload format 1.0 of REST APIs: single and multi-value maps side by side, a text body, or
base64 with its flag set when the bytes are not UTF-8.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec import Struct

from millrace.local.routing import Match

_ACCOUNT: Final = "000000000000"
_EMPTY: Final = frozenset({204, 304})


class Request(Struct, frozen=True):
    """One request as it came. ``path`` is raw; ``query`` is without its question mark; header names in any case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str


class Answer(Struct, frozen=True):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class BadAnswer(Exception):
    """A handler answered with something that API Gateway would turn into 502; the text says what."""


def proxy_event(request: Request, match: Match, *, stage: str, request_id: str, now_ms: int) -> dict[str, Any]:
    """The event for one request. ``now_ms`` is the time of the request in ms since the epoch."""
    headers = [(name.title(), value) for name, value in request.headers]
    query = parse_qsl(request.query, keep_blank_values=True, errors="replace")
    body, encoded = _body(request.body)
    agent = next((value for name, value in headers if name == "User-Agent"), "")
    return {
        "resource": match.route.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _many(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _many(query) or None,
        "pathParameters": match.parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": "local",
            "resourceId": "local",
            "resourcePath": match.route.resource,
            "httpMethod": request.method,
            "path": request.path,  # as behind a domain's name: no stage stands before it
            "stage": stage,
            "protocol": "HTTP/1.1",
            "domainName": "localhost",
            "requestId": request_id,
            "requestTimeEpoch": now_ms,
            "identity": {"sourceIp": request.peer, "userAgent": agent},
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def read_answer(result: Any) -> Answer:
    """The HTTP answer in a handler's result. Raises BadAnswer where API Gateway would refuse it."""
    if not isinstance(result, Mapping) or not isinstance(result.get("statusCode"), int):
        raise BadAnswer("the result has no integer statusCode")
    status = int(result["statusCode"])
    if not 200 <= status <= 599:
        raise BadAnswer(f"the status {status} is not between 200 and 599")
    headers = [(str(name), str(value)) for name, value in (result.get("headers") or {}).items() if value is not None]
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers = [(known, value) for known, value in headers if known.lower() != name.lower()]
        headers.extend((str(name), str(value)) for value in values)
    for name, value in headers:
        if any(char in name + value for char in "\r\n\0"):
            raise BadAnswer(f"the header {name!r} holds a line break")
    body = result.get("body") or ""
    if not isinstance(body, str):
        raise BadAnswer("the body is not text")
    try:
        data = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadAnswer(f"the body cannot be sent: {error}") from error
    return Answer(status, tuple(headers), b"" if status in _EMPTY else data)


def _many(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _body(data: bytes) -> tuple[str | None, bool]:
    if not data:
        return None, False
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii"), True
