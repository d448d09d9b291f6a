"""Opening the database file: pragmas, schema, and what SQLite's errors mean to our callers.

The file is in WAL mode. ``synchronous=FULL`` syncs the log on every COMMIT, so an acknowledged write survives a power
cut; ``NORMAL`` syncs at checkpoints only, so it survives the end of the process but not of the power. See
docs/decisions/0003-sqlite-durability.md.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from millrace.adapters.sqlite.log import lost_commits
from millrace.base.errors import Conflict, Corrupt, MillraceError, StoreUnavailable
from millrace.base.limits import MIB

Synchronous = Literal["FULL", "NORMAL"]

SCHEMA_VERSION: Final = 1
CHECKED_BYTES: Final = 16 * MIB
"""Files up to this size have their structure checked at every open; larger ones when SQLite reads them."""
BUSY_S: Final = 5.0

_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE item (
    tab TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL,
    attrs TEXT NOT NULL, body BLOB, indexes TEXT, expires INTEGER, feed INTEGER NOT NULL,
    PRIMARY KEY (tab, pk, sk)
);
CREATE INDEX item_expiry ON item (expires) WHERE expires IS NOT NULL;
CREATE TABLE entry (
    tab TEXT NOT NULL, name TEXT NOT NULL, pk TEXT NOT NULL, sort TEXT NOT NULL,
    item_pk TEXT NOT NULL, item_sk TEXT NOT NULL,
    PRIMARY KEY (tab, name, pk, sort, item_pk, item_sk)
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    tab TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL,
    attrs TEXT NOT NULL, body BLOB, indexes TEXT, expires INTEGER, feed INTEGER NOT NULL
);
PRAGMA user_version = 1;
COMMIT;
"""


def translated(error: sqlite3.Error, path: Path) -> MillraceError:
    """Corrupt when the file itself is damaged, otherwise StoreUnavailable. Not for a failed COMMIT."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    facts = {"path": str(path), "sqlite": getattr(error, "sqlite_errorname", type(error).__name__)}
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error), facts)
    return StoreUnavailable(f"the local store cannot be used: {error}", facts=facts)


def damaged(path: Path, what: str, facts: dict[str, str] | None = None) -> Corrupt:
    return Corrupt(
        f"the database file {path} is damaged: {what}",
        hint=f"stop the server, move {path.name} and its -wal and -shm files aside, and put back a copy made before",
        facts=facts or {"path": str(path)},
    )


class Database(Struct, frozen=True):
    """How to reach one file. ``factory`` is the connection class, which a test may replace to make COMMIT fail."""

    path: Path
    synchronous: Synchronous = "FULL"
    factory: type[sqlite3.Connection] = sqlite3.Connection

    def _open(self, factory: type[sqlite3.Connection]) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=factory,
        )

    def writer(self) -> sqlite3.Connection:
        """The one connection that writes; makes the schema in an empty file. Raises Corrupt, StoreUnavailable."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._open(self.factory)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"the database file {self.path} cannot be opened: {error}") from error
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            connection.execute("PRAGMA wal_autocheckpoint = 2000")
            connection.execute("PRAGMA temp_store = MEMORY")
            self._prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            raise translated(error, self.path) from error
        except MillraceError:
            connection.close()
            raise
        return connection

    def first_writer(self) -> sqlite3.Connection:
        """`writer` for a process that begins: looks for damage in the log, then moves the log into the file and empties
        it, so that what a later crash leaves is never mixed with what this one found."""
        self.check_log()
        connection = self.writer()
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            connection.close()
            raise translated(error, self.path) from error
        return connection

    def check_log(self) -> None:
        """Raises Corrupt when the log of a file written with FULL holds acknowledged commits behind damage."""
        log = self.path.with_name(self.path.name + "-wal")
        try:
            lost = lost_commits(log) if self.synchronous == "FULL" else 0
        except OSError as error:
            raise StoreUnavailable(f"{log} cannot be read: {error.strerror}") from error
        if lost > 1:
            raise Corrupt(
                f"{log} is damaged: {lost} commits lie behind the damage and cannot be read",
                hint=f"put back a copy of {self.path.name} and its -wal file, or accept the loss of what lies behind "
                "the damage by opening once with synchronous NORMAL (MILLRACE_SYNC=normal)",
                facts={"path": str(log), "commits": lost},
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(_SCHEMA)
        elif version != SCHEMA_VERSION:
            raise Conflict(
                f"the database file {self.path} has schema {version}; this release reads {SCHEMA_VERSION}",
                hint="run the release that made the file",
            )
        elif self.path.stat().st_size <= CHECKED_BYTES:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise damaged(self.path, verdict)

    def reader(self) -> sqlite3.Connection:
        """A connection that cannot write. It sees every COMMIT that returned before its statement began."""
        connection = self._open(sqlite3.Connection)
        connection.execute("PRAGMA query_only = 1")
        return connection
