"""From the `taskRef` and `workflowRef` texts of a workflow to published versions, in few reads.

References: ``name`` is the active version, ``name@latest`` the newest, ``name@rN`` revision N, and everything else
after the ``@`` is a label or range (`millrace.services.version_range`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from millrace.services.parsed_documents import task_of, workflow_of
from millrace.services.version_range import choose
from millrace.spec import Workflow, WorkflowTask
from millrace.store.definitions import Definitions, Head, Kind, Version

D = TypeVar("D", Workflow, WorkflowTask)


class ResolvedTask(Struct, frozen=True):
    """What one reference means at this moment."""

    reference: str
    version: Version
    task: WorkflowTask


def resolve_tasks(definitions: Definitions, references: Iterable[str]) -> dict[str, ResolvedTask]:
    """Those references that lead to a published version; the others are absent from the answer."""
    found = _versions(definitions, "task", references)
    return {one: ResolvedTask(one, version, task_of(definitions, version)) for one, version in found.items()}


def resolve_workflows(definitions: Definitions, references: Iterable[str]) -> dict[str, Workflow]:
    """The same of workflows, as they are at this moment."""
    found = _versions(definitions, "workflow", references)
    return {reference: workflow_of(definitions, version) for reference, version in found.items()}


def _versions(definitions: Definitions, kind: Kind, references: Iterable[str]) -> dict[str, Version]:
    wanted = sorted(set(references))
    every = definitions.many_heads(kind, sorted({_split(reference)[0] for reference in wanted}))
    heads = {name: head for name, head in every.items() if not head.deleted}
    revisions: dict[str, tuple[str, int]] = {}
    for reference in wanted:
        name, selector = _split(reference)
        revision = _revision(definitions, heads.get(name), selector)
        if revision:
            revisions[reference] = (name, revision)
    versions = definitions.many_versions(kind, sorted(set(revisions.values())))
    return {reference: version for reference, at in revisions.items() if (version := versions.get(at)) is not None}


def meant_among(reference: str, documents: Iterable[D]) -> D | None:
    """The document that a reference means among some that nothing has published: the newest whose version fits.

    A document without a version gets its number when it is published, so it may be any; so may one that is asked for
    by revision.
    """
    name, selector = _split(reference)
    named = [one for one in documents if one.metadata.name == name]
    labels = {one.spec.version: place for place, one in enumerate(named) if one.spec.version is not None}
    place = choose(selector, labels)
    if place is not None:
        return named[place]
    open_ended = not selector or selector == "latest" or selector[:1] == "r"
    return next((one for one in reversed(named) if open_ended or one.spec.version is None), None)


def _split(reference: str) -> tuple[str, str]:
    name, _, selector = reference.partition("@")
    return name, selector


def _revision(definitions: Definitions, head: Head | None, selector: str) -> int | None:
    if head is None:
        return None
    if not selector:
        return head.active
    return revision_of(definitions, head, selector)


def revision_of(definitions: Definitions, head: Head, selector: str) -> int | None:
    """The revision that ``latest``, ``rN``, a label or a range names, or None."""
    if selector == "latest":
        return head.latest
    if selector[:1] == "r" and selector[1:].isascii() and selector[1:].isdigit():
        number = int(selector[1:10])
        return number if 1 <= number <= head.latest else None
    exact = definitions.revision_of_label(head.kind, head.name, selector)
    return exact if exact is not None else choose(selector, definitions.labels(head.kind, head.name))
