"""Runs the reconciler again and again, in the place of the schedule that does it on AWS."""

from __future__ import annotations

import logging
import threading
from typing import Final

from millrace.services.platform import Platform
from millrace.services.reconcile import reconcile

INTERVAL_S: Final = 15.0
_logger = logging.getLogger("millrace.reconciler")


class Reconciler:
    """A thread between `start` and `stop`. A look that fails is logged, and the next one comes all the same."""

    def __init__(self, platform: Platform, *, interval: float = INTERVAL_S) -> None:
        self._platform = platform
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

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                reconcile(self._platform)
            except Exception:  # whatever it was, the executions that follow need the next look
                _logger.exception("a look of the reconciler failed")
