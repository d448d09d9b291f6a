"""The graph of a workflow as data: tasks, why one waits for another, and how deep each one lies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from millrace.expr import ReadPath
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.parsed_documents import workflow_of
from millrace.services.platform import Platform
from millrace.services.transform_check import check_transform
from millrace.spec import Workflow
from millrace.spec.dependencies import entries, graphs_of, state_reads
from millrace.spec.sites import Sites, workflow_sites
from millrace.spec.tree import Tree, tree_of


def workflow_graph(platform: Platform, caller: Caller, name: str, *, version: str | None = None) -> dict[str, Any]:
    """``{nodes, edges, layers}`` of a version (default: the active one; the latest while none is active).

    An edge is ``{from, to, why, reads}``: ``why`` holds ``data`` when ``to`` reads what ``from`` produced (``reads``
    are the paths) and ``order`` when ``dependsOn`` asks for it. Raises NotFound.
    """
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, "workflow", name)
    found = find_version(definitions, head, version or (None if head.active else "latest"))
    return graph_json(workflow_of(definitions, found))


def graph_json(workflow: Workflow) -> dict[str, Any]:
    """The graph of a checked workflow. Linear in tasks and references.

    A task inside another one has the id of the task path without positions (``loop/ship``, ``route/0/pack``) and names
    the task around it as ``parent``; its layer counts within its own list. Layers are those of the workflow's own list.
    """
    tree = tree_of(workflow)
    sites = workflow_sites(workflow, check_transform, tree)
    graphs = graphs_of(workflow, tree, sites)
    levels = [_levels(graph.needs) for graph in graphs]
    reads = _reads(workflow, tree, sites)
    nodes = []
    for placed in tree.tasks:
        owner = tree.bodies[placed.body].owner
        nodes.append(
            {
                "id": tree.label(placed.index),
                "type": placed.task.type or "taskRef",
                "taskRef": placed.task.task_ref,
                "description": placed.task.description or "",
                "layer": levels[placed.body].get(placed.task.id, 0),
                "parent": None if owner is None else tree.label(owner),
            }
        )
    ordered = [frozenset(need.task for need in placed.task.depends_on) for placed in tree.tasks]
    edges = [
        _edge(tree, body.ids[before], body.ids[after], reads, ordered[body.ids[after]])
        for body, graph in zip(tree.bodies, graphs, strict=True)
        for after, wanted in graph.needs.items()
        for before in wanted
    ]
    layers: list[list[str]] = [[] for _ in range(max(levels[0].values(), default=-1) + 1)]
    for task, level in levels[0].items():
        layers[level].append(task)
    return {"nodes": nodes, "edges": edges, "layers": layers}


def mermaid(graph: Mapping[str, Any]) -> str:
    """The graph as a Mermaid flowchart. Ids are quoted and numbered, so that no name can become syntax."""
    nodes = graph["nodes"]
    numbers = {node["id"]: f"n{index}" for index, node in enumerate(nodes)}
    inside: dict[str | None, list[Mapping[str, Any]]] = {}
    for node in nodes:
        inside.setdefault(node["parent"], []).append(node)
    lines = ["flowchart TD"]

    def draw(parent: str | None, indent: str) -> None:
        for node in inside[parent]:
            number, text = numbers[node["id"]], f'"{node["id"]} ({node["type"]})"'
            if node["id"] not in inside:
                lines.append(f"{indent}{number}[{text}]")
                continue
            lines.append(f"{indent}subgraph {number}[{text}]")
            draw(node["id"], indent + "  ")
            lines.append(f"{indent}end")

    draw(None, "  ")
    for edge in graph["edges"]:
        arrow = "-->" if "data" in edge["why"] else "-.->"
        lines.append(f"  {numbers[edge['from']]} {arrow} {numbers[edge['to']]}")
    return "\n".join(lines) + "\n"


def _edge(
    tree: Tree, before: int, after: int, reads: Mapping[tuple[int, int], set[str]], ordered: Collection[str]
) -> dict[str, Any]:
    read = reads.get((before, after), set())
    why = (["data"] if read else []) + (["order"] if tree.tasks[before].task.id in ordered else [])
    return {"from": tree.label(before), "to": tree.label(after), "why": why, "reads": sorted(read)}


def _reads(workflow: Workflow, tree: Tree, sites: Sites) -> dict[tuple[int, int], set[str]]:
    """Which paths of one task are read by another of its body, or inside that, or through the state."""
    state = state_reads(workflow, sites)
    read = [(site.task, one.path) for site in sites.sites if site.task is not None for one in site.expression.reads]
    read += [(at, path) for at, _, path in sites.step_reads]
    found: dict[tuple[int, int], set[str]] = {}
    for at, path in read:
        if path.root == "tasks":
            _note(tree, at, tree.tasks[at].body, path, found)
        for name in entries(path, state) if path.root == "state" else ():
            for one in state[name]:
                _note(tree, at, 0, one, found)
    return found


def _note(tree: Tree, at: int, body: int, path: ReadPath, found: dict[tuple[int, int], set[str]]) -> None:
    name = path.segments[0] if path.segments else None
    place = tree.lookup(body, name) if isinstance(name, str) else None
    reader = None if place is None else tree.holder(at, place[0].index)
    if place is not None and reader is not None:
        found.setdefault((place[1], reader), set()).add(str(path))


def _levels(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The longest way from a task without dependencies, per task (Kahn's algorithm); the graph has no cycle."""
    followers: dict[str, list[str]] = {task: [] for task in needs}
    for task, wanted in needs.items():
        for before in wanted:
            followers[before].append(task)
    waiting = {task: len(wanted) for task, wanted in needs.items()}
    levels = {task: 0 for task, count in waiting.items() if count == 0}
    ready = list(levels)
    for task in ready:
        for after in followers[task]:
            levels[after] = max(levels.get(after, 0), levels[task] + 1)
            waiting[after] -= 1
            if waiting[after] == 0:
                ready.append(after)
    return {task: levels[task] for task in needs}
