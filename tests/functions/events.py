"""API Gateway REST events (payload format 1.0), built as the gateway sends them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CONTEXT = SimpleNamespace(aws_request_id="00000000-0000-0000-0000-000000000001", function_name="test")


@dataclass(frozen=True)
class Who:
    """An identity as a Lambda authorizer vouches for it."""

    principal: str = "ann"
    tenant: str = "acme"
    roles: str = "admin"

    def authorizer(self) -> dict[str, str]:
        return {"principalId": self.principal, "tenant": self.tenant, "roles": self.roles}


def event(
    method: str,
    url: str,
    body: Any = None,
    *,
    who: Who | None = Who(),
    headers: Mapping[str, str] | None = None,
    encoded: bool = False,
    source_ip: str = "203.0.113.9",
    request_id: str = "req-1",
) -> dict[str, Any]:
    """``body`` is text or bytes as sent, or a value that is sent as JSON."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    sent = dict(headers or {})
    text: str | None
    if body is None:
        text = None
    elif isinstance(body, bytes):
        text = base64.b64encode(body).decode() if encoded else body.decode()
    elif isinstance(body, str):
        text = base64.b64encode(body.encode()).decode() if encoded else body
    else:
        text = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    context: dict[str, Any] = {
        "requestId": request_id,
        "stage": "v1",
        "path": f"/v1{parts.path}",
        "httpMethod": method,
        "identity": {"sourceIp": source_ip},
    }
    if who is not None:
        context["authorizer"] = who.authorizer()
    return {
        "resource": parts.path,
        "path": parts.path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        "body": text,
        "isBase64Encoded": encoded,
    }


def status(result: Mapping[str, Any]) -> int:
    return int(result["statusCode"])


def body_of(result: Mapping[str, Any]) -> Any:
    return json.loads(result["body"])


def header(result: Mapping[str, Any], name: str) -> str | None:
    values = {key.lower(): value for key, value in result["multiValueHeaders"].items()}.get(name.lower())
    return None if not values else str(values[0])
