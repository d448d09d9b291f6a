"""The function behind /api/v1/tasks: publish, read, check and activate.

What few requests need and much code stands behind (checking documents, OpenAPI) is imported by its route.
"""

from __future__ import annotations

from typing import Any

from millrace.api import Resolver, answer, caller, entry, request
from millrace.api import models as m
from millrace.api import openapi_models as om
from millrace.api import parameters as p
from millrace.api.operations import DOCUMENT, OPENAPI, gives
from millrace.base.limits import IMPORTED_TASKS
from millrace.services.activate_definition import activate_definition
from millrace.services.delete_definition import delete_definition
from millrace.services.get_definition import get_definition, get_version
from millrace.services.list_definitions import list_definitions
from millrace.services.list_versions import list_versions
from millrace.wiring import current

app = Resolver("tasks")
BASE = "/api/v1/tasks"
ONE = f"{BASE}/<name>"


@app.post(BASE, responses=gives(m.Published, 200, 201), openapi_extensions=DOCUMENT)
def publish_task_document(
    activate: p.Activate = True, message: p.Message = "", key: p.IdempotencyKey = None, match: p.IfMatch = None
) -> Any:
    """Publish a reusable task as a new immutable version."""
    return _publish(activate=activate, message=message, key=key, if_match=match)


@app.get(BASE, responses=gives(m.DefinitionList))
def list_tasks(limit: p.Limit = p.PAGE, cursor: p.Cursor = None) -> Any:
    """List the reusable tasks of a namespace by name."""
    return answer(list_definitions(current(), caller(), "task", limit=limit, cursor=p.cursor_of(cursor)))


@app.post(f"{BASE}/validate", responses=gives(m.Validation, sarif=True), openapi_extensions=DOCUMENT)
def validate_task(shape: p.ValidationFormat = "json", file: p.FileName = "document") -> Any:
    """Check a document; nothing is stored and nothing is executed."""
    from millrace.api.validations import validated

    return validated(current(), "task", shape, file)


@app.post(f"{BASE}/import", responses=gives(om.OpenApiImport), openapi_extensions=OPENAPI)
def import_openapi_document(
    source: p.OpenApiSource = "",
    prefix: p.OpenApiPrefix = "",
    server: p.OpenApiServer = "",
    server_env: p.OpenApiServerEnv = "",
    url: p.OpenApiUrl = "",
    check: p.CheckResponses = False,
    dry_run: p.DryRun = False,
    overwrite: p.Overwrite = False,
    activate: p.Activate = True,
    limit: p.ImportLimit = IMPORTED_TASKS,
) -> Any:
    """Publish a task for each operation of an OpenAPI document, and say what changed since the import before."""
    from millrace.services.import_openapi import Options, Order, import_openapi

    options = Options(
        source=source,
        prefix=prefix,
        server=server,
        server_env=server_env,
        document_url=url,
        check_responses=check,
    )
    order = Order(options, dry_run=dry_run, overwrite=overwrite, activate=activate, limit=limit)
    return answer(import_openapi(current(), caller(), request().raw, order))


@app.get(ONE, responses=gives(m.DefinitionDetail))
def get_task(name: p.Name) -> Any:
    """Read a reusable task with its active version."""
    value, etag = get_definition(current(), caller(), "task", name)
    return answer(value, etag=etag)


@app.put(ONE, responses=gives(m.Published, 200, 201), openapi_extensions=DOCUMENT)
def replace_task(
    name: p.Name,  # the use case compares it with the document's own
    activate: p.Activate = True,
    message: p.Message = "",
    key: p.IdempotencyKey = None,
    match: p.IfMatch = None,
) -> Any:
    """Publish a reusable task under the name it already has."""
    del name
    return _publish(activate=activate, message=message, key=key, if_match=match)


@app.delete(ONE, responses=gives(m.Deleted))
def delete_task(name: p.Name, force: p.Force = False, match: p.IfMatch = None) -> Any:
    """Delete a reusable task: nothing new starts with it, and what runs goes on."""
    return answer(delete_definition(current(), caller(), "task", name, if_match=match or "", force=force))


@app.get(f"{ONE}/versions", responses=gives(m.VersionList))
def list_task_versions(name: p.Name, limit: p.Limit = p.PAGE, cursor: p.Cursor = None) -> Any:
    """List the versions of a reusable task, newest first."""
    return answer(list_versions(current(), caller(), "task", name, limit=limit, cursor=p.cursor_of(cursor)))


@app.get(f"{ONE}/versions/<version>", responses=gives(m.VersionDetail))
def get_task_version(name: p.Name, version: p.VersionPath) -> Any:
    """Read one version of a reusable task."""
    value, etag = get_version(current(), caller(), "task", name, version)
    return answer(value, etag=etag)


@app.post(f"{ONE}/activate", responses=gives(m.Definition))
def activate_task(name: p.Name, body: p.ActivateBody, match: p.IfMatch = None, key: p.IdempotencyKey = None) -> Any:
    """Choose the version that new starts get."""
    value, etag = activate_definition(
        current(), caller(), "task", name, version=body.version, if_match=match or "", key=key
    )
    return answer(value, etag=etag)


@app.post(f"{ONE}/validate-input", responses=gives(m.MissingInputsResult))
def validate_task_input(name: p.Name, body: p.InputBody) -> Any:
    """Say what an input lacks, without starting anything."""
    from millrace.services.validate_input import validate_input

    return answer(validate_input(current(), caller(), "task", name, body.input, version=body.version))


def _publish(**how: Any) -> Any:
    from millrace.api.publications import publication, published
    from millrace.services.publish_task import publish_task

    return published(publish_task(current(), caller(), publication(**how)), "tasks")


handler = entry(app, current)
