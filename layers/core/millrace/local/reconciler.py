"""Runs the reconciler again and again, in the place of the schedule that does it on AWS, and removes what has expired,
as DynamoDB does by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from millrace.services.platform import Platform
from millrace.services.reconcile import reconcile

INTERVAL_S: Final = 15.0
SWEEPS: Final = 10
"""Batches that one look removes at most."""
_logger = logging.getLogger("millrace.reconciler")


class Reconciler:
    """A thread between `start` and `stop`. A look that fails is logged, and the next one comes all the same.

    ``sweep`` removes a batch of what expired up to a time (epoch seconds) and answers how many items it had.
    """

    def __init__(self, platform: Platform, sweep: Callable[[int], int], *, interval: float = INTERVAL_S) -> None:
        self._platform = platform
        self._sweep = sweep
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="millrace-reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when no look is under way any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Restart executions without progress, then remove what has expired."""
        reconcile(self._platform)
        now_s = self._platform.clock.now() // 1000
        for _ in range(SWEEPS):
            if not self._sweep(now_s):
                return

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.look()
            except Exception:  # whatever it was, the executions that follow need the next look
                _logger.exception("a look of the reconciler failed")
