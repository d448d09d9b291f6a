"""Writes docs/openapi.json from the routes of all functions, and docs/reference/problems.md from the table of
problems; with ``--check`` it only fails when one of them is out of date.

python tools/generate_openapi.py [--check]
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from millrace.api.access import ACCESS, PUBLIC
from millrace.api.models import Problem
from millrace.api.problems import TABLE, TYPE_PREFIX
from millrace.api.resolver import Resolver

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "openapi.json"
PROBLEMS = ROOT / "docs" / "reference" / "problems.md"
CONCERNS = ("workflows", "tasks", "executions", "breakers", "health")
NAMESPACE = {
    "name": "namespace",
    "in": "query",
    "required": False,
    "description": "The namespace within the tenant.",
    "schema": {"type": "string", "default": "default", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
}
SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that the gateway's authorizer accepts. The local server needs none.",
    },
    "iam": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "A request signed with AWS Signature Version 4.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
}
HEADER_NAMES = {"idempotency-key": "Idempotency-Key", "if-match": "If-Match"}
ABOUT = (
    "Durable workflows. Every error is a problem body of RFC 9457 with a code and a hint. Lists are paged by cursor. "
    "Writes that create take an Idempotency-Key, writes that change a definition an If-Match."
)


def load(concern: str) -> Resolver:
    """The resolver of a function, imported from its folder."""
    spec = importlib.util.spec_from_file_location(f"openapi_{concern}", ROOT / "functions" / concern / "app.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"functions/{concern}/app.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    app: Resolver = module.app
    return app


def build() -> dict[str, Any]:
    """The whole document, with keys sorted."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for concern in CONCERNS:
        app = load(concern)
        described(app)
        part = json.loads(app.get_openapi_json_schema(title="Millrace", version="1"))
        schemas |= part.get("components", {}).get("schemas", {})
        for path, item in part["paths"].items():
            paths[path] = {verb: operation(concern, path, verb, one) for verb, one in item.items()}
    schemas = {name: one for name, one in schemas.items() if "ValidationError" not in name}
    schemas |= schemas_of_problem()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "http://127.0.0.1:8321", "description": "`make run`"},
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
                "variables": {"api": {"default": "api"}, "region": {"default": "eu-west-1"}},
            },
        ],
        "security": [{"bearer": []}, {"iam": []}],
        "tags": [{"name": concern} for concern in CONCERNS],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": SECURITY,
            "responses": {
                "Problem": {
                    "description": "What was wrong, where, and what to do.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def described(app: Resolver) -> None:
    """Gives every route the words of its function and the answers that are kept beside it."""
    for route in app.routes:
        route.responses = app.documented[(route.method, route.path)]
        route.summary = (route.func.__doc__ or "").strip().splitlines()[0]
        route.operation_id = route.func.__name__


def operation(concern: str, path: str, verb: str, found: dict[str, Any]) -> dict[str, Any]:
    """One operation, with what the entry wrapper adds to every route."""
    template = path.replace("{", "<").replace("}", ">")
    answers = found["responses"]
    good = {status: answer for status, answer in answers.items() if status.startswith("2")}
    bad = {status: {"$ref": "#/components/responses/Problem"} for status in answers if status[0] in "45"}
    if path.endswith("/health"):
        good["503"] = answers["503"]
        bad.pop("503")
    if verb == "get" and path.endswith(("/{name}", "/{version}")):
        good["304"] = {"description": "Unchanged since the ETag of If-None-Match."}
    if path.endswith("/graph"):
        good["200"]["content"]["text/plain"] = {"schema": {"type": "string"}}
    if path.endswith("/export"):
        good["200"]["content"] |= {
            "application/yaml": {"schema": {"type": "string"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        }
    out = {key: value for key, value in found.items() if value is not None}
    out["tags"] = [concern]
    out["x-roles"] = sorted(ACCESS[(verb.upper(), template)])
    out["responses"] = dict(sorted((good | bad).items()))
    for parameter in out.get("parameters", []):
        parameter["name"] = HEADER_NAMES.get(parameter["name"], parameter["name"])
    if (verb.upper(), template) in PUBLIC:
        out["security"] = []
    else:
        out["parameters"] = [*found.get("parameters", []), NAMESPACE]
    return out


def schemas_of_problem() -> dict[str, Any]:
    schema = Problem.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}


def text() -> str:
    return json.dumps(build(), indent=2, sort_keys=False, ensure_ascii=False) + "\n"


def problems() -> str:
    """The table of problem codes, for people."""
    lines = [
        "# Problems",
        "",
        "Every error of the API is a body of RFC 9457 (`application/problem+json`): `type`",
        f"(`{TYPE_PREFIX}` and the code), `title`, `status`, `code`, `detail`, `hint`, `instance` and `requestId`,",
        "and what belongs to the kind of problem, such as `findings` of a document (each with line and column) or",
        "`missingInputs` of an input. Where details are not shown, the request id leads to the log.",
        "",
        "| code | status | meaning | details shown |",
        "| --- | --- | --- | --- |",
    ]
    rows = sorted(((cls.code, row) for cls, row in TABLE.items()), key=lambda pair: pair[0])
    lines += [f"| `{code}` | {row.status} | {row.title} | {'yes' if row.shown else 'no'} |" for code, row in rows]
    lines.append("| `internal` | 500 | Something went wrong on our side | no |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    made = {TARGET: text(), PROBLEMS: problems()}
    if "--check" in arguments:
        stale = [path for path, content in made.items() if not path.is_file() or path.read_text() != content]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run python tools/generate_openapi.py")
        return 1 if stale else 0
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
