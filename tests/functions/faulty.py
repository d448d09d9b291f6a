"""Documents in memory whose writes can be made to fail before, after, or beside another's write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from millrace.adapters.memory import MemoryDocuments
from millrace.ports.documents import Item, Key, Op, TenantScope


class FaultyDocuments(MemoryDocuments):
    """``faults`` are taken one per write: each gets the write as a function and may run it, raise, or both.
    ``before_get`` runs once before the item with that sort key is read."""

    def __init__(self) -> None:
        super().__init__()
        self.before_get: dict[str, Callable[[], object]] = {}
        self.faults: list[Callable[[Callable[[], None]], None]] = []

    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None:
        other = self.before_get.pop(key.sort, None)
        if other is not None:
            other()
        return super().get(scope, key, consistent=consistent)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        if self.faults:
            self.faults.pop(0)(lambda: MemoryDocuments.write(self, scope, ops))
        else:
            super().write(scope, ops)


def lost(error: Exception) -> Callable[[Callable[[], None]], None]:
    """The write happens; the writer is told otherwise."""

    def fault(write: Callable[[], None]) -> None:
        write()
        raise error

    return fault


def refused(error: BaseException) -> Callable[[Callable[[], None]], None]:
    """The write does not happen."""

    def fault(write: Callable[[], None]) -> None:
        del write
        raise error

    return fault


def after(other: Callable[[], object]) -> Callable[[Callable[[], None]], None]:
    """Another's write comes first."""

    def fault(write: Callable[[], None]) -> None:
        other()
        write()

    return fault
