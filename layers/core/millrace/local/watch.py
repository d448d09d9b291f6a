"""Publishes the documents of a folder whenever their files change.

Polling, since it behaves the same on every file system, network ones included, and a scan of some hundred files
takes about a millisecond. A file that does not publish leaves the version before it in force. What was refused is
tried again after something else was published, since it may have waited for just that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from millrace.base.errors import Unavailable
from millrace.local import documents
from millrace.local.client import Client
from millrace.local.documents import Published

INTERVAL_S: Final = 0.25
_logger = logging.getLogger("millrace.watch")
Stamp = tuple[int, int, int]


class Change(Struct, frozen=True):
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
        self._good: dict[Path, int] = {}  # how many documents of a file were published; kept when it is deleted
        self._refused: dict[Path, list[Published]] = {}
        self._due = False  # something was published since the refused ones were tried
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="millrace-watch", daemon=True)

    def look(self) -> int:
        """One look at the folder; answers how many files had changed. Raises Unavailable when no server answers;
        the files not handled by then count as changed at the next look."""
        now = {path: stamp for path in documents.files_in(self._folder) if (stamp := _stamp(path))}
        for gone in sorted(self._seen.keys() - now.keys()):
            del self._seen[gone]
            self._refused.pop(gone, None)
            self._tell(Change("deleted", gone))
        changed = [path for path, stamp in now.items() if self._seen.get(path) != stamp]
        found: list[documents.Document] = []
        for path in changed:
            try:
                found += self._judged(documents.read_file(path), path)
            except OSError as error:
                self._tell(Change("unreadable", path, why=error.strerror or "it cannot be read"))
        done = [self._publish(document) for document in documents.tasks_first(found)]
        self._seen |= {path: now[path] for path in changed}
        for path in changed:
            self._keep(path, [one for one in done if one.document.file == path])
        while self._due and self._refused:
            self._due = self._try_again()
        self._due = False
        return len(changed)

    def _judged(self, found: list[documents.Document], path: Path) -> list[documents.Document]:
        """The documents of a file that are ours; all of them once fewer are ours than were published before, since
        one of those has become unrecognisable."""
        ours = [one for one in found if documents.is_ours(one)]
        return found if len(ours) < self._good.get(path, 0) else ours

    def _publish(self, document: documents.Document) -> Published:
        published = documents.publish(self._client, documents.development_version(document))
        self._due |= published.ok
        if published.status != 200:
            self._tell(Change("published" if published.ok else "refused", document.file, published))
        return published

    def _keep(self, path: Path, done: list[Published]) -> None:
        """Remember what became of the documents of a file that has changed."""
        good = sum(one.ok for one in done)
        if good == len(done) > 0:
            self._good[path] = good
        elif good:
            self._good[path] = max(good, self._good.get(path, 0))
        self._refused.pop(path, None)
        if good < len(done):
            self._refused[path] = [one for one in done if not one.ok]

    def _try_again(self) -> bool:
        """Try every refused document once more, and answer whether one was published; the same refusal is not told
        again."""
        some = False
        waiting = [one for refused in self._refused.values() for one in refused]
        for before in sorted(waiting, key=lambda one: one.document.kind != "WorkflowTask"):
            document = before.document
            after = documents.publish(self._client, document)
            kept = self._refused[document.file]
            kept.remove(before)
            some |= after.ok
            if after.ok:
                self._good[document.file] = self._good.get(document.file, 0) + 1
            else:
                kept.append(after)
            if not kept:
                del self._refused[document.file]
            if after.ok or _said(after) != _said(before):
                self._tell(Change("published" if after.ok else "refused", document.file, after))
        return some

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
            except Exception:  # whatever it was, the files that change next need this thread
                _logger.exception("a look at %s failed; it is tried again", self._folder)


def _said(published: Published) -> tuple[object, ...]:
    """What a person is told of a refusal, without the marks of one request."""
    return published.status, published.answer.get("detail"), published.answer.get("hint"), published.findings


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:  # deleted between listing and here: the next look says so
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
