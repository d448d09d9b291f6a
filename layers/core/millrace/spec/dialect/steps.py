"""Steps of the dialect as tasks: a graph of named nodes, a call of a service, or a task as we write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from millrace.spec.dialect.names import Names
from millrace.spec.dialect.report import Report
from millrace.spec.dialect.shape import CALL, FLOW
from millrace.spec.dialect.tree import Fields, leaf, listing, mapped
from millrace.spec.findings import Path
from millrace.spec.source import Node

POLICIES: Final[Mapping[str, str]] = {
    "description": "description",
    "priority": "priority",
    "timeout": "timeout",
    "attempt_timeout": "attemptTimeout",
    "retry": "retry",
    "continue_on_error": "continueOnError",
    "trigger_rule": "triggerRule",
    "fallback": "fallback",
    "circuit_breaker": "circuitBreaker",
    "concurrency": "concurrency",
    "output": "output",
}
"""Keys that any step may have, and ours for them."""
_NEEDS: Final = ("depends_on", "dependsOn")
FLOW_KEYS: Final = frozenset({"type", "id", "name", "graph", "parallel_limit", "condition"})
CALL_KEYS: Final = frozenset(
    {"type", "id", "name", "service", "method", "params", "headers", "auth", "condition", *_NEEDS}
)
NODE_KEYS: Final = frozenset({"condition", *_NEEDS})
_AUTH: Final[Mapping[str, Mapping[str, str]]] = {
    "basic": {"username": "username", "password": "password"},
    "api_key": {"name": "name", "header": "name", "value": "value", "key": "value", "token": "value", "in": "in"},
}
_UNWORD: Final = re.compile(r"[^A-Za-z0-9]+")
_WORDS: Final = re.compile(r"_([a-z0-9])")
_WHOLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
AFTER: Final = "none_failed"
"""The dialect orders steps: one that was left out does not hold up those behind it, one that failed does."""


def camel(name: str) -> str:
    """``max_attempts`` as ``maxAttempts``."""
    return _WORDS.sub(lambda match: match[1].upper(), name)


def step_name(step: Node) -> str | None:
    """The id of a step, where it gives one."""
    name = step.value.get("id", step.value.get("name"))
    return name if isinstance(name, str) else None


def graph_of(step: Node, dependencies: Node | None) -> Node | None:
    """The graph that a flow runs: its own, or the document's."""
    own = step.children.get("graph")
    if own is None:
        return dependencies
    if isinstance(own.value, str):
        match = _WHOLE.fullmatch(own.value.strip())
        named = match[1] if match else own.value.strip()
        return dependencies if named == "dependencies" else None
    return own if isinstance(own.value, dict) else None


class Steps:
    """Turns the steps of one document into task nodes, in their order.

    ``bodies`` are the steps that nodes of a graph run, by name; ``limits`` the parallel limits met.
    """

    def __init__(self, report: Report, names: Names, graph: Node | None, taken: set[str]) -> None:
        self.limits: list[Node] = []
        self.bodies: dict[str, tuple[Node, Path]] = {}
        self._report, self._names, self._graph, self._taken = report, names, graph, taken

    def tasks(self, step: Node, path: Path, after: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
        """The id and the task of each node of a flow, or of the one call or task that a step is. ``after`` are the
        tasks that the step waits for."""
        if step.value.get("type") == FLOW:
            yield from self._flow(step, path, after)
            return
        name = step_name(step) or self._free(_default_name(step))
        yield name, self._task(name, step, path, after, None)

    def _flow(self, step: Node, path: Path, after: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
        self._report.unknown(step, path, FLOW_KEYS)
        if "parallel_limit" in step.children:
            self.limits.append(step.children["parallel_limit"])
        graph = graph_of(step, self._graph)
        if graph is None:
            fix = 'Give it a mapping from each name to what it waits for, or write graph: "{{ dependencies }}".'
            self._report.error("bad-value", "the flow has no graph", (*path, "graph"), step, fix)
            return
        condition = step.value.get("condition")
        for name, node in graph.children.items():
            yield str(name), self._node(str(name), node, path, after, condition)

    def _node(self, name: str, node: Node, path: Path, after: tuple[str, ...], condition: Any) -> Node:
        needs, own = self._needs(node, path)
        body, where = self.bodies.get(name, (None, path))
        if body is None:
            message = f'nothing says what "{name}" does: it takes its place in the order and does nothing'
            fix = f"Add a step with id: {name}."
            self._report.warn("dialect-marker", message, (*path, "graph", name), node, fix)
            body = leaf({"type": "transform", "input": {"items": []}, "transform": [{"limit": 1}]}, node.at)
        waits = needs or [leaf(one, node.at) for one in after]
        return self._task(name, body, where, waits, own, condition=condition)

    def _needs(self, node: Node, path: Path) -> tuple[list[Node], Fields]:
        """What a node waits for, and its own condition and policies."""
        own, needs = Fields(node.at), []
        for entry in _entries(node):
            if not isinstance(entry.value, dict) or "task" in entry.value:
                needs.append(self._need(entry, path))
            else:
                self._report.unknown(entry, path, NODE_KEYS | POLICIES.keys())
                needs += self._listed(entry, path)
                for key in entry.children:
                    own.move(entry, str(key), str(key))
        return needs, own

    def _listed(self, holder: Node, path: Path) -> list[Node]:
        """What a step or node waits for by a key of its own."""
        given = [holder.children[key] for key in _NEEDS if key in holder.children]
        return [self._need(entry, path) for node in given for entry in _entries(node)]

    def _need(self, entry: Node, path: Path) -> Node:
        if not isinstance(entry.value, dict):
            return entry
        self._report.unknown(entry, path, frozenset({"task", "condition"}))
        need = Fields(entry.at)
        need.move(entry, "task", "task")
        if "condition" in entry.children:
            need.put("condition", self._condition(entry.children["condition"]), entry.keys["condition"])
        return need.node

    def _condition(self, node: Node) -> Node:
        if not isinstance(node.value, str):
            return node
        return Node(_unbraced(self._names.rewrite(node.value, bare=True)), node.at)

    def _task(
        self,
        name: str,
        step: Node,
        path: Path,
        after: tuple[str, ...] | list[Node],
        own: Fields | None,
        *,
        condition: Any = None,
    ) -> Node:
        task = Fields(step.at)
        task.put("id", leaf(name, step.children["id"].at if "id" in step.children else step.at))
        if step.value.get("type") == CALL:
            self._call(step, path, task)
        else:
            self._ours(step, task)
        for holder in (step, *([own.node] if own is not None else [])):
            for key, ours in POLICIES.items():
                for spelling in dict.fromkeys((key, ours)):
                    if spelling in holder.children:
                        value = mapped(holder.children[spelling], self._plain)
                        task.put(ours, _retry(value) if ours == "retry" else value, holder.keys[spelling])
        conditions = [condition, step.value.get("condition"), own.node.value.get("condition") if own else None]
        self._put_condition(task, conditions)
        needs = [leaf(one, step.at) if isinstance(one, str) else one for one in after] + self._listed(step, path)
        if needs:
            task.put("dependsOn", listing(needs, step.at))
            if "triggerRule" not in task.node.value:
                task.put("triggerRule", leaf(AFTER, step.at))
        return task.node

    def _put_condition(self, task: Fields, conditions: list[Any]) -> None:
        found = [self._names.rewrite(one, bare=True) if isinstance(one, str) else one for one in conditions]
        found = [one for one in found if one is not None]
        texts = [_unbraced(one) for one in found if isinstance(one, str)]
        if len(texts) > 1:
            task.put("condition", leaf(" && ".join(f"({one})" for one in texts), task.node.at))
        elif found:
            task.put("condition", leaf(texts[0] if texts else found[0], task.node.at))

    def _call(self, step: Node, path: Path, task: Fields) -> None:
        self._report.unknown(step, path, CALL_KEYS | POLICIES.keys() | set(POLICIES.values()))
        service, method = step.value.get("service"), step.value.get("method")
        if not isinstance(service, str) or not isinstance(method, str):
            message = "an external call names a service and a method of it"
            self._report.error("missing-key", message, path, step, "Add service and method, both as text.")
            service, method = str(service), str(method)
        task.put("type", leaf("http", step.children["type"].at))
        request = Fields(step.at)
        request.put("method", leaf("POST", step.at))
        request.put("url", leaf(f"{self._base(service, step, path)}/{method}", step.at), step.keys.get("service"))
        for key, ours in (("headers", "headers"), ("params", "body")):
            if key in step.children:
                request.put(ours, mapped(step.children[key], self._plain), step.keys[key])
        if "auth" in step.children:
            request.put("auth", self._auth(step.children["auth"], (*path, "auth")), step.keys["auth"])
        task.put("request", request.node)

    def _base(self, service: str, step: Node, path: Path) -> str:
        if "://" in service or "{{" in service:
            return self._names.rewrite(service).rstrip("/")
        name = _UNWORD.sub("_", service).strip("_").upper() or "SERVICE"
        message = f'the service "{service}" is called at the address that env.{name}_URL holds'
        self._report.hint("dialect-service", message, (*path, "service"), step, f"Let the operator set {name}_URL.")
        return f"{{{{env.{name}_URL}}}}"

    def _auth(self, auth: Node, path: Path) -> Node:
        kind = auth.value.get("type") if isinstance(auth.value, dict) else None
        made = Fields(auth.at)
        if kind == "bearer":
            self._report.unknown(auth, path, frozenset({"type", "token"}))
            made.move(mapped(auth, self._plain), "token", "bearer")
        elif isinstance(kind, str) and kind in _AUTH:
            table = _AUTH[kind]
            self._report.unknown(auth, path, {"type", *table})
            inner = Fields(auth.at)
            for key, ours in table.items():
                inner.move(mapped(auth, self._plain), key, ours)
            made.put(camel(kind), inner.node)
        else:
            fix = "Use type: bearer, basic or api_key."
            self._report.error("dialect-unmapped", "this way to authenticate is not known", path, auth, fix)
        return made.node

    def _ours(self, step: Node, task: Fields) -> None:
        """A step that is a task of ours already: its own keys as they are, with our names inside."""
        taken = {"id", "name", "condition", *_NEEDS, *POLICIES, *POLICIES.values()}
        for key, child in step.children.items():
            if key not in taken:
                task.put(camel(str(key)), mapped(child, self._plain), step.keys[str(key)])

    def _plain(self, text: str, _node: Node) -> str:
        return self._names.rewrite(text)

    def _free(self, name: str) -> str:
        made, count = name, 1
        while made in self._taken:
            count += 1
            made = f"{name}-{count}"
        self._taken.add(made)
        return made


def _entries(node: Node) -> list[Node]:
    """The entries of a list, or what stands in the place of one."""
    if isinstance(node.value, list):
        return list(node.children.values())
    return [] if node.value is None else [node]


def _unbraced(text: str) -> str:
    stripped = text.strip()
    return stripped[2:-2].strip() if stripped.startswith("{{") and stripped.endswith("}}") else text


def _retry(node: Node) -> Node:
    """Retries with our names for their keys."""
    if not isinstance(node.value, dict):
        return node
    made = Fields(node.at)
    for key, child in node.children.items():
        made.put(camel(str(key)), child, node.keys[str(key)])
    return made.node


def _default_name(step: Node) -> str:
    words = [step.value.get("service"), step.value.get("method")]
    found = [_UNWORD.sub("_", word).strip("_") for word in words if isinstance(word, str)]
    return "-".join(word for word in found if word) or camel(str(step.value.get("type") or "step"))[:64]
