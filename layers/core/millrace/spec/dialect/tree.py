"""Nodes made from other nodes: a value that was moved keeps the position of what it was made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millrace.spec.source import Node, Position


class Fields:
    """A mapping under construction, each entry with the position of its key."""

    def __init__(self, at: Position) -> None:
        self.node = Node({}, at)

    def put(self, key: str, node: Node, at: Position | None = None) -> None:
        """Adds an entry; without ``at`` the key stands where its value does."""
        self.node.value[key] = node.value
        self.node.children[key] = node
        self.node.keys[key] = node.at if at is None else at

    def move(self, source: Node, key: str, name: str) -> None:
        """Takes an entry of another mapping over under our name, if it is there."""
        if key in source.children:
            self.put(name, source.children[key], source.keys[key])


def leaf(value: Any, at: Position) -> Node:
    """A scalar, or a value whose parts all stand at one place."""
    if isinstance(value, dict):
        fields = Fields(at)
        for key, item in value.items():
            fields.put(key, leaf(item, at))
        return fields.node
    if isinstance(value, list):
        return listing((leaf(item, at) for item in value), at)
    return Node(value, at)


def listing(nodes: Iterable[Node], at: Position) -> Node:
    """A list of nodes."""
    made = Node([], at)
    for node in nodes:
        made.children[len(made.value)] = node
        made.value.append(node.value)
    return made


def mapped(node: Node, change: Any) -> Node:
    """The same tree with every text passed through ``change(text, node)``."""
    if isinstance(node.value, dict):
        fields = Fields(node.at)
        for key, child in node.children.items():
            fields.put(str(key), mapped(child, change), node.keys[str(key)])
        return fields.node
    if isinstance(node.value, list):
        return listing((mapped(child, change) for child in node.children.values()), node.at)
    return Node(change(node.value, node), node.at) if isinstance(node.value, str) else node
