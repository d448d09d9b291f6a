"""Who holds a data folder. Apart from the rest of local wiring, since a command that only talks to a running server
should not pay for importing a platform."""

from __future__ import annotations

from pathlib import Path

from millrace.adapters.sqlite.lock import FolderLock, Holder


def hold(folder: Path) -> FolderLock:
    """Take the data folder for this process. Raises Conflict naming the process that has it."""
    return FolderLock(folder)


def holder(folder: Path) -> Holder | None:
    """Who holds a data folder now: process and port (0 while it does not listen)."""
    return FolderLock.holder(folder)
