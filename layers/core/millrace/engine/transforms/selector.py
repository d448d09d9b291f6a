"""What a step takes from each item: a field path, or any expression.

A plain dotted name is a field path, hyphens included (``order-id``, ``address.city``), unless it begins with a root
such as ``input``; everything else is an expression in which the item's fields may be written bare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.engine.transforms.keys import MISSING
from millrace.engine.transforms.step import ITEM, ItemFrame, Place
from millrace.engine.transforms.taken import Role, Taken
from millrace.expr.expression import Expression, compile_expression
from millrace.expr.faults import MISSING as MISSING_REASONS
from millrace.expr.faults import reason_of
from millrace.expr.paths import Read, ReadPath
from millrace.expr.values import described

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*"
_PLAIN: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")


@dataclass(frozen=True, slots=True)
class Selector:
    """``name`` is what the value is called when nothing else is said: the last part of a field path, or the source."""

    source: str
    name: str
    names: tuple[str, ...]
    place: Place = field(repr=False)
    expression: Expression | None = None

    @property
    def reads(self) -> tuple[Read | ReadPath, ...]:
        return (ReadPath(ITEM, self.names),) if self.expression is None else self.expression.reads

    def taken(self, role: Role, name: str | None = None) -> Taken:
        """What is taken here, for checks; ``name`` is the field that it becomes."""
        return Taken(role, self.source, self.names, self.expression, name)

    def take(self, frame: ItemFrame) -> Any:
        """The value for the item in the frame, or MISSING. Raises ExpressionError, TransformError."""
        if self.expression is not None:
            try:
                return self.expression.value_in(frame)
            except ExpressionError as error:
                if reason_of(error) in MISSING_REASONS:
                    return MISSING
                raise
        value = frame.env[ITEM]
        for name in self.names:
            if not isinstance(value, Mapping):
                if value is None:
                    return MISSING
                hint = "filter such items out first"
                raise self.place.error(f"cannot read {self.source}: it is read from {described(value)}", hint=hint)
            if name not in value:
                return MISSING
            value = value[name]
        return value


def select_by(source: Any, place: Place) -> Selector:
    """Raises TransformError when ``source`` is no text, ExpressionError when it does not compile."""
    if not isinstance(source, str) or not source.strip():
        hint = "write a field name or an expression"
        raise place.error(f"expected a field or an expression, found {described(source)}", hint=hint)
    names = tuple(source.split("."))
    if _PLAIN.fullmatch(source) and names[0] not in place.scope.roots:
        return Selector(source, names[-1], names, place)
    return Selector(source, source, (), place, compile_expression(source, scope=place.scope))


def select_all(source: Any, place: Place) -> list[Selector]:
    """One selector, or several from a list that is not empty."""
    if not isinstance(source, list):
        return [select_by(source, place)]
    if not source:
        raise place.error("the list of fields is empty", hint="name at least one")
    return [select_by(entry, place) for entry in source]


def reads_of(selectors: Sequence[Selector]) -> list[Read | ReadPath]:
    return [read for selector in selectors for read in selector.reads]
