"""The function behind /api/v1/workflows: publish, read, check and activate, and start executions.

What few requests need and much code stands behind (checking documents, packages, other engines' formats, tests) is
imported by its route: most requests start an execution or read.
"""

from __future__ import annotations

from typing import Any

from millrace.api import Resolver, answer, caller, entry, request
from millrace.api import models as m
from millrace.api import package_models as pm
from millrace.api import parameters as p
from millrace.api import testing_models as tm
from millrace.api.answers import download, text
from millrace.api.operations import DOCUMENT, PACKAGE, gives
from millrace.api.starts import started
from millrace.services.activate_definition import activate_definition
from millrace.services.delete_definition import delete_definition
from millrace.services.get_definition import get_definition, get_version
from millrace.services.list_definitions import list_definitions
from millrace.services.list_versions import list_versions
from millrace.services.validate_input import validate_input
from millrace.services.workflow_statistics import workflow_statistics
from millrace.wiring import current
from millrace.wiring.rehearsing import rehearse

app = Resolver("workflows")
BASE = "/api/v1/workflows"
ONE = f"{BASE}/<name>"


@app.post(BASE, responses=gives(m.Published, 200, 201), openapi_extensions=DOCUMENT)
def publish_workflow_document(
    activate: p.Activate = True, message: p.Message = "", key: p.IdempotencyKey = None, match: p.IfMatch = None
) -> Any:
    """Publish a workflow as a new immutable version."""
    return _publish(activate=activate, message=message, key=key, if_match=match)


@app.get(BASE, responses=gives(m.DefinitionList))
def list_workflows(limit: p.Limit = p.PAGE, cursor: p.Cursor = None) -> Any:
    """List the workflows of a namespace by name."""
    return answer(list_definitions(current(), caller(), "workflow", limit=limit, cursor=p.cursor_of(cursor)))


@app.post(f"{BASE}/validate", responses=gives(m.Validation, sarif=True), openapi_extensions=DOCUMENT)
def validate_workflow(shape: p.ValidationFormat = "json", file: p.FileName = "document") -> Any:
    """Check a document; nothing is stored and nothing is executed."""
    from millrace.api.validations import validated

    return validated(current(), "workflow", shape, file)


@app.post(f"{BASE}/import", responses=gives(pm.ImportAnswer), openapi_extensions=PACKAGE)
def import_workflow_package(
    source: p.ImportSource = None,
    dry_run: p.DryRun = False,
    on_conflict: p.OnConflict = "fail",
    trusted: p.TrustedKey = None,
    signed: p.RequireSignature = False,
) -> Any:
    """Publish what a package holds, once all of it has been checked; or turn another engine's workflow into ours."""
    if source is not None:
        from millrace.services.import_foreign import import_foreign

        return answer(import_foreign(request().raw, request().media, source))
    from millrace.services.import_package import Order, import_package

    order = Order(dry_run=dry_run, on_conflict=on_conflict, trusted=trusted, signed=signed)
    return answer(import_package(current(), caller(), request().raw, order))


@app.get(ONE, responses=gives(m.DefinitionDetail))
def get_workflow(name: p.Name) -> Any:
    """Read a workflow with its active version."""
    value, etag = get_definition(current(), caller(), "workflow", name)
    return answer(value, etag=etag)


@app.put(ONE, responses=gives(m.Published, 200, 201), openapi_extensions=DOCUMENT)
def replace_workflow(
    name: p.Name,  # the use case compares it with the document's own
    activate: p.Activate = True,
    message: p.Message = "",
    key: p.IdempotencyKey = None,
    match: p.IfMatch = None,
) -> Any:
    """Publish a workflow under the name it already has."""
    del name
    return _publish(activate=activate, message=message, key=key, if_match=match)


@app.delete(ONE, responses=gives(m.Deleted))
def delete_workflow(name: p.Name, force: p.Force = False, match: p.IfMatch = None) -> Any:
    """Delete a workflow: nothing new starts with it, and what runs goes on."""
    return answer(delete_definition(current(), caller(), "workflow", name, if_match=match or "", force=force))


@app.get(f"{ONE}/versions", responses=gives(m.VersionList))
def list_workflow_versions(name: p.Name, limit: p.Limit = p.PAGE, cursor: p.Cursor = None) -> Any:
    """List the versions of a workflow, newest first."""
    return answer(list_versions(current(), caller(), "workflow", name, limit=limit, cursor=p.cursor_of(cursor)))


@app.get(f"{ONE}/versions/<version>", responses=gives(m.VersionDetail))
def get_workflow_version(name: p.Name, version: p.VersionPath) -> Any:
    """Read one version of a workflow."""
    value, etag = get_version(current(), caller(), "workflow", name, version)
    return answer(value, etag=etag)


@app.post(f"{ONE}/activate", responses=gives(m.Definition))
def activate_workflow(name: p.Name, body: p.ActivateBody, match: p.IfMatch = None, key: p.IdempotencyKey = None) -> Any:
    """Choose the version that new starts get."""
    value, etag = activate_definition(
        current(), caller(), "workflow", name, version=body.version, if_match=match or "", key=key
    )
    return answer(value, etag=etag)


@app.post(f"{ONE}/validate-input", responses=gives(m.MissingInputsResult))
def validate_workflow_input(name: p.Name, body: p.InputBody) -> Any:
    """Say what an input lacks, without starting anything."""
    return answer(validate_input(current(), caller(), "workflow", name, body.input, version=body.version))


@app.get(f"{ONE}/graph", responses=gives(m.Graph))
def get_workflow_graph(name: p.Name, shape: p.GraphFormat = "json", version: p.VersionQuery = None) -> Any:
    """Read the graph of a workflow: tasks, why one waits for another, and layers."""
    from millrace.services.workflow_graph import mermaid, workflow_graph

    graph = workflow_graph(current(), caller(), name, version=version)
    return text(mermaid(graph)) if shape == "mermaid" else answer(graph)


@app.get(f"{ONE}/statistics", responses=gives(m.WorkflowStatistics))
def get_workflow_statistics(
    name: p.Name, since: p.Instant = None, until: p.Instant = None, version: p.VersionQuery = None
) -> Any:
    """Read how often a workflow and its tasks ended, how, and how long they took."""
    return answer(workflow_statistics(current(), caller(), name, since=since, until=until, version=version))


@app.get(f"{ONE}/export", responses=gives(pm.WorkflowExport))
def export_workflow_document(
    name: p.Name, shape: p.ExportFormat = "yaml", version: p.VersionQuery = None, target: p.ExportTarget = None
) -> Any:
    """Export a workflow with everything it depends on, or turn it into one of another engine."""
    if target is not None:
        from millrace.services.export_asl import export_asl

        machine = export_asl(current(), caller(), name, version=version)
        return download(machine.data, machine.media_type, machine.file_name)
    from millrace.services.export_workflow import export_workflow

    found = export_workflow(current(), caller(), name, shape=shape, version=version)
    return download(found.data, found.media_type, found.file_name)


@app.post(f"{ONE}/test", responses=gives(tm.TestsReport))
def run_tests_of_workflow(name: p.Name, body: p.TestsBody = None) -> Any:
    """Run the tests of a workflow: mocked, and without any effect."""
    from millrace.services.run_workflow_tests import Order, run_workflow_tests

    sent = body or tm.TestsRequest()
    order = Order(version=sent.version, tests=sent.tests, only=sent.only, covered=sent.coverage)
    return answer(run_workflow_tests(current(), caller(), name, order, rehearse))


@app.post(f"{ONE}/executions", responses=gives(m.Started, 200, 202))
def start_workflow(
    name: p.Name,
    body: p.StartBody = None,
    wait: p.Wait = None,
    dry: p.DryRun = False,
    key: p.IdempotencyKey = None,
    trace: p.Trace = None,
) -> Any:
    """Start an execution, and wait for its end if asked; or show what it would do."""
    start = body or m.StartRequest()
    return started(current(), caller(), name, start, wait=wait, key=key, traceparent=trace, dry=dry)


def _publish(**how: Any) -> Any:
    from millrace.api.publications import publication, published
    from millrace.services.publish_workflow import publish_workflow

    return published(publish_workflow(current(), caller(), publication(**how)), "workflows")


handler = entry(app, current)
