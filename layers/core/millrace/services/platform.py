"""The ports and repositories a use case may touch, gathered once by `millrace.wiring`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

from millrace.ports.blobs import Blobs
from millrace.ports.documents import Documents, TenantScope
from millrace.ports.orchestrator import Orchestrator
from millrace.ports.secrets import Secrets
from millrace.ports.world import Clock, Ids, Random

WaitEnd = Callable[[TenantScope, str, float], None]
"""Returns when an execution has perhaps ended, or after so many seconds; where nothing can tell, there is none."""


LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Platform(Struct, frozen=True):
    """Repositories are made from ``documents`` and ``blobs`` where they are used; they hold no state.

    ``env`` is what workflows read as ``env.*``, copied into an execution when it starts: never the environment of the
    process. ``answer_bytes`` is what a function's response may have, None where nothing limits it."""

    documents: Documents
    blobs: Blobs
    secrets: Secrets
    orchestrator: Orchestrator
    clock: Clock
    ids: Ids
    random: Random
    region: str = "local"
    log_level: LogLevel = "WARNING"
    env: Mapping[str, str] = field(default_factory=dict)
    wait_end: WaitEnd | None = None
    answer_bytes: int | None = None
