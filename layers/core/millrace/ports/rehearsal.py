"""How a mocked HTTP answer is judged: by the runner of http tasks itself, without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from millrace.ports.runners import Attempt, Outcome, TaskFailed


class Canned(Struct, frozen=True):
    """An HTTP answer that was written down. ``now`` (ms) is when it arrives, ``took`` (ms) after it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: Any
    now: int
    took: int


Rehearse = Callable[[Attempt, Canned], Outcome | TaskFailed]
"""What the runner would make of an attempt that is answered so. Performs nothing."""
