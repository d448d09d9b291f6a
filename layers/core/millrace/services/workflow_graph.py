"""The graph of a workflow as data: tasks, why one waits for another, and how deep each one lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.parsed_documents import workflow_of
from millrace.services.platform import Platform
from millrace.services.transform_check import check_transform
from millrace.spec import Workflow
from millrace.spec.dependencies import graph_of
from millrace.spec.sites import Sites, workflow_sites


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
    """The graph of a checked workflow. Linear in tasks and references."""
    sites = workflow_sites(workflow, check_transform)
    needs = graph_of(workflow, sites).needs
    reads = _reads(workflow, sites)
    order = {task.id: {need.task for need in task.depends_on} for task in workflow.spec.tasks}
    levels = _levels(needs)
    nodes = [
        {
            "id": task.id,
            "type": task.type or "taskRef",
            "taskRef": task.task_ref,
            "description": task.description or "",
            "layer": levels[task.id],
        }
        for task in workflow.spec.tasks
    ]
    edges = [
        _edge(before, after, reads.get((before, after), set()), before in order[after])
        for after, wanted in needs.items()
        for before in wanted
    ]
    layers: list[list[str]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for task, level in levels.items():
        layers[level].append(task)
    return {"nodes": nodes, "edges": edges, "layers": layers}


def mermaid(graph: Mapping[str, Any]) -> str:
    """The graph as a Mermaid flowchart. Ids are quoted and numbered, so that no name can become syntax."""
    numbers = {node["id"]: f"n{index}" for index, node in enumerate(graph["nodes"])}
    lines = ["flowchart TD"]
    lines += [f'  {numbers[node["id"]]}["{node["id"]} ({node["type"]})"]' for node in graph["nodes"]]
    for edge in graph["edges"]:
        arrow = "-->" if "data" in edge["why"] else "-.->"
        lines.append(f"  {numbers[edge['from']]} {arrow} {numbers[edge['to']]}")
    return "\n".join(lines) + "\n"


def _edge(before: str, after: str, reads: set[str], ordered: bool) -> dict[str, Any]:
    why = (["data"] if reads else []) + (["order"] if ordered else [])
    return {"from": before, "to": after, "why": why, "reads": sorted(reads)}


def _reads(workflow: Workflow, sites: Sites) -> dict[tuple[str, str], set[str]]:
    """Which paths of ``before`` are read by ``after``."""
    tasks = workflow.spec.tasks
    read = [(site.task, one.path) for site in sites.sites for one in site.expression.reads]
    read += [(at, path) for at, _, path in sites.step_reads]
    found: dict[tuple[str, str], set[str]] = {}
    for at, path in read:
        if at is not None and path.root == "tasks" and path.segments and isinstance(path.segments[0], str):
            found.setdefault((path.segments[0], tasks[at].id), set()).add(str(path))
    return found


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
