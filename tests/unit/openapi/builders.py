"""OpenAPI documents with only what a test is about, and requests rendered from the tasks made of them."""

from __future__ import annotations

import json
from typing import Any

from millrace.adapters.http.requests import Defaults, build, check_config
from millrace.adapters.http.transport import Request
from millrace.base.canonical import dumps
from millrace.expr.template import compile_template
from millrace.services.openapi import Conversion, Generated, Options, read_openapi
from millrace.spec import Finding, WorkflowTask, check_task, load, validate_input

SERVER = "https://api.example.com/v1"
NONE = Defaults("millrace", "key", "trace")


def document(paths: dict[str, Any], *, version: str = "3.0.3", **more: Any) -> dict[str, Any]:
    info = {"title": "Pet Shop", "version": "1.2.3"}
    return {"openapi": version, "info": info, "servers": [{"url": SERVER}], "paths": paths, **more}


def operation(**more: Any) -> dict[str, Any]:
    return {"operationId": "doIt", "responses": {"200": {"description": "ok"}}, **more}


def one_operation(path: str = "/things", method: str = "get", *, doc: dict[str, Any] | None = None, **more: Any) -> Any:
    return document({path: {method: operation(**more)}}, **(doc or {}))


def converted(value: Any, options: Options = Options()) -> tuple[list[Generated], Conversion]:
    conversion = Conversion(read_openapi(json.dumps(value).encode()), options)
    return list(conversion.tasks()), conversion


def only(value: Any, options: Options = Options()) -> Generated:
    (task,), _ = converted(value, options)
    return task


def spec_of(value: Any, options: Options = Options()) -> dict[str, Any]:
    found: dict[str, Any] = only(value, options).document["spec"]
    return found


def codes(value: Any, options: Options = Options()) -> set[str]:
    return {note.code for note in converted(value, options)[1].notes.kept}


def errors(task: Generated) -> list[Finding]:
    """Findings of a task document, hints aside."""
    loaded = load(dumps(task.document), media="json")
    more = check_task(loaded.document, loaded.source) if isinstance(loaded.document, WorkflowTask) else ()
    return [finding for finding in (*loaded.findings, *more) if finding.severity != "hint"]


def sent(task: Generated, given: Any) -> Request:
    """The request that the task sends for an input that its schema allows, credentials aside."""
    spec = task.document["spec"]
    checked = validate_input(spec["inputSchema"], given)
    assert checked.valid, checked
    block = {key: value for key, value in spec["request"].items() if key != "auth"}
    rendered = compile_template(block).render({"input": checked.value})
    request, _ = build(check_config(rendered), NONE)
    return request


def header(request: Request, name: str) -> str | None:
    return next((value for key, value in request.headers if key.lower() == name.lower()), None)
