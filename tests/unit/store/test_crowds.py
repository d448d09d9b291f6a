"""A store in which others are always faster: whoever asks for a place, or gives one up, is told in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused, StoreUnavailable
from millrace.ports.documents import Documents, Op, TenantScope
from millrace.store import pools, slots
from millrace.store.pool_items import Bid, Pool
from millrace.store.slots import Holder, Place

SCOPE = TenantScope("acme")
PLACE, POOL = Place("default", "db"), Pool("default", "gpu")
ONE = Holder("x1", "", 1)
BID = Bid("k", ONE, 2, 2, weight=1)


class Slow(MemoryDocuments):
    """Refuses every write, as when another was faster."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self.tries += 1
        raise ConditionRefused("somebody was faster", index=0)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("db", lambda documents: slots.take(documents, SCOPE, PLACE, ONE, limit=1, wait=True, now=5)),
        ("db", lambda documents: slots.leave(documents, SCOPE, PLACE, ONE, now=5)),
        ("gpu", lambda documents: pools.take(documents, SCOPE, POOL, BID, wait=True, now=5)),
        ("gpu", lambda documents: pools.leave(documents, SCOPE, POOL, BID, now=5)),
    ],
    ids=["take a place", "leave a place", "take a place of a pool", "leave a place of a pool"],
)
def test_who_is_always_slower_is_told_after_sixty_tries(name: str, call: Callable[[Documents], object]) -> None:
    documents = Slow()
    with pytest.raises(StoreUnavailable, match=f"'{name}' at once"):
        call(documents)
    assert 60 == documents.tries
