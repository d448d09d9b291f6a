"""How much one read of the store asks for: what is long is read in pages, and what needs one row reads no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.ports.documents import Page, Range, Table, TenantScope
from millrace.store.pool_items import Head, Pool, first_two, read_pool
from millrace.store.runlog import read_events, read_segments
from millrace.store.slots import Place, give
from millrace.store.statistics import read_cells

SCOPE = TenantScope("acme")
POOL = Pool("default", "gpu")


class Asked(MemoryDocuments):
    """Notes how many rows each query asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []

    def query(self, scope: TenantScope, table: Table, partition: Any, *, within: Range = Range(), **more: Any) -> Page:
        self.limits.append(within.limit)
        return super().query(scope, table, partition, within=within, **more)


@pytest.mark.parametrize(
    ("read", "limits"),
    [
        (lambda made: list(read_segments(made, SCOPE, "x")), [64]),
        (lambda made: read_events(made, SCOPE, "x", after=-1, limit=5), [1, 64]),
        (lambda made: list(read_cells(made, SCOPE, "default", "w", first=0, last=9)), [500]),
        (lambda made: read_pool(made, SCOPE, POOL, Head()), [1_000]),
        (lambda made: first_two(made, SCOPE, POOL, "k"), [2]),
        (lambda made: give(made, SCOPE, Place("default", "k"), now=1), [1]),
    ],
    ids=["a log", "some events", "counts", "keys of a pool", "a line of a pool", "a line"],
)
def test_a_read_asks_for_so_many_rows(read: Callable[[MemoryDocuments], object], limits: list[int]) -> None:
    documents = Asked()
    read(documents)
    assert limits == documents.limits
