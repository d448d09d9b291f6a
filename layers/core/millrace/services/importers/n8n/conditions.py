"""Conditions of IF, Filter and Switch nodes, in the shapes of their versions."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.importers.draft import Draft
from millrace.services.importers.n8n.expressions import Parameters
from millrace.services.importers.order import closed
from millrace.services.importers.reading import listing, mapping, text
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import filled

OPERATIONS: Final = {
    "equal": "{0} == {1}",
    "equals": "{0} == {1}",
    "notEqual": "{0} != {1}",
    "notEquals": "{0} != {1}",
    "larger": "{0} > {1}",
    "largerEqual": "{0} >= {1}",
    "smaller": "{0} < {1}",
    "smallerEqual": "{0} <= {1}",
    "gt": "{0} > {1}",
    "gte": "{0} >= {1}",
    "lt": "{0} < {1}",
    "lte": "{0} <= {1}",
    "contains": "{0}.includes({1})",
    "notContains": "!({0}.includes({1}))",
    "startsWith": "{0}.startsWith({1})",
    "notStartsWith": "!({0}.startsWith({1}))",
    "endsWith": "{0}.endsWith({1})",
    "notEndsWith": "!({0}.endsWith({1}))",
    "regex": "{0}.matches({1})",
    "notRegex": "!({0}.matches({1}))",
    "true": "{0} == true",
    "false": "{0} == false",
    "exists": "({0} ?? null) != null",
    "notExists": "({0} ?? null) == null",
    "isEmpty": "size({0} ?? '') == 0",
    "isNotEmpty": "size({0} ?? '') > 0",
    "empty": "size({0} ?? '') == 0",
    "notEmpty": "size({0} ?? '') > 0",
    "lengthEquals": "size({0}) == {1}",
    "lengthGt": "size({0}) > {1}",
    "lengthLt": "size({0}) < {1}",
}


class Conditions:
    """Reads conditions with the parameters of one node."""

    def __init__(self, draft: Draft, parameters: Parameters) -> None:
        self._draft, self._parameters = draft, parameters

    def of(self, source: Any, path: Path) -> str:
        """One condition; ``false``, with a note, where any part of it cannot be mapped."""
        given = mapping(mapping(source).get("conditions"))
        if isinstance(given.get("conditions"), list):
            word = " || " if given.get("combinator") == "or" else " && "
            found = [self._modern(one, (*path, index)) for index, one in enumerate(given["conditions"])]
        else:
            word = " || " if mapping(source).get("combineOperation") == "any" else " && "
            found = [
                self.compared(mapping(one), (*path, kind, index))
                for kind in ("string", "number", "boolean", "dateTime")
                for index, one in enumerate(listing(given.get(kind)))
            ]
        if not found:
            self._draft.unmapped(path, "there is no condition")
            return "false"
        return found[0] if len(found) == 1 else word.join(map(closed, found))

    def compared(self, one: dict[str, Any], path: Path) -> str:
        """A comparison of ``value1`` and ``value2`` by the name of an operation."""
        return self._form(text(one.get("operation"), "equal"), one.get("value1"), one.get("value2"), path)

    def _modern(self, source: Any, path: Path) -> str:
        one = mapping(source)
        operation = text(mapping(one.get("operator")).get("operation"))
        return self._form(operation, one.get("leftValue"), one.get("rightValue"), path)

    def _form(self, operation: str, left: Any, right: Any, path: Path) -> str:
        form = OPERATIONS.get(operation)
        if form is None:
            self._draft.unmapped(path, f"the operation {operation[:40]!r} has no counterpart: its branch never runs")
            return "false"
        first = self._parameters.operand(left, path)
        second = self._parameters.operand(right, path) if "{1}" in form else ""
        if first is None or second is None:
            return "false"
        return filled(form, first, [second] if "{1}" in form else [])
