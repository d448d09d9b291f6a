"""References of Conductor, ``${task.output.path}``, as expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from millrace.services.importers.asl.data import NoPath, path_of
from millrace.services.importers.scripts import Grammar, Part, Unknown, translated
from millrace.services.importers.spelling import below

BRACES: Final = re.compile(r"\$\{([^{}]*)\}")
_WORKFLOW: Final = {
    "input": "input",
    "workflowId": "execution.id",
    "workflowType": "execution.workflow",
    "version": "execution.version",
    "startTime": "execution.startedAt",
}
HTTP_OUTPUT: Final = {
    ("response", "body"): ".body",
    ("response", "statusCode"): ".status",
    ("response", "headers"): ".headers",
    ("response",): "",
}
_METHODS: Final = {
    "length": "size({0})",
    "includes()": "{0}.includes({1})",
    "startsWith()": "{0}.startsWith({1})",
    "endsWith()": "{0}.endsWith({1})",
    "toLowerCase()": "{0}.lowerAscii()",
    "toUpperCase()": "{0}.upperAscii()",
}


class References:
    """``ids`` maps reference names to our ids, ``shapes`` our ids to how their outputs are read; ``parameters`` are the
    input parameters of the decision at hand, as expressions."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.shapes: dict[str, Mapping[tuple[str, ...], str]] = {}
        self.parameters: dict[str, str] = {}
        self._grammar = Grammar(self._resolve, {}, _METHODS, {})

    def translate(self, source: str) -> str:
        """The expression of one reference. Raises Unknown."""
        try:
            segments, behind = path_of(f"$.{source}")
        except NoPath as error:
            raise Unknown(str(error)) from None
        if behind is not None:
            return f"{self._reference(segments)}.map(each, {below('each', *behind)})"
        return self._reference(segments)

    def script(self, source: str) -> str:
        """The expression of a condition in JavaScript over ``$.parameter``. Raises Unknown."""
        return translated(source.strip().rstrip(";"), self._grammar)

    def _reference(self, segments: Sequence[str | int]) -> str:
        root, field, *rest = [*segments, "", ""][:2] + list(segments[2:])
        if root == "workflow" and field in _WORKFLOW:
            return below(_WORKFLOW[str(field)], *rest)
        if root == "workflow":
            raise Unknown(f"workflow.{field} has no counterpart")
        if root not in self.ids:
            raise Unknown(f"there is no task {str(root)[:40]!r} before it")
        identifier = self.ids[str(root)]
        if field == "status":
            return f"tasks.{identifier}.status"
        if field != "output":
            raise Unknown(f"{field!r} of a task has no counterpart")
        base = f"tasks.{identifier}.output"
        for theirs, ours in self.shapes.get(identifier, {}).items():
            if tuple(rest[: len(theirs)]) == theirs:
                return below(base + ours, *rest[len(theirs) :])
        return below(base, *rest)

    def _resolve(self, parts: Sequence[Part]) -> tuple[str, int]:
        if parts[0].name == "$" and len(parts) > 1 and parts[1].kind == "name" and parts[1].name in self.parameters:
            return self.parameters[parts[1].name], 2
        raise Unknown(f"{parts[0].name} has no counterpart")
