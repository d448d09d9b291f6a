"""Pebble expressions: what stands between ``{{`` and ``}}`` in a flow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from millrace.services.importers.scripts import Grammar, Part, Unknown, translated
from millrace.services.importers.spelling import below

BRACES: Final = re.compile(r"\{\{-?((?:(?!\}\}).)*?)-?\}\}", re.DOTALL)
_WORDS: Final = {"and": "&&", "or": "||", "not": "!", "in": "in"}
_FILTERS: Final = {
    "upper": "{0}.upperAscii()",
    "lower": "{0}.lowerAscii()",
    "trim": "{0}.trim()",
    "length": "size({0})",
    "first": "{0}[0]",
    "join": "{0}.join({1})",
    "split": "{0}.split({1})",
    "default": "({0} ?? {1})",
    "number": "double({0})",
    "string": "string({0})",
    "json": "{0}",
    "toJson": "{0}",
    "abs": "({0} < 0 ? -({0}) : {0})",
}
_EXECUTION: Final = {("flow", "id"): "execution.workflow", ("execution", "id"): "execution.id"}
_EXECUTION_MORE: Final = {("execution", "startDate"): "execution.startedAt", ("flow", "revision"): "execution.version"}
_SAME: Final = frozenset({"json", "fromJson", "read", "render"})
_OUTPUTS: Final = {"code": "status"}


class Pebble:
    """``ids`` maps the ids of the flow to ours, ``shapes`` our ids to how their outputs are read; ``items`` are the
    variables of the loops around, the innermost last; ``computed`` are the flow's variables that hold expressions."""

    def __init__(self) -> None:
        self.computed: frozenset[str] = frozenset()
        self.ids: dict[str, str] = {}
        self.shapes: dict[str, Mapping[str, str]] = {}
        self.items: list[tuple[str, str]] = []
        self._grammar = Grammar(self._resolve, _WORDS, {}, _FILTERS)

    def translate(self, source: str) -> str:
        """Our expression. Raises Unknown."""
        return translated(source, self._grammar)

    def _resolve(self, parts: Sequence[Part]) -> tuple[str, int]:
        root = parts[0].name
        names = [part.name if part.kind == "name" else "" for part in parts]
        if len(parts) > 1 and parts[1].kind == "call":
            return self._called(root, parts[1].arguments), 2
        if root == "inputs":
            return "input", 1
        if root == "vars":
            return "state" if names[1:2] and names[1] in self.computed else "config", 1
        if root == "trigger":
            return "trigger", 1
        if root == "outputs":
            return self._output(parts)
        known = {**_EXECUTION, **_EXECUTION_MORE}.get((root, names[1] if len(names) > 1 else ""))
        if known is not None:
            return known, 2
        if names[:2] in (["taskrun", "value"], ["taskrun", "iteration"]):
            return self._item(0, names[1]), 2
        if names[:3] in (["parent", "taskrun", "value"], ["parent", "taskrun", "iteration"]):
            return self._item(1, names[2]), 3
        raise Unknown(f"{root} has no counterpart")

    def _item(self, levels: int, which: str) -> str:
        if levels >= len(self.items):
            raise Unknown("taskrun means nothing outside a loop")
        item, index = self.items[-1 - levels]
        return item if which == "value" else index

    def _output(self, parts: Sequence[Part]) -> tuple[str, int]:
        name = parts[1].name if len(parts) > 1 and parts[1].kind == "name" else ""
        if name not in self.ids:
            raise Unknown(f"there is no task {name[:40]!r} before it")
        identifier = self.ids[name]
        field = parts[2].name if len(parts) > 2 and parts[2].kind == "name" else ""
        shape = self.shapes.get(identifier, {})
        base = below("tasks", identifier, "output") if "-" not in identifier else f"tasks.{identifier}.output"
        if field in shape:
            return base + shape[field], 3
        return base, 2

    def _called(self, name: str, arguments: Sequence[str]) -> str:
        if name in _SAME and len(arguments) == 1:
            return arguments[0]
        if name == "secret" and len(arguments) == 1 and re.fullmatch(r"'[A-Za-z_]\w*'", arguments[0]):
            return f"secrets.{arguments[0][1:-1]}"
        raise Unknown(f"the function {name} has no counterpart")
