"""Local wiring: one process, one data folder, nothing from outside.

SQLite for documents and feed, a directory for values, an encrypted file for secrets, and an in-process loop in the
place of Step Functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millrace.adapters.sqlite.lock import FolderLock, Holder
from millrace.services.platform import Platform


@dataclass(frozen=True, slots=True)
class LocalPlatform:
    """``resume`` takes up every unfinished execution and answers how many; ``close`` stops running, then closes the
    store and gives the folder back."""

    platform: Platform
    resume: Callable[[], int]
    close: Callable[[], None]


def hold(folder: Path) -> FolderLock:
    """Take the data folder for this process. Raises Conflict naming the process that has it."""
    return FolderLock(folder)


def holder(folder: Path) -> Holder | None:
    """Who holds a data folder now: process and port (0 while it does not listen)."""
    return FolderLock.holder(folder)
