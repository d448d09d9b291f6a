"""How a mocked HTTP answer is judged: by the runner of http tasks itself, without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.ports.runners import Attempt, Outcome, TaskFailed


@dataclass(frozen=True, slots=True)
class Canned:
    """An HTTP answer that was written down. ``now`` (ms) is when it arrives."""

    status: int
    headers: Mapping[str, str]
    body: Any
    now: int


Rehearse = Callable[[Attempt, Canned], Outcome | TaskFailed]
"""What the runner would make of an attempt that is answered so. Performs nothing."""
