"""Import a workflow of another engine: our document, what could not be taken over, and what our checks say of it.

Nothing is published: what comes out is a text for its author to look at first.
"""

from __future__ import annotations

from typing import Any

from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import DOCUMENT_NODES
from millrace.services.importers import TooManyTasks, convert
from millrace.services.importers.reading import MOST_TASKS, larger
from millrace.services.importers.sources import SourceName
from millrace.services.transform_check import check_transform
from millrace.spec import Media, Workflow, check_workflow, has_errors, in_order, load, parse_document
from millrace.spec.dialect.tree import leaf
from millrace.spec.writing import write_yaml


def import_foreign(data: bytes, media: Media, source: SourceName) -> dict[str, Any]:
    """``{source, name, valid, document, yaml, notes, findings}``; findings count lines of ``yaml``. A reusable task
    that the document refers to counts as missing here.

    Raises InvalidDocument on a text that cannot be read, InvalidRequest on one that is no document of the source,
    TooLarge when it leads to more tasks than an import makes.
    """
    value = parse_document(data, media=media).value
    if not isinstance(value, dict):
        raise InvalidRequest(f"this is no document of {source}: not a mapping", hint="Send the definition itself.")
    try:
        imported = convert(source, value)
    except TooManyTasks:
        raise TooLarge(
            f"the document leads to more than {MOST_TASKS} tasks",
            hint="Import it in parts, and start one from the other.",
            facts={"limit": MOST_TASKS},
        ) from None
    if larger(imported.document, DOCUMENT_NODES):
        raise TooLarge("the workflow has too many parts", hint="Import the document in parts.", facts={})
    text = write_yaml(leaf(imported.document, (1, 1)))
    loaded = load(text.encode(), media="yaml")
    findings = list(loaded.findings)
    if isinstance(loaded.document, Workflow):
        findings += check_workflow(loaded.document, loaded.source, tasks={}, check_transform=check_transform)
    return {
        "source": source,
        "name": imported.document["metadata"]["name"],
        "valid": loaded.document is not None and not has_errors(findings),
        "document": imported.document,
        "yaml": text,
        "notes": [note.to_json() for note in imported.notes],
        "findings": [finding.to_json() for finding in in_order(findings)],
    }
