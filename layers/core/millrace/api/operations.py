"""What OpenAPI says of a route beside its parameters: the models of its answers, and documents as bodies."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from millrace.api.models import Problem
from millrace.api.problems import MEDIA_TYPE

_MEANINGS: Final = {
    200: "Done.",
    201: "Created.",
    202: "Accepted; it goes on.",
    503: "It cannot serve at the moment.",
}


SARIF_TYPE: Final = "application/sarif+json"


def gives(model: type[BaseModel], *statuses: int, sarif: bool = False) -> dict[int, Any]:
    """The answers of a route: ``model`` under each status (default 200), a problem under every other; with ``sarif``
    the good ones may be a SARIF log instead."""
    content: dict[str, Any] = {"application/json": {"model": model}}
    if sarif:
        content[SARIF_TYPE] = {"schema": {"type": "object"}}
    good = {status: {"description": _MEANINGS[status], "content": content} for status in statuses or (200,)}
    problem = {"description": "A problem.", "content": {MEDIA_TYPE: {"model": Problem}}}
    return {**dict.fromkeys((400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 503), problem), **good}


_TEXT: Final = {"schema": {"type": "string"}}
DOCUMENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A document, as YAML or JSON. It is read by its content type; JSON is the default.",
        "content": {
            "application/yaml": _TEXT
            | {
                "example": (
                    "apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {name: hello}\nspec:\n"
                    "  tasks:\n    - id: greet\n      type: transform\n      input: {items: [1, 2]}\n"
                    "      transform: [{limit: 1}]\n"
                )
            },
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
"""The request body of a route that takes a whole document."""
OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "An OpenAPI document of version 3.0 or 3.1, as YAML or JSON; or, where it is larger than a "
        'request may be, `{"packed": …}` with its gzip in base64.',
        "content": {"application/yaml": _TEXT, "application/json": {"schema": {"type": "object"}}},
    }
}
"""The request body of the route that imports an OpenAPI document."""
PACKAGE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A package, as `GET /workflows/{name}/export?format=package` gives it; with `from`, a "
        "definition of another engine as YAML or JSON.",
        "content": {
            **{
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("application/octet-stream", "application/zip")
            },
            "application/yaml": _TEXT,
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
"""The request body of the route that imports a package."""
