"""An asyncio event loop whose time is a number: it jumps to the next timer, and the same seed runs the same way."""

from __future__ import annotations

import asyncio
from typing import Any


class Stuck(Exception):
    """Nothing is ready and no timer is set: the run would hang for ever."""


class _Selector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("no timer and nothing ready")
        self._loop.advance(timeout)
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """Single-threaded, without I/O."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        self._selector = _Selector(self)
        self.set_exception_handler(self._collect)
        self.errors: list[dict[str, Any]] = []

    def _collect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def time(self) -> float:
        return self._virtual

    def advance(self, seconds: float) -> None:
        self._virtual += max(seconds, 0.0)

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
