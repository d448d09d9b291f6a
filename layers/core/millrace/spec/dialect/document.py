"""The whole document of the dialect as a workflow of ours.

The ids of all tasks have to be known before the first expression is read, since a bare name may mean a task.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from msgspec.structs import replace

from millrace.spec.dialect.names import Names
from millrace.spec.dialect.report import Report
from millrace.spec.dialect.shape import FLOW
from millrace.spec.dialect.steps import Steps, graph_of, step_name
from millrace.spec.dialect.tree import Fields, leaf, listing, mapped
from millrace.spec.findings import Path, in_order
from millrace.spec.models import API_VERSION
from millrace.spec.source import Node, Source

PLAIN: Final = {
    "description": "description",
    "version": "version",
    "tags": "tags",
    "timeout": "timeout",
    "parallel_limit": "parallelLimit",
}
BLOCKS: Final = {"triggers": "triggers", "external_state": "externalState"}
"""Blocks that the language keeps for a later issue, as they are written."""
KEYS: Final = frozenset({"name", "inputs", "input", "config", "state", "dependencies", "steps", "output"})
_UNNAME: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME: Final = 63


def normalise(source: Source) -> Source:
    """The document as one of ours: the same text, values and positions in our places, and findings about what was
    not taken over as it is. ``source`` must satisfy `is_dialect`; it is left as it was."""
    return _Document(source).made()


class _Document:
    def __init__(self, source: Source) -> None:
        self._source, self._root, self._report = source, source.root, Report()
        steps = source.root.children["steps"]
        self._steps: list[tuple[Node, Path]] = [
            (node, ("steps", index)) for index, node in enumerate(steps.children.values())
        ]

    def made(self) -> Source:
        root, report = self._root, self._report
        report.unknown(root, (), KEYS | PLAIN.keys() | BLOCKS.keys())
        graph = self._mapping("dependencies")
        nodes = self._nodes(graph)
        steps = [step for step, _ in self._steps if isinstance(step.value, dict) and step.value.get("type") != FLOW]
        given = nodes | {name for name in map(step_name, steps) if name is not None}
        inputs = self._root.children.get("inputs", self._root.children.get("input"))
        names = Names(self._block("config"), self._block("state"), given, closed=inputs is not None)
        tasks, limits = self._tasks(names, graph, nodes, given)
        spec = Fields(root.at)
        for key, ours in PLAIN.items():
            spec.move(root, key, ours)
        self._limit(spec, limits)
        for key in ("config", "state"):
            if key in root.children:
                spec.put(key, mapped(root.children[key], lambda text, _node: names.rewrite(text)), root.keys[key])
        spec.put("tasks", tasks, root.keys["steps"])
        if "output" in root.children:
            node = mapped(root.children["output"], lambda text, _node: names.rewrite(text))
            spec.put("output", node, root.keys["output"])
        self._inputs(spec, inputs, names)
        for key, ours in BLOCKS.items():
            spec.move(root, key, ours)
        return self._wrapped(spec)

    def _wrapped(self, spec: Fields) -> Source:
        at = self._root.at
        name = self._root.children["name"]
        metadata = Fields(name.at)
        metadata.put("name", self._name(name), self._root.keys["name"])
        whole = Fields(at)
        whole.put("apiVersion", leaf(API_VERSION, at))
        whole.put("kind", leaf("Workflow", at))
        whole.put("metadata", metadata.node, self._root.keys["name"])
        whole.put("spec", spec.node)
        fix = "`millrace fmt` writes it as ours."
        self._report.hint("dialect", "a document of the other dialect, read as a Workflow", (), self._root, fix)
        notes = in_order([*self._source.notes, *self._report.findings])
        return replace(self._source, root=whole.node, notes=notes)

    def _name(self, node: Node) -> Node:
        if not isinstance(node.value, str):
            return node
        made = _UNNAME.sub("-", node.value.lower()).strip("-")[:_LONGEST_NAME].strip("-")
        if made == node.value or not made:
            return node
        self._report.warn(
            "dialect-changed", f'the name "{node.value}" is read as "{made}"', ("name",), node, f"Write {made}."
        )
        return Node(made, node.at)

    def _mapping(self, key: str) -> Node | None:
        """A block that has to be a mapping; None where it is not there, or is none."""
        node = self._root.children.get(key)
        if node is None or isinstance(node.value, dict):
            return node
        self._report.error("wrong-type", f'"{key}" is not a mapping', (key,), node, "Write a mapping.")
        return None

    def _block(self, key: str) -> Collection[str] | None:
        node = self._mapping(key)
        return None if node is None else frozenset(node.value)

    def _nodes(self, graph: Node | None) -> set[str]:
        """The names of all nodes of all graphs that flows run."""
        flows = [step for step, _ in self._steps if isinstance(step.value, dict) and step.value.get("type") == FLOW]
        graphs = [graph_of(step, graph) for step in flows]
        return {name for found in graphs if found is not None for name in found.value}

    def _tasks(self, names: Names, graph: Node | None, nodes: set[str], given: set[str]) -> tuple[Node, list[Node]]:
        steps = Steps(self._report, names, graph, set(given))
        made: list[Node] = []
        after: tuple[str, ...] = ()
        line: list[tuple[Node, Path]] = []
        for step, path in self._steps:
            if not isinstance(step.value, dict):
                self._report.error("wrong-type", "a step is not a mapping", path, step, "Write a mapping with a type.")
            elif step_name(step) in nodes and step.value.get("type") != FLOW:
                steps.bodies[str(step_name(step))] = (step, path)
            else:
                line.append((step, path))
        for step, path in line:
            done = list(steps.tasks(step, path, after))
            made += [task for _, task in done]
            after = _last(done) or after
        return listing(made, self._root.children["steps"].at), steps.limits

    def _limit(self, spec: Fields, limits: list[Node]) -> None:
        numbers = [node for node in limits if type(node.value) is int]
        if not limits:
            return
        node = min(numbers, key=lambda one: one.value) if len(numbers) == len(limits) else limits[0]
        if len({str(one.value) for one in limits}) > 1:
            message = f"the flows differ in parallel_limit; {node.value} holds for the whole workflow"
            self._report.warn("dialect-changed", message, ("steps",), node, "Give all flows one limit.")
        spec.put("parallelLimit", node)

    def _inputs(self, spec: Fields, node: Node | None, names: Names) -> None:
        declared = _schema(node.value) if node is not None and isinstance(node.value, dict) else {}
        if node is not None and not isinstance(node.value, dict):
            self._report.error("wrong-type", '"inputs" is not a mapping', ("inputs",), node, "Write a mapping.")
        if not declared and not names.undeclared:
            return
        at = self._root.at if node is None else node.at
        spec.put("input", leaf(names.schema(declared), at))
        shown = ", ".join(".".join(name) for name in sorted(names.undeclared))
        if shown:
            message = f"nothing declares {shown}: a start has to give it as input"
            fix = "Declare it under config, state or inputs, or give it at each start."
            self._report.warn("dialect-undeclared", message, ("steps",), self._root, fix)


def _last(tasks: list[tuple[str, Node]]) -> tuple[str, ...]:
    """The ids that no other of the tasks waits for."""
    waited = {
        str(need.get("task") if isinstance(need, dict) else need)
        for _, task in tasks
        for need in task.value.get("dependsOn", ())
    }
    return tuple(name for name, _ in tasks if name not in waited)


def _schema(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of the dialect, by name with type, default and required, as a JSON Schema; one stays as it is."""
    if isinstance(inputs.get("properties"), dict) or isinstance(inputs.get("type"), str):
        return inputs
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, given in inputs.items():
        entry = dict(given) if isinstance(given, dict) else {"type": given} if isinstance(given, str) else {}
        if entry.pop("required", False) is True:
            required.append(name)
        properties[name] = entry
    return {"properties": properties, **({"required": required} if required else {})}
