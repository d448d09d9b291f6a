"""What a workflow refers to, for the index that answers "who uses this, and which fields of it"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from millrace.expr import ReadPath
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.sites import Sites, TransformCheck, task_sites, texts, workflow_sites

Kind = Literal["taskRef", "task", "secret", "env", "config", "input", "trigger", "execution"]
_ROOTS: dict[str, Kind] = {
    "tasks": "task",
    "secrets": "secret",
    "env": "env",
    "config": "config",
    "input": "input",
    "trigger": "trigger",
    "execution": "execution",
}


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """``path`` is the id of the task that refers ("" for the workflow's output), ``name`` what it refers to.

    ``fields`` are the exact field paths read: below a task's ``tasks.<id>``, below a root otherwise. For a
    ``taskRef``, whose name is the reference as written, they are the fields of its output that the workflow reads
    anywhere, below ``output``.
    """

    path: str
    kind: Kind
    name: str
    fields: tuple[str, ...] = ()


def references(
    document: Workflow | WorkflowTask, *, check_transform: TransformCheck | None = None
) -> tuple[Reference, ...]:
    """Every reference, sorted, one per (path, kind, name)."""
    found: dict[tuple[str, Kind, str], set[str]] = {}
    if isinstance(document, WorkflowTask):
        sites = task_sites(document, check_transform)
        holders: list[tuple[str, Any]] = [("", document.spec.block_json)]
    else:
        sites = workflow_sites(document, check_transform)
        holders = [(task.id, task.block_json) for task in document.spec.tasks]
    names = [name for name, _ in holders]
    outputs: dict[str, set[str]] = {}
    for task, path in _reads(sites):
        reader = "" if task is None else names[task]
        kind = _ROOTS.get(path.root)
        if kind is None:
            continue
        name, below = _split(path, kind)
        found.setdefault((reader, kind, name), set()).add(below)
        if kind == "task":
            outputs.setdefault(name, set()).add(below)
    for reader, block in holders:
        for secret in _secret_refs(block):
            found.setdefault((reader, "secret", secret), set())
    for user in document.spec.tasks if isinstance(document, Workflow) else ():
        if user.task_ref is not None:
            read = {below for below in outputs.get(user.id, ()) if below.startswith("output")}
            found.setdefault((user.id, "taskRef", user.task_ref), set()).update(read)
    return tuple(sorted(Reference(*key, tuple(sorted(paths - {""}))) for key, paths in found.items()))


def _reads(sites: Sites) -> Iterable[tuple[int | None, ReadPath]]:
    for site in sites.sites:
        for path in site.expression.paths:
            yield site.task, path
    for task, _, path in sites.step_reads:
        yield task, path


def _split(path: ReadPath, kind: Kind) -> tuple[str, str]:
    """The name of what is read and the path below it."""
    if not path.segments:
        return "*", ""
    head, *rest = path.segments
    if kind in ("input", "trigger", "execution"):
        return path.root, ".".join(_plain(part) for part in path.segments)
    return (head if isinstance(head, str) else "*"), ".".join(_plain(part) for part in rest)


def _plain(part: Any) -> str:
    return part if isinstance(part, str) else f"[{part!r}]"


def _secret_refs(block: Any) -> list[str]:
    return [text for place, text in texts(block) if place and place[-1] == "secretRef" and "auth" in place]
