"""An execution that has ended, as a test of its workflow."""

from __future__ import annotations

from typing import Any

from millrace.base.canonical import dumps
from millrace.base.errors import Corrupt
from millrace.driver.values import load_value
from millrace.engine.events import ExecutionStarted
from millrace.ports.rehearsal import Rehearse
from millrace.services.caller import Caller
from millrace.services.get_execution import known_actor
from millrace.services.platform import Platform
from millrace.store.definitions import Definitions, Kind, Version
from millrace.store.history import whole_history


def execution_test(
    platform: Platform, caller: Caller, execution: str, *, name: str | None, rehearse: Rehearse
) -> dict[str, Any]:
    """``{execution, workflow, version, test, passes, differences}``; ``test`` is what a document holds under `tests`.

    What was redacted in the history is redacted in the test. Raises NotFound, Conflict for an execution that has not
    ended, TooLarge for one whose data do not fit a document, Corrupt for an unreadable log.
    """
    # Only this use case of the function that reads executions needs documents and the engine.
    from millrace.services.parsed_documents import workflow_of
    from millrace.services.plan_source import PlanSource
    from millrace.services.workflow_tests import Subject, record_case

    known_actor(platform, caller, execution)
    events = list(whole_history(platform.documents, caller.scope, execution))
    started = events[0] if events else None
    if not isinstance(started, ExecutionStarted):
        raise Corrupt(f"The log of {execution} does not begin with its start event.")
    definitions = Definitions(platform.documents, caller.scope, started.namespace)
    versions = _versions(definitions, started)
    workflow = workflow_of(definitions, versions[0])
    plan = PlanSource(platform.documents)(caller.scope, started)
    recording = record_case(
        Subject(workflow, plan, started.version),
        events,
        lambda value: load_value(platform.blobs, caller.scope, value),
        name=name or f"execution {execution}",
        text="".join(dumps(definitions.document(version)).decode() for version in versions),
        rehearse=rehearse,
    )
    return {
        "execution": execution,
        "workflow": started.workflow,
        "version": started.version,
        "test": recording.case,
        "passes": recording.passes,
        "differences": list(recording.differences),
    }


def _versions(definitions: Definitions, started: ExecutionStarted) -> list[Version]:
    """The version of the workflow that ran, and those of its reusable tasks."""
    wanted: list[tuple[Kind, str, int]] = [("workflow", started.workflow, started.revision)]
    wanted += [("task", entry.name, entry.revision) for entry in started.manifest if entry.kind == "task"]
    found = [definitions.version(kind, name, revision) for kind, name, revision in wanted]
    missing = [name for (_, name, _), version in zip(wanted, found, strict=True) if version is None]
    if missing:
        raise Corrupt(
            f"The version of {missing[0]!r} that this execution is pinned to is gone.",
            hint="Restore the definitions table to a time at which it was there.",
        )
    return [version for version in found if version is not None]
