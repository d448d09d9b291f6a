"""One process per data folder, and how another process finds the one that holds it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from millrace.base.errors import Conflict

FILE_NAME: Final = "lock"


class Holder(Struct, frozen=True):
    """Who holds a folder. ``port`` is 0 until the server listens; both are 0 when the file could not be read."""

    pid: int
    port: int


def _read(descriptor: int) -> Holder:
    try:
        held = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(held["pid"]), int(held["port"]))
    except (ValueError, KeyError, TypeError):
        return Holder(0, 0)


def _locked(descriptor: int, wait_s: float) -> bool:
    time.sleep(wait_s)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FolderLock:
    """Holds ``folder`` for this process until `release` or the end of the process, however it ends.

    Raises Conflict when another holder has it, naming its pid and port. The file itself stays: removing it would let
    two processes hold two different files."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # `holder` takes a shared lock for an instant, so one refusal proves nothing.
        if not any(_locked(self._descriptor, wait) for wait in (0.0, 0.02, 0.04, 0.08)):
            holder = _read(self._descriptor)
            os.close(self._descriptor)
            raise Conflict(
                f"the data folder {folder} is in use by process {holder.pid}, port {holder.port}",
                hint="stop that process, talk to it on its port, or choose another folder",
                facts={"folder": str(folder), "pid": holder.pid, "port": holder.port},
            )
        self._held = True
        self.announce(port)

    def announce(self, port: int) -> None:
        """Says where the server listens."""
        text = json.dumps({"pid": os.getpid(), "port": port}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    @staticmethod
    def holder(folder: Path) -> Holder | None:
        """Who holds the folder now, or None."""
        try:
            descriptor = os.open(Path(folder) / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        if self._held:
            self._held = False
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
