"""The local feed loop: a thread that reads the feed, hands records to a consumer and remembers how far it came.

On AWS a stream calls a function instead. The checkpoint is saved after the consumer has returned, so a crash in
between brings records again; consumers are made for that. What is checkpointed is then trimmed, since the local feed
has one consumer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from millrace.ports.documents import Documents
from millrace.ports.feed import Feed, FeedRecord
from millrace.store.statistics import read_checkpoint, save_checkpoint

INTERVAL_S: Final = 1.0
"""Between looks that found less than a batch: long enough that many executions share the commits of one look."""
BATCH: Final = 500
_logger = logging.getLogger("millrace.feed")

Consumer = Callable[[Sequence[FeedRecord]], None]


class FeedLoop:
    """A consumer of the feed between `start` and `stop`. ``name`` is that of its checkpoint."""

    def __init__(
        self,
        feed: Feed,
        documents: Documents,
        consume: Consumer,
        *,
        name: str,
        interval: float = INTERVAL_S,
    ) -> None:
        self._feed = feed
        self._documents = documents
        self._consume = consume
        self._name = name
        self._interval = interval
        self._after: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"millrace-feed-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when no look is under way any more. What is unread waits for the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Hand over one batch, save the checkpoint, trim; answers whether a full batch was there. Raises what the
        consumer or the store raises, with the checkpoint where it was."""
        if self._after is None:
            self._after = read_checkpoint(self._documents, self._name)
        records = self._feed.read(after=self._after, limit=BATCH)
        if not records:
            return False
        self._consume(records)
        through = records[-1].sequence
        save_checkpoint(self._documents, self._name, through)
        self._after = through
        self._feed.trim(through=through)
        return len(records) == BATCH

    def _run(self) -> None:
        while not self._stop.is_set():
            more = False
            try:
                more = self.look()
            except Exception:  # whatever it was, what follows in the feed waits for this thread
                _logger.exception("a look at the feed failed; it is tried again")
            if not more:
                self._stop.wait(self._interval)
