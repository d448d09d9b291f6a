"""Threads of one process that ask for places at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused
from millrace.driver.values import ValueCodec
from millrace.engine.commands import AcquireSlot, ReleaseSlot
from millrace.engine.events import Slot
from millrace.ports.documents import Item, Key, Op, TenantScope
from millrace.services.slot_leases import SlotLeases
from tests.unit.driver.runs import SCOPE, Local
from tests.unit.engine.play import start_event

CALLERS = 24


class Counting(MemoryDocuments):
    """Counts writes that were refused, and lets other threads run between a read and what follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    def get(self, scope: TenantScope, key: Key) -> Item | None:
        found = super().get(scope, key)
        time.sleep(0.001)
        return found

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        try:
            super().write(scope, ops)
        except ConditionRefused:
            self.refused += 1
            raise


def test_threads_that_ask_for_one_key_do_not_make_each_other_read_again() -> None:
    local, documents = Local(), Counting()
    platform = replace(local.platform, documents=documents)
    leases = SlotLeases(lambda: platform)
    begun = start_event(ValueCodec("x1"))
    slot = Slot("db", limit=CALLERS, at=1)

    def use(number: int) -> str:
        answer = leases.acquire(SCOPE, begun, AcquireSlot(f"t{number}", slot))
        leases.release(SCOPE, begun, ReleaseSlot(f"t{number}", slot))
        return answer

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(use, range(CALLERS)))
    assert (["granted"] * CALLERS, 0) == (answers, documents.refused)
