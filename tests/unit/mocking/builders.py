"""Mocks of documents with only what a test is about, and the answers they give."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from millrace.services.mocking.exchange import Answer, Request
from millrace.services.mocking.service import Mock
from millrace.services.openapi import read_openapi
from tests.unit.openapi.builders import document

PET = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}


def mock(paths: dict[str, Any], answers: list[str] | None = None, **more: Any) -> Mock:
    return Mock(read_openapi(json.dumps(document(paths, **more)).encode()), answers)


def json_body(schema: Any, **more: Any) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema, **more}}}


def ask(one: Mock, target: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """One request; header names with underscores in place of hyphens."""
    parts = urlsplit(target)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        named.setdefault("content-type", "application/json")
    return one.answer(Request(method, parts.path, parts.query, named, body or b""))


def said(answer: Answer) -> Any:
    return json.loads(answer.body)
