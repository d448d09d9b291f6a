"""The production DriverIO: a bounded thread pool for calls, the store's own committer for writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from millrace.driver.arrivals import Arrivals
from millrace.ports.documents import Documents, Op, TenantScope

T = TypeVar("T")


class PoolIO:
    """``threads`` bounds how many blocking calls are under way at once."""

    def __init__(self, documents: Documents, *, threads: int = 8) -> None:
        self._documents = documents
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="millrace-io")
        self._arrivals: Arrivals | None = None

    async def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        return await self._here().awaited(self._pool.submit(partial(function, *args, **kwargs)))

    def commit(self, scope: TenantScope, ops: Sequence[Op]) -> Awaitable[None]:
        return self._here().awaited(self._documents.submit(scope, ops))

    def _here(self) -> Arrivals:
        """What arrives on the loop that runs now; a sandbox may have begun another one."""
        loop = asyncio.get_running_loop()
        if self._arrivals is None or self._arrivals.loop is not loop:
            self._arrivals = Arrivals(loop)
        return self._arrivals

    def close(self) -> None:
        self._pool.shutdown(wait=True)
