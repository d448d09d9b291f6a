"""A process that writes as fast as it can and says what was acknowledged, until it is killed.

Arguments: data folder, number of the run, synchronous. One line ``<run> <thread> <count>`` per acknowledged write.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from millrace.adapters.sqlite import FolderLock, SqliteDocuments
from millrace.ports.documents import ABSENT, Item, Key, Put, Table, TenantScope, Update


def main() -> None:
    folder, run, synchronous = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    FolderLock(folder)
    store = SqliteDocuments(folder, synchronous=synchronous)
    scope = TenantScope("t")

    def write(thread: int) -> None:
        for count in range(1_000_000):
            segment = Item(
                Key(Table.HISTORY, ("run", run, str(thread)), f"{count:06}"), {"n": count, "body": b"x" * 500}
            )
            total = Update(Key(Table.STATISTICS, ("total",), f"{run}-{thread}"), add={"n": 1})
            store.write(scope, [Put(segment, ABSENT), total])
            os.write(1, f"{run} {thread} {count}\n".encode())

    for thread in range(4):
        threading.Thread(target=write, args=(thread,)).start()


main()
