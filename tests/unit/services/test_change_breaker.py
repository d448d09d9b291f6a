"""Changing a breaker that others change at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import Conflict
from millrace.ports.documents import Op, TenantScope
from millrace.services.change_breaker import TRIES, change_breaker
from millrace.store.breakers import breaker_write, read_breaker
from tests.functions.world import caller, platform

ACME = TenantScope("acme")


class Busy(MemoryDocuments):
    """Before each write of ours, somebody else writes: ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        if self.times:
            self.times -= 1
            now = read_breaker(self, scope, "default", "key~k")
            following = replace(now.breaker, version=now.breaker.version + 1)
            super().write(scope, [breaker_write("default", "key~k", now, following)])
        super().write(scope, ops)


def change(documents: MemoryDocuments) -> dict[str, Any]:
    return change_breaker(platform(documents=documents), caller(), "key~k", action="open", reason="x")


def test_a_change_is_made_on_what_others_have_written() -> None:
    documents = Busy(TRIES - 1)
    assert "forcedOpen" == change(documents)["state"]
    assert TRIES == read_breaker(documents, ACME, "default", "key~k").breaker.version


def test_a_change_that_is_always_too_late_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="changing all the time"):
        change(Busy(TRIES))
