"""The production DriverIO: a bounded thread pool for calls, the store's own committer for writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from millrace.ports.documents import Documents, Op, TenantScope

T = TypeVar("T")


class PoolIO:
    """``threads`` bounds how many blocking calls are under way at once."""

    def __init__(self, documents: Documents, *, threads: int = 8) -> None:
        self._documents = documents
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="millrace-io")

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))

    def commit(self, scope: TenantScope, ops: Sequence[Op]) -> Awaitable[None]:
        return asyncio.wrap_future(self._documents.submit(scope, ops))

    def close(self) -> None:
        self._pool.shutdown(wait=True)
