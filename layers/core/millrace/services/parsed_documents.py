"""Published documents as models, parsed once per content.

A version's content never changes and its hash names it, so the parsed model is kept by that hash alone.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from typing import Final

from millrace.base.canonical import dumps
from millrace.base.errors import Corrupt
from millrace.spec import Workflow, WorkflowTask, load
from millrace.store.definitions import Definitions, Version

_KEPT: Final = 256


class _Models:
    """A bounded map that forgets what was used longest ago; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Workflow | WorkflowTask] = OrderedDict()

    def find(self, key: tuple[str, str]) -> Workflow | WorkflowTask | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: tuple[str, str], model: Workflow | WorkflowTask) -> None:
        with self._lock:
            self._kept[key] = model
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


@functools.cache
def _models() -> _Models:
    return _Models()


def workflow_of(definitions: Definitions, version: Version) -> Workflow:
    """Raises Corrupt when the stored document is no workflow any more, BlobMissing when it is gone."""
    model = _model(definitions, version)
    if not isinstance(model, Workflow):
        raise Corrupt(f"{version.name} revision {version.revision} is not stored as a workflow")
    return model


def task_of(definitions: Definitions, version: Version) -> WorkflowTask:
    """Raises Corrupt when the stored document is no reusable task any more, BlobMissing when it is gone."""
    model = _model(definitions, version)
    if not isinstance(model, WorkflowTask):
        raise Corrupt(f"{version.name} revision {version.revision} is not stored as a task")
    return model


def _model(definitions: Definitions, version: Version) -> Workflow | WorkflowTask:
    key = (version.kind, version.content_hash)
    found = _models().find(key)
    if found is None:
        loaded = load(dumps(definitions.document(version)), media="json")
        if loaded.document is None:
            raise Corrupt(f"{version.name} revision {version.revision} cannot be read as a document")
        found = loaded.document
        _models().keep(key, found)
    return found
