"""All tasks of a workflow in one list, with the bodies they stand in.

A body is a list of tasks that run in one scope: the workflow's own, a case of a switch, what runs per item, a fallback,
the handlers at the end. Ids are unique within a body, and an inner body sees the ids of those around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from millrace.spec.findings import Path
from millrace.spec.models import FALLBACK, FINALLY, ON_FAILURE, Task, Workflow
from millrace.spec.registry import InnerBody, find_type


class Placed(Struct, frozen=True):
    """A task: ``index`` in the tree, ``path`` in the document, ``body`` where it stands, ``inner`` those in it;
    ``named`` says that the document has only the name of what it runs at ``path``, with the input beside that."""

    index: int
    task: Task
    path: Path
    body: int
    inner: tuple[int, ...]
    named: bool = False

    def place(self, key: str) -> Path:
        """Where a key of the task stands in the document."""
        if not self.named:
            return (*self.path, key)
        return (*self.path[:-1], key) if key == "input" else self.path


@dataclass(frozen=True, slots=True)
class Body:
    """``owner`` is the task that holds it, None for those of the workflow itself, which ``name`` tells apart: empty for
    its tasks, ``onFailure``, ``finally``. ``roots`` are the names that its expressions see beside those around it,
    ``tasks`` the indexes of its tasks, ``ids`` the index of each id; ``single`` says that it is one task without an id
    of its own. A body ``sees`` another one's tasks."""

    index: int
    owner: int | None
    name: str
    sees: int | None
    roots: tuple[str, ...]
    single: bool
    tasks: tuple[int, ...]
    ids: Mapping[str, int] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Visible(Collection[str]):
    """The ids that can be read inside a body: its ``own``, and those ``above``. Bodies share what they see, since a set
    for each would be quadratic in the tasks."""

    own: frozenset[str]
    above: Visible | None

    def __contains__(self, name: object) -> bool:
        return name in self.own or (self.above is not None and name in self.above)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self.above or ()

    def __len__(self) -> int:
        return len(self.own) + len(self.above or ())


class Tree(Struct, frozen=True):
    """Tasks in document order, each before those inside it; the first body is the workflow's own. ``visible`` are the
    ids that can be read inside each body."""

    tasks: tuple[Placed, ...]
    bodies: tuple[Body, ...]
    visible: tuple[Visible, ...]

    def around(self, body: int) -> Iterator[Body]:
        """The body, and those whose tasks it sees, from the inside."""
        at: int | None = body
        while at is not None:
            found = self.bodies[at]
            yield found
            at = found.sees

    def lookup(self, body: int, name: str) -> tuple[Body, int] | None:
        """The body and index of the task that ``name`` means when read inside ``body``."""
        for found in self.around(body):
            if name in found.ids:
                return found, found.ids[name]
        return None

    def roots(self, body: int) -> tuple[str, ...]:
        """The names seen inside ``body`` beside those that every expression of a workflow sees."""
        return tuple(dict.fromkeys(root for one in self.around(body) for root in one.roots))

    def holder(self, index: int, body: int) -> int | None:
        """The task of ``body`` that the task ``index`` is or stands in; None if it stands elsewhere."""
        at: int | None = index
        while at is not None:
            placed = self.tasks[at]
            if placed.body == body:
                return at
            at = self.bodies[placed.body].owner
        return None

    def label(self, index: int) -> str:
        """The task as people call it: its id, those of the tasks around it in front."""
        placed = self.tasks[index]
        body = self.bodies[placed.body]
        above = "" if body.owner is None else self.label(body.owner)
        if body.single:
            return f"{above}/{body.name}" if above else body.name
        parts = [part for part in (above, body.name) if part]
        return "/".join([*parts, placed.task.id])

    def general(self, index: int) -> str:
        """The path of every instance of a task, with ``[*]`` for the position in a loop: ``loop[*]/ship``."""
        placed = self.tasks[index]
        body = self.bodies[placed.body]
        above = "" if body.owner is None else self.general(body.owner)
        if body.owner is not None and not body.name:
            above += "[*]"
        parts = [above, body.name] if body.single else [above, body.name, placed.task.id]
        return "/".join(part for part in parts if part)

    def holders(self) -> Callable[[str, int | None], str]:
        """Answers, for the id of a task that stands in another one, and the task that names it (None: the workflow
        itself), what of it can be named there; nothing for other ids. Of equal ids the first counts."""
        hidden: dict[str, int] = {}
        for placed in self.tasks:
            body = self.bodies[placed.body]
            if body.owner is not None and not body.single:
                hidden.setdefault(placed.task.id, placed.index)
        return lambda name, reader: self._seen_around(hidden[name], reader) if name in hidden else ""

    def handlers(self) -> dict[str, str]:
        """The ids of tasks that run at the end, with the name of what they are part of."""
        names = (ON_FAILURE, FINALLY)
        return {
            one.task.id: self.bodies[one.body].name
            for one in self.tasks
            if self.bodies[one.body].owner is None and self.bodies[one.body].name in names
        }

    def _seen_around(self, index: int, reader: int | None) -> str:
        """The id of the task around the task ``index`` that ``reader`` can name; empty where it stands in that too."""
        seen = {body.index for body in self.around(0 if reader is None else self.tasks[reader].body)}
        at: int | None = index
        while at is not None and self.tasks[at].body not in seen:
            at = self.bodies[self.tasks[at].body].owner
        if at is None or (reader is not None and self.holder(reader, self.tasks[at].body) == at):
            return ""
        return self.tasks[at].task.id


def tree_of(workflow: Workflow) -> Tree:
    """The tree of a workflow. Linear in its tasks; as deep as the document, which is limited."""
    grower = _Grower()
    spec = workflow.spec
    root = InnerBody("", ("tasks",), spec.tasks)
    grower.body(root, ("spec",), None, None)
    if spec.on_failure is not None:
        path: Path = ("onFailure",) if spec.on_failure.single else ("onFailure", "tasks")
        handler = InnerBody(ON_FAILURE, path, spec.on_failure.tasks, ("error",), single=spec.on_failure.single)
        grower.body(handler, ("spec",), None, 0)
    if spec.finally_:
        grower.body(InnerBody(FINALLY, ("finally",), spec.finally_, ("error",)), ("spec",), None, 0)
    return grower.done()


def bodies_of(task: Task) -> tuple[InnerBody, ...]:
    """The bodies inside a task: those of its type, and its fallback."""
    kind = find_type(task.type) if task.type is not None else None
    found = () if kind is None or task.block is None else kind.bodies(task.block)
    if task.fallback is None or (inner := task.fallback.inner) is None:
        return found
    key, named = ("workflow" if task.fallback.workflow is not None else "task"), task.fallback.named
    return (*found, InnerBody(FALLBACK, (FALLBACK, key), (inner,), ("error",), single=True, named=named))


class _Grower:
    def __init__(self) -> None:
        self._tasks: list[Placed | None] = []
        self._bodies: list[Body | None] = []

    def body(self, inner: InnerBody, base: Path, owner: int | None, sees: int | None) -> int:
        index = len(self._bodies)
        self._bodies.append(None)
        ids: dict[str, int] = {}
        held = []
        for position, task in enumerate(inner.tasks):
            path = (*base, *inner.path) if inner.single else (*base, *inner.path, position)
            at = self._task(task, path, index, named=inner.named)
            held.append(at)
            ids.setdefault(task.id, at)
        known = {} if inner.single else ids
        self._bodies[index] = Body(index, owner, inner.name, sees, inner.roots, inner.single, tuple(held), known)
        return index

    def _task(self, task: Task, path: Path, body: int, *, named: bool) -> int:
        index = len(self._tasks)
        self._tasks.append(None)
        bodies = tuple(self.body(inner, path, index, body) for inner in bodies_of(task))
        self._tasks[index] = Placed(index, task, path, body, bodies, named)
        return index

    def done(self) -> Tree:
        tasks = tuple(placed for placed in self._tasks if placed is not None)
        bodies = tuple(body for body in self._bodies if body is not None)
        visible: list[Visible] = []
        for body in bodies:  # one that is seen by others stands before them
            visible.append(Visible(frozenset(body.ids), None if body.sees is None else visible[body.sees]))
        return Tree(tasks, bodies, tuple(visible))
