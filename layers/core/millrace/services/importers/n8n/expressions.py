"""Parameters of n8n: texts that begin with ``=`` hold expressions, all others are what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from millrace.services.importers.draft import Draft
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import Grammar, Part, Unknown, translated
from millrace.services.importers.spelling import below, literal, quoted
from millrace.services.importers.templates import Templates

BRACES: Final = re.compile(r"\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_METHODS: Final = {
    "length": "size({0})",
    "includes()": "{0}.includes({1})",
    "startsWith()": "{0}.startsWith({1})",
    "endsWith()": "{0}.endsWith({1})",
    "toLowerCase()": "{0}.lowerAscii()",
    "toUpperCase()": "{0}.upperAscii()",
    "trim()": "{0}.trim()",
    "toString()": "string({0})",
    "split()": "{0}.split({1})",
    "join()": "{0}.join({1})",
    "replace()": "{0}.replace({1}, {2}, 1)",
    "replaceAll()": "{0}.replace({1}, {2})",
    "indexOf()": "{0}.indexOf({1})",
    "isEmpty()": "size({0}) == 0",
    "isNotEmpty()": "size({0}) > 0",
    "toNumber()": "double({0})",
}
_KNOWN: Final = {
    ("$execution", "id"): "execution.id",
    ("$workflow", "name"): "execution.workflow",
    ("$workflow", "id"): "execution.workflow",
}


class Parameters:
    """``item`` is the expression of the item at hand, ``items`` those behind each node that has been passed. Behind a
    ``webhook`` the ``body`` of what came in is the input itself."""

    def __init__(self, draft: Draft) -> None:
        self.item = "input"
        self.webhook = False
        self.items: dict[str, str] = {}
        self._draft = draft
        self._grammar = Grammar(self._resolve, {}, _METHODS, {})
        self._templates = Templates(draft, BRACES, self._translate)

    def value(self, value: Any, path: Path) -> Any:
        """Any parameter as templates."""
        if isinstance(value, dict):
            return {str(key): self.value(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        return self._templates.text(value[1:], path) if value.startswith("=") else literal(value)

    def operand(self, value: Any, path: Path) -> str | None:
        """A parameter as an expression; None, with a note, where it cannot be one."""
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "null"}[value]
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str):
            self._draft.unmapped(path, "a value that cannot be compared")
            return None
        if not value.startswith("="):
            return quoted(value)
        whole = BRACES.fullmatch(value[1:].strip())
        if whole is not None:
            return self._templates.expression(whole[1], path)
        if BRACES.search(value) is None:
            return quoted(value[1:])
        self._draft.unmapped(path, f"{value[:80]!r} is more than one expression")
        return None

    def _translate(self, source: str) -> str:
        return translated(source, self._grammar)

    def _resolve(self, parts: Sequence[Part]) -> tuple[str, int]:
        root = parts[0].name
        names = [part.name if part.kind == "name" else part.kind for part in parts]
        if root == "$json":
            return self._below(self.item, parts, 1)
        if root == "$input":
            return self._from(self.item, names, parts, 1)
        if root == "$node" and len(parts) > 2 and names[2] == "json":
            return self._below(self._node(parts[1].name), parts, 3)
        if root == "$" and len(parts) > 1 and parts[1].kind == "call" and len(parts[1].arguments) == 1:
            return self._from(self._node(parts[1].arguments[0][1:-1]), names, parts, 2)
        if root == "$env" and len(parts) > 1 and parts[1].kind == "name":
            return below("env", parts[1].name), 2
        known = _KNOWN.get((root, names[1])) if len(parts) > 1 else None
        if known is not None:
            return known, 2
        raise Unknown(f"{root} has no counterpart")

    def _from(self, item: str, names: list[str], parts: Sequence[Part], at: int) -> tuple[str, int]:
        rest = names[at:]
        if rest[:2] == ["item", "json"]:
            return self._below(item, parts, at + 2)
        if rest[:3] in (["first", "call", "json"], ["last", "call", "json"]):
            return self._below(item, parts, at + 3)
        raise Unknown("all items of a node at once")

    def _below(self, item: str, parts: Sequence[Part], used: int) -> tuple[str, int]:
        """The item; the body of a webhook's request is the input."""
        names = [part.name for part in parts[used : used + 1] if part.kind == "name"]
        return item, used + (self.webhook and item == "input" and names == ["body"])

    def _node(self, name: str) -> str:
        if name not in self.items:
            raise Unknown(f"there is no node {name[:40]!r} before it")
        return self.items[name]
