"""Publishes the documents of a folder whenever their files change.

Polling, since it behaves the same on every file system, network ones included, and a scan of some hundred files
takes about a millisecond. A file that does not publish leaves the version before it in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from millrace.base.errors import Unavailable
from millrace.local import documents
from millrace.local.client import Client
from millrace.local.documents import Published

INTERVAL_S: Final = 0.25
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """``published`` is set for ``published`` and ``refused``; ``why`` for ``unreadable``."""

    what: Literal["published", "refused", "deleted", "unreadable"]
    file: Path
    published: Published | None = None
    why: str = ""


class Watcher:
    """Call `look` again and again, or let `start` do it in a thread. ``tell`` hears of every change once."""

    def __init__(self, client: Client, folder: Path, tell: Callable[[Change], None]) -> None:
        self._client = client
        self._folder = folder
        self._tell = tell
        self._seen: dict[Path, Stamp] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="millrace-watch", daemon=True)

    def look(self) -> int:
        """One look at the folder; answers how many files had changed. Raises Unavailable when no server answers;
        the files not handled by then count as changed at the next look."""
        now = {path: stamp for path in documents.files_in(self._folder) if (stamp := _stamp(path))}
        for gone in sorted(self._seen.keys() - now.keys()):
            del self._seen[gone]
            self._tell(Change("deleted", gone))
        changed = [path for path, stamp in now.items() if self._seen.get(path) != stamp]
        found: list[documents.Document] = []
        for path in changed:
            try:
                found += [one for one in documents.read_file(path) if documents.is_ours(one)]
            except OSError as error:
                self._tell(Change("unreadable", path, why=error.strerror or "it cannot be read"))
        for document in documents.tasks_first(found):
            published = documents.publish(self._client, documents.development_version(document))
            if published.status != 200:
                self._tell(Change("published" if published.ok else "refused", document.file, published))
        self._seen |= {path: now[path] for path in changed}
        return len(changed)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            try:
                self.look()
            except Unavailable as error:
                if not self._stop.is_set():
                    self._tell(Change("unreadable", self._folder, why=error.message))


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:  # deleted between listing and here: the next look says so
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
