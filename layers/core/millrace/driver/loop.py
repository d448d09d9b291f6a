"""One event loop for a whole sandbox: connections and caches that live on it serve every invocation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def cancel_others() -> None:
    """End whatever else runs on this loop, before it is closed."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class DriverLoop:
    """Runs coroutines from any thread on a loop in a thread of its own, which begins with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; its exception is raised here."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._held is None:
                loop = asyncio.new_event_loop()
                self._held = loop, threading.Thread(target=loop.run_forever, name="millrace-driver", daemon=True)
                self._held[1].start()
            return self._held[0]

    def close(self) -> None:
        """Stop the loop; a later `run` begins a fresh one."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            loop, thread = held
            asyncio.run_coroutine_threadsafe(cancel_others(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
