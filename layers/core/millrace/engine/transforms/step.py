"""What a compiled step is, and how a malformed one is refused.

A step says what it reads and writes and what it leaves as it was. The optimiser reorders and merges steps on the
strength of that alone, so these facts are part of a step's contract.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import TransformError
from millrace.engine.transforms.taken import Taken
from millrace.expr.faults import listed, nearest
from millrace.expr.frame import Frame
from millrace.expr.fuel import Fuel
from millrace.expr.paths import Read, ReadPath
from millrace.expr.scope import Scope
from millrace.expr.values import described

ROOTS: Final = frozenset({"input", "tasks", "config", "state", "trigger", "execution", "env"})
ITEM: Final = "item"
INDEX: Final = "index"


class ItemFrame(Frame):
    """A frame whose ``item`` and ``index`` change from item to item."""

    __slots__ = ("local",)

    def __init__(self, local: dict[str, Any], fuel: Fuel, slots: int) -> None:
        super().__init__(local, fuel, slots)
        self.local = local

    def enter(self, index: int, item: Any) -> None:
        """Makes an item the one that expressions see."""
        self.local[ITEM] = item
        self.local[INDEX] = index

    def leave(self) -> None:
        """From here on, no one item is at fault."""
        self.local.pop(ITEM, None)
        self.local.pop(INDEX, None)


Run = Callable[[list[Any], ItemFrame], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """``reads`` are paths below ``item`` (an ``item`` without segments is all of it), ``outside`` the others.

    ``writes`` are the fields of its output that it makes, None when it makes none. ``keeps_items`` means that each
    output item is an input item, unchanged; ``keeps_order`` and ``keeps_count`` speak for themselves; ``needs_all``
    means that an output item may hang on other items than its own, or on its position. ``takes`` are the values that it
    computes of each item.
    """

    index: int
    op: str
    reads: frozenset[ReadPath]
    outside: frozenset[ReadPath]
    writes: frozenset[str] | None
    keeps_items: bool
    keeps_order: bool
    keeps_count: bool
    needs_all: bool
    run: Run = field(repr=False, compare=False)
    takes: tuple[Taken, ...] = field(default=(), repr=False, compare=False)


class Place(Struct, frozen=True):
    """Where a step stands, and the names it may use: ``scope`` with ``item``, ``outer`` without."""

    index: int
    op: str
    scope: Scope
    outer: Scope

    def error(self, message: str, *, hint: str = "", **facts: Any) -> TransformError:
        return TransformError(
            f"step {self.index} ({self.op}): {message}",
            hint=hint,
            facts={"step": self.index, "op": self.op, **facts},
        )

    def options(self, value: Any, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
        """``value`` as a map with these keys only. Raises TransformError."""
        if not isinstance(value, dict):
            raise self.error(f"expected a map with {listed(allowed)}", hint="see the reference of this step")
        for key in value:
            if key not in allowed:
                close = nearest(str(key), allowed)
                hint = f"did you mean {close}?" if close else f"keys are {listed(allowed)}"
                raise self.error(f"there is no key {str(key)[:60]}", hint=hint, key=str(key))
        for key in required:
            if key not in value:
                raise self.error(f"the key {key} is missing", hint=f"add {key}:", key=key)
        return value

    def made(
        self,
        run: Run,
        reads: Collection[Read | ReadPath],
        *,
        writes: Collection[str] | None = None,
        keeps: str = "",
        needs_all: bool = False,
        takes: Sequence[Taken] = (),
    ) -> Step:
        """The step; ``keeps`` lists what it leaves alone: ``items``, ``order``, ``count``."""
        paths = {read.path if isinstance(read, Read) else read for read in reads}
        return Step(
            self.index,
            self.op,
            frozenset(path for path in paths if path.root == ITEM),
            frozenset(path for path in paths if path.root not in {ITEM, INDEX}),
            None if writes is None else frozenset(writes),
            "items" in keeps,
            "order" in keeps,
            "count" in keeps,
            needs_all or any(path.root == INDEX for path in paths),
            run,
            tuple(takes),
        )


def fields_of(item: Any, place: Place) -> Mapping[str, Any]:
    """An item that has to be a map. Raises TransformError."""
    if isinstance(item, Mapping):
        return item
    hint = "filter such items out first, or map them to maps"
    raise place.error(f"works on items that are maps, and this is {described(item)}", hint=hint)
