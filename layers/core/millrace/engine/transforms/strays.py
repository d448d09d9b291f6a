"""Which fields a step reads that no item can have by then, because an earlier step has made the items anew.

What the first items hold is not known here, so nothing is said before the first `map`, `select` or `groupBy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from millrace.engine.transforms.step import Step

Fields = frozenset[str] | None
"""The fields that items have; None where they are not known."""
_MAKING: Final = frozenset({"map", "select", "groupBy", "aggregate"})


class Stray(Struct, frozen=True):
    """Step ``step`` reads ``name``, and the items have just ``known``. ``fatal`` steps fail where a field is missing,
    unless they ask for it by `has`, `?.` or `??`."""

    step: int
    op: str
    name: str
    known: frozenset[str]
    fatal: bool


def stray_reads(steps: Iterable[Step]) -> Iterator[Stray]:
    """In the order of the steps, each name once per step."""
    fields: Fields = None
    grouped: Fields = None
    for step in steps:
        # what an aggregate reads of groups is read of the items in them
        seen = grouped if step.op == "aggregate" and fields == _GROUP else fields
        if seen is not None:
            names = {path.segments[0] for path in step.reads if path.segments}
            for name in sorted(name for name in names if isinstance(name, str) and name not in seen):
                yield Stray(step.index, step.op, name, seen, step.op in ("filter", "map"))
        if step.op == "groupBy":
            grouped = fields
        fields = _after(step, fields)


_GROUP: Final = frozenset({"key", "items"})


def _after(step: Step, before: Fields) -> Fields:
    if step.op in _MAKING:
        return step.writes or None
    if step.keeps_items or before is None:
        return before
    return before | step.writes if step.writes else None
