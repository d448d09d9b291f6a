"""Group commit: one thread owns the writing connection and commits everything queued as one transaction.

A sync of the disk costs the same for one write as for a hundred, so writes that arrive while a COMMIT runs become the
next transaction. Where there are several, each job has its own savepoint, so that a refusal undoes that job alone; one
that can only refuse before it writes needs none.
Nobody is told before COMMIT has returned; when COMMIT itself fails, nobody can know, and everyone in the group is told
so.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from millrace.adapters.sqlite.database import Database, translated
from millrace.base.errors import MillraceError, OutcomeUnknown, StoreUnavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

QUEUE_JOBS: Final = 4096
GROUP_JOBS: Final = 512
"""Bounds how long the first job of a group waits for the last to be applied."""


class Job:
    __slots__ = ("error", "future", "result", "undo", "work")

    def __init__(self, work: Work[Any], undo: bool) -> None:
        self.work = work
        self.undo = undo
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.error: MillraceError | None = None

    def tell(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Committer:
    """``commits`` is the exact number of COMMITs that have returned; it never counts a rolled-back transaction."""

    def __init__(self, database: Database, *, queue_jobs: int = QUEUE_JOBS) -> None:
        self.commits = 0
        self._database = database
        self._connection: sqlite3.Connection | None = database.first_writer()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._queue_jobs = queue_jobs
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._waiting = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="millrace-committer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], *, undo: bool = True) -> Future[T]:
        """Queues ``work``, to run in a transaction on the committer thread; it may raise MillraceError to refuse, and
        has to be undone then, unless it refuses before it writes (not ``undo``). Blocks while the queue is full. The
        future ends after COMMIT."""
        job = Job(work, undo)
        with self._lock:
            while self._queue.qsize() >= self._queue_jobs and not self._closing:
                self._waiting += 1
                self._room.wait()
                self._waiting -= 1
            if self._closing:
                job.future.set_exception(StoreUnavailable("the local store is closed"))
            else:
                self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Commits what is queued, then ends the thread. Later jobs end with StoreUnavailable."""
        self._refuse_more()
        self._thread.join()

    def _refuse_more(self) -> None:
        with self._lock:
            if not self._closing:
                self._closing = True
                self._queue.put(None)
            self._room.notify_all()

    def _run(self) -> None:
        more = True
        try:
            while more:
                jobs, more = self._next_group()
                live = [job for job in jobs if job.future.set_running_or_notify_cancel()]
                if live:
                    self._commit(live)
                    for job in live:
                        job.tell()
        finally:
            self._end()

    def _next_group(self) -> tuple[list[Job], bool]:
        """Everything queued, at least one job; False when nothing will follow."""
        jobs: list[Job] = []
        while not jobs or (len(jobs) < GROUP_JOBS and self._queue.qsize()):
            job = self._queue.get()
            if job is None:
                return jobs, False
            jobs.append(job)
        if self._waiting:
            with self._lock:
                self._room.notify_all()
        return jobs, True

    def _end(self) -> None:
        self._refuse_more()
        while self._queue.qsize():
            job = self._queue.get()
            if job is not None:
                job.future.set_exception(StoreUnavailable("the local store has stopped"))
        if self._connection is not None:
            self._connection.close()

    def _commit(self, jobs: list[Job]) -> None:
        """Applies and commits; afterwards every job knows its result or error."""
        try:
            connection = self._connection = self._connection or self._database.writer()
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            return self._fail(jobs, translated(error, self._database.path))
        except MillraceError as error:
            return self._fail(jobs, error)
        try:
            if len(jobs) == 1:
                self._try(connection, jobs[0])
            else:
                for job in jobs:
                    self._apply(connection, job)
            if all(job.error is not None for job in jobs):
                connection.execute("ROLLBACK")
                return None
        except sqlite3.Error as error:
            self._reset(connection)
            return self._fail(jobs, translated(error, self._database.path))
        except BaseException:
            self._reset(connection)
            self._fail(jobs, StoreUnavailable("the local store met a defect and has stopped"))
            for job in jobs:
                job.tell()
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._reset(connection)
            unknown = OutcomeUnknown(f"the local store could not say whether it committed: {error}")
            return self._fail([job for job in jobs if job.error is None], unknown)
        self.commits += 1
        return None

    def _apply(self, connection: sqlite3.Connection, job: Job) -> None:
        if not job.undo:
            self._try(connection, job)
            return
        connection.execute("SAVEPOINT job")
        self._try(connection, job)
        if job.error is not None:
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    @staticmethod
    def _try(connection: sqlite3.Connection, job: Job) -> None:
        try:
            job.result = job.work(connection)
        except MillraceError as error:
            job.error = error

    @staticmethod
    def _fail(jobs: list[Job], error: MillraceError) -> None:
        for job in jobs:
            job.error = error

    def _reset(self, connection: sqlite3.Connection) -> None:
        """Gives up a connection whose transaction is in doubt; closing it rolls back what did not reach the log.
        The next group opens the file anew, which reads again what is on disk."""
        self._connection = None
        connection.close()
