"""Writing a file so that after a crash it is either wholly there or as it was before.

The order is: write a temporary file, sync it, rename it over the name, sync the folder. Without the last step the
rename itself may be lost (see the notes of fsync(2) on directories).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp-"
_counter = itertools.count()


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, sync: bool) -> None:
    """Makes a folder and those above it, each entry synced into the folder above it."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for name in reversed(missing):
        name.mkdir(mode=0o700, exist_ok=True)
        if sync:
            sync_folder(name.parent)


def write(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replaces ``path`` atomically, readable by its owner only. Raises OSError; the old content then remains."""
    temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{next(_counter)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)
