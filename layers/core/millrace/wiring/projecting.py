"""Wiring of the projector function: what DynamoDB Streams deliver goes to the consumers of the feed."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from millrace.adapters.dynamodb import feed_records
from millrace.services.project_statistics import StatisticsProjector
from millrace.wiring import current
from millrace.wiring.aws import tables_of
from millrace.wiring.settings import read_settings


class Projecting:
    """The consumers of one sandbox; they remember what they have folded from one batch to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statistics: StatisticsProjector | None = None

    def __call__(self, event: Mapping[str, Any]) -> int:
        """Hand over the records of an ``aws:dynamodb`` event; answers how many were for us.

        Raises StoreUnavailable or OutcomeUnknown: the batch is then delivered again, which is harmless."""
        records = feed_records(event, tables_of(read_settings(os.environ)))
        with self._lock:
            if self._statistics is None:
                self._statistics = StatisticsProjector(current().documents)
            self._statistics(records)
        return len(records)


project: Final = Projecting()
