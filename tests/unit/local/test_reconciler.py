"""The local reconciler looks again and again, whatever a look meets."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.sqlite import SqliteDocuments
from millrace.adapters.sqlite.documents import SWEEP_ITEMS
from millrace.base.errors import StoreUnavailable
from millrace.local.reconciler import SWEEPS, Reconciler
from millrace.ports.documents import Item, Key, Page, Table, TenantScope

SCOPE = TenantScope("acme")


@dataclass
class Store:
    """Fails at the first look, then finds nothing; says when it was looked at twice."""

    error: Exception = field(default_factory=lambda: StoreUnavailable("away"))
    looks: int = 0
    twice: threading.Event = field(default_factory=threading.Event)

    def query_index(self, *_: Any, **__: Any) -> Page:
        self.looks += 1
        if self.looks == 1:
            raise self.error
        self.twice.set()
        return Page(())


@dataclass
class World:
    documents: Any
    clock: Any = None
    at: int = 0

    def now(self) -> int:
        return self.at


@pytest.mark.parametrize("error", [StoreUnavailable("away"), KeyError("x"), OSError("disk"), RecursionError()])
def test_a_look_that_fails_is_logged_and_the_next_one_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(error)
    world = World(store)
    world.clock = world
    reconciler = Reconciler(world, lambda _: 0, interval=0.001)  # type: ignore[arg-type]
    reconciler.start()
    assert store.twice.wait(30)
    reconciler.stop()
    assert "a look of the reconciler failed" in caplog.text


def test_a_look_removes_what_has_expired_a_bounded_number_of_items_at_a_time(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path, synchronous="NORMAL")
    world = World(store)
    world.clock = world
    reconciler = Reconciler(world, store.sweep)  # type: ignore[arg-type]
    keys = [Key(Table.HISTORY, ("key",), f"{n:05}") for n in range(SWEEPS * SWEEP_ITEMS + 1)]
    store.batch_put(SCOPE, [Item(key, {}, expires_at=60) for key in keys])
    found = []
    for world.at in (59_999, 60_000, 60_000):
        reconciler.look()
        found.append(sum(held is not None for held in store.batch_get(SCOPE, keys)))
    store.close()
    assert [len(keys), 1, 0] == found


def test_one_that_never_began_can_be_stopped() -> None:
    before = threading.active_count()
    reconciler = Reconciler(World(MemoryDocuments()), lambda _: 0)  # type: ignore[arg-type]
    reconciler.stop()
    reconciler.stop()
    assert before == threading.active_count()
