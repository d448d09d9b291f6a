"""The same suite over every adapter of Documents. Each test gets tenants of its own, so stores may be shared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.adapters.sqlite import SqliteDocuments
from millrace.ports.documents import Documents, TenantScope

_numbers = itertools.count()


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Documents]:
    from tests.conformance.documents.cloud import dynamodb_documents

    with dynamodb_documents() as documents:
        yield documents


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Documents]:
    if request.param == "memory":
        yield MemoryDocuments()
    elif request.param == "sqlite":
        store = SqliteDocuments(tmp_path, synchronous="NORMAL")
        yield store
        store.close()
    else:
        yield request.getfixturevalue("dynamodb")


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(f"tenant-{next(_numbers)}")


@pytest.fixture
def other() -> TenantScope:
    return TenantScope(f"other-{next(_numbers)}")
