"""How long stored things are kept, and when they are looked at again: the figures that people are told of."""

from __future__ import annotations

from collections.abc import Sequence

from millrace.adapters.memory import MemoryDocuments
from millrace.base.ids import Millis
from millrace.ports.documents import Op, Put, Table, TenantScope
from millrace.store.executions import live_executions, mark_stalled, new_actor, void_actor
from millrace.store.idempotency import Claim, record
from millrace.store.slots import Holder, Place, leave

SCOPE = TenantScope("acme")
AT = Millis(1_767_225_600_000)
HOUR = 60 * 60 * 1000
DAY = 24 * HOUR


class Noted(MemoryDocuments):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.ops: list[Op] = []

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self.ops.extend(ops)
        super().write(scope, ops)


def kept(ops: Sequence[Op]) -> list[int]:
    """When the items among these writes may be cleaned away, in seconds."""
    return [op.item.expires_at for op in ops if isinstance(op, Put) and op.item.expires_at is not None]


def test_the_answer_of_a_request_is_kept_for_a_day() -> None:
    claim = Claim(Table.HISTORY, "POST /x", "k", "hash")
    assert [(AT + DAY) // 1000] == kept([record(claim, {"id": 7}, now=AT)])


def test_the_place_of_an_execution_that_never_began_is_kept_for_thirty_days() -> None:
    assert [(AT + 30 * DAY) // 1000] == kept([void_actor("01x", AT)])


def test_who_has_left_a_place_is_known_for_a_day() -> None:
    documents = Noted()
    leave(documents, SCOPE, Place("default", "k"), Holder("01x", "a", AT), now=AT)
    assert [(AT + DAY) // 1000] == kept(documents.ops)


def looked_at(documents: MemoryDocuments, after_ms: int) -> list[bool]:
    """Whether the reconciler finds an execution just before, and at, a time after `AT`."""
    return [bool(list(live_executions(documents, until=AT + after_ms - 1 + more))) for more in (0, 1)]


def begun() -> MemoryDocuments:
    documents = MemoryDocuments()
    documents.write(SCOPE, [new_actor("01x", AT)])
    return documents


def test_an_execution_that_nobody_drives_is_looked_at_after_half_a_minute() -> None:
    assert [False, True] == looked_at(begun(), 30_000)


def test_a_stalled_execution_is_looked_at_after_an_hour() -> None:
    documents = begun()
    mark_stalled(documents, SCOPE, "01x", "why", AT)
    assert [False, True] == looked_at(documents, HOUR)
