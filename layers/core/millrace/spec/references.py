"""What a workflow refers to, for the index that answers "who uses this, and which fields of it"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from millrace.expr import ReadPath
from millrace.spec.models import Task, Workflow, WorkflowTask
from millrace.spec.registry import find_type
from millrace.spec.sites import Sites, TransformCheck, task_sites, texts, workflow_sites
from millrace.spec.tasks.generate import Generate
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import tree_of

Kind = Literal["taskRef", "workflowRef", "task", "state", "secret", "env", "config", "input", "trigger", "execution"]
_ROOTS: dict[str, Kind] = {
    "tasks": "task",
    "secrets": "secret",
    "env": "env",
    "config": "config",
    "state": "state",
    "input": "input",
    "trigger": "trigger",
    "execution": "execution",
}


class Reference(Struct, frozen=True, order=True):
    """``path`` is the task that refers (its id, those around it in front; "" for the workflow's output and state),
    ``name`` what it refers to; a task is named in the same way.

    ``fields`` are the exact field paths read: below a task's ``tasks.<id>``, below a root otherwise. For a ``taskRef``
    or ``workflowRef``, whose name is the reference as written, they are the fields of its output that the workflow
    reads anywhere, below ``output``.
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
    tree = None
    if isinstance(document, WorkflowTask):
        sites = task_sites(document, check_transform)
        holders: list[tuple[str, Any]] = [("", document.spec.block_json)]
    else:
        tree = tree_of(document)
        sites = workflow_sites(document, check_transform, tree)
        holders = [(tree.label(placed.index), _own_block(placed.task)) for placed in tree.tasks]
    names = [name for name, _ in holders]
    outputs: dict[str, set[str]] = {}
    for task, path in _reads(sites):
        reader = "" if task is None else names[task]
        kind = _ROOTS.get(path.root)
        if kind is None:
            continue
        name, below = _split(path, kind)
        if kind == "task" and tree is not None:
            place = tree.lookup(0 if task is None else tree.tasks[task].body, name)
            name = name if place is None else names[place[1]]
            outputs.setdefault(name, set()).add(below)
        found.setdefault((reader, kind, name), set()).add(below)
    for reader, block in holders:
        for secret in _secret_refs(block):
            found.setdefault((reader, "secret", secret), set())
    for placed in () if tree is None else tree.tasks:
        user, label = placed.task, names[placed.index]
        read = {below for below in outputs.get(label, ()) if below.startswith("output")}
        for name in task_refs(user):
            found.setdefault((label, "taskRef", name), set()).update(read)
        for name in workflow_refs(user):
            found.setdefault((label, "workflowRef", name), set()).update(read)
    return tuple(sorted(Reference(*key, tuple(sorted(paths - {""}))) for key, paths in found.items()))


def task_refs(task: Task) -> tuple[str, ...]:
    """The reusable tasks that a task names, as written: its own, and those that tasks it generates may name."""
    own = () if task.task_ref is None else (task.task_ref,)
    return (*own, *(task.block.task_refs if isinstance(task.block, Generate) else ()))


def workflow_refs(task: Task) -> tuple[str, ...]:
    """The workflows that a task starts, as written."""
    return (task.block.workflow_ref,) if isinstance(task.block, SubWorkflow) else ()


def wanted_tasks(workflow: Workflow) -> list[str]:
    """Every reusable task that a workflow names anywhere, as written, in document order."""
    return list(dict.fromkeys(name for placed in tree_of(workflow).tasks for name in task_refs(placed.task)))


def wanted_workflows(workflow: Workflow) -> list[str]:
    """Every workflow that a workflow starts anywhere, as written, in document order."""
    return list(dict.fromkeys(name for placed in tree_of(workflow).tasks for name in workflow_refs(placed.task)))


def _own_block(task: Task) -> Any:
    """The raw block of a task, without the tasks inside it."""
    kind = find_type(task.type) if task.type is not None else None
    return task.block_json if kind is None or task.block_json is None else kind.templates(task.block_json)


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
