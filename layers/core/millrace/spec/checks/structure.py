"""Checks of the graph: ids, dependencies, rings, and tasks that can never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from millrace.base.limits import BODIES_DEEP, TASKS_PER_WORKFLOW
from millrace.spec.checks.report import Report
from millrace.spec.cycles import rings
from millrace.spec.dependencies import MOST_THROUGH_STATE, Graph
from millrace.spec.findings import Path
from millrace.spec.models import FALLBACK, FINALLY, ON_FAILURE
from millrace.spec.outcomes import Outcomes
from millrace.spec.sites import Sites
from millrace.spec.tree import Body, Tree

RESERVED: Final = frozenset({ON_FAILURE, FINALLY})


def check_ids(report: Report, tree: Tree) -> None:
    """Ids are unique where they are seen, and there are not too many of them."""
    if len(tree.tasks) > TASKS_PER_WORKFLOW:
        message = f"the workflow has {len(tree.tasks)} tasks, more than {TASKS_PER_WORKFLOW}"
        report.add("too-many-tasks", message, ("spec", "tasks"), fix="Split it into several workflows.")
    for body in tree.bodies:
        _deep(report, tree, body)
        for index in body.tasks if not body.single else ():
            placed = tree.tasks[index]
            path, name = (*placed.path, "id"), placed.task.id
            held = body.ids[name]
            if held == index and body.sees is not None:
                outer = tree.lookup(body.sees, name)
                held = index if outer is None else outer[1]
            if held != index:
                line = report.source.position((*tree.tasks[held].path, "id"))[0]
                message = f'the id "{name}" is taken by the task in line {line}'
                report.add("duplicate-id", message, path, fix="Give one of them another id.")
            if body.owner is None and name in RESERVED:
                message = f'the id "{name}" is that of the handlers at the end of the workflow'
                report.add("reserved-id", message, path, fix="Give the task another id.")
            if body.owner is not None and not body.name and name == FALLBACK:
                message = f'the id "{name}" is that of what stands in for the task around this one'
                report.add("reserved-id", message, path, fix="Give the task another id.")
        _shadows(report, tree, body)


def _deep(report: Report, tree: Tree, body: Body) -> None:
    depth, at = 0, body.owner
    while at is not None:
        depth, at = depth + 1, tree.bodies[tree.tasks[at].body].owner
    if depth == BODIES_DEEP + 1 and body.owner is not None:
        message = f"tasks stand inside tasks more than {BODIES_DEEP} levels deep"
        report.add(
            "too-many-levels",
            message,
            tree.tasks[body.owner].path,
            fix="Move the inner ones into a workflow of their own.",
        )


def _shadows(report: Report, tree: Tree, body: Body) -> None:
    """A name that means something around a body already would hide it."""
    if body.owner is None or body.sees is None or body.single:
        return
    outer = tree.roots(body.sees)
    for key, root in zip(("as", "index"), body.roots, strict=False):
        if root in outer:
            path = (*tree.tasks[body.owner].path, "forEach")
            message = f'"{root}" is the name of something around this task already'
            report.add("shadowed-name", message, (*path, key), fix=f"Give it another name by {key}.")


def check_graph(report: Report, tree: Tree, graphs: Sequence[Graph], sites: Sites) -> None:
    """Every dependency exists, nothing waits for itself, and there is no ring. Linear in tasks and edges."""
    if not graphs[0].whole:
        message = f"tasks read others through state more than {MOST_THROUGH_STATE} times"
        report.add("too-many-tasks", message, ("spec", "state"), fix="Read less in the state, or in fewer tasks.")
    within = _within(report, tree, sites)
    for placed in tree.tasks:
        body = tree.bodies[placed.body]
        seen: dict[str, str | bool | None] = {}
        for at, need in enumerate(placed.task.depends_on):
            if need.task not in body.ids:
                _unknown_need(report, tree, placed.index, at)
            elif need.task in seen and None in (seen[need.task], need.condition):
                message = f'the task waits for "{need.task}" already'
                report.add("no-effect", message, _need_path(report, placed.path, at), fix="Name it once.")
            seen.setdefault(need.task, need.condition)
    for body, graph in zip(tree.bodies, graphs, strict=True):
        for name, needs in graph.needs.items():
            if name in needs and body.ids[name] not in within:
                path = _place(report, tree, body.ids[name], name)
                report.add("self-reference", f'the task "{name}" waits for itself', path, fix="Take the reference out.")
        for ring in rings(graph.needs):
            path = _place(report, tree, body.ids[ring[0]], ring[1])
            shown = ring if len(ring) <= 40 else [*ring[:20], f"… {len(ring) - 40} more …", *ring[-20:]]
            message = f"the tasks wait for each other: {' → '.join(shown)}"
            report.add("cycle", message, path, fix="Take one of these dependencies out.")


def _within(report: Report, tree: Tree, sites: Sites) -> set[int]:
    """The tasks that are read inside themselves, which have no output before what is inside them has ended."""
    found: set[int] = set()
    for site in sites.sites:
        at = site.task
        for read in site.expression.reads if at is not None else ():
            name = read.path.segments[0] if read.path.root == "tasks" and read.path.segments else None
            place = tree.lookup(tree.tasks[at].body, name) if isinstance(name, str) and at is not None else None
            if at is None or place is None or place[1] == at or tree.holder(at, place[0].index) != place[1]:
                continue
            found.add(place[1])
            message = f'the task "{name}" is around this one, and ends after it'
            fix = "Read a task that ends before it."
            report.add_at(site, read.offset, "self-reference", message, fix=fix)
    return found


def _unknown_need(report: Report, tree: Tree, index: int, at: int) -> None:
    placed = tree.tasks[index]
    name = placed.task.depends_on[at].task
    path = _need_path(report, placed.path, at)
    found = tree.lookup(placed.body, name)
    if found is not None:
        around = tree.holder(index, found[0].index) == found[1]
        why = "is around this one" if around else "is not beside this one, and is done before it anyway"
        message = f'the task "{name}" {why}'
        report.add(
            "unknown-task", message, path, fix="Take the dependency out, or move it to the task around this one."
        )
        return
    ids = tree.bodies[placed.body].ids
    report.no_task(name, ids, path, reader=index, otherwise="Add the task, or take the dependency out.")


def check_reachable(report: Report, tree: Tree, outcomes: Sequence[Outcomes]) -> None:
    """A task never runs if its condition is constantly false, or if its trigger rule asks for one that never runs."""
    for body, found in zip(tree.bodies, outcomes, strict=True):
        for name, origin in found.dead.items():
            path = tree.tasks[body.ids[name]].path
            if name == origin:
                message = f'the task "{name}" never runs: its condition is always false'
                report.add("unreachable-task", message, (*path, "condition"), fix="Take the task or its condition out.")
            else:
                message = f'the task "{name}" never runs: it waits for "{origin}", whose condition is always false'
                report.add("unreachable-task", message, path, fix=f"Do not wait for {origin}, or let it run.")


def _need_path(report: Report, base: Path, at: int) -> Path:
    path: Path = (*base, "dependsOn", at)
    return (*path, "task") if isinstance(report.source.at(path), dict) else path


def _place(report: Report, tree: Tree, index: int, need: str) -> Path:
    """Where a task says that it waits for another: its dependsOn if that names it, else the task."""
    placed = tree.tasks[index]
    for at, item in enumerate(placed.task.depends_on):
        if item.task == need:
            return _need_path(report, placed.path, at)
    return placed.path
