"""What to do next: the frozen records that `decide` answers.

Commands hold plain values; whoever carries them out turns them into events (`millrace.engine.record`) and performs
an attempt only after its event is durable.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millrace.engine.events import Failure, Skip
from millrace.engine.values import Value


class StartAttempt(msgspec.Struct, frozen=True):
    """``input`` and ``config`` are rendered for the first attempt; later attempts use what was recorded then.
    ``policy`` is the trail of what policies decided."""

    path: str
    attempt: int
    input: Any = None
    config: Any = None
    queued_at: int = 0
    queued_why: str = ""
    policy: tuple[str, ...] = ()


class RetryLater(msgspec.Struct, frozen=True):
    path: str
    attempt: int
    due: int
    delay_ms: int
    why: str


class FinishTask(msgspec.Struct, frozen=True):
    """``own_output`` says that ``output`` is to be recorded; otherwise the last attempt's output stands."""

    path: str
    status: str
    output: Any = None
    own_output: bool = False
    failure: Failure | None = None
    skip: Skip | None = None
    input: Any = None
    policy: tuple[str, ...] = ()


class FinishExecution(msgspec.Struct, frozen=True):
    status: str
    output: Any = None
    failure: Failure | None = None
    failed_task: str = ""


class Fetch(msgspec.Struct, frozen=True):
    """A value that lies in the blob store is needed: call `State.resolve` with its content, then decide again."""

    value: Value


Command = StartAttempt | RetryLater | FinishTask | FinishExecution | Fetch
