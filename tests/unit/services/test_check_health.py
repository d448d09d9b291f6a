from __future__ import annotations

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import Item, Key, TenantScope
from millrace.services.check_health import check_health
from tests.functions.world import platform


class DownDocuments(MemoryDocuments):
    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None:
        raise StoreUnavailable("down")


def test_a_store_that_answers_is_ok() -> None:
    found = check_health(platform())
    assert ("ok", {"store": "ok"}) == (found["status"], found["checks"])
    assert found["version"]


def test_a_store_that_does_not_answer_makes_the_platform_degraded() -> None:
    found = check_health(platform(documents=DownDocuments()))
    assert ("degraded", {"store": "unavailable"}) == (found["status"], found["checks"])
