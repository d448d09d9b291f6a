"""The local reconciler looks again and again, whatever a look meets."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import StoreUnavailable
from millrace.local.reconciler import Reconciler
from millrace.ports.documents import Page


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

    def now(self) -> int:
        return 0


@pytest.mark.parametrize("error", [StoreUnavailable("away"), KeyError("x"), OSError("disk"), RecursionError()])
def test_a_look_that_fails_is_logged_and_the_next_one_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(error)
    world = World(store)
    world.clock = world
    reconciler = Reconciler(world, interval=0.001)  # type: ignore[arg-type]
    reconciler.start()
    assert store.twice.wait(30)
    reconciler.stop()
    assert "a look of the reconciler failed" in caplog.text


def test_one_that_never_began_can_be_stopped() -> None:
    before = threading.active_count()
    reconciler = Reconciler(World(MemoryDocuments()))  # type: ignore[arg-type]
    reconciler.stop()
    reconciler.stop()
    assert before == threading.active_count()
