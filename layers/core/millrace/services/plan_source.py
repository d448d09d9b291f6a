"""The plan of an execution: the version it is pinned to, compiled once per process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from millrace.base.errors import Corrupt
from millrace.engine.compile import compile_plan
from millrace.engine.events import ExecutionStarted, Manifest
from millrace.engine.plan import Plan
from millrace.ports.documents import Documents, TenantScope
from millrace.services.parsed_documents import task_of, workflow_of
from millrace.store.definitions import Definitions, Version

KEPT: Final = 128


class PlanSource:
    """Plans by content: two executions of equal documents share one plan, whoever they belong to."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], Plan] = OrderedDict()

    def __call__(self, scope: TenantScope, started: ExecutionStarted) -> Plan:
        """Raises Corrupt when a version that the manifest names is gone."""
        key = (started.workflow, started.content_hash, *(f"{entry.ref}={entry.hash}" for entry in started.manifest))
        with self._lock:
            plan = self._kept.get(key)
            if plan is not None:
                self._kept.move_to_end(key)
                return plan
        plan = self._compile(scope, started)
        with self._lock:
            self._kept[key] = plan
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return plan

    def _compile(self, scope: TenantScope, started: ExecutionStarted) -> Plan:
        definitions = Definitions(self._documents, scope, started.namespace)
        workflow = workflow_of(
            definitions, _found(definitions.version("workflow", started.workflow, started.revision), started.workflow)
        )
        entries = [entry for entry in started.manifest if entry.kind == "task"]
        tasks = {entry.ref: task_of(definitions, _version(definitions, entry)) for entry in entries}
        return compile_plan(workflow, tasks, hashes={entry.ref: entry.hash for entry in entries})


def _version(definitions: Definitions, entry: Manifest) -> Version:
    return _found(definitions.version("task", entry.name, entry.revision), entry.name)


def _found(version: Version | None, name: str) -> Version:
    if version is None:
        raise Corrupt(
            f"The version of {name!r} that this execution is pinned to is gone.",
            hint="Restore the definitions table to a time at which it was there.",
        )
    return version
